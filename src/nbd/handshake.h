/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake - the server's side of fixed newstyle negotiation, without I/O
 *
 * Takes the bytes that a client sent, appends the bytes to be sent back, and
 * says when the connection is ready for requests or must be closed:
 *
 *            nbd_handshake_start(): greeting
 *                      |
 *                CLIENT_FLAGS --- unknown flag ------------------> CLOSE
 *                      |
 *      .----------> OPTION ------ bad magic, too many options ---> CLOSE
 *      |   |           |     `--- EXPORT_NAME of no export ------> CLOSE
 *      |   |           |     `--- ABORT (acknowledged) ----------> CLOSE
 *      |   |           `--------- EXPORT_NAME, GO --------> TRANSMISSION
 *      |   `- INFO, STRUCTURED_REPLY, LIST_META_CONTEXT,
 *      |      SET_META_CONTEXT, errors, all others (unsupported)
 *      |               |
 *      |------------ LIST: an export at a time
 *      `------------ SKIP: data of an option that is too long
 *
 * Options are a table of {number, handler}; what is not in it is answered
 * with NBD_REP_ERR_UNSUP and the stream stays in step. TLS is not offered: it
 * could not be had without memory allocation while the machine swaps. What was
 * agreed on is in hs->session, complete after NBD_HANDSHAKE_TRANSMISSION.
 *
 * Memory: nothing is buffered here. Incomplete input is left with the caller,
 * who must be able to hold NBD_HANDSHAKE_IN_BYTES of it. Data longer than
 * that is dropped as it comes and answered with NBD_REP_ERR_TOO_BIG: this
 * costs no memory, and the caller's deadline for the whole handshake bounds
 * the time.
 *
 * All input may be hostile. Threads: one at a time for each handshake.
 * Source: NBD doc/proto.md, "Newstyle negotiation" and "Option types".
 */
#ifndef ZSD_NBD_HANDSHAKE_H
#define ZSD_NBD_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nbd/nbd_export.h"
#include "nbd/nbd_proto.h"
#include "nbd/nbd_session.h"

/*
 * Longest option data that is looked at, bytes. Everything we know needs less
 * than 4 KiB of name and a few info types or queries for meta contexts.
 */
#define NBD_HANDSHAKE_MAX_DATA_BYTES (64u << 10)

/* Unconsumed input that the caller must be able to hold, bytes. */
#define NBD_HANDSHAKE_IN_BYTES \
	(NBD_OPTION_HEADER_BYTES + NBD_HANDSHAKE_MAX_DATA_BYTES)

/*
 * Most that is answered at a time, bytes: NBD_REP_INFO for export, name,
 * description and block size, then NBD_REP_ACK.
 */
#define NBD_HANDSHAKE_OUT_BYTES                             \
	(5 * NBD_REP_HEADER_BYTES + NBD_INFO_EXPORT_BYTES + \
	 NBD_INFO_BLOCK_SIZE_BYTES + 2 * (2 + NBD_MAX_STRING_BYTES))

/*
 * Options that a client may send. Real ones need less than ten; without a
 * bound one could keep us busy until the deadline.
 */
#define NBD_HANDSHAKE_MAX_OPTIONS 64u

/* Where replies are appended. */
struct nbd_out {
	unsigned char *data;
	size_t bytes; /* filled so far */
	size_t room; /* of data in all */
};

enum nbd_handshake_result {
	NBD_HANDSHAKE_MORE, /* wants more input, or more room */
	NBD_HANDSHAKE_TRANSMISSION, /* done: requests follow */
	NBD_HANDSHAKE_CLOSE, /* send what there is, then close */
};

enum nbd_handshake_state {
	NBD_HANDSHAKE_CLIENT_FLAGS,
	NBD_HANDSHAKE_OPTION,
	NBD_HANDSHAKE_LIST,
	NBD_HANDSHAKE_SKIP,
};

struct nbd_handshake {
	struct nbd_session session; /* as far as it is agreed on */
	const struct nbd_exports *exports;
	/* What the context was selected for, and by a name of which length. */
	const struct nbd_export *context_export;
	uint32_t context_name_bytes;
	size_t nr_listed; /* in LIST: exports that were told of */
	enum nbd_handshake_state state;
	bool fixed_newstyle; /* the client understands option replies */
	bool no_zeroes; /* the client wants no padding */
	unsigned nr_options; /* received so far */
	uint32_t option; /* the one at hand */
	uint32_t length_bytes; /* of its data; in SKIP what is left of it */
	int close_reason; /* for NBD_HANDSHAKE_CLOSE: 0 or -errno */
};

/**
 * nbd_handshake_start() - begin a handshake with the greeting
 * @exports: must outlive the handshake
 * @out:     with room for NBD_GREETING_BYTES
 */
void nbd_handshake_start(struct nbd_handshake *hs,
			 const struct nbd_exports *exports,
			 struct nbd_out *out);

/**
 * nbd_handshake_feed() - go on with what the client sent
 * @in, @in_bytes: all input that was not consumed yet
 * @consumed:      receives how much of it is used up: drop that
 * @out:           replies are appended; where less than
 *                 NBD_HANDSHAKE_OUT_BYTES of room is left, nothing more is
 *                 consumed until there is
 *
 * Never to be called again after it returned anything but MORE. After
 * TRANSMISSION the input that is left belongs to the first request. After
 * CLOSE hs->close_reason is
 *   0        the client asked for it
 *   -EPROTO  wrong magic or a flag that was not offered
 *   -E2BIG   too many options, or an export name longer than allowed
 *   -ENOENT  EXPORT_NAME named an export that does not exist
 */
enum nbd_handshake_result nbd_handshake_feed(struct nbd_handshake *hs,
					     const unsigned char *in,
					     size_t in_bytes, size_t *consumed,
					     struct nbd_out *out);

#endif

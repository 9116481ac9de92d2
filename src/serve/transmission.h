/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transmission - runs the requests of one connection against the store
 *
 * Bytes in the receive buffer become store operations and bytes in the send
 * buffer. It knows no socket: its user receives, sends, and decides when to
 * come back by the step it returns.
 *
 * Requests run one after the other, in order, each to its end:
 *   write         page by page out of the receive buffer, as the payload
 *                 comes; a page that is not all there yet waits for the rest.
 *                 After an error the rest of the payload is dropped.
 *   read          straight into the send buffer, in pieces where it does not
 *                 fit. A simple reply's error takes its place while all of it
 *                 is still in the buffer; later nothing but closing is left. A
 *                 structured reply tells of zeros without sending them, and
 *                 ends with an error wherever it has got to.
 *   trim, zero    in slices.
 *   block status  as much as a look of bounded length finds, in one go.
 *   flush, cache  nothing to do: what was replied to is visible to all, and
 *                 there is no memory slower than ours.
 * After a budget of work it yields, so that no connection keeps its thread
 * from the others.
 *
 * Memory: allocates nothing.
 * Ownership: everything it points to is the connection's or its worker's.
 * Threads: the worker's.
 * Source: NBD doc/proto.md, "Transmission".
 */
#ifndef ZSD_SERVE_TRANSMISSION_H
#define ZSD_SERVE_TRANSMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "nbd/nbd_session.h"
#include "nbd/reply.h"
#include "nbd/request.h"
#include "export/request_counters.h"
#include "io/stream_buf.h"
#include "zstore/zstore.h"

/*
 * Most of a read that is made at once, bytes. The send buffer must have room
 * for this and a reply header whenever NEEDS_ROOM was answered with room.
 */
#define TRANSMISSION_PIECE_BYTES (256u << 10)
#define TRANSMISSION_ROOM_BYTES	 (NBD_REPLY_MAX_BYTES + TRANSMISSION_PIECE_BYTES)

/*
 * Work before it yields: bytes copied, with a charge for each request (that
 * of a page: small ones cost more than their bytes) and a quarter of the bytes
 * trimmed. About a millisecond.
 */
#define TRANSMISSION_BUDGET (1u << 20)

/*
 * A block status: extents in one answer, and looks at the store for it. The
 * client asks again for what it was not told; this many looks, 256 MiB of pages
 * one by one, are one budget, and the extents are 64 KiB of answer.
 */
#define TRANSMISSION_MAX_EXTENTS 8192u
#define TRANSMISSION_MAX_LOOKS	 (64u << 10)

/* A slice of a trim or a write-zeroes, bytes of disk: one budget. */
#define TRANSMISSION_SLICE_BYTES (4u << 20)

enum step {
	STEP_NEEDS_INPUT, /* the receive buffer holds nothing that is whole */
	STEP_NEEDS_ROOM, /* the send buffer is too full */
	STEP_YIELDS, /* could go on, but it is the others' turn */
	STEP_ENDS, /* send what there is, then close; see reason */
};

struct transmission {
	const struct nbd_session *session;
	struct zstore_ctx *store;
	struct request_counters *counters;

	bool is_busy; /* a request is under way: the fields below */
	struct nbd_request req;
	uint64_t offset; /* of the disk: where to go on */
	uint32_t left_bytes; /* how much is to be done */
	uint32_t error; /* the first one, an NBD error */
	uint64_t error_offset; /* of the disk: where, for a read in chunks */
	bool is_reply_begun; /* a read's header is in the send buffer */
	uint64_t reply_pos; /* where in the stream of all replies */

	uint64_t nr_answered; /* requests so far */
	int reason; /* for STEP_ENDS: 0 or -errno */
};

/* @session may still be under negotiation, until the first request. */
void transmission_init(struct transmission *t,
		       const struct nbd_session *session,
		       struct zstore_ctx *store,
		       struct request_counters *counters);

/**
 * transmission_run() - run requests until something is missing
 * @rx: what the client sent; what is used is consumed
 * @tx: replies are appended
 * @budget: of work, TRANSMISSION_BUDGET at the start of a turn; what was done
 *      is taken off, and it may be overdrawn by one piece
 *
 * Return: the step. After STEP_ENDS it must not be called again; t->reason is
 *   0          the client said goodbye
 *   -EPROTO    a request without its magic
 *   -EMSGSIZE  a payload too long even to be skipped
 *   -EIO       a read failed after part of its simple reply was sent
 */
enum step transmission_run(struct transmission *t, struct stream_buf *rx,
			   struct stream_buf *tx,
			   int64_t *budget) ZSD_MUST_CHECK;

/* Bytes of the request under way that the client has still to send: what @rx
 * holds already is not among them. */
uint32_t transmission_missing_bytes(const struct transmission *t,
				    const struct stream_buf *rx);

#endif

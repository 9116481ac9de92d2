/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transmission - runs the requests of one connection against its export
 *
 * Bytes in the receive ring become operations of the store and bytes in the
 * send ring. It knows no socket: its user receives, sends, and decides when to
 * come back by the step that it returns.
 *
 * All that has come is taken up first, into a table (reqs.h), which says what
 * is to be done next. A request is taken further a piece at a time:
 *   write         some pages out of the receive ring, as the payload comes; a
 *                 page that is not all there waits for the rest. After an error
 *                 the rest of the payload is dropped.
 *   read          straight into the send ring, in pieces. A simple reply's
 *                 error takes its place while all of it is still there; later
 *                 nothing but closing is left. A structured reply tells of
 *                 zeros without sending them, and ends with an error wherever it
 *                 has got to.
 *   trim, zero    in slices.
 *   block status  as much as a look of bounded length finds, in one go.
 *   flush, cache  nothing to do: what was replied to is visible to all, and
 *                 there is no memory slower than ours.
 * A reply that has begun is completed before another begins, but for replies in
 * chunks, which may alternate.
 *
 * Time: a turn ends at a deadline. The clock is looked at after each piece. Of
 * a write, that is as many pages as take about TRANSMISSION_PIECE_NS, so that
 * a slow codec is not at it for longer than a fast one; a page at least.
 *
 * Help: where several pages wait to be packed and other workers have nothing to
 * do, those help (crew.h). All is done when the handler returns; nobody but it
 * knows of them.
 *
 * Waiting: where the store answers -EINPROGRESS a request waits, and nobody
 * else does, until transmission_wake().
 *
 * Memory: allocates nothing but what the rings need (ring.h).
 * Ownership: everything it points to is the connection's or its worker's.
 * Threads: the worker's.
 * Source: NBD doc/proto.md, "Transmission".
 */
#ifndef ZSD_SERVE_TRANSMISSION_TRANSMISSION_H
#define ZSD_SERVE_TRANSMISSION_TRANSMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "export/export.h"
#include "io/ring.h"
#include "nbd/nbd_session.h"
#include "nbd/reply.h"
#include "serve/crew.h"
#include "serve/transmission/reqs.h"
#include "stream/stream.h"

/*
 * Most of a read or a write that is done at once, bytes. The send ring must
 * have room for this and a reply header whenever NEEDS_ROOM was answered with
 * room.
 */
#define TRANSMISSION_PIECE_BYTES (64u << 10)
#define TRANSMISSION_ROOM_BYTES	 (NBD_REPLY_MAX_BYTES + TRANSMISSION_PIECE_BYTES)

/* How long a piece should take, ns: a part of a turn that hardly shows, and a
 * hundred times what it costs to look at the clock. */
#define TRANSMISSION_PIECE_NS 50000u

/* What is packed with help at once, ns of one worker: with one helper half a
 * turn, during which no read is seen. */
#define TRANSMISSION_BATCH_NS 1000000u

/*
 * A block status: extents in one answer, and looks at the store for it. The
 * client asks again for what it was not told. So many looks take less than a
 * millisecond, and the extents are nearly a piece of a reply.
 */
#define TRANSMISSION_MAX_EXTENTS 8190u
#define TRANSMISSION_MAX_LOOKS	 (64u << 10)

/* A slice of a trim or a write-zeroes, bytes of disk: a free for each page of
 * it that is stored, some 30 us. */
#define TRANSMISSION_SLICE_BYTES (1u << 20)

enum step {
	STEP_NEEDS_INPUT, /* nothing can be done until something comes */
	STEP_NEEDS_ROOM, /* the send ring is too full */
	STEP_SENDS, /* looks are answered, changes come next: send first */
	STEP_YIELDS, /* could go on, but time is up */
	STEP_ENDS, /* send what there is, then close; see reason */
};

struct transmission {
	const struct nbd_session *session;
	struct export_view *view;
	struct io_ring *rx;
	struct io_ring *tx;
	struct reqs reqs;
	uint64_t parsed; /* of rx: up to where requests were taken up, and
			  * their payloads, which may still have to come */
	uint64_t seen_tail; /* of rx, when requests were last taken up */
	struct req *begun; /* whose reply must be completed first, or NULL */
	uint64_t looks_pos; /* of tx: behind the last answer to a look */
	uint64_t sends_pos; /* of tx: up to where STEP_SENDS was answered */
	struct crew_member *crew; /* its worker's, or NULL: nobody helps */
	uint64_t alone_until; /* requests below this number are packed alone */
	uint32_t page_ns; /* what a page of a write takes, alone */
	uint32_t nr_alone; /* pieces to do alone, for help did not pay */
	uint32_t backoff; /* how many those were, or fewer: it paid since */
	uint32_t piece_pages; /* of a write, written just now */
	bool is_over; /* nothing more is taken up */
	int reason; /* for STEP_ENDS: 0 or -errno */
	uint64_t nr_answered; /* requests so far */
	uint64_t told_pos; /* of tx: up to where nothing is taken back, even if
			    * it is not sent: see stream.h */
	uint64_t refused; /* the number and 1 of a request that is answered with
			   * NBD_EIO, or 0 */
	struct stream_mark *mark; /* is told what is being run, or NULL */
};

/* @session may still be under negotiation, and @view unknown (NULL), until the
 * first request. */
void transmission_init(struct transmission *t,
		       const struct nbd_session *session, struct io_ring *rx,
		       struct io_ring *tx);

/* transmission_begin() - the handshake is over: requests follow */
void transmission_begin(struct transmission *t, struct export_view *view);

/**
 * transmission_run() - take requests as far as they go
 * @deadline_ns: when to yield, by transmission_now_ns(). One piece is done in
 *               any case, and a change where there is one, so that looks
 *               without end do not keep changes from being done
 *
 * Return: the step. After STEP_ENDS it must not be called again; t->reason is
 *   0          the client said goodbye
 *   -EPROTO    a request without its magic
 *   -EMSGSIZE  a payload too long even to be skipped
 *   -EIO       a read failed after part of its simple reply was sent
 */
enum step transmission_run(struct transmission *t,
			   uint64_t deadline_ns) ZSD_MUST_CHECK;

/* transmission_rewind() - let the rings begin at their start again, where they
 * are empty. Before something is received. */
void transmission_rewind(struct transmission *t);

/* transmission_squeeze() - the system has no memory for more of the receive
 * ring: move what is in it to the start. Never while it runs. */
void transmission_squeeze(struct transmission *t);

/* transmission_wake() - what some requests wait for may be there: all that wait
 * are taken further the next time that it runs. Return: whether any waits. */
bool transmission_wake(struct transmission *t);

/* Whether a request waits for something slower than memory. */
bool transmission_waits(const struct transmission *t);

/* Bytes of the write under way that the client has still to send: what the
 * receive ring holds already is not among them. */
uint32_t transmission_missing_bytes(const struct transmission *t);

/* Whether all requests that the receive ring has were taken up; until then it
 * may have a part of another write. */
bool transmission_has_all(const struct transmission *t);

/* The clock of deadlines, ns. */
uint64_t transmission_now_ns(void);

/* --- between the files of transmission ------------------------------------ */

/* How a handler of a request leaves it. */
enum progress {
	DONE, /* answered */
	GOES_ON, /* more can be done at once */
	LACKS_INPUT, /* the payload is not all there */
	LACKS_ROOM, /* the reply does not fit */
	WAITS, /* for something slower than memory */
	BROKEN, /* the stream of replies cannot be kept whole */
};

/*
 * The next piece of a request: at most @max_bytes, and unless it is the last
 * one it ends where a page of the disk does, so that no page is touched twice.
 */
uint32_t transmission_next_piece(const struct req *req, size_t max_bytes);

/* @bytes of the request are done. */
void transmission_advance(struct req *req, uint32_t bytes);

/* Room in the send ring for a reply header and @bytes, which are less where
 * that is all there is. Return: how many bytes of data fit; 0: none. */
uint32_t transmission_room(struct transmission *t, uint32_t bytes);

/*
 * Answer a request with its error, or, if it has none, with success and nothing
 * else. A request has room for that when it is taken further.
 */
enum progress transmission_answer(struct transmission *t, struct req *req);

/* A request was taken a piece further: answered, it goes; or it stays for what
 * it needs. */
void transmission_leave(struct transmission *t, struct req *req,
			enum progress progress);

/* What the receive ring is done with makes room for more. */
void transmission_free_input(struct transmission *t);

/* transmission_write.c: runs NBD_CMD_WRITE. */
enum progress transmission_write(struct transmission *t, struct req *req);

/* transmission_write.c: what was run just now took so long; it may have been a
 * piece of a write. */
void transmission_time_write(struct transmission *t, uint64_t took_ns);

/* transmission_read.c: runs NBD_CMD_READ of any kind. */
enum progress transmission_read(struct transmission *t, struct req *req);

/* transmission_read.c: runs NBD_CMD_BLOCK_STATUS. */
enum progress transmission_block_status(struct transmission *t,
					struct req *req);

#endif

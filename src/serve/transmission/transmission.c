/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "serve/transmission/transmission.h"

void transmission_init(struct transmission *t,
		       const struct nbd_session *session, struct io_ring *rx,
		       struct io_ring *tx)
{
	memset(t, 0, sizeof(*t));
	reqs_init(&t->reqs);
	t->session = session;
	t->rx = rx;
	t->tx = tx;
	t->page_ns = TRANSMISSION_PIECE_NS; /* a page at a time, until known */
}

void transmission_begin(struct transmission *t, struct export_view *view)
{
	t->view = view;
	t->parsed = t->rx->head;
}

uint64_t transmission_now_ns(void)
{
	return uv_hrtime();
}

/* --- pieces ----------------------------------------------------------------- */

uint32_t transmission_next_piece(const struct req *req, size_t max_bytes)
{
	uint64_t end;

	if (req->left_bytes <= max_bytes)
		return req->left_bytes;
	end = align_down(req->offset + max_bytes, ZSD_PAGE_BYTES);
	return end > req->offset ? (uint32_t)(end - req->offset) : 0;
}

void transmission_advance(struct req *req, uint32_t bytes)
{
	req->offset += bytes;
	req->left_bytes -= bytes;
}

uint32_t transmission_room(struct transmission *t, uint32_t bytes)
{
	size_t room = min_u64(io_ring_room(t->tx),
			      NBD_REPLY_MAX_BYTES + (size_t)bytes);

	room = io_ring_prepare(t->tx, room);
	return room > NBD_REPLY_MAX_BYTES
		       ? (uint32_t)(room - NBD_REPLY_MAX_BYTES)
		       : 0;
}

/* --- answers ---------------------------------------------------------------- */

/* In chunks where a read must be, and errors may be, with a text. */
static uint32_t encode_answer(const struct transmission *t,
			      const struct req *req, unsigned char *bytes)
{
	uint64_t cookie = req->nbd.cookie;

	if (t->session->structured_replies && req->error)
		return nbd_chunk_encode_error(bytes, cookie, req->error, NULL);
	if (t->session->structured_replies && req->nbd.type == NBD_CMD_READ) {
		nbd_chunk_encode_none(bytes, cookie);
		return NBD_CHUNK_BYTES;
	}
	nbd_reply_encode(bytes, cookie, req->error);
	return NBD_SIMPLE_REPLY_BYTES;
}

enum progress transmission_answer(struct transmission *t, struct req *req)
{
	io_ring_fill(t->tx, encode_answer(t, req, io_ring_end(t->tx)));
	return DONE;
}

void transmission_free_input(struct transmission *t)
{
	uint64_t pos = reqs_payload_pos(&t->reqs, t->parsed);

	io_ring_consume_to(t->rx, min_u64(pos, t->rx->tail));
}

/* --- changes ---------------------------------------------------------------- */

static enum progress run_nothing(struct transmission *t, struct req *req)
{
	return transmission_answer(t, req);
}

static enum progress run_trim(struct transmission *t, struct req *req)
{
	uint32_t bytes = transmission_next_piece(req, TRANSMISSION_SLICE_BYTES);

	if (zstore_trim(t->view->store, req->offset, bytes) == -EINPROGRESS)
		return WAITS;
	transmission_advance(req, bytes);
	return req->left_bytes ? GOES_ON : transmission_answer(t, req);
}

static enum progress run_write_zeroes(struct transmission *t, struct req *req)
{
	uint32_t bytes = transmission_next_piece(req, TRANSMISSION_SLICE_BYTES);
	int err;

	if (req->nbd.flags & NBD_CMD_FLAG_NO_HOLE)
		err = zstore_store_zeroes(t->view->store, req->offset, bytes);
	else
		err = zstore_write_zeroes(t->view->store, req->offset, bytes);
	if (err == -EINPROGRESS)
		return WAITS;
	req->error = nbd_error_from_errno(err);
	transmission_advance(req, bytes);
	return req->left_bytes && !req->error ? GOES_ON
					      : transmission_answer(t, req);
}

/* By NBD_CMD_*; nbd_request_check() lets no other type through. */
static const struct command {
	enum progress (*run)(struct transmission *t, struct req *req);
	enum export_count count;
} commands[] = {
	[NBD_CMD_READ] = {transmission_read, COUNT_read},
	[NBD_CMD_WRITE] = {transmission_write, COUNT_write},
	[NBD_CMD_FLUSH] = {run_nothing, COUNT_flush},
	[NBD_CMD_TRIM] = {run_trim, COUNT_trim},
	[NBD_CMD_CACHE] = {run_nothing, COUNT_cache},
	[NBD_CMD_WRITE_ZEROES] = {run_write_zeroes, COUNT_write_zeroes},
	[NBD_CMD_BLOCK_STATUS] = {transmission_block_status,
				  COUNT_block_status},
};

/* --- taking up -------------------------------------------------------------- */

static void end_for(struct transmission *t, int reason)
{
	t->is_over = true;
	t->reason = reason;
}

uint32_t transmission_missing_bytes(const struct transmission *t)
{
	return t->parsed > t->rx->tail ? (uint32_t)(t->parsed - t->rx->tail)
				       : 0;
}

static void take_up_one(struct transmission *t, const struct nbd_request *nbd)
{
	struct req *req;
	uint32_t error;

	if (nbd->type == NBD_CMD_DISC) {
		end_for(t, 0);
		return;
	}
	error = t->reqs.nr_taken + 1 == t->refused
			? NBD_EIO
			: nbd_request_check(nbd, t->session);
	req = reqs_add(&t->reqs, nbd, error);
	req->payload_pos = t->parsed;
	t->parsed += nbd_request_payload_bytes(nbd);
}

/* Take up all that has come and that there is a place for. */
static void take_up(struct transmission *t)
{
	struct req *write = reqs_last_write(&t->reqs);
	struct nbd_request nbd;
	int err;

	if (write && write->state == REQ_LACKS_PAYLOAD &&
	    t->rx->tail != t->seen_tail)
		write->state = REQ_READY;
	t->seen_tail = t->rx->tail;
	while (!t->is_over && t->rx->tail >= t->parsed + NBD_REQUEST_BYTES &&
	       !reqs_is_full(&t->reqs)) {
		err = nbd_request_decode(io_ring_at(t->rx, t->parsed), &nbd);
		if (err) {
			end_for(t, err);
			break;
		}
		t->parsed += NBD_REQUEST_BYTES;
		take_up_one(t, &nbd);
	}
	transmission_free_input(t);
}

bool transmission_has_all(const struct transmission *t)
{
	return t->is_over || t->rx->tail < t->parsed + NBD_REQUEST_BYTES;
}

/* What is in the receive ring has moved. */
static void shift(struct transmission *t, uint64_t bytes)
{
	t->parsed += bytes;
	t->seen_tail += bytes;
	reqs_shift(&t->reqs, bytes);
}

void transmission_rewind(struct transmission *t)
{
	uint64_t tail = t->rx->tail;

	if (io_ring_used(t->tx) == 0)
		io_ring_rewind(t->tx);
	if (io_ring_used(t->rx))
		return;
	io_ring_rewind(t->rx);
	shift(t, t->rx->tail - tail);
}

void transmission_squeeze(struct transmission *t)
{
	uint64_t tail = t->rx->tail;

	io_ring_squeeze(t->rx);
	shift(t, t->rx->tail - tail);
}

/* --- running ---------------------------------------------------------------- */

/* Bring near what the requests that come next will touch: the further a request
 * is from being run, the earlier is the stage of what is fetched for it. */
static void look_ahead(const struct transmission *t, const struct req *req)
{
	static const enum zstore_stage stages[] = {
		ZSTORE_NEAR_OBJECT, ZSTORE_NEAR_ENTRY, ZSTORE_NEAR_SLOT};
	const struct req *next;

	for (unsigned i = 0; i < ARRAY_SIZE(stages); i++) {
		next = reqs_behind(&t->reqs, req, i + 1);
		if (!next)
			break;
		if (!next->error && next->nbd.length)
			zstore_prefetch(t->view->store, next->nbd.offset,
					stages[i]);
	}
}

static enum progress run_request(struct transmission *t, struct req *req)
{
	if (req->nbd.length == 0)
		return transmission_answer(t, req);
	/* A write's payload must be taken off the stream in any case, and a
	 * reply that is begun be completed. */
	if (req->error && req->nbd.type != NBD_CMD_WRITE &&
	    !req->is_reply_begun)
		return transmission_answer(t, req);
	return commands[req->nbd.type].run(t, req);
}

static void count_answer(struct transmission *t, const struct req *req)
{
	const struct nbd_request *nbd = &req->nbd;

	if (nbd->type < ARRAY_SIZE(commands) && commands[nbd->type].run)
		export_count(t->view, commands[nbd->type].count, 1);
	if (req->error)
		export_count(t->view, COUNT_errors, 1);
	else if (nbd->type == NBD_CMD_READ)
		export_count(t->view, COUNT_read_bytes, nbd->length);
	else if (nbd->type == NBD_CMD_WRITE)
		export_count(t->view, COUNT_write_bytes, nbd->length);
	if (!req->is_change && reqs_overtakes(&t->reqs, req))
		export_count(t->view, COUNT_overtakes, 1);
}

static void retire(struct transmission *t, struct req *req)
{
	count_answer(t, req);
	t->nr_answered++;
	if (!req->is_change)
		t->looks_pos = t->tx->tail;
	reqs_remove(&t->reqs, req);
	transmission_free_input(t);
}

void transmission_leave(struct transmission *t, struct req *req,
			enum progress progress)
{
	if (progress == DONE)
		retire(t, req);
	else if (progress == LACKS_INPUT)
		req->state = REQ_LACKS_PAYLOAD;
	else if (progress == WAITS)
		req->state = REQ_WAITS;
}

/* Take a request a piece further. Returns STEP_YIELDS if more can be done at
 * once, with it or with another. */
static enum step go_on(struct transmission *t, struct req *req)
{
	enum progress progress = run_request(t, req);

	t->begun = progress != DONE && req->is_reply_begun ? req : NULL;
	if (progress == LACKS_ROOM)
		return STEP_NEEDS_ROOM;
	if (progress == BROKEN) {
		t->reason = -EIO;
		return STEP_ENDS;
	}
	transmission_leave(t, req, progress);
	return STEP_YIELDS;
}

/* The request whose turn it is; NULL if there is none. */
static struct req *next_request(struct transmission *t, bool is_late)
{
	struct req *change;

	if (t->begun)
		return t->begun->state == REQ_READY ? t->begun : NULL;
	change = is_late ? reqs_next_change(&t->reqs) : NULL;
	return change ? change : reqs_next(&t->reqs);
}

/* Whether answers to looks should leave before a change is begun. Once: a
 * client that does not read them keeps no change from being done. */
static bool should_send(struct transmission *t, const struct req *req)
{
	if (!req->is_change || t->tx->head >= t->looks_pos ||
	    t->sends_pos == t->looks_pos)
		return false;
	t->sends_pos = t->looks_pos;
	return true;
}

/* With nothing to be done. */
static enum step rest(const struct transmission *t)
{
	return t->is_over && reqs_is_empty(&t->reqs) ? STEP_ENDS
						     : STEP_NEEDS_INPUT;
}

enum step transmission_run(struct transmission *t, uint64_t deadline_ns)
{
	uint64_t now_ns = transmission_now_ns(), start_ns;
	bool is_late = false, was_change = false;
	enum step step = STEP_YIELDS;

	while (step == STEP_YIELDS && !(is_late && was_change)) {
		struct req *req;

		take_up(t);
		req = next_request(t, is_late);
		if (!req)
			return rest(t);
		if (is_late && !req->is_change)
			return STEP_YIELDS;
		if (should_send(t, req))
			return STEP_SENDS;
		if (!transmission_room(t, 1))
			return STEP_NEEDS_ROOM;
		was_change |= req->is_change;
		look_ahead(t, req);
		if (t->mark)
			*t->mark = (struct stream_mark){req->number + 1,
							req->offset};
		step = go_on(t, req);
		start_ns = now_ns;
		now_ns = transmission_now_ns();
		transmission_time_write(t, now_ns - start_ns);
		is_late = now_ns >= deadline_ns;
	}
	return step;
}

bool transmission_wake(struct transmission *t)
{
	return reqs_wake(&t->reqs);
}

bool transmission_waits(const struct transmission *t)
{
	return reqs_wait(&t->reqs);
}

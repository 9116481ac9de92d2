/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "serve/transmission_internal.h"

/* Charged for each request on top of its bytes. */
#define REQUEST_CHARGE ZSD_PAGE_BYTES

/* The share of TRANSMISSION_SLICE_BYTES in the budget. */
#define SLICE_CHARGE(bytes) \
	((bytes) / (TRANSMISSION_SLICE_BYTES / TRANSMISSION_BUDGET))

void transmission_init(struct transmission *t,
		       const struct nbd_session *session,
		       struct zstore_ctx *store,
		       struct request_counters *counters)
{
	memset(t, 0, sizeof(*t));
	t->session = session;
	t->store = store;
	t->counters = counters;
}

uint32_t transmission_missing_bytes(const struct transmission *t,
				    const struct stream_buf *rx)
{
	if (!t->is_busy || t->req.type != NBD_CMD_WRITE)
		return 0;
	return t->left_bytes - (uint32_t)min_u64(t->left_bytes, buf_used(rx));
}

/* --- the request under way ---------------------------------------------- */

uint32_t transmission_next_piece(const struct transmission *t, size_t max_bytes)
{
	uint64_t end;

	if (t->left_bytes <= max_bytes)
		return t->left_bytes;
	end = align_down(t->offset + max_bytes, ZSD_PAGE_BYTES);
	return end > t->offset ? (uint32_t)(end - t->offset) : 0;
}

void transmission_advance(struct transmission *t, uint32_t bytes)
{
	t->offset += bytes;
	t->left_bytes -= bytes;
}

/* In chunks where a read must be, and errors may be, with a text. */
static uint32_t encode_answer(const struct transmission *t,
			      unsigned char *bytes)
{
	uint64_t cookie = t->req.cookie;
	bool is_read = t->req.type == NBD_CMD_READ;

	if (t->session->structured_replies && t->error)
		return nbd_chunk_encode_error(bytes, cookie, t->error, NULL);
	if (t->session->structured_replies && is_read) {
		nbd_chunk_encode_none(bytes, cookie);
		return NBD_CHUNK_BYTES;
	}
	nbd_reply_encode(bytes, cookie, t->error);
	return NBD_SIMPLE_REPLY_BYTES;
}

enum progress transmission_answer(struct turn *turn)
{
	buf_fill(turn->tx, encode_answer(turn->t, buf_free_data(turn->tx)));
	return DONE;
}

static enum progress run_nothing(struct turn *turn)
{
	return transmission_answer(turn);
}

static enum progress run_write(struct turn *turn)
{
	struct transmission *t = turn->t;
	size_t here = min_u64(buf_used(turn->rx), TRANSMISSION_PIECE_BYTES);
	uint32_t bytes;
	int err;

	if (t->error) {
		bytes = (uint32_t)min_u64(here, t->left_bytes);
	} else {
		bytes = transmission_next_piece(t, here);
		err = bytes ? zstore_write(t->store, t->offset, bytes,
					   buf_data(turn->rx))
			    : 0;
		t->error = nbd_error_from_errno(err);
	}
	if (bytes == 0)
		return LACKS_INPUT;
	buf_consume(turn->rx, bytes);
	turn->budget -= bytes;
	transmission_advance(t, bytes);
	return t->left_bytes ? GOES_ON : transmission_answer(turn);
}

static enum progress run_trim(struct turn *turn)
{
	struct transmission *t = turn->t;
	uint32_t bytes = transmission_next_piece(t, TRANSMISSION_SLICE_BYTES);

	zstore_trim(t->store, t->offset, bytes);
	turn->budget -= SLICE_CHARGE(bytes);
	transmission_advance(t, bytes);
	return t->left_bytes ? GOES_ON : transmission_answer(turn);
}

static enum progress run_write_zeroes(struct turn *turn)
{
	struct transmission *t = turn->t;
	uint32_t bytes = transmission_next_piece(t, TRANSMISSION_SLICE_BYTES);
	int err;

	if (t->req.flags & NBD_CMD_FLAG_NO_HOLE)
		err = zstore_store_zeroes(t->store, t->offset, bytes);
	else
		err = zstore_write_zeroes(t->store, t->offset, bytes);
	t->error = nbd_error_from_errno(err);
	turn->budget -= SLICE_CHARGE(bytes);
	transmission_advance(t, bytes);
	return t->left_bytes && !t->error ? GOES_ON : transmission_answer(turn);
}

/* By NBD_CMD_*; nbd_request_check() lets no other type through. */
static const struct command {
	enum progress (*run)(struct turn *turn);
	enum request_count count;
} commands[] = {
	[NBD_CMD_READ] = {transmission_read, COUNT_read},
	[NBD_CMD_WRITE] = {run_write, COUNT_write},
	[NBD_CMD_FLUSH] = {run_nothing, COUNT_flush},
	[NBD_CMD_TRIM] = {run_trim, COUNT_trim},
	[NBD_CMD_CACHE] = {run_nothing, COUNT_cache},
	[NBD_CMD_WRITE_ZEROES] = {run_write_zeroes, COUNT_write_zeroes},
	[NBD_CMD_BLOCK_STATUS] = {transmission_block_status,
				  COUNT_block_status},
};

static void count_answer(const struct transmission *t)
{
	const struct nbd_request *req = &t->req;

	if (req->type < ARRAY_SIZE(commands) && commands[req->type].run)
		request_count(t->counters, commands[req->type].count, 1);
	if (t->error)
		request_count(t->counters, COUNT_errors, 1);
	else if (req->type == NBD_CMD_READ)
		request_count(t->counters, COUNT_read_bytes, req->length);
	else if (req->type == NBD_CMD_WRITE)
		request_count(t->counters, COUNT_write_bytes, req->length);
}

/* --- requests, one after the other -------------------------------------- */

static enum progress run_request(struct turn *turn)
{
	const struct transmission *t = turn->t;

	if (t->req.length == 0)
		return transmission_answer(turn);
	/* A write's payload must be taken off the stream in any case, and a
	 * reply that is begun be completed. */
	if (t->error && t->req.type != NBD_CMD_WRITE && !t->is_reply_begun)
		return transmission_answer(turn);
	return commands[t->req.type].run(turn);
}

static enum step end_for(struct transmission *t, int reason)
{
	t->reason = reason;
	return STEP_ENDS;
}

/*
 * The request after the one just taken up may have been received already. Its
 * page comes out of memory while the first is compressed or decompressed.
 */
static void look_ahead(const struct turn *turn)
{
	const struct transmission *t = turn->t;
	size_t payload = nbd_request_payload_bytes(&t->req);
	struct nbd_request next;

	if (buf_used(turn->rx) < payload + NBD_REQUEST_BYTES)
		return;
	if (nbd_request_decode(buf_data(turn->rx) + payload, &next) == 0 &&
	    next.offset < t->session->export->size_bytes)
		zstore_prefetch(t->store, next.offset);
}

/* Takes up the next request. Returns STEP_YIELDS if there is one. */
static enum step begin(struct turn *turn)
{
	struct transmission *t = turn->t;
	int err;

	if (buf_used(turn->rx) < NBD_REQUEST_BYTES)
		return STEP_NEEDS_INPUT;
	if (!buf_reserve(turn->tx, NBD_REPLY_MAX_BYTES))
		return STEP_NEEDS_ROOM;
	err = nbd_request_decode(buf_data(turn->rx), &t->req);
	if (err)
		return end_for(t, err);
	buf_consume(turn->rx, NBD_REQUEST_BYTES);
	if (t->req.type == NBD_CMD_DISC)
		return end_for(t, 0);
	t->is_busy = true;
	t->is_reply_begun = false;
	t->offset = t->req.offset;
	t->left_bytes = t->req.length;
	t->error = nbd_request_check(&t->req, t->session);
	look_ahead(turn);
	return STEP_YIELDS;
}

/* Takes the request under way as far as it goes. Returns STEP_YIELDS if more
 * can be done at once, with it or with the next. */
static enum step go_on(struct turn *turn)
{
	struct transmission *t = turn->t;

	switch (run_request(turn)) {
	case DONE:
		count_answer(t);
		turn->budget -= REQUEST_CHARGE;
		t->nr_answered++;
		t->is_busy = false;
		return STEP_YIELDS;
	case GOES_ON:
		return STEP_YIELDS;
	case LACKS_INPUT:
		return STEP_NEEDS_INPUT;
	case LACKS_ROOM:
		return STEP_NEEDS_ROOM;
	case BROKEN:
		break;
	}
	return end_for(t, -EIO);
}

enum step transmission_run(struct transmission *t, struct stream_buf *rx,
			   struct stream_buf *tx, int64_t *budget)
{
	struct turn turn = {.t = t, .rx = rx, .tx = tx, .budget = *budget};
	enum step step = STEP_YIELDS;

	while (turn.budget > 0 && step == STEP_YIELDS) {
		if (!t->is_busy)
			step = begin(&turn);
		if (step == STEP_YIELDS)
			step = go_on(&turn);
	}
	*budget = turn.budget;
	return step;
}

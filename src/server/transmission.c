/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "nbd/errmap.h"
#include "nbd/reply.h"
#include "server/transmission.h"

/* Charged for each request on top of its bytes. */
#define REQUEST_CHARGE ZSD_PAGE_BYTES

/* The share of TRANSMISSION_SLICE_BYTES in the budget. */
#define SLICE_CHARGE(bytes) \
	((bytes) / (TRANSMISSION_SLICE_BYTES / TRANSMISSION_BUDGET))

/* What one call of transmission_run() works with. */
struct turn {
	struct transmission *t;
	struct stream_buf *rx;
	struct stream_buf *tx;
	int64_t budget; /* what is left of it */
};

/* How a handler of a request leaves it. */
enum progress {
	DONE, /* answered */
	GOES_ON, /* more can be done at once */
	LACKS_INPUT, /* the payload is not all there */
	LACKS_ROOM, /* the reply does not fit */
	BROKEN, /* the stream of replies cannot be kept whole */
};

void transmission_init(struct transmission *t, const struct nbd_export *export,
		       struct zstore_ctx *store,
		       struct request_counters *counters)
{
	memset(t, 0, sizeof(*t));
	t->export = export;
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

/*
 * The next piece of it: at most @max_bytes, and unless it is the last one it
 * ends where a page of the disk does, so that no page is touched twice.
 */
static uint32_t next_piece(const struct transmission *t, size_t max_bytes)
{
	uint64_t end;

	if (t->left_bytes <= max_bytes)
		return t->left_bytes;
	end = align_down(t->offset + max_bytes, ZSD_PAGE_BYTES);
	return end > t->offset ? (uint32_t)(end - t->offset) : 0;
}

static void advance(struct transmission *t, uint32_t bytes)
{
	t->offset += bytes;
	t->left_bytes -= bytes;
}

static void put_reply(struct turn *turn)
{
	struct transmission *t = turn->t;

	nbd_reply_encode(buf_free_data(turn->tx), t->req.cookie, t->error);
	buf_fill(turn->tx, NBD_SIMPLE_REPLY_BYTES);
}

/* A request has room for its reply from its start: see begin(). */
static enum progress answer(struct turn *turn)
{
	if (!turn->t->is_reply_begun)
		put_reply(turn);
	return DONE;
}

static enum progress run_nothing(struct turn *turn)
{
	return answer(turn);
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
		bytes = next_piece(t, here);
		err = bytes ? zstore_write(t->store, t->offset, bytes,
					   buf_data(turn->rx))
			    : 0;
		t->error = nbd_error_from_errno(err);
	}
	if (bytes == 0)
		return LACKS_INPUT;
	buf_consume(turn->rx, bytes);
	turn->budget -= bytes;
	advance(t, bytes);
	return t->left_bytes ? GOES_ON : answer(turn);
}

/* A read failed: take back what was made of the reply, if it is still here. */
static enum progress fail_read(struct turn *turn, int err)
{
	struct transmission *t = turn->t;
	struct stream_buf *tx = turn->tx;

	if (tx->consumed > t->reply_pos)
		return BROKEN;
	buf_unfill(tx, (size_t)(tx->consumed + buf_used(tx) - t->reply_pos));
	t->is_reply_begun = false;
	t->error = nbd_error_from_errno(err);
	return answer(turn);
}

static enum progress run_read(struct turn *turn)
{
	struct transmission *t = turn->t;
	struct stream_buf *tx = turn->tx;
	size_t room = t->is_reply_begun ? 0 : NBD_SIMPLE_REPLY_BYTES;
	uint32_t bytes;
	int err;

	room += min_u64(t->left_bytes, TRANSMISSION_PIECE_BYTES);
	if (!buf_reserve(tx, room))
		return LACKS_ROOM;
	if (!t->is_reply_begun) {
		t->reply_pos = tx->consumed + buf_used(tx);
		put_reply(turn);
		t->is_reply_begun = true;
	}
	bytes = next_piece(t, TRANSMISSION_PIECE_BYTES);
	err = zstore_read(t->store, t->offset, bytes, buf_free_data(tx));
	if (err)
		return fail_read(turn, err);
	buf_fill(tx, bytes);
	turn->budget -= bytes;
	advance(t, bytes);
	return t->left_bytes ? GOES_ON : answer(turn);
}

static enum progress run_trim(struct turn *turn)
{
	struct transmission *t = turn->t;
	uint32_t bytes = next_piece(t, TRANSMISSION_SLICE_BYTES);

	zstore_trim(t->store, t->offset, bytes);
	turn->budget -= SLICE_CHARGE(bytes);
	advance(t, bytes);
	return t->left_bytes ? GOES_ON : answer(turn);
}

static enum progress run_write_zeroes(struct turn *turn)
{
	struct transmission *t = turn->t;
	uint32_t bytes = next_piece(t, TRANSMISSION_SLICE_BYTES);

	t->error = nbd_error_from_errno(
		zstore_write_zeroes(t->store, t->offset, bytes));
	turn->budget -= SLICE_CHARGE(bytes);
	advance(t, bytes);
	return t->left_bytes && !t->error ? GOES_ON : answer(turn);
}

/* By NBD_CMD_*; nbd_request_check() lets no other type through. */
static const struct command {
	enum progress (*run)(struct turn *turn);
	enum request_count count;
} commands[] = {
	[NBD_CMD_READ] = {run_read, COUNT_read},
	[NBD_CMD_WRITE] = {run_write, COUNT_write},
	[NBD_CMD_FLUSH] = {run_nothing, COUNT_flush},
	[NBD_CMD_TRIM] = {run_trim, COUNT_trim},
	[NBD_CMD_CACHE] = {run_nothing, COUNT_cache},
	[NBD_CMD_WRITE_ZEROES] = {run_write_zeroes, COUNT_write_zeroes},
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
		return answer(turn);
	/* A write's payload must be taken off the stream in any case. */
	if (t->error && t->req.type != NBD_CMD_WRITE)
		return answer(turn);
	return commands[t->req.type].run(turn);
}

static enum step end_for(struct transmission *t, int reason)
{
	t->reason = reason;
	return STEP_ENDS;
}

/* Takes up the next request. Returns STEP_YIELDS if there is one. */
static enum step begin(struct turn *turn)
{
	struct transmission *t = turn->t;
	int err;

	if (buf_used(turn->rx) < NBD_REQUEST_BYTES)
		return STEP_NEEDS_INPUT;
	if (!buf_reserve(turn->tx, NBD_SIMPLE_REPLY_BYTES))
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
	t->error = nbd_request_check(&t->req, t->export);
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

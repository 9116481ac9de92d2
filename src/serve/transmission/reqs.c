/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "nbd/nbd_proto.h"
#include "serve/transmission/reqs.h"

_Static_assert(REQS_MAX < UINT8_MAX, "an index fits 8 bits, and one more");

void reqs_init(struct reqs *reqs)
{
	memset(reqs, 0, sizeof(*reqs));
	for (unsigned i = 0; i < REQS_MAX; i++)
		reqs->table[i].next_free = (uint8_t)(i + 1);
}

/* --- queues --------------------------------------------------------------- */

static uint8_t index_of(const struct reqs *reqs, const struct req *req)
{
	return (uint8_t)(req - reqs->table);
}

static struct req_queue *queue_of(struct reqs *reqs, const struct req *req)
{
	return req->is_change ? &reqs->changes : &reqs->looks;
}

/* Where in its queue a request stands. */
static unsigned place_of(const struct reqs *reqs, const struct req *req)
{
	const struct req_queue *queue =
		req->is_change ? &reqs->changes : &reqs->looks;
	unsigned place = 0;

	while (queue->at[place] != index_of(reqs, req))
		place++;
	CHECK(place < queue->nr);
	return place;
}

/* --- coming and going ----------------------------------------------------- */

/* A refused write stands among the changes, where its payload is looked for. */
static bool is_change(const struct nbd_request *nbd, uint32_t error)
{
	if (nbd->type == NBD_CMD_WRITE)
		return true;
	return !error && (nbd->type == NBD_CMD_TRIM ||
			  nbd->type == NBD_CMD_WRITE_ZEROES ||
			  nbd->type == NBD_CMD_FLUSH);
}

/* A copy of @from, at the end of its queue. */
static struct req *enqueue(struct reqs *reqs, const struct req *from)
{
	struct req *req = &reqs->table[reqs->first_free];
	struct req_queue *queue = queue_of(reqs, from);

	CHECK(!reqs_is_full(reqs));
	reqs->first_free = req->next_free;
	*req = *from;
	queue->at[queue->nr++] = index_of(reqs, req);
	return req;
}

struct req *reqs_add(struct reqs *reqs, const struct nbd_request *nbd,
		     uint32_t error)
{
	const struct req req = {
		.nbd = *nbd,
		.number = reqs->nr_taken++,
		.reach_bytes = error ? 0 : nbd->length,
		.offset = nbd->offset,
		.left_bytes = nbd->length,
		.error = error,
		.is_change = is_change(nbd, error),
		.state = REQ_READY,
	};

	return enqueue(reqs, &req);
}

void reqs_remove(struct reqs *reqs, struct req *req)
{
	struct req_queue *queue = queue_of(reqs, req);
	unsigned place = place_of(reqs, req);

	queue->nr--;
	memmove(&queue->at[place], &queue->at[place + 1], queue->nr - place);
	req->state = REQ_FREE;
	req->next_free = reqs->first_free;
	reqs->first_free = index_of(reqs, req);
}

/* --- order ---------------------------------------------------------------- */

/* What touches nothing overlaps with nothing, wherever its offset is. */
static bool overlap(const struct req *a, const struct req *b)
{
	return a->reach_bytes && b->reach_bytes &&
	       a->nbd.offset < b->nbd.offset + b->reach_bytes &&
	       b->nbd.offset < a->nbd.offset + a->reach_bytes;
}

/* Whether it overlaps with one of @queue that came before it. */
static bool is_behind(const struct reqs *reqs, const struct req *req,
		      const struct req_queue *queue)
{
	for (unsigned i = 0; i < queue->nr; i++) {
		const struct req *other = &reqs->table[queue->at[i]];

		if (other->number >= req->number)
			return false;
		if (overlap(other, req))
			return true;
	}
	return false;
}

static bool is_flush_too_early(const struct reqs *reqs, const struct req *req)
{
	return req->nbd.type == NBD_CMD_FLUSH && !req->error &&
	       &reqs->table[reqs->changes.at[0]] != req;
}

static bool has_turn(const struct reqs *reqs, const struct req *req)
{
	if (req->state != REQ_READY || is_behind(reqs, req, &reqs->changes))
		return false;
	if (!req->is_change)
		return true;
	return !is_behind(reqs, req, &reqs->looks) &&
	       !is_flush_too_early(reqs, req);
}

static struct req *next_of(struct reqs *reqs, const struct req_queue *queue)
{
	for (unsigned i = 0; i < queue->nr; i++) {
		struct req *req = &reqs->table[queue->at[i]];

		if (has_turn(reqs, req))
			return req;
	}
	return NULL;
}

struct req *reqs_next(struct reqs *reqs)
{
	struct req *req = next_of(reqs, &reqs->looks);

	return req ? req : next_of(reqs, &reqs->changes);
}

struct req *reqs_next_change(struct reqs *reqs)
{
	return next_of(reqs, &reqs->changes);
}

struct req *reqs_change_behind(struct reqs *reqs, const struct req *change)
{
	unsigned place = place_of(reqs, change) + 1;
	struct req *req;

	if (place >= reqs->changes.nr)
		return NULL;
	req = &reqs->table[reqs->changes.at[place]];
	return has_turn(reqs, req) ? req : NULL;
}

const struct req *reqs_behind(const struct reqs *reqs, const struct req *req,
			      unsigned steps)
{
	const struct req_queue *queue =
		req->is_change ? &reqs->changes : &reqs->looks;
	unsigned place = place_of(reqs, req) + steps;

	return place < queue->nr ? &reqs->table[queue->at[place]] : NULL;
}

bool reqs_wait(const struct reqs *reqs)
{
	for (unsigned i = 0; i < REQS_MAX; i++) {
		if (reqs->table[i].state == REQ_WAITS)
			return true;
	}
	return false;
}

bool reqs_wake(struct reqs *reqs)
{
	bool any = false;

	for (unsigned i = 0; i < REQS_MAX; i++) {
		if (reqs->table[i].state != REQ_WAITS)
			continue;
		reqs->table[i].state = REQ_READY;
		any = true;
	}
	return any;
}

bool reqs_overtakes(const struct reqs *reqs, const struct req *req)
{
	return reqs->changes.nr &&
	       reqs->table[reqs->changes.at[0]].number < req->number;
}

/* --- payloads ------------------------------------------------------------- */

struct req *reqs_last_write(struct reqs *reqs)
{
	struct req *last;

	if (!reqs->changes.nr)
		return NULL;
	last = &reqs->table[reqs->changes.at[reqs->changes.nr - 1]];
	return last->nbd.type == NBD_CMD_WRITE ? last : NULL;
}

uint64_t reqs_payload_pos(const struct reqs *reqs, uint64_t parsed)
{
	for (unsigned i = 0; i < reqs->changes.nr; i++) {
		const struct req *req = &reqs->table[reqs->changes.at[i]];

		if (req->nbd.type == NBD_CMD_WRITE)
			return min_u64(req->payload_pos, parsed);
	}
	return parsed;
}

void reqs_shift(struct reqs *reqs, uint64_t bytes)
{
	for (unsigned i = 0; i < reqs->changes.nr; i++)
		reqs->table[reqs->changes.at[i]].payload_pos += bytes;
}

/* --- going on ------------------------------------------------------------- */

static void save_queue(const struct reqs *reqs, const struct req_queue *queue,
		       struct reqs_saved *to)
{
	for (unsigned i = 0; i < queue->nr; i++)
		to->all[to->nr++] = reqs->table[queue->at[i]];
}

void reqs_save(const struct reqs *reqs, struct reqs_saved *to)
{
	to->nr_taken = reqs->nr_taken;
	to->nr = 0;
	save_queue(reqs, &reqs->looks, to);
	save_queue(reqs, &reqs->changes, to);
}

void reqs_load(struct reqs *reqs, const struct reqs_saved *from)
{
	reqs->nr_taken = from->nr_taken;
	for (unsigned i = 0; i < from->nr; i++)
		enqueue(reqs, &from->all[i])->state = REQ_READY;
}

struct req *reqs_find(struct reqs *reqs, uint64_t number)
{
	for (unsigned i = 0; i < REQS_MAX; i++) {
		struct req *req = &reqs->table[i];

		if (req->state != REQ_FREE && req->number == number)
			return req;
	}
	return NULL;
}

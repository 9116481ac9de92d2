/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NBD_CMD_WRITE, a piece at a time, or several requests at once with help. */
#include "config.h"

#include <errno.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "serve/transmission/transmission.h"

/* Pages of a piece, at most: all of a piece of a reply. */
#define MAX_PIECE_PAGES (TRANSMISSION_PIECE_BYTES / ZSD_PAGE_BYTES)

/* --- time ------------------------------------------------------------------- */

/* How many pages take so long, 1 to @max. */
static uint32_t pages_in(const struct transmission *t, uint32_t ns,
			 uint32_t max)
{
	return (uint32_t)min_u64(max, max_u64(1, ns / max_u64(1, t->page_ns)));
}

/* One page may be filled with one byte, and the next take the codec long. */
static void learn_page_ns(struct transmission *t, uint64_t page_ns)
{
	t->page_ns = (uint32_t)min_u64(((uint64_t)t->page_ns * 3 + page_ns) / 4,
				       UINT32_MAX);
}

void transmission_time_write(struct transmission *t, uint64_t took_ns)
{
	if (t->piece_pages)
		learn_page_ns(t, took_ns / t->piece_pages);
	t->piece_pages = 0;
}

/* --- alone ------------------------------------------------------------------ */

/* What of its payload has come. */
static uint32_t payload_here(const struct transmission *t,
			     const struct req *req)
{
	return (uint32_t)min_u64(t->rx->tail - req->payload_pos,
				 req->left_bytes);
}

/* @bytes of its payload, which is @here, are done with. */
static enum progress take_off(struct transmission *t, struct req *req,
			      uint32_t bytes, uint32_t here)
{
	transmission_advance(req, bytes);
	req->payload_pos += bytes;
	transmission_free_input(t);
	if (req->left_bytes == 0)
		return transmission_answer(t, req);
	return bytes < here ? GOES_ON : LACKS_INPUT;
}

static enum progress write_piece(struct transmission *t, struct req *req,
				 uint32_t here)
{
	uint32_t max_pages =
		pages_in(t, TRANSMISSION_PIECE_NS, MAX_PIECE_PAGES);
	uint32_t bytes = transmission_next_piece(
		req, min_u64(here, max_pages * ZSD_PAGE_BYTES));
	int err;

	if (bytes == 0)
		return LACKS_INPUT;
	err = zstore_write(t->view->store, req->offset, bytes,
			   io_ring_at(t->rx, req->payload_pos));
	if (err == -EINPROGRESS)
		return WAITS;
	req->error = nbd_error_from_errno(err);
	t->piece_pages = (uint32_t)max_u64(1, bytes / ZSD_PAGE_BYTES);
	return take_off(t, req, bytes, here);
}

/* --- with help -------------------------------------------------------------- */

/* Whole pages of some requests, in the jobs of the worker's crew. */
struct batch {
	struct crew_job *jobs;
	unsigned nr_jobs;
	unsigned max_jobs;
	unsigned nr_reqs;
	struct {
		struct req *req;
		unsigned nr_jobs;
	} of[CREW_MAX_JOBS];
};

/* Whether so many answers can be put into the send ring afterwards. */
static bool has_room(struct transmission *t, unsigned nr_answers)
{
	const size_t bytes = (size_t)nr_answers * NBD_REPLY_MAX_BYTES;

	return io_ring_room(t->tx) >= bytes &&
	       io_ring_prepare(t->tx, bytes) >= bytes;
}

/* Return: how many pages of a request can be packed side by side with others.
 * One that may have killed a server is done alone, so that it can be told. */
static unsigned pages_to_share(const struct transmission *t,
			       const struct req *req)
{
	if (req->nbd.type != NBD_CMD_WRITE || req->error ||
	    req->number < t->alone_until || req->offset % ZSD_PAGE_BYTES)
		return 0;
	return payload_here(t, req) / ZSD_PAGE_BYTES;
}

/* Return: whether all that is left of it is in the batch, so that others may
 * follow. */
static bool batch_add(struct transmission *t, struct batch *b, struct req *req)
{
	const unsigned nr =
		min_u32(pages_to_share(t, req), b->max_jobs - b->nr_jobs);

	if (!nr || !has_room(t, b->nr_reqs + 1))
		return false;
	for (unsigned i = 0; i < nr; i++) {
		const size_t at = (size_t)i * ZSD_PAGE_BYTES;

		b->jobs[b->nr_jobs++] = (struct crew_job){
			.offset = req->offset + at,
			.src = io_ring_at(t->rx, req->payload_pos + at),
			.export_index = (unsigned)t->view->export->index,
		};
	}
	b->of[b->nr_reqs].req = req;
	b->of[b->nr_reqs++].nr_jobs = nr;
	return req->left_bytes == nr * ZSD_PAGE_BYTES;
}

/* Return: whether that makes a batch that is worth its while. */
static bool batch_gather(struct transmission *t, struct batch *b,
			 struct req *first)
{
	b->jobs = t->crew->jobs;
	b->max_jobs = pages_in(t, TRANSMISSION_BATCH_NS, CREW_MAX_JOBS);
	for (struct req *req = first; req && batch_add(t, b, req);)
		req = reqs_change_behind(&t->reqs, req);
	return b->nr_jobs > 1 &&
	       (uint64_t)b->nr_jobs * t->page_ns >= CREW_WORTH_NS;
}

/* What the jobs will touch. */
static void batch_prefetch(const struct transmission *t, const struct batch *b)
{
	for (int stage = ZSTORE_NEAR_SLOT; stage <= ZSTORE_NEAR_OBJECT; stage++)
		for (unsigned i = 0; i < b->nr_jobs; i++)
			zstore_prefetch(t->view->store, b->jobs[i].offset,
					(enum zstore_stage)stage);
}

/* Of some jobs, by which their request goes on. */
static int first_error(const struct crew_job *jobs, unsigned nr)
{
	int err = 0;

	for (unsigned i = 0; i < nr; i++) {
		if (jobs[i].err == -EINPROGRESS)
			return -EINPROGRESS;
		if (!err)
			err = jobs[i].err;
	}
	return err;
}

static enum progress batch_finish(struct transmission *t, struct req *req,
				  const struct crew_job *jobs, unsigned nr)
{
	int err = first_error(jobs, nr);

	if (err == -EINPROGRESS)
		return WAITS;
	req->error = nbd_error_from_errno(err);
	return take_off(t, req, nr * ZSD_PAGE_BYTES, payload_here(t, req));
}

/* Help that gained less than an eighth is left for so many pieces, for twice as
 * many the next time, and for half as many where it paid in between. */
#define MIN_BACKOFF 4u
#define MAX_BACKOFF 1024u

/* Waking a helper, and having two processors in what one had, may cost more
 * than it saves: where wake-ups are dear, as on a machine that is emulated. */
static void judge(struct transmission *t, unsigned nr_jobs, uint64_t took_ns)
{
	if (took_ns * 8 <= (uint64_t)nr_jobs * t->page_ns * 7) {
		t->backoff /= 2;
		return;
	}
	t->backoff =
		min_u32(MAX_BACKOFF, t->backoff ? t->backoff * 2 : MIN_BACKOFF);
	t->nr_alone = t->backoff;
}

/* Return: how it leaves the first request; the others are left so already. */
static enum progress batch_run(struct transmission *t, struct batch *b)
{
	uint64_t start_ns = transmission_now_ns();
	unsigned job = b->of[0].nr_jobs;

	if (t->mark)
		*t->mark = (struct stream_mark){0};
	batch_prefetch(t, b);
	export_count(t->view, COUNT_helped_pages,
		     crew_run(t->crew, b->nr_jobs));
	judge(t, b->nr_jobs, transmission_now_ns() - start_ns);
	for (unsigned i = 1; i < b->nr_reqs; i++) {
		struct req *req = b->of[i].req;
		const unsigned nr = b->of[i].nr_jobs;

		transmission_leave(t, req,
				   batch_finish(t, req, &b->jobs[job], nr));
		job += nr;
	}
	return batch_finish(t, b->of[0].req, b->jobs, b->of[0].nr_jobs);
}

/* Whether anybody could help, and with what; a look that costs little where one
 * page comes at a time. */
static bool may_share(const struct transmission *t, const struct req *req,
		      uint32_t here)
{
	return t->crew && !t->nr_alone &&
	       (t->reqs.changes.nr > 1 || here >= 2 * ZSD_PAGE_BYTES) &&
	       pages_to_share(t, req) && crew_nr_resting(t->crew);
}

enum progress transmission_write(struct transmission *t, struct req *req)
{
	uint32_t here = payload_here(t, req);
	struct batch batch;

	if (req->error)
		return take_off(t, req, here, here);
	if (may_share(t, req, here)) {
		batch.nr_jobs = batch.nr_reqs = 0;
		if (batch_gather(t, &batch, req))
			return batch_run(t, &batch);
	}
	if (t->nr_alone)
		t->nr_alone--;
	return write_piece(t, req, here);
}

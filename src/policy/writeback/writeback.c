/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "base/bits.h"
#include "policy/writeback/area.h"
#include "policy/writeback/writeback.h"

/* A record may be so old in its file, seconds. */
#define SAVE_EVERY_S 60u

/* The longest rest after a batch, us. */
#define MAX_REST_US 10000u

struct writeback {
	struct writeback_params params;
	bool is_rotational;
	uv_mutex_t lock; /* all below */
	struct budget *budget; /* in the image */
	uint64_t saved_s; /* when the record was last written to its file */
	struct zstore_block_out outs[BACKING_WRITE_MAX];
	struct backing_block blocks[BACKING_WRITE_MAX];
};

static uint64_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec;
}

/* --- the budget ------------------------------------------------------------ */

/* Under the lock. Blocks that may be written yet. */
static uint64_t left(struct writeback *w)
{
	const uint64_t limit = w->params.day_limit_bytes / BACKING_BLOCK_BYTES;
	const uint64_t used = budget_used(w->budget, now_s());

	if (!w->params.day_limit_bytes)
		return UINT64_MAX;
	return used < limit ? limit - used : 0;
}

uint64_t writeback_left(struct writeback *w)
{
	uint64_t nr;

	uv_mutex_lock(&w->lock);
	nr = left(w);
	uv_mutex_unlock(&w->lock);
	return nr;
}

static void save(struct writeback *w)
{
	int err = budget_save(w->params.record, w->budget);

	w->saved_s = now_s();
	if (!err)
		return;
	io_log(w->params.log, IO_LOG_WARNING,
	       "warning: cannot keep %s: %s; what is written out today will "
	       "not count after a restart",
	       w->params.record, strerror(-err));
	w->params.record = NULL; /* said once */
}

static void spend(struct writeback *w, uint32_t blocks)
{
	const uint64_t now = now_s();

	budget_spend(w->budget, now, blocks);
	if (w->params.record &&
	    (now < w->saved_s || now - w->saved_s >= SAVE_EVERY_S))
		save(w);
}

/* A disk that is new has the record of the file; one that is adopted has its
 * own, which is newer. */
static void load(struct writeback *w)
{
	int err;

	if (!w->params.record || !w->params.is_new)
		return;
	err = budget_load(w->params.record, w->budget);
	if (err && err != -ENOENT)
		io_log(w->params.log, IO_LOG_WARNING,
		       "warning: cannot read %s: %s; what was written out in "
		       "the last 24 hours does not count",
		       w->params.record, strerror(-err));
}

/* --- life ------------------------------------------------------------------ */

int writeback_create(const struct writeback_params *params,
		     struct writeback **out)
{
	struct writeback *w =
		aligned_alloc(_Alignof(struct writeback), sizeof(*w));

	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->params = *params;
	if (uv_mutex_init(&w->lock)) {
		free(w);
		return -ENOMEM;
	}
	w->is_rotational = backing_is_rotational(params->backing);
	w->budget = area_budget(params->export->store);
	load(w);
	*out = w;
	return 0;
}

void writeback_destroy(struct writeback *w)
{
	if (!w)
		return;
	if (w->params.record && w->budget->hour)
		save(w);
	uv_mutex_destroy(&w->lock);
	free(w);
}

/* --- batches --------------------------------------------------------------- */

/* Fill up to @max blocks. @err receives why there are no more, or 1. Return:
 * how many there are. */
static unsigned fill(struct writeback *w, struct zstore_ctx *ctx,
		     struct writeback_run *run, struct pace *pace, unsigned max,
		     int *err)
{
	unsigned nr = 0;

	do {
		*err = zstore_writeback_fill(ctx, &run->how, &run->at,
					     &w->outs[nr], WRITEBACK_LOOKS);
		if (*err == 1)
			nr++;
		else if (*err == -EAGAIN)
			pace_rest(pace, MAX_REST_US);
	} while ((*err == 1 && nr < max) || *err == -EAGAIN);
	return nr;
}

/* Return: how many could be. */
static unsigned write_out(struct writeback *w, struct zstore_ctx *ctx,
			  struct writeback_run *run, unsigned nr)
{
	unsigned nr_written = 0;

	for (unsigned i = 0; i < nr; i++)
		w->blocks[i] = (struct backing_block){
			.number = w->outs[i].number,
			.bytes = w->outs[i].bytes,
		};
	backing_write(w->params.backing, w->blocks, nr);
	for (unsigned i = 0; i < nr; i++) {
		zstore_writeback_end(ctx, &run->how, &run->at, &w->outs[i],
				     w->blocks[i].err);
		nr_written += !w->blocks[i].err;
	}
	run->nr_failed += nr - nr_written;
	return nr_written;
}

/* How many blocks the next batch may have. */
static unsigned batch_size(struct writeback *w, const struct writeback_run *run)
{
	uint64_t most = min_u64(left(w), BACKING_WRITE_MAX);

	if (run->max_blocks)
		most = min_u64(most, run->max_blocks - run->at.nr_blocks);
	return (unsigned)most;
}

static int do_batch(struct writeback *w, struct zstore_ctx *ctx,
		    struct writeback_run *run, struct pace *pace)
{
	const unsigned max = batch_size(w, run);
	unsigned nr, nr_written;
	int err;

	if (!max)
		return -EDQUOT;
	nr = fill(w, ctx, run, pace, max, &err);
	if (!nr)
		return err;
	nr_written = write_out(w, ctx, run, nr);
	spend(w, nr_written);
	return nr_written ? err : -EREMOTEIO;
}

int writeback_batch(struct writeback *w, struct zstore_ctx *ctx,
		    struct writeback_run *run, struct pace *pace)
{
	const uint64_t start_ns = uv_hrtime();
	int more;

	if (run->max_blocks && run->at.nr_blocks >= run->max_blocks)
		return 0;
	uv_mutex_lock(&w->lock);
	more = do_batch(w, ctx, run, pace);
	uv_mutex_unlock(&w->lock);
	if (more == 1)
		pace_rest(pace,
			  (unsigned)min_u64((uv_hrtime() - start_ns) / 1000,
					    MAX_REST_US));
	return more;
}

int writeback_all(struct writeback *w, struct zstore_ctx *ctx,
		  struct writeback_run *run)
{
	struct pace pace;
	int more;

	pace_begin(&pace, w->params.exports);
	do {
		more = writeback_batch(w, ctx, run, &pace);
	} while (more == 1);
	return more;
}

/* --- telling --------------------------------------------------------------- */

void writeback_tell(struct writeback *w, struct ctl_backing *out)
{
	struct zstore_backing_stats stats;
	struct backing_counts counts;
	uint64_t used;

	zstore_backing_stats(w->params.export->store, &stats);
	backing_count(w->params.backing, &counts);
	uv_mutex_lock(&w->lock);
	used = budget_used(w->budget, now_s());
	uv_mutex_unlock(&w->lock);
	*out = (struct ctl_backing){
		.kind = backing_kind(w->params.backing),
		.size_bytes = stats.blocks * BACKING_BLOCK_BYTES,
		.bd_count = stats.blocks_used,
		.bd_reads = stats.block_reads,
		.bd_writes = counts.writes,
		.pages = stats.pages_backed,
		.bytes = stats.bytes_backed,
		.failed_reads = counts.failed_reads,
		.failed_writes = counts.failed_writes,
		.reads_waiting = counts.waiting,
		.encrypted = w->params.is_encrypted,
		.rotational = w->is_rotational,
		.day_written_bytes = used * BACKING_BLOCK_BYTES,
		.day_limit_bytes = w->params.day_limit_bytes,
	};
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backing, for the threads of model_threads: several blocks are under way at
 * once, take their time, fail, or are given up.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "model/own_ctx.h"
#include "model/threads.h"
#include "zstore/zstore_internal.h"

/* Blocks under way at a time, at most. */
#define MAX_OUTS 4u

/* What a block takes to be written, at most, and what is left to others, µs. */
#define WRITE_US 200u
#define REST_US	 300u

void open_backing(struct model *m, uint32_t nr_blocks, bool is_failing)
{
	m->is_failing = is_failing;
	m->behind.nr_blocks = nr_blocks;
	if (!nr_blocks)
		return;
	behind_init(&m->behind, nr_blocks);
	behind_fail(&m->behind, is_failing ? 10 : 0, is_failing ? 5 : 0);
	m->behind.write_tears = 4;
	m->params.backing = behind_backing(&m->behind);
}

void close_backing(struct model *m)
{
	if (m->behind.nr_blocks)
		behind_fini(&m->behind);
	m->behind.nr_blocks = 0;
}

/* --- bringing ------------------------------------------------------------- */

void *run_bringer(void *arg)
{
	struct model *m = arg;

	do {
		if (m->behind.nr_blocks)
			m->nr_arrivals += behind_arrive(&m->behind);
		usleep(m->behind.nr_blocks ? 20 : REST_US);
	} while (atomic_load(&m->nr_running));
	return NULL;
}

/* --- writing out ----------------------------------------------------------- */

struct writer_out {
	struct model *m;
	struct model_rng rng;
	struct zstore_ctx *ctx;
	struct zstore_writeback how;
	struct zstore_writing at;
	struct zstore_block_out outs[MAX_OUTS];
	unsigned nr_outs;
};

static void draw_how(struct writer_out *w)
{
	struct model_rng *rng = &w->rng;

	w->how = (struct zstore_writeback){
		.is_idle = model_rng_one_in(rng, 4),
		.is_huge = model_rng_one_in(rng, 6),
		.is_incompressible = model_rng_one_in(rng, 8),
		.singly = model_rng_one_in(rng, 4),
		.since_s = UINT32_MAX,
	};
	if (model_rng_one_in(rng, 4))
		w->how.since_s = draw_since(w->m, rng);
	w->at = (struct zstore_writing){0};
}

static void end_block(struct writer_out *w)
{
	unsigned nth = (unsigned)model_rng_below(&w->rng, w->nr_outs);
	struct zstore_block_out *out = &w->outs[nth];
	int err = -ECANCELED;

	if (!model_rng_one_in(&w->rng, 20)) {
		if (model_rng_one_in(&w->rng, 2))
			usleep((useconds_t)model_rng_below(&w->rng, WRITE_US));
		err = behind_write(&w->m->behind, out);
		if (model_rng_one_in(&w->rng, 4))
			sched_yield();
	}
	zstore_writeback_end(w->ctx, &w->how, &w->at, out, err);
	w->m->nr_given_up += err != 0;
	*out = w->outs[--w->nr_outs];
	w->outs[w->nr_outs] = (struct zstore_block_out){0};
}

/* One pass, or what of it came before the workers were done. */
static void write_out(struct writer_out *w)
{
	unsigned max_outs = (unsigned)model_rng_range(&w->rng, 1, MAX_OUTS);
	struct model *m = w->m;
	int more;

	draw_how(w);
	do {
		more = zstore_writeback_fill(
			w->ctx, &w->how, &w->at, &w->outs[w->nr_outs],
			(unsigned)model_rng_range(&w->rng, 1, 100000));
		w->nr_outs += more == 1;
		if (w->nr_outs == max_outs)
			end_block(w);
	} while ((more == 1 || more == -EAGAIN) && atomic_load(&m->nr_running));
	if (more == -EAGAIN) /* one is being filled: it is given up, too */
		zstore_writeback_end(w->ctx, &w->how, &w->at,
				     &w->outs[w->nr_outs], -ECANCELED);
	while (w->nr_outs)
		end_block(w);
	CHECK_MODEL(m,
		    more == 0 || more == 1 || more == -EAGAIN ||
			    more == -ENOSPC ||
			    (more == -ENOMEM && m->is_scarce),
		    "zstore_writeback_fill: %d", more);
	CHECK_MODEL(m, w->at.nr_done <= w->at.nr_tried,
		    "%" PRIu64 " of %" PRIu64 " pages were written out",
		    w->at.nr_done, w->at.nr_tried);
	m->nr_full += more == -ENOSPC;
	m->nr_out_tried += w->at.nr_tried;
	m->nr_written_out += w->at.nr_done;
	m->nr_blocks_written += w->at.nr_blocks;
}

void *run_writer_out(void *arg)
{
	static struct writer_out w;
	struct model *m = arg;
	int err;

	if (!m->behind.nr_blocks)
		return NULL;
	w = (struct writer_out){.m = m};
	err = own_ctx_create(m->store, &w.ctx);
	CHECK_MODEL(m, !err, "own_ctx_create: %d", err);
	model_rng_init(&w.rng, m->run.seed + 6000);
	do {
		write_out(&w);
		usleep(REST_US);
	} while (atomic_load(&m->nr_running));
	own_ctx_destroy(w.ctx);
	return NULL;
}

/* --- afterwards ------------------------------------------------------------ */

void check_blocks(struct model *m)
{
	struct zstore_backing_stats stats,
		found = {.blocks = m->behind.nr_blocks};
	const uint64_t nr_slots = m->params.disk_bytes / ZSD_PAGE_BYTES;
	bool *is_used = calloc(m->behind.nr_blocks + 1, 1);

	CHECK_MODEL(m, is_used, "no memory");
	for (uint64_t i = 0; i < nr_slots; i++) {
		uint64_t slot = slot_exists(m->store, i)
					? slot_load(&m->store->slots[i])
					: 0;

		if (slot_kind(slot) != SLOT_BACKED)
			continue;
		found.pages_backed++;
		found.bytes_backed += slot_len_bytes(slot);
		found.blocks_used += !is_used[slot_block(slot)];
		is_used[slot_block(slot)] = true;
	}
	free(is_used);
	zstore_backing_stats(m->store, &stats);
	CHECK_MODEL(m,
		    stats.blocks == found.blocks &&
			    stats.blocks_used == found.blocks_used &&
			    stats.pages_backed == found.pages_backed &&
			    stats.bytes_backed == found.bytes_backed,
		    "%" PRIu64 " pages of %" PRIu64 " bytes in %" PRIu64
		    " blocks, counted are %" PRIu64 ", %" PRIu64 ", %" PRIu64,
		    found.pages_backed, found.bytes_backed, found.blocks_used,
		    stats.pages_backed, stats.bytes_backed, stats.blocks_used);
}

void report_back(const struct model *m)
{
	const struct model_run *run = &m->run;

	model_report_fact(run, "pages that were to be backed", m->nr_out_tried);
	model_report_fact(run, "pages written out", m->nr_written_out);
	model_report_fact(run, "in blocks", m->nr_blocks_written);
	model_report_fact(run, "blocks not written, or given up",
			  m->nr_given_up);
	model_report_fact(run, "times the backing was full", m->nr_full);
	model_report_fact(run, "times blocks came", m->nr_arrivals);
}

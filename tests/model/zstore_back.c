/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that are written out to a backing, which may be too small and may fail;
 * and both kinds of contexts, one that waits for blocks, and one that does not.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "model/refuse.h"
#include "model/zstore_model.h"
#include "zstore/block.h"
#include "zstore/zstore_age.h"

/* Blocks under way at a time, at most. */
#define MAX_OUTS 3u

/* --- contexts ------------------------------------------------------------- */

void open_backing(struct model *m, uint32_t nr_blocks)
{
	m->has_backing = nr_blocks;
	if (!nr_blocks)
		return;
	behind_init(&m->behind, nr_blocks);
	m->params.backing = behind_backing(&m->behind);
}

void open_server(struct model *m)
{
	int err = zstore_ctx_create(m->store, m->beside.scratch, &m->server);

	CHECK_MODEL(m, !err, "zstore_ctx_create: %d", err);
	zstore_ctx_never_wait(m->server);
}

void close_backing(struct model *m)
{
	if (m->has_backing)
		behind_fini(&m->behind);
}

struct zstore_ctx *draw_ctx(struct model *m)
{
	m->nr_waits = 0;
	return model_rng_one_in(&m->rng, 2) ? m->server : m->ctx;
}

/* Both ends of a change may be asked for one after the other; all else comes at
 * once, since nobody else is there. */
bool must_wait(struct model *m, int err)
{
	if (err != -EINPROGRESS)
		return false;
	m->nr_waits++;
	m->nr_arrivals++;
	CHECK_MODEL(m, m->has_backing && m->nr_waits <= 2,
		    "asked %u times for what it needs", m->nr_waits);
	CHECK_MODEL(m, behind_arrive(&m->behind), "waits for nothing");
	return true;
}

/* --- counting ------------------------------------------------------------- */

static void tally_block(const struct model *m, uint64_t index, bool *is_used,
			struct zstore_backing_stats *found)
{
	const uint64_t slot = slot_of(m, index);

	if (slot_kind(slot) != SLOT_BACKED)
		return;
	CHECK_MODEL(m, slot_block(slot) < m->behind.nr_blocks,
		    "page %" PRIu64 " is in block %u", index, slot_block(slot));
	found->pages_backed++;
	found->bytes_backed += slot_len_bytes(slot);
	found->blocks_used += !is_used[slot_block(slot)];
	is_used[slot_block(slot)] = true;
}

void op_count_blocks(void *arg)
{
	static bool is_used[MAX_BLOCKS];
	struct zstore_backing_stats stats, found = {0};
	struct model *m = arg;

	memset(is_used, 0, sizeof(is_used));
	for (uint64_t i = 0; i < DISK_PAGES; i++)
		tally_block(m, i, is_used, &found);
	if (m->has_backing) {
		found.blocks = m->behind.nr_blocks;
		found.block_reads = m->behind.nr_reads;
	}
	zstore_backing_stats(m->store, &stats);
#define CHECK_STAT(name)                                            \
	CHECK_MODEL(m, stats.name == found.name,                    \
		    #name " %" PRIu64 ", not %" PRIu64, stats.name, \
		    found.name);
	ZSTORE_BACKING_STAT(CHECK_STAT)
#undef CHECK_STAT
	m->nr_backed_counted += found.pages_backed;
}

/* --- reads that fail ------------------------------------------------------- */

/* An error is the backing's, and costs nothing else. */
static void check_error(struct model *m, uint64_t nr_failures, int err)
{
	CHECK_MODEL(m,
		    !err || (err == -EIO &&
			     m->behind.nr_read_failures > nr_failures),
		    "with a backing that fails: %d", err);
}

static void read_failing(struct model *m, uint64_t index)
{
	const uint64_t nr_failures = m->behind.nr_read_failures;
	struct zstore_ctx *ctx = draw_ctx(m);
	unsigned char found[ZSD_PAGE_BYTES];
	int err;

	do {
		err = zstore_read(ctx, index * ZSD_PAGE_BYTES, sizeof(found),
				  found);
	} while (must_wait(m, err));
	check_error(m, nr_failures, err);
	note_access(m, index);
	m->nr_failed_reads += err != 0;
	CHECK_MODEL(m,
		    err || !memcmp(found, flat_page(m, index), sizeof(found)),
		    "page %" PRIu64 " reads wrong", index);
}

/* As it reads already. */
static void patch_failing(struct model *m, uint64_t index)
{
	const uint64_t nr_failures = m->behind.nr_read_failures;
	const uint64_t at = index * ZSD_PAGE_BYTES + 10;
	struct zstore_ctx *ctx = draw_ctx(m);
	int err;

	do {
		err = zstore_write(ctx, at, 100, m->flat + at);
	} while (must_wait(m, err));
	if (err != -EIO)
		CHECK_MODEL(m, !err || err == -ENOSPC || err == -ENOMEM,
			    "a patch: %d", err);
	else
		check_error(m, nr_failures, err);
	m->nr_failed_writes += err != 0;
	if (!err)
		note_access(m, index);
}

/* Once it is read, it is here. */
void op_read_failing(void *arg)
{
	struct model *m = arg;
	uint64_t index = draw_page(m), nr = m->nr_failed_reads;

	for (unsigned i = 0; i < 20 && !is_backed(m, index); i++)
		index = draw_page(m);
	if (!is_backed(m, index))
		return;
	behind_fail(&m->behind, 2, 0);
	for (unsigned i = 0; i < 3; i++)
		read_failing(m, index);
	if (model_rng_one_in(&m->rng, 3))
		patch_failing(m, index);
	behind_fail(&m->behind, 0, 0);
	m->nr_eio += m->nr_failed_reads - nr;
	read_failing(m, index);
}

/* --- writing out ----------------------------------------------------------- */

/* A run, and what it is known to have done. */
struct run {
	struct model *m;
	struct zstore_writeback how;
	struct zstore_writing at, did;
	struct zstore_block_out outs[MAX_OUTS];
	unsigned nr_outs; /* from the first one on, that are under way */
	bool is_calm; /* nothing changed meanwhile */
	bool is_due[DISK_PAGES];
	bool was_backed[DISK_PAGES];
	bool is_tried[DISK_PAGES];
	bool is_moved[DISK_PAGES];
	bool is_disturbed[DISK_PAGES]; /* accessed meanwhile */
	uint32_t accessed_s[DISK_PAGES];
	uint64_t nr_huge; /* of those moved */
};

static void draw_how(struct run *run)
{
	struct model *m = run->m;
	struct zstore_writeback *how = &run->how;

	how->since_s = UINT32_MAX;
	how->singly = model_rng_one_in(&m->rng, 3);
	if (model_rng_one_in(&m->rng, 4))
		return;
	how->is_idle = model_rng_one_in(&m->rng, 3);
	how->is_huge = model_rng_one_in(&m->rng, 4);
	how->is_incompressible = model_rng_one_in(&m->rng, 5);
	how->since_s = draw_since(m);
	if (model_rng_one_in(&m->rng, 3)) {
		how->first = model_rng_below(&m->rng, DISK_PAGES);
		how->end = model_rng_range(&m->rng, how->first + 1, DISK_PAGES);
	}
}

static bool is_due(struct model *m, const struct zstore_writeback *how,
		   uint64_t index, const struct zstore_block *block)
{
	return m->is_stored[index] && !block->is_same && !block->is_backed &&
	       index >= how->first && (!how->end || index < how->end) &&
	       (!how->is_idle || block->is_idle) &&
	       (!how->is_huge || block->is_huge) &&
	       (!how->is_incompressible || block->is_incompressible) &&
	       (how->since_s == UINT32_MAX ||
		block->accessed_s < how->since_s) &&
	       (block->is_huge || block->bytes <= block_room(0, 0)) &&
	       !has_sharers(m, index);
}

static void look_before(struct run *run)
{
	struct model *m = run->m;

	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		struct zstore_block block;

		check_block(m, i, &block);
		run->is_due[i] = is_due(m, &run->how, i, &block);
		run->was_backed[i] = block.is_backed;
		run->accessed_s[i] = block.accessed_s;
	}
}

/* A block was filled: with pages that were to be, none of them twice. */
static void check_filled(struct run *run, const struct zstore_block_out *out)
{
	struct model *m = run->m;

	CHECK_MODEL(m, out->nr && (!run->how.singly || out->nr == 1),
		    "a block of %u pages", out->nr);
	for (unsigned i = 0; i < out->nr; i++) {
		const uint64_t index = out->pages[i].index;

		CHECK_MODEL(m,
			    run->is_disturbed[index] || (run->is_due[index] &&
							 !run->is_tried[index]),
			    "page %" PRIu64 " was not due", index);
		run->is_tried[index] = true;
	}
	for (uint64_t i = 0; i < DISK_PAGES; i++)
		CHECK_MODEL(m,
			    !is_backed(m, i) ||
				    slot_block(slot_of(m, i)) != out->number,
			    "block %u has page %" PRIu64, out->number, i);
}

static void check_page(struct run *run, const struct zstore_block_out *out,
		       unsigned i, int err)
{
	const uint64_t index = out->pages[i].index, slot = out->pages[i].slot;
	struct model *m = run->m;
	bool is_moved =
		slot_of(m, index) == slot_make_backed(index, slot, out->number);

	CHECK_MODEL(m, is_moved ? !err : err || run->is_disturbed[index],
		    "page %" PRIu64 " is %sin block %u: %d", index,
		    is_moved ? "" : "not ", out->number, err);
	run->is_moved[index] = is_moved;
	run->nr_huge += is_moved && slot_is_huge(slot);
	run->did.nr_tried += !err;
	run->did.nr_done += is_moved;
	run->did.bytes += is_moved ? slot_len_bytes(slot) : 0;
	m->nr_stale += !err && !is_moved;
}

static void end_block(struct run *run, unsigned nth)
{
	static struct zstore_block_out was;
	struct zstore_block_out *out = &run->outs[nth];
	struct model *m = run->m;
	int err = -ECANCELED;

	if (!model_rng_one_in(&m->rng, 10))
		err = behind_write(&m->behind, out);
	was = *out;
	zstore_writeback_end(m->ctx, &run->how, &run->at, out, err);
	for (unsigned i = 0; i < was.nr; i++)
		check_page(run, &was, i, err);
	run->did.nr_blocks += !err;
	m->nr_given_up += err != 0;
	*out = run->outs[--run->nr_outs];
	run->outs[run->nr_outs] = (struct zstore_block_out){0};
}

/* Some pages are accessed while they are being written. */
static void disturb(struct run *run)
{
	const struct zstore_block_out *out = &run->outs[0];
	struct model *m = run->m;
	uint64_t index = out->pages[model_rng_below(&m->rng, out->nr)].index;

	run->is_disturbed[index] = true;
	run->is_calm = false;
	disturb_page(m, index);
}

/* Return: as zstore_writeback_fill(), but never 1. */
static int write_out(struct run *run)
{
	struct model *m = run->m;
	const bool is_rough = model_rng_one_in(&m->rng, 2);
	int more;

	do {
		more = zstore_writeback_fill(
			m->ctx, &run->how, &run->at, &run->outs[run->nr_outs],
			(unsigned)model_rng_range(&m->rng, 1, 3000));
		if (more == 1)
			check_filled(run, &run->outs[run->nr_outs++]);
		if (is_rough && run->nr_outs && model_rng_one_in(&m->rng, 8))
			disturb(run);
		/* Of the one that is being filled, none may take the place. */
		if (more == 1 &&
		    (run->nr_outs == MAX_OUTS || model_rng_one_in(&m->rng, 2)))
			end_block(run, (unsigned)model_rng_below(&m->rng,
								 run->nr_outs));
	} while (more == 1 || more == -EAGAIN);
	return more;
}

/* Why it ended. */
static void check_end(struct run *run, uint64_t nr_refused, int err)
{
	struct zstore_backing_stats stats;
	struct model *m = run->m;

	zstore_backing_stats(m->store, &stats);
	if (err == -ENOSPC && stats.blocks_used == stats.blocks) {
		m->nr_full++;
		return;
	}
	CHECK_MODEL(m,
		    !err || refuse_count() != nr_refused ||
			    (err == -ENOSPC && m->params.mem_limit_bytes),
		    "zstore_writeback_fill: %d, %" PRIu64 " of %" PRIu64
		    " blocks are used",
		    err, stats.blocks_used, stats.blocks);
}

static void look_after(struct run *run, int err)
{
	struct model *m = run->m;

	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		struct zstore_block block;

		check_block(m, i, &block);
		if (run->is_disturbed[i])
			continue;
		/* Who came to be due meanwhile may have taken its turn. */
		CHECK_MODEL(m,
			    err || !run->is_calm ||
				    run->is_due[i] == run->is_tried[i],
			    "page %" PRIu64 " was left out", i);
		CHECK_MODEL(m,
			    block.is_backed ==
				    (run->was_backed[i] || run->is_moved[i]),
			    "page %" PRIu64 " is %sbacked", i,
			    block.is_backed ? "" : "not ");
		CHECK_MODEL(m, !block.is_backed || !block.is_idle,
			    "page %" PRIu64 " is idle, and backed", i);
		CHECK_MODEL(m, block.accessed_s == run->accessed_s[i],
			    "writing out is an access to page %" PRIu64, i);
	}
}

/* What is backed is not in memory any more, and is all that went. */
static void check_stats(struct run *run, const struct zstore_stats *before)
{
	struct zstore_stats after;
	struct model *m = run->m;

	CHECK_MODEL(m,
		    !memcmp(&run->at.nr_tried, &run->did.nr_tried,
			    sizeof(run->at) -
				    offsetof(struct zstore_writing, nr_tried)),
		    "%" PRIu64 " tried, %" PRIu64 " done, %" PRIu64
		    " bytes, %" PRIu64 " blocks; found are %" PRIu64
		    ", %" PRIu64 ", %" PRIu64 ", %" PRIu64,
		    run->at.nr_tried, run->at.nr_done, run->at.bytes,
		    run->at.nr_blocks, run->did.nr_tried, run->did.nr_done,
		    run->did.bytes, run->did.nr_blocks);
	if (!run->is_calm)
		return;
	zstore_stats(m->store, &after);
	CHECK_MODEL(m,
		    after.orig_data_size == before->orig_data_size &&
			    after.compr_data_size + run->did.bytes ==
				    before->compr_data_size &&
			    after.huge_pages + run->nr_huge ==
				    before->huge_pages,
		    "%" PRIu64 " bytes in %" PRIu64 ", %" PRIu64
		    " huge; before were %" PRIu64 ", %" PRIu64 ", %" PRIu64,
		    after.orig_data_size, after.compr_data_size,
		    after.huge_pages, before->orig_data_size,
		    before->compr_data_size, before->huge_pages);
}

void op_write_out(void *arg)
{
	static struct run run;
	struct model *m = arg;
	struct zstore_stats before;
	uint64_t nr_refused = refuse_count();
	int err;

	if (!m->has_backing)
		return;
	memset(&run, 0, sizeof(run));
	run.m = m;
	run.is_calm = true;
	draw_how(&run);
	look_before(&run);
	zstore_stats(m->store, &before);
	behind_fail(&m->behind, 0, model_rng_one_in(&m->rng, 3) ? 4 : 0);
	err = write_out(&run);
	check_end(&run, nr_refused, err);
	while (run.nr_outs)
		end_block(&run, 0);
	behind_fail(&m->behind, 0, 0);
	check_stats(&run, &before);
	look_after(&run, err);
	op_count_blocks(m);
	m->nr_written_out += run.did.nr_done;
	m->nr_blocks_written += run.did.nr_blocks;
}

void report_back(const struct model *m)
{
	const struct model_run *run = &m->run;

	model_report_fact(run, "pages written out", m->nr_written_out);
	model_report_fact(run, "in blocks", m->nr_blocks_written);
	model_report_fact(run, "blocks not written, or given up",
			  m->nr_given_up);
	model_report_fact(run, "pages that changed meanwhile", m->nr_stale);
	model_report_fact(run, "times the backing was full", m->nr_full);
	model_report_fact(run, "backed pages counted", m->nr_backed_counted);
	model_report_fact(run, "times blocks were waited for", m->nr_arrivals);
	model_report_fact(run, "reads that failed", m->nr_eio);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that rest: since when, which are idle, and which the secondary codec
 * made shorter.
 *
 * The model's clock is the current epoch's beginning. Of an access it knows the
 * epoch, so that a page's age may be less than it is, as told, but never more.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "model/refuse.h"
#include "model/zstore_model.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_recompress.h"

/* --- ages ---------------------------------------------------------------- */

void note_access(struct model *m, uint64_t index)
{
	m->accessed_s[index] = m->now_s;
	m->may_be_idle[index] = false;
}

void begin_ages(struct model *m)
{
	m->now_s = 0;
	memset(m->accessed_s, 0, sizeof(m->accessed_s));
	memset(m->may_be_idle, 0, sizeof(m->may_be_idle));
}

/* Seconds to days, or, now and then, a clock that stands or goes back. */
void op_begin_epoch(void *arg)
{
	static const uint32_t steps_s[] = {1, 3, 60, 3600, 86400};
	struct model *m = arg;
	uint32_t step = 1;

	if (model_rng_one_in(&m->rng, 10)) {
		zstore_begin_epoch(m->store, (uint32_t)model_rng_below(
						     &m->rng, m->now_s + 1));
		return;
	}
	if (m->now_s < UINT32_MAX / 2)
		step = steps_s[model_rng_below(&m->rng, ARRAY_SIZE(steps_s))];
	m->now_s += (uint32_t)model_rng_range(&m->rng, 1, step);
	zstore_begin_epoch(m->store, m->now_s);
	m->nr_epochs++;
}

uint32_t draw_since(struct model *m)
{
	uint64_t age =
		model_rng_next(&m->rng) >> model_rng_range(&m->rng, 40, 63);

	if (model_rng_one_in(&m->rng, 3))
		return UINT32_MAX;
	return m->now_s - (uint32_t)min_u64(age, m->now_s);
}

static bool is_object(struct model *m, uint64_t index)
{
	return m->is_stored[index] && !model_page_is_same(flat_page(m, index));
}

void check_block(struct model *m, uint64_t index, struct zstore_block *block)
{
	bool is_stored;

	*block = (struct zstore_block){0};
	is_stored = zstore_block(m->store, index, block);
	CHECK_MODEL(m, is_stored == m->is_stored[index],
		    "page %" PRIu64 " is %sthere", index,
		    is_stored ? "" : "not ");
	if (!is_stored)
		return;
	CHECK_MODEL(m,
		    block->accessed_s >= m->accessed_s[index] &&
			    block->accessed_s <= m->now_s,
		    "page %" PRIu64 " was accessed at %u, not %u, now is %u",
		    index, m->accessed_s[index], block->accessed_s, m->now_s);
	CHECK_MODEL(m, !block->is_idle || m->may_be_idle[index],
		    "page %" PRIu64 " is marked", index);
	CHECK_MODEL(m,
		    block->is_huge == (block->bytes == ZSD_PAGE_BYTES) &&
			    !(block->is_huge && block->is_recompressed),
		    "page %" PRIu64 " of %u bytes is %shuge", index,
		    block->bytes, block->is_huge ? "" : "not ");
}

void op_block(void *arg)
{
	struct model *m = arg;
	struct zstore_block block;
	uint64_t index = draw_page(m);

	check_block(m, index, &block);
	CHECK_MODEL(m,
		    !m->is_stored[index] ||
			    block.is_same == !is_object(m, index),
		    "page %" PRIu64 " is %ssame-filled", index,
		    block.is_same ? "" : "not ");
	m->nr_blocks++;
}

void op_mark_idle(void *arg)
{
	struct model *m = arg;
	uint32_t since = draw_since(m);
	uint64_t nr = zstore_mark_idle(m->store, since), nr_found = 0;

	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		struct zstore_block block;

		m->may_be_idle[i] = is_object(m, i) && !is_backed(m, i) &&
				    m->accessed_s[i] < since;
		check_block(m, i, &block);
		CHECK_MODEL(m,
			    since != UINT32_MAX ||
				    block.is_idle == m->may_be_idle[i],
			    "page %" PRIu64 " is left out", i);
		nr_found += block.is_idle;
	}
	CHECK_MODEL(m, nr == nr_found,
		    "%" PRIu64 " pages are said to be marked, not %" PRIu64, nr,
		    nr_found);
	m->nr_marked += nr;
}

/* --- recompression ------------------------------------------------------- */

static struct zstore_recompress draw_how(struct model *m)
{
	struct zstore_recompress how = {
		.again = model_rng_one_in(&m->rng, 2),
		.since_s = UINT32_MAX,
	};

	if (!model_rng_one_in(&m->rng, 20))
		how.max_pages = model_rng_range(&m->rng, 1, 30);
	if (model_rng_one_in(&m->rng, 3))
		return how;
	how.is_idle = model_rng_one_in(&m->rng, 3);
	how.is_huge = model_rng_one_in(&m->rng, 4);
	how.since_s = draw_since(m);
	if (model_rng_one_in(&m->rng, 3))
		how.threshold_bytes = (uint32_t)model_rng_range(
			&m->rng, 1, zstore_huge_class_size(m->store) - 1);
	return how;
}

/* What a page is before. */
struct before {
	struct zstore_block block;
	bool is_due;
};

bool has_sharers(const struct model *m, uint64_t index)
{
	const uint64_t slot = slot_of(m, index);

	for (uint64_t i = 0; slot_is_shared(slot) && i < DISK_PAGES; i++) {
		const uint64_t other = slot_of(m, i);

		if (i != index && slot_is_shared(other) &&
		    slot_handle(other) == slot_handle(slot))
			return true;
	}
	return false;
}

/* If no other page has its object, too. */
static bool may_be_due(struct model *m, const struct zstore_recompress *how,
		       uint64_t index, const struct zstore_block *block)
{
	unsigned dict;

	if (!is_object(m, index) || block->is_backed ||
	    block->is_incompressible || block->accessed_s >= how->since_s ||
	    block->bytes < how->threshold_bytes ||
	    (how->is_huge && !block->is_huge) ||
	    (how->is_idle && !block->is_idle))
		return false;
	if (!block->is_recompressed)
		return true;
	dict = slot_dict(slot_of(m, index));
	return how->again && dict &&
	       dict != zstore_dict_current(m->store, ZSTORE_SECONDARY);
}

static bool is_due(struct model *m, const struct zstore_recompress *how,
		   uint64_t index, const struct zstore_block *block)
{
	if (!may_be_due(m, how, index, block))
		return false;
	if (!has_sharers(m, index))
		return true;
	m->nr_passed_over++;
	return false;
}

/* Return: how many are due. */
static uint64_t look_before(struct model *m,
			    const struct zstore_recompress *how,
			    struct before before[DISK_PAGES])
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		check_block(m, i, &before[i].block);
		before[i].is_due = is_due(m, how, i, &before[i].block);
		nr += before[i].is_due;
	}
	return nr;
}

static unsigned class_of(const struct model *m, uint32_t bytes)
{
	return zs_lookup_class_index(m->store->pool, bytes);
}

/* A page is not what it was. @did receives what was done to it. */
static void check_change(struct model *m, const struct zstore_recompress *how,
			 uint64_t index, const struct before *before,
			 const struct zstore_block *after,
			 struct zstore_recompressing *did)
{
	const struct zstore_block *was = &before->block;

	did->nr_tried++;
	m->nr_again += was->is_recompressed;
	CHECK_MODEL(m, before->is_due && !after->is_idle,
		    "page %" PRIu64 " was not due", index);
	if (after->is_incompressible) {
		CHECK_MODEL(m,
			    after->bytes == was->bytes &&
				    after->is_recompressed ==
					    was->is_recompressed,
			    "page %" PRIu64 " is another, and incompressible",
			    index);
		m->nr_incompressible++;
		return;
	}
	CHECK_MODEL(m,
		    after->is_recompressed &&
			    class_of(m, after->bytes) <
				    class_of(m, was->bytes) &&
			    (!how->threshold_bytes ||
			     after->bytes < how->threshold_bytes),
		    "page %" PRIu64 " of %u bytes became one of %u", index,
		    was->bytes, after->bytes);
	m->nr_recompressed++;
	did->nr_done++;
	did->bytes_before += was->bytes;
	did->bytes_after += after->bytes;
}

static void look_after(struct model *m, const struct zstore_recompress *how,
		       const struct before before[DISK_PAGES],
		       struct zstore_recompressing *did)
{
	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		const struct zstore_block *was = &before[i].block;
		struct zstore_block after;

		check_block(m, i, &after);
		CHECK_MODEL(m, after.accessed_s == was->accessed_s,
			    "recompressing is an access to page %" PRIu64, i);
		if (after.bytes != was->bytes ||
		    after.is_incompressible != was->is_incompressible)
			check_change(m, how, i, &before[i], &after, did);
	}
}

/* Return: 0 where it came to its end, else what it said. */
static int run_recompression(struct model *m,
			     const struct zstore_recompress *how,
			     struct zstore_recompressing *at)
{
	unsigned tries = 3;
	int more;

	do {
		unsigned looks = (unsigned)model_rng_range(&m->rng, 1, 3000);

		more = zstore_recompress(m->ctx, how, at, looks);
		if (more >= 0)
			continue;
		CHECK_MODEL(m, more == -ENOSPC || more == -ENOMEM,
			    "zstore_recompress: %d", more);
		m->nr_unready++;
		zstore_housekeep(m->store, UINT64_MAX);
	} while (more == 1 || (more && tries--));
	if (model_rng_one_in(&m->rng, 2))
		zstore_recompress_end(m->ctx);
	return more;
}

void op_recompress(void *arg)
{
	static struct before before[DISK_PAGES];
	struct zstore_recompressing at = {0}, did = {0};
	struct model *m = arg;
	struct zstore_recompress how;
	uint64_t nr_due;
	int err;

	if (!m->params.recomp.ops)
		return;
	how = draw_how(m);
	if (model_rng_one_in(&m->rng, 4))
		zstore_shrink(m->store); /* so that little is ready */
	nr_due = look_before(m, &how, before);
	err = run_recompression(m, &how, &at);
	look_after(m, &how, before, &did);
	CHECK_MODEL(m,
		    at.nr_tried == did.nr_tried && at.nr_done == did.nr_done &&
			    at.bytes_before == did.bytes_before &&
			    at.bytes_after == did.bytes_after,
		    "%" PRIu64 " tried, %" PRIu64 " done, %" PRIu64
		    " bytes, now %" PRIu64 "; found are %" PRIu64 ", %" PRIu64
		    ", %" PRIu64 ", %" PRIu64,
		    at.nr_tried, at.nr_done, at.bytes_before, at.bytes_after,
		    did.nr_tried, did.nr_done, did.bytes_before,
		    did.bytes_after);
	if (how.max_pages)
		nr_due = min_u64(nr_due, how.max_pages);
	CHECK_MODEL(m, err || at.nr_tried == nr_due,
		    "%" PRIu64 " pages tried of %" PRIu64, at.nr_tried, nr_due);
}

void report_rest(const struct model *m)
{
	const struct model_run *run = &m->run;

	model_report_fact(run, "epochs", m->nr_epochs);
	model_report_fact(run, "pages marked idle", m->nr_marked);
	model_report_fact(run, "blocks looked at", m->nr_blocks);
	model_report_fact(run, "pages recompressed", m->nr_recompressed);
	model_report_fact(run, "tried with another dictionary", m->nr_again);
	model_report_fact(run, "incompressible pages", m->nr_incompressible);
	model_report_fact(run, "passed over as they share", m->nr_passed_over);
	model_report_fact(run, "times no room was ready", m->nr_unready);
}

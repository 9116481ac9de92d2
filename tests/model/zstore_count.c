/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is stored by which codec and with which dictionary, to the byte.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "model/refuse.h"
#include "model/zstore_model.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"

/* --- dictionaries -------------------------------------------------------- */

static void train_codec(struct model *m, enum zstore_codec codec, unsigned nr)
{
	const struct zcomp_params *params = zstore_codec(m->store, codec);
	struct dicts *dicts = &m->dicts[codec];

	dicts->nr = 0;
	if (!params->ops || !zcomp_has_dicts(params))
		return;
	for (; dicts->nr < nr; dicts->nr++) {
		struct dict *dict = &dicts->all[dicts->nr];

		dict->nr_bytes =
			model_train(&m->run, params, &m->rng, dict->bytes);
	}
}

void train_dicts(struct model *m, bool has_primary)
{
	train_codec(m, ZSTORE_PRIMARY, has_primary ? NR_DICTS : 0);
	train_codec(m, ZSTORE_SECONDARY, NR_MODELS);
}

static void check_no_dict(struct model *m, uint64_t nr_refused, int err)
{
	if (err == -EBUSY) {
		m->nr_dicts_busy++;
		return;
	}
	CHECK_MODEL(m,
		    err == -ENOSPC
			    ? m->params.mem_limit_bytes ||
				      refuse_count() != nr_refused
			    : err == -ENOMEM && refuse_count() != nr_refused,
		    "zstore_dict_add: %d", err);
}

static void check_current(struct model *m, enum zstore_codec codec,
			  unsigned number)
{
	unsigned current = zstore_dict_current(m->store, codec);

	CHECK_MODEL(m, current == number, "%u of codec %u is current, not %u",
		    current, codec, number);
}

static void add_dict(struct model *m, enum zstore_codec codec,
		     const struct dict *dict)
{
	unsigned before[ZSTORE_CODECS], number = 0;
	uint64_t nr_refused = refuse_count();
	int err;

	for (unsigned i = 0; i < ZSTORE_CODECS; i++)
		before[i] = zstore_dict_current(m->store, i);
	err = zstore_dict_add(m->store, codec, dict->bytes, dict->nr_bytes,
			      &number);
	if (err)
		check_no_dict(m, nr_refused, err);
	else
		CHECK_MODEL(m, number != before[codec] && number,
			    "number %u again", number);
	check_current(m, codec, err ? before[codec] : number);
	check_current(m, !codec, before[!codec]);
	m->nr_dicts_used[codec] += !err;
}

void op_add_dict(void *arg)
{
	struct model *m = arg;
	enum zstore_codec codec = model_rng_one_in(&m->rng, 2)
					  ? ZSTORE_SECONDARY
					  : ZSTORE_PRIMARY;
	const struct dicts *dicts = &m->dicts[codec];

	if (dicts->nr)
		add_dict(m, codec,
			 &dicts->all[model_rng_below(&m->rng, dicts->nr)]);
}

/* Samples are pages of the disk, in its order. */
void op_sample(void *arg)
{
	static unsigned char samples[40][ZSD_PAGE_BYTES];
	struct model *m = arg;
	uint64_t nr = zstore_sample(m->ctx, ARRAY_SIZE(samples), samples);
	uint64_t index = 0;

	for (uint64_t i = 0; i < nr; i++, index++) {
		while (index < DISK_PAGES &&
		       memcmp(flat_page(m, index), samples[i],
			      ZSD_PAGE_BYTES) != 0)
			index++;
		CHECK_MODEL(m, index < DISK_PAGES,
			    "sample %" PRIu64 " is nowhere behind the others",
			    i);
	}
	m->nr_sampled += nr;
}

/* --- counting ------------------------------------------------------------ */

struct tally {
	uint64_t nr_same, nr_huge, nr_bytes;
};

/* What becomes of a page by the codec and with the dictionary that its slot
 * says. */
static size_t compress_again(struct model *m, uint64_t index, uint64_t slot)
{
	const enum zstore_codec codec = slot_codec(slot);
	unsigned char packed[ZSD_PAGE_BYTES];
	size_t bytes;

	if (zcomp_compress(m->zcomp[codec],
			   zstore_dict(m->store, codec, slot_dict(slot)),
			   flat_page(m, index), ZSD_PAGE_BYTES, packed,
			   zstore_huge_class_size(m->store) - 1, &bytes))
		return ZSD_PAGE_BYTES;
	return bytes;
}

/* Whether its length is to be looked at: it takes long, or is not known with
 * which dictionary a huge page did not become shorter. */
static bool can_be_told(struct model *m, const struct zstore_block *block)
{
	if (block->is_recompressed)
		return model_rng_one_in(&m->rng, 8);
	return !block->is_huge || !m->dicts[ZSTORE_PRIMARY].nr;
}

static void tally_page(struct model *m, uint64_t index, struct tally *tally)
{
	struct zstore_block block;
	size_t bytes;

	CHECK_MODEL(m, zstore_block(m->store, index, &block),
		    "page %" PRIu64 " is not there", index);
	tally->nr_same += block.is_same;
	if (!block.is_backed) {
		tally->nr_huge += block.is_huge;
		tally->nr_bytes += block.bytes;
	}
	CHECK_MODEL(m, block.is_same == model_page_is_same(flat_page(m, index)),
		    "page %" PRIu64 " is %ssame-filled", index,
		    block.is_same ? "" : "not ");
	if (block.is_same || !can_be_told(m, &block))
		return;
	bytes = compress_again(m, index, slot_load(&m->store->slots[index]));
	CHECK_MODEL(m, block.bytes == bytes,
		    "page %" PRIu64 " has %u bytes, not %zu", index,
		    block.bytes, bytes);
}

/* The store has those of its secondary codec ready only while it recompresses.
 */
static void set_ready(struct model *m, bool are_ready)
{
	struct zstore *store = m->store;

	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		struct zcomp_dict *dict = store->dicts[ZSTORE_SECONDARY][i];

		if (!dict || store->dict_users[i])
			continue;
		if (are_ready)
			CHECK_MODEL(m, !zcomp_dict_ready(dict),
				    "dictionary %u does not get ready", i);
		else
			zcomp_dict_rest(dict);
	}
}

/* Compress everything once more: blocks and counters must say the same. */
void op_count(void *arg)
{
	struct model *m = arg;
	struct zstore_stats stats;
	struct tally tally = {0};

	set_ready(m, true);
	for (uint64_t i = 0; i < DISK_PAGES; i++) {
		if (m->is_stored[i])
			tally_page(m, i, &tally);
	}
	set_ready(m, false);
	zstore_stats(m->store, &stats);
	tally.nr_bytes -= sharing_check(&m->run, m->store, &stats);
	CHECK_MODEL(m, stats.orig_data_size == m->nr_stored * ZSD_PAGE_BYTES,
		    "orig_data_size %" PRIu64 " for %" PRIu64 " pages",
		    stats.orig_data_size, m->nr_stored);
	CHECK_MODEL(m, stats.same_pages == tally.nr_same,
		    "same_pages %" PRIu64 ", not %" PRIu64, stats.same_pages,
		    tally.nr_same);
	CHECK_MODEL(m, stats.huge_pages == tally.nr_huge,
		    "huge_pages %" PRIu64 ", not %" PRIu64, stats.huge_pages,
		    tally.nr_huge);
	CHECK_MODEL(m, stats.compr_data_size == tally.nr_bytes,
		    "compr_data_size %" PRIu64 ", not %" PRIu64,
		    stats.compr_data_size, tally.nr_bytes);
	CHECK_MODEL(m, stats.failed_writes == m->nr_failed_writes,
		    "failed_writes %" PRIu64 ", not %" PRIu64,
		    stats.failed_writes, m->nr_failed_writes);
	CHECK_MODEL(m,
		    stats.failed_reads == m->nr_failed_reads &&
			    !stats.corrupt_reads,
		    "failed_reads %" PRIu64 ", not %" PRIu64
		    ", corrupt_reads %" PRIu64,
		    stats.failed_reads, m->nr_failed_reads,
		    stats.corrupt_reads);
	op_count_blocks(m);
	m->nr_huge += tally.nr_huge;
	m->nr_same += tally.nr_same;
	m->nr_counted++;
}

void report_counts(const struct model *m)
{
	const struct model_run *run = &m->run;

	model_report_fact(run, "huge pages counted", m->nr_huge);
	model_report_fact(run, "same-filled pages counted", m->nr_same);
	model_report_fact(run, "dictionaries used",
			  m->nr_dicts_used[ZSTORE_PRIMARY]);
	model_report_fact(run, "of the secondary codec",
			  m->nr_dicts_used[ZSTORE_SECONDARY]);
	model_report_fact(run, "times that all were", m->nr_dicts_busy);
	model_report_fact(run, "pages sampled", m->nr_sampled);
	model_report_fact(run, "times counted", m->nr_counted);
}

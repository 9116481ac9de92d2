/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "model/own_ctx.h"
#include "model/sharing.h"
#include "model/threads.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"

/* What those who work with pages that rest leave to others, µs. */
#define REST_US 300u

/* --- dictionaries -------------------------------------------------------- */

static void train_codec(struct model *m, enum zstore_codec codec,
			struct model_rng *rng)
{
	const struct zcomp_params *params = zstore_codec(m->store, codec);
	struct dicts *dicts = &m->dicts[codec];

	memset(dicts->nr_bytes, 0, sizeof(dicts->nr_bytes));
	for (unsigned i = 0; i < NR_DICTS && zcomp_has_dicts(params); i++)
		dicts->nr_bytes[i] =
			model_train(&m->run, params, rng, dicts->bytes[i]);
}

void train_dicts(struct model *m)
{
	struct model_rng rng;

	model_rng_init(&rng, m->run.seed + 2000);
	for (unsigned i = 0; i < ZSTORE_CODECS; i++)
		train_codec(m, i, &rng);
}

/* Have pages compressed with another dictionary, if one can be had. */
static void add_dict(struct model *m, enum zstore_codec codec,
		     struct model_rng *rng)
{
	const struct dicts *dicts = &m->dicts[codec];
	size_t i = model_rng_below(rng, NR_DICTS);
	unsigned number;
	int err;

	if (!dicts->nr_bytes[i])
		return;
	err = zstore_dict_add(m->store, codec, dicts->bytes[i],
			      dicts->nr_bytes[i], &number);
	CHECK_MODEL(m,
		    !err || err == -EBUSY || err == -ENOSPC ||
			    (err == -ENOMEM && m->is_scarce),
		    "zstore_dict_add: %d", err);
	m->nr_dicts[codec] += !err;
}

/* --- the keeper ---------------------------------------------------------- */

static void compact_all(struct model *m)
{
	struct zs_compacted done;

	zstore_compact(m->store, &done);
	zstore_shrink(m->store);
	m->nr_compactions++;
}

static void compact_slice(struct model *m, struct zs_compact_cursor *cursor,
			  struct model_rng *rng)
{
	unsigned max = (unsigned)model_rng_range(rng, 1, 64);
	uint64_t freed;

	if (!zs_compact_slice(m->store->pool, cursor, max, &freed))
		*cursor = (struct zs_compact_cursor){0};
	m->nr_slices++;
}

/* Slices mostly, now and then all at once, the reserve, and dictionaries. */
static void *run_keeper(void *arg)
{
	struct zs_compact_cursor cursor = {0};
	struct model *m = arg;
	struct model_rng rng;

	model_rng_init(&rng, m->run.seed + 1000);
	/* Once at least, however few turns there are. */
	add_dict(m, ZSTORE_PRIMARY, &rng);
	add_dict(m, ZSTORE_SECONDARY, &rng);
	do {
		if (model_rng_one_in(&rng, 20)) {
			compact_all(m);
		} else if (model_rng_one_in(&rng, 3)) {
			zstore_housekeep(m->store, UINT64_MAX);
			m->nr_housekeepings++;
		} else if (model_rng_one_in(&rng, 20)) {
			add_dict(m, model_rng_one_in(&rng, 2), &rng);
		} else {
			compact_slice(m, &cursor, &rng);
		}
		sched_yield();
	} while (atomic_load(&m->nr_running));
	return NULL;
}

/* --- the ager ------------------------------------------------------------ */

uint32_t draw_since(struct model *m, struct model_rng *rng)
{
	uint32_t now_s = atomic_load(&m->now_s);

	if (model_rng_one_in(rng, 3))
		return UINT32_MAX;
	return now_s - (uint32_t)model_rng_below(rng, min_u64(now_s, 1000) + 1);
}

static void *run_ager(void *arg)
{
	struct model *m = arg;
	struct model_rng rng;

	model_rng_init(&rng, m->run.seed + 3000);
	do {
		uint32_t now_s = atomic_load(&m->now_s) +
				 (uint32_t)model_rng_range(&rng, 1, 9);

		zstore_begin_epoch(m->store, now_s);
		atomic_store(&m->now_s, now_s);
		m->nr_epochs++;
		if (model_rng_one_in(&rng, 10))
			m->nr_marked +=
				zstore_mark_idle(m->store, draw_since(m, &rng));
		sched_yield();
	} while (atomic_load(&m->nr_running));
	return NULL;
}

/* --- the recompressor ---------------------------------------------------- */

static struct zstore_recompress draw_how(struct model *m, struct model_rng *rng)
{
	struct zstore_recompress how = {
		.is_idle = model_rng_one_in(rng, 4),
		.is_huge = model_rng_one_in(rng, 6),
		.again = model_rng_one_in(rng, 2),
		.since_s = UINT32_MAX,
		.max_pages = model_rng_range(rng, 1, 100),
	};

	if (model_rng_one_in(rng, 4))
		how.since_s = draw_since(m, rng);
	if (model_rng_one_in(rng, 4))
		how.threshold_bytes = (uint32_t)model_rng_range(rng, 1, 3000);
	return how;
}

static void recompress(struct model *m, struct zstore_ctx *ctx,
		       struct model_rng *rng)
{
	const struct zstore_recompress how = draw_how(m, rng);
	struct zstore_recompressing at = {0};
	int more = 1;

	while (more == 1 && atomic_load(&m->nr_running))
		more = zstore_recompress(ctx, &how, &at,
					 (unsigned)model_rng_range(rng, 1,
								   100000));
	if (model_rng_one_in(rng, 2))
		zstore_recompress_end(ctx);
	CHECK_MODEL(m, more >= 0 || more == -ENOSPC || more == -ENOMEM,
		    "zstore_recompress: %d", more);
	CHECK_MODEL(m,
		    at.nr_done <= at.nr_tried && at.nr_tried <= how.max_pages &&
			    at.bytes_after <= at.bytes_before,
		    "of %" PRIu64 " pages %" PRIu64
		    " were recompressed, %" PRIu64 " bytes to %" PRIu64,
		    at.nr_tried, at.nr_done, at.bytes_before, at.bytes_after);
	m->nr_tried += at.nr_tried;
	m->nr_recompressed += at.nr_done;
}

static void *run_recompressor(void *arg)
{
	struct model *m = arg;
	struct model_rng rng;
	struct zstore_ctx *ctx;
	int err = own_ctx_create(m->store, &ctx);

	CHECK_MODEL(m, !err, "own_ctx_create: %d", err);
	model_rng_init(&rng, m->run.seed + 4000);
	do {
		recompress(m, ctx, &rng);
		usleep(REST_US);
	} while (atomic_load(&m->nr_running));
	own_ctx_destroy(ctx);
	return NULL;
}

/* --- the sharer ---------------------------------------------------------- */

static void *run_sharer(void *arg)
{
	struct model *m = arg;
	struct model_rng rng;
	struct zstore_ctx *ctx;
	struct sharing sharing;
	int err = own_ctx_create(m->store, &ctx);

	CHECK_MODEL(m, !err, "own_ctx_create: %d", err);
	sharing_open(&sharing, &m->run, ctx, NR_PAGES / 2);
	model_rng_init(&rng, m->run.seed + 5000);
	do {
		if (!sharing_go_on(&sharing,
				   (unsigned)model_rng_range(&rng, 1, 20000)))
			usleep(REST_US);
	} while (atomic_load(&m->nr_running));
	m->nr_shared += sharing_close(&sharing);
	own_ctx_destroy(ctx);
	return NULL;
}

/* --- the verifier -------------------------------------------------------- */

static void check_backing_stats(struct model *m)
{
	struct zstore_backing_stats stats;

	zstore_backing_stats(m->store, &stats);
	CHECK_MODEL(m,
		    stats.blocks_used <= stats.blocks &&
			    stats.pages_backed <= NR_PAGES &&
			    stats.bytes_backed <=
				    (uint64_t)NR_PAGES * ZSD_PAGE_BYTES,
		    "%" PRIu64 " blocks are used, %" PRIu64
		    " pages backed of %" PRIu64 " bytes",
		    stats.blocks_used, stats.pages_backed, stats.bytes_backed);
}

static void check_stats(struct model *m)
{
	struct zstore_stats stats;

	check_backing_stats(m);
	zstore_stats(m->store, &stats);
	CHECK_MODEL(m,
		    stats.orig_data_size <= (uint64_t)NR_PAGES * ZSD_PAGE_BYTES,
		    "orig_data_size %" PRIu64, stats.orig_data_size);
	CHECK_MODEL(m, stats.same_pages <= NR_PAGES, "same_pages %" PRIu64,
		    stats.same_pages);
	CHECK_MODEL(m, m->is_failing || !stats.failed_reads,
		    "failed_reads %" PRIu64, stats.failed_reads);
	CHECK_MODEL(m, !stats.corrupt_reads, "corrupt_reads %" PRIu64,
		    stats.corrupt_reads);
	CHECK_MODEL(m,
		    !stats.mem_limit ||
			    stats.mem_used_total + stats.metadata_bytes <=
				    stats.mem_limit,
		    "%" PRIu64 " + %" PRIu64 " bytes in use, limit %" PRIu64,
		    stats.mem_used_total, stats.metadata_bytes,
		    stats.mem_limit);
}

/* A page that the backing does not give is none that it could say is right. */
void verify_disk(struct model *m, struct zstore_ctx *ctx)
{
	struct zstore_verify_report report;
	int err = zstore_verify(ctx, &report);

	CHECK_MODEL(m, !err || (m->is_failing && report.pages_damaged),
		    "verifier: %s", report.text);
}

static void *run_verifier(void *arg)
{
	struct model *m = arg;
	struct zstore_ctx *ctx;
	int err = own_ctx_create(m->store, &ctx);

	CHECK_MODEL(m, !err, "own_ctx_create: %d", err);
	do {
		verify_disk(m, ctx);
		check_stats(m);
		m->nr_verified++;
		sched_yield();
	} while (atomic_load(&m->nr_running));
	own_ctx_destroy(ctx);
	return NULL;
}

/* --- all of them --------------------------------------------------------- */

pthread_t start_thread(struct model *m, void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, fn, arg);

	CHECK_MODEL(m, !err, "pthread_create: %d", err);
	return thread;
}

void start_beside(struct model *m, struct beside *beside)
{
	static void *(*const fns[NR_BESIDE])(void *) = {
		run_keeper,   run_ager,	      run_recompressor, run_sharer,
		run_verifier, run_writer_out, run_bringer,
	};

	for (unsigned i = 0; i < NR_BESIDE; i++)
		beside->threads[i] = start_thread(m, fns[i], m);
}

void join_beside(struct beside *beside)
{
	for (unsigned i = 0; i < NR_BESIDE; i++)
		pthread_join(beside->threads[i], NULL);
}

/* --- afterwards ---------------------------------------------------------- */

void check_counts(struct model *m)
{
	const uint64_t nr_slots = m->params.disk_bytes / ZSD_PAGE_BYTES;
	struct zstore_stats stats, found = {0};

	for (uint64_t i = 0; i < nr_slots; i++) {
		struct zstore_block block;

		if (!zstore_block(m->store, i, &block))
			continue;
		found.orig_data_size += ZSD_PAGE_BYTES;
		found.same_pages += block.is_same;
		if (block.is_backed)
			continue;
		found.compr_data_size += block.bytes;
		found.huge_pages += block.is_huge;
	}
	check_blocks(m);
	zstore_stats(m->store, &stats);
	found.compr_data_size -= sharing_check(&m->run, m->store, &stats);
	CHECK_MODEL(m,
		    found.orig_data_size == stats.orig_data_size &&
			    found.compr_data_size == stats.compr_data_size &&
			    found.same_pages == stats.same_pages &&
			    found.huge_pages == stats.huge_pages,
		    "pages have %" PRIu64 " bytes in %" PRIu64 ", %" PRIu64
		    " same, %" PRIu64 " huge; counted are %" PRIu64 ", %" PRIu64
		    ", %" PRIu64 ", %" PRIu64,
		    found.orig_data_size, found.compr_data_size,
		    found.same_pages, found.huge_pages, stats.orig_data_size,
		    stats.compr_data_size, stats.same_pages, stats.huge_pages);
}

void report_beside(const struct model *m)
{
	const struct model_run *run = &m->run;

	model_report_fact(run, "compactions", m->nr_compactions);
	model_report_fact(run, "slices of one", m->nr_slices);
	model_report_fact(run, "objects moved by them", m->nr_moved);
	model_report_fact(run, "pages freed by them", m->nr_compacted);
	model_report_fact(run, "times housekept", m->nr_housekeepings);
	model_report_fact(run, "dictionaries used",
			  m->nr_dicts[ZSTORE_PRIMARY]);
	model_report_fact(run, "of the secondary codec",
			  m->nr_dicts[ZSTORE_SECONDARY]);
	model_report_fact(run, "epochs", m->nr_epochs);
	model_report_fact(run, "pages marked idle", m->nr_marked);
	model_report_fact(run, "pages tried once more", m->nr_tried);
	model_report_fact(run, "pages recompressed", m->nr_recompressed);
	model_report_fact(run, "pages given another's object", m->nr_shared);
	model_report_fact(run, "times verified", m->nr_verified);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk against a flat buffer.
 *
 * One thread, so that content and counters can be told to the byte. Each
 * round has a disk of its own: with one codec or two, with and without a limit
 * that is too small for all of it, with and without dictionaries, and with a
 * backing, too small or not. All of them, and a small one that lives beside
 * them all along, share one scratch.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "model/refuse.h"
#include "model/zstore_model.h"

#define MAX_IO_PAGES 12u
#define MAX_IO_BYTES (MAX_IO_PAGES * (size_t)ZSD_PAGE_BYTES)

/* What the rounds differ in; chain size and reserve are drawn. */
static const struct {
	const char *algorithm;
	const char *secondary; /* NULL: none */
	uint64_t limit_bytes; /* about; 0: none */
	bool has_dicts; /* of the primary codec */
	uint32_t nr_blocks; /* of the backing; 0: none */
} rounds[] = {
	{"lz4", "plz", 0, false, 0},
	{"zstd", NULL, 0, true, 1600},
	{"lz4", "zstd", 2 * MIB, false, 200},
	{"zstd", NULL, MIB, false, 0},
	{"lz4:20", NULL, 3 * MIB, false, 60},
	{"zstd:1", "plz", 0, true, 600},
	{"zstd:-5", NULL, 0, true, 0},
	{"lz4:65537", "zstd:3", 0, false, 3},
	{"zstd:-1", "zstd:9", 2 * MIB, true, 1600},
	{"zstd:1", "zstd:9", 0, false, 0},
	{"lz4", NULL, MIB / 2, false, MAX_BLOCKS},
};

/* --- the flat disk ------------------------------------------------------- */

static void set_stored(struct model *m, uint64_t index, bool is_stored)
{
	m->nr_stored -= m->is_stored[index];
	m->is_stored[index] = is_stored;
	m->nr_stored += is_stored;
}

/* The whole pages of a range are as if never written. */
static void forget(struct model *m, uint64_t offset, uint64_t bytes)
{
	uint64_t index = div_round_up(offset, ZSD_PAGE_BYTES);
	uint64_t end = (offset + bytes) / ZSD_PAGE_BYTES;

	for (; index < end; index++) {
		memset(flat_page(m, index), 0, ZSD_PAGE_BYTES);
		set_stored(m, index, false);
	}
}

/* --- drawing ------------------------------------------------------------- */

uint64_t draw_page(struct model *m)
{
	if (model_rng_one_in(&m->rng, 2))
		return model_rng_below(&m->rng, DISK_PAGES);
	return (m->hot_page + model_rng_below(&m->rng, 64)) % DISK_PAGES;
}

/* All kinds, or one for a while: then a few classes have many zspages. */
static enum model_page draw_kind(struct model *m)
{
	return m->kind < MODEL_NR_PAGE_KINDS ? m->kind
					     : model_page_kind(&m->rng);
}

static void draw_range(struct model *m, uint64_t *offset, size_t *bytes)
{
	*offset = draw_page(m) * ZSD_PAGE_BYTES;
	if (!model_rng_one_in(&m->rng, 3))
		*offset += model_rng_below(&m->rng, ZSD_PAGE_BYTES);
	*bytes = model_rng_below(&m->rng, model_rng_one_in(&m->rng, 2)
						  ? MAX_IO_BYTES
						  : ZSD_PAGE_BYTES);
	if (model_rng_one_in(&m->rng, 3))
		*bytes -= *bytes % ZSD_PAGE_BYTES;
	*bytes = min_u64(*bytes, DISK_BYTES - *offset);
}

/* Content for @bytes from @offset on: what lies in a page is of one kind. */
static void draw_content(struct model *m, uint64_t offset, size_t bytes,
			 unsigned char *dst)
{
	unsigned char page[ZSD_PAGE_BYTES];

	while (bytes) {
		size_t at = offset % ZSD_PAGE_BYTES;
		size_t n = min_u64(bytes, ZSD_PAGE_BYTES - at);

		model_page_fill(&m->rng, draw_kind(m), page);
		memcpy(dst, page + at, n);
		offset += n;
		dst += n;
		bytes -= n;
	}
}

/* --- writing ------------------------------------------------------------- */

/* The part of [@offset, @offset + @bytes) in the page of @offset. */
static size_t first_part(uint64_t offset, size_t bytes)
{
	return min_u64(bytes, ZSD_PAGE_BYTES - offset % ZSD_PAGE_BYTES);
}

/* How many pages a range touches; it is not empty. */
static uint64_t pages_of(uint64_t offset, size_t bytes)
{
	return (offset + bytes - 1) / ZSD_PAGE_BYTES - offset / ZSD_PAGE_BYTES +
	       1;
}

static int read_range(struct model *m, uint64_t offset, size_t bytes,
		      unsigned char *dst)
{
	struct zstore_ctx *ctx = draw_ctx(m);
	int err;

	do {
		err = zstore_read(ctx, offset, bytes, dst);
	} while (must_wait(m, err));
	return err;
}

/*
 * A write of @src failed for lack of room at the last @nr_failed of its pages:
 * they are old, the others new. Take over into the flat disk what is.
 */
static void take_over_failed(struct model *m, uint64_t offset, size_t bytes,
			     const unsigned char *src, uint64_t nr_failed)
{
	unsigned char found[MAX_IO_BYTES];
	const unsigned char *p = found;
	int err = read_range(m, offset, bytes, found);
	size_t n;

	CHECK_MODEL(m, !err, "read after a write that failed: %d", err);
	CHECK_MODEL(m, nr_failed && nr_failed <= pages_of(offset, bytes),
		    "%" PRIu64 " of %" PRIu64 " pages failed", nr_failed,
		    pages_of(offset, bytes));
	for (; bytes; offset += n, p += n, src += n, bytes -= n) {
		bool is_new = pages_of(offset, bytes) > nr_failed;

		n = first_part(offset, bytes);
		note_access(m, offset / ZSD_PAGE_BYTES);
		if (is_new) {
			memcpy(m->flat + offset, src, n);
			set_stored(m, offset / ZSD_PAGE_BYTES, true);
			m->nr_split++;
		}
		CHECK_MODEL(m, memcmp(p, m->flat + offset, n) == 0,
			    "page %" PRIu64 " is not %s",
			    offset / ZSD_PAGE_BYTES, is_new ? "new" : "old");
	}
}

/*
 * A write that failed must have met the limit, or a system without memory,
 * which had refused @nr_refused times before. Return: how many pages failed.
 */
static uint64_t check_failure(struct model *m, uint64_t nr_refused, int err)
{
	struct zstore_stats stats;
	uint64_t nr_failed;

	zstore_stats(m->store, &stats);
	nr_failed = stats.failed_writes - m->nr_failed_writes;
	if (refuse_count() != nr_refused) {
		CHECK_MODEL(m, err == -ENOSPC || err == -ENOMEM,
			    "write without memory: %d", err);
		m->nr_without_memory++;
	} else {
		CHECK_MODEL(m, err == -ENOSPC && m->params.mem_limit_bytes,
			    "write: %d", err);
		m->nr_enospc++;
	}
	m->nr_failed_writes += nr_failed;
	return nr_failed;
}

/* A write of @src returned @err. */
static void take_over(struct model *m, uint64_t nr_refused, int err,
		      uint64_t offset, size_t bytes, const unsigned char *src)
{
	if (err) {
		take_over_failed(m, offset, bytes, src,
				 check_failure(m, nr_refused, err));
		return;
	}
	memcpy(m->flat + offset, src, bytes);
	while (bytes) {
		size_t n = first_part(offset, bytes);

		set_stored(m, offset / ZSD_PAGE_BYTES, true);
		note_access(m, offset / ZSD_PAGE_BYTES);
		offset += n;
		bytes -= n;
	}
}

static void write_range(struct model *m, uint64_t offset, size_t bytes,
			const unsigned char *src)
{
	uint64_t nr_refused = refuse_count();
	struct zstore_ctx *ctx = draw_ctx(m);
	int err;

	do {
		err = zstore_write(ctx, offset, bytes, src);
	} while (must_wait(m, err));
	take_over(m, nr_refused, err, offset, bytes, src);
}

static void op_write_page(void *arg)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct model *m = arg;

	if (model_rng_one_in(&m->rng, 3)) /* some are equal */
		memcpy(page, flat_page(m, draw_page(m)), sizeof(page));
	else
		model_page_fill(&m->rng, draw_kind(m), page);
	write_range(m, draw_page(m) * ZSD_PAGE_BYTES, sizeof(page), page);
}

static void op_write_range(void *arg)
{
	unsigned char src[MAX_IO_BYTES];
	struct model *m = arg;
	uint64_t offset;
	size_t bytes;

	draw_range(m, &offset, &bytes);
	draw_content(m, offset, bytes, src);
	write_range(m, offset, bytes, src);
}

static void trim_range(struct model *m, uint64_t offset, size_t bytes)
{
	zstore_trim(m->ctx, offset, bytes);
	forget(m, offset, bytes);
}

static void op_store_zeroes(void *arg)
{
	static const unsigned char zeros[MAX_IO_BYTES];
	uint64_t nr_refused = refuse_count(), offset;
	struct model *m = arg;
	struct zstore_ctx *ctx = draw_ctx(m);
	size_t bytes;
	int err;

	draw_range(m, &offset, &bytes);
	do {
		err = zstore_store_zeroes(ctx, offset, bytes);
	} while (must_wait(m, err));
	take_over(m, nr_refused, err, offset, bytes, zeros);
}

static void op_trim(void *arg)
{
	struct model *m = arg;
	uint64_t offset;
	size_t bytes;

	draw_range(m, &offset, &bytes);
	trim_range(m, offset, bytes);
}

/* What a failed write of zeros left: either edge old or new, else zeros. */
static void take_over_zeroes(struct model *m, uint64_t offset, size_t bytes)
{
	unsigned char zeros[ZSD_PAGE_BYTES] = {0}, found[ZSD_PAGE_BYTES];
	size_t n;

	for (; bytes; offset += n, bytes -= n) {
		n = first_part(offset, bytes);
		CHECK_MODEL(m, !read_range(m, offset, n, found),
			    "read after a write of zeros that failed");
		note_access(m, offset / ZSD_PAGE_BYTES);
		if (memcmp(found, zeros, n) == 0) {
			memset(m->flat + offset, 0, n);
			if (n == ZSD_PAGE_BYTES) {
				zstore_trim(m->ctx, offset, n);
				set_stored(m, offset / ZSD_PAGE_BYTES, false);
			}
			continue;
		}
		CHECK_MODEL(m, memcmp(found, m->flat + offset, n) == 0,
			    "page %" PRIu64 " is neither old nor zeros",
			    offset / ZSD_PAGE_BYTES);
	}
}

static void op_write_zeroes(void *arg)
{
	uint64_t offset, nr_refused = refuse_count();
	struct model *m = arg;
	struct zstore_ctx *ctx = draw_ctx(m);
	size_t bytes;
	int err;

	draw_range(m, &offset, &bytes);
	do {
		err = zstore_write_zeroes(ctx, offset, bytes);
	} while (must_wait(m, err));
	if (err) {
		check_failure(m, nr_refused, err);
		take_over_zeroes(m, offset, bytes);
		return;
	}
	memset(m->flat + offset, 0, bytes);
	forget(m, offset, bytes);
	if (!bytes)
		return;
	note_access(m, offset / ZSD_PAGE_BYTES);
	note_access(m, (offset + bytes - 1) / ZSD_PAGE_BYTES);
}

/* --- reading ------------------------------------------------------------- */

static void compare(struct model *m, uint64_t offset, size_t bytes)
{
	unsigned char found[MAX_IO_BYTES];
	const unsigned char *p = found;
	int err;

	for (enum zstore_stage stage = ZSTORE_NEAR_SLOT;
	     stage <= ZSTORE_NEAR_OBJECT; stage++)
		zstore_prefetch(m->ctx, offset, stage);
	err = read_range(m, offset, bytes, found);
	CHECK_MODEL(m, !err, "read of %zu bytes at %" PRIu64 ": %d", bytes,
		    offset, err);
	for (size_t n; bytes; offset += n, p += n, bytes -= n) {
		n = first_part(offset, bytes);
		note_access(m, offset / ZSD_PAGE_BYTES);
		CHECK_MODEL(m, memcmp(p, m->flat + offset, n) == 0,
			    "page %" PRIu64 " reads wrong",
			    offset / ZSD_PAGE_BYTES);
	}
}

static void op_read_range(void *arg)
{
	struct model *m = arg;
	uint64_t offset;
	size_t bytes;

	draw_range(m, &offset, &bytes);
	compare(m, offset, bytes);
}

static void op_read_page(void *arg)
{
	struct model *m = arg;

	compare(m, draw_page(m) * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
}

static void op_compare_all(void *arg)
{
	struct model *m = arg;

	for (uint64_t at = 0; at < DISK_BYTES; at += ZSD_PAGE_BYTES)
		compare(m, at, ZSD_PAGE_BYTES);
	m->nr_compared++;
}

/* Read, written as it is or anew, in a part or as a whole, or trimmed. */
void disturb_page(struct model *m, uint64_t index)
{
	const uint64_t offset = index * ZSD_PAGE_BYTES;
	unsigned char page[ZSD_PAGE_BYTES];

	memcpy(page, flat_page(m, index), sizeof(page));
	switch (model_rng_below(&m->rng, 5)) {
	case 0:
		compare(m, offset, sizeof(page));
		break;
	case 1:
		trim_range(m, offset, sizeof(page));
		break;
	case 2:
		write_range(m, offset, 10, page);
		break;
	case 3:
		model_rng_fill(&m->rng, page, 10);
		write_range(m, offset, sizeof(page), page);
		break;
	default:
		write_range(m, offset, sizeof(page), page);
		break;
	}
}

/* What zstore_extent() must say of a page. */
static unsigned page_state(struct model *m, uint64_t index)
{
	static const unsigned char zeros[ZSD_PAGE_BYTES];

	if (!m->is_stored[index])
		return ZSTORE_HOLE | ZSTORE_ZERO;
	if (memcmp(flat_page(m, index), zeros, sizeof(zeros)) == 0)
		return ZSTORE_ZERO;
	return 0;
}

/* Where the state of the page of @offset ends, at most at @end. */
static uint64_t state_end(struct model *m, uint64_t offset, uint64_t end)
{
	uint64_t index = offset / ZSD_PAGE_BYTES;
	unsigned state = page_state(m, index);

	while (index * ZSD_PAGE_BYTES < end && page_state(m, index) == state)
		index++;
	return min_u64(index * ZSD_PAGE_BYTES, end);
}

static void op_look(void *arg)
{
	struct model *m = arg;
	uint64_t offset = model_rng_below(&m->rng, DISK_BYTES);
	uint64_t end =
		offset + 1 + model_rng_below(&m->rng, DISK_BYTES - offset);

	while (offset < end) {
		uint32_t steps = (uint32_t)model_rng_range(&m->rng, 1, 100);
		uint64_t expected = state_end(m, offset, end), bytes;
		unsigned state;

		bytes = zstore_extent(m->ctx, offset, end - offset, &steps,
				      &state);
		CHECK_MODEL(m, state == page_state(m, offset / ZSD_PAGE_BYTES),
			    "state %u of page %" PRIu64, state,
			    offset / ZSD_PAGE_BYTES);
		CHECK_MODEL(m,
			    steps ? offset + bytes == expected
				  : bytes && offset + bytes <= expected,
			    "%" PRIu64 " bytes from %" PRIu64 " on, to %" PRIu64
			    ", %u steps left",
			    bytes, offset, expected, steps);
		offset += bytes;
		m->nr_extents++;
	}
}

/* --- beside -------------------------------------------------------------- */

static void op_compact(void *arg)
{
	struct model *m = arg;
	struct zstore_stats before, after;
	struct zs_compacted done;
	uint64_t freed;

	zstore_stats(m->store, &before);
	zstore_compact(m->store, &done);
	if (model_rng_one_in(&m->rng, 2))
		zstore_shrink(m->store);
	freed = done.freed_pages;
	zstore_stats(m->store, &after);
	CHECK_MODEL(m,
		    before.mem_used_total - after.mem_used_total ==
			    freed * ZSD_PAGE_BYTES,
		    "%" PRIu64 " pages freed, %" PRIu64
		    " bytes before, %" PRIu64 " after",
		    freed, before.mem_used_total, after.mem_used_total);
	CHECK_MODEL(m, after.pages_compacted - before.pages_compacted == freed,
		    "%" PRIu64 " pages freed, %" PRIu64 " counted", freed,
		    after.pages_compacted - before.pages_compacted);
}

static void op_compact_slice(void *arg)
{
	struct model *m = arg;
	uint64_t freed;

	if (!zs_compact_slice(m->store->pool, &m->cursor,
			      (unsigned)model_rng_range(&m->rng, 1, 100),
			      &freed))
		m->cursor = (struct zs_compact_cursor){0};
}

static void op_housekeep(void *arg)
{
	struct model *m = arg;

	zstore_housekeep(m->store, UINT64_MAX);
}

/* How much memory the system has: mostly enough. */
static void op_refuse(void *arg)
{
	static const unsigned chances[] = {0, 0, 0, 20, 3, 1};
	struct model *m = arg;

	refuse_one_in(chances[model_rng_below(&m->rng, ARRAY_SIZE(chances))]);
}

/* Write until the memory that is ready is used up and there is no more: left
 * to itself, a run may never come that far. */
static void op_run_dry(void *arg)
{
	struct model *m = arg;
	uint64_t before = m->nr_without_memory;

	refuse_one_in(1);
	for (uint64_t i = 0; i < DISK_PAGES && m->nr_without_memory == before;
	     i++)
		op_write_page(m);
	refuse_one_in(0);
}

static void op_share(void *arg)
{
	struct model *m = arg;

	(void)sharing_go_on(&m->sharing, 1 + (unsigned)draw_page(m));
}

static void op_beside(void *arg)
{
	struct model *m = arg;

	beside_use(&m->beside, &m->rng);
}

static void op_verify(void *arg)
{
	struct model *m = arg;
	struct zstore_verify_report report;

	CHECK_MODEL(m, zstore_verify(m->ctx, &report) == 0, "verifier: %s",
		    report.text);
	CHECK_MODEL(m, report.pages_checked == m->nr_stored,
		    "%" PRIu64 " pages verified of %" PRIu64,
		    report.pages_checked, m->nr_stored);
	m->nr_verified++;
}

static const struct model_op ops[] = {
	{"write a page", {3000, 500, 1500}, op_write_page},
	{"write a range", {1500, 300, 800}, op_write_range},
	{"trim", {100, 2000, 500}, op_trim},
	{"write zeroes", {100, 1000, 300}, op_write_zeroes},
	{"store zeroes", {100, 100, 300}, op_store_zeroes},
	{"look", {30, 30, 30}, op_look},
	{"read a page", {1000, 1000, 1500}, op_read_page},
	{"read a range", {500, 500, 800}, op_read_range},
	{"compact", {3, 3, 10}, op_compact},
	{"compact a slice", {10, 10, 200}, op_compact_slice},
	{"housekeep", {100, 100, 100}, op_housekeep},
	{"compare all", {1, 1, 1}, op_compare_all},
	{"count all", {1, 1, 1}, op_count},
	{"make memory scarce", {4, 4, 4}, op_refuse},
	{"write until memory ends", {1, 0, 1}, op_run_dry},
	{"share", {30, 30, 60}, op_share},
	{"verify", {2, 2, 2}, op_verify},
	{"use another disk", {20, 20, 20}, op_beside},
	{"add a dictionary", {25, 25, 25}, op_add_dict},
	{"sample", {3, 3, 3}, op_sample},
	{"begin an epoch", {100, 100, 100}, op_begin_epoch},
	{"mark idle pages", {10, 10, 10}, op_mark_idle},
	{"look at a block", {300, 300, 300}, op_block},
	{"recompress", {30, 30, 30}, op_recompress},
	{"write out", {15, 15, 15}, op_write_out},
	{"count blocks", {30, 30, 30}, op_count_blocks},
	{"read what fails", {50, 50, 50}, op_read_failing},
};

/* --- rounds -------------------------------------------------------------- */

static void check_limit(struct model *m)
{
	struct zstore_stats stats;
	uint64_t used;

	zstore_stats(m->store, &stats);
	used = stats.mem_used_total + stats.metadata_bytes +
	       stats.reserve_bytes;
	CHECK_MODEL(m, !stats.mem_limit || used <= stats.mem_limit,
		    "%" PRIu64 " bytes in use, limit %" PRIu64, used,
		    stats.mem_limit);
}

static void parse_codec(struct model *m, const char *text,
			struct zcomp_params *out)
{
	int err = text ? zcomp_parse(text, out) : 0;

	CHECK_MODEL(m, !err, "zcomp_parse: %d", err);
}

static void open_codecs(struct model *m)
{
	for (unsigned i = 0; i < ZSTORE_CODECS; i++) {
		const struct zcomp_params *params = zstore_codec(m->store, i);
		int err = 0;

		m->zcomp[i] = NULL;
		if (params->ops)
			err = zcomp_ctx_create(params, ZSD_PAGE_BYTES,
					       &m->zcomp[i]);
		CHECK_MODEL(m, !err, "zcomp_ctx_create: %d", err);
	}
}

static void open_store(struct model *m, size_t round)
{
	uint64_t limit = rounds[round].limit_bytes;
	int err;

	m->params = (struct zstore_params){
		.disk_bytes = DISK_BYTES,
		.mem_limit_bytes =
			limit ? limit + model_rng_below(&m->rng, MIB) : 0,
		.reserve_bytes =
			round % 4 ? model_rng_below(&m->rng, 2 * MIB) : 0,
		.chain_size = (unsigned)model_rng_range(
			&m->rng, ZS_CHAIN_SIZE_MIN, ZS_CHAIN_SIZE_MAX),
		.checksum = round % 2,
		.share = round % 4 != 3,
	};
	parse_codec(m, rounds[round].algorithm, &m->params.zcomp);
	parse_codec(m, rounds[round].secondary, &m->params.recomp);
	refuse_one_in(0);
	open_backing(m, rounds[round].nr_blocks);
	err = zstore_create(&m->params, &m->store);
	CHECK_MODEL(m, !err, "zstore_create: %d", err);
	open_codecs(m);
	train_dicts(m, rounds[round].has_dicts);
	err = zstore_ctx_create(m->store, m->beside.scratch, &m->ctx);
	CHECK_MODEL(m, !err, "zstore_ctx_create: %d", err);
	open_server(m);
	sharing_open(&m->sharing, &m->run, m->ctx, DISK_PAGES / (1 + round));
	memset(m->flat, 0, sizeof(m->flat));
	memset(m->is_stored, 0, sizeof(m->is_stored));
	m->nr_stored = 0;
	m->nr_failed_writes = 0;
	m->nr_failed_reads = 0;
	m->cursor = (struct zs_compact_cursor){0};
	begin_ages(m);
}

static void close_store(struct model *m)
{
	struct zs_pool_stats stats;

	op_compare_all(m);
	op_count(m);
	op_verify(m);
	zstore_trim(m->ctx, 0, DISK_BYTES);
	forget(m, 0, DISK_BYTES);
	op_compare_all(m);
	op_count(m);
	op_verify(m);
	zs_pool_stats(m->store->pool, &stats);
	CHECK_MODEL(m, !stats.pages_used, "empty, but %" PRIu64 " pages used",
		    stats.pages_used);
	m->nr_shared += sharing_close(&m->sharing);
	m->nr_moved += stats.objs_moved;
	m->nr_compacted += stats.pages_compacted;
	zstore_ctx_destroy(m->server);
	zstore_ctx_destroy(m->ctx);
	zstore_destroy(m->store);
	close_backing(m);
	for (unsigned i = 0; i < ZSTORE_CODECS; i++)
		zcomp_ctx_destroy(m->zcomp[i]);
}

static void run_round(struct model *m, size_t round, uint64_t nr_ops,
		      uint64_t *counts)
{
	uint64_t phase_left = 0;

	open_store(m, round);
	while (nr_ops--) {
		size_t op;

		if (!phase_left--) {
			m->phase = (enum model_phase)model_rng_below(
				&m->rng, MODEL_NR_PHASES);
			m->kind = MODEL_NR_PAGE_KINDS;
			if (model_rng_one_in(&m->rng, 2))
				m->kind = model_page_kind(&m->rng);
			m->hot_page = model_rng_below(&m->rng, DISK_PAGES);
			phase_left = model_rng_range(&m->rng, 100, 3000);
		}
		op = model_pick(&m->rng, ops, ARRAY_SIZE(ops), m->phase);
		ops[op].run(m);
		check_limit(m);
		counts[op]++;
		m->run.op++;
	}
	close_store(m);
}

int main(void)
{
	static struct model m;
	uint64_t counts[ARRAY_SIZE(ops)] = {0};

	model_run_begin(&m.run, "model_zstore");
	model_rng_init(&m.rng, m.run.seed);
	beside_open(&m.beside, &m.run);
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++)
		run_round(&m, i, m.run.nr_ops / ARRAY_SIZE(rounds), counts);
	beside_close(&m.beside);
	model_report_ops(&m.run, ops, counts, ARRAY_SIZE(ops));
	model_report_fact(&m.run, "writes without room", m.nr_enospc);
	model_report_fact(&m.run, "writes without memory", m.nr_without_memory);
	model_report_fact(&m.run, "pages written before the room ended",
			  m.nr_split);
	model_report_fact(&m.run, "objects moved by compaction", m.nr_moved);
	model_report_fact(&m.run, "pages freed by compaction", m.nr_compacted);
	model_report_fact(&m.run, "pages given another's object", m.nr_shared);
	model_report_fact(&m.run, "extents looked at", m.nr_extents);
	model_report_fact(&m.run, "times compared", m.nr_compared);
	model_report_fact(&m.run, "times verified", m.nr_verified);
	report_counts(&m);
	report_rest(&m);
	report_back(&m);
	return EXIT_SUCCESS;
}

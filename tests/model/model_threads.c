/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk under several threads, with everything beside that may be.
 *
 * Whatever a page holds says what it is: its first word, the stamp, names the
 * page, its writer and a version, and all other bytes follow from the stamp.
 * So any page read can be made again and compared, and a torn or mixed one
 * found. There are three sets of pages:
 *
 *   own     each belongs to one worker, which knows its content: one in three
 *           has what others have, too, and may share its object with them
 *   shared  all workers write whole pages; a reader must find one that was
 *           written as a whole, of no writer an older version than it wrote
 *           before the read began, nor than the reader saw before
 *   parts   each worker owns a part of each page, at odd boundaries, and must
 *           find there what it wrote, however often the others patch theirs;
 *           the others' parts must be whole, too
 *
 * Beside the workers others do what needs no client: see threads.h. Each worker
 * has a page on another disk, too, and one scratch for both. Some of them never
 * wait for a block of the backing, but come again.
 *
 * What it does depends on the seed and on how the threads are scheduled.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "model/own_ctx.h"
#include "model/refuse.h"
#include "model/threads.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_internal.h"

/*
 * Distance of neighbours on the disk, pages: they are in several groups of
 * slots, which come to be while other threads are at it.
 */
#define STRIDE 37u

#define DISK_BYTES ((uint64_t)NR_PAGES * STRIDE * ZSD_PAGE_BYTES)

/* Where the workers' parts of a page begin, bytes. */
static const uint32_t parts[NR_WORKERS + 1] = {0, 1001, 2048, 3333, 4096};

static const struct {
	const char *algorithm;
	const char *secondary;
	uint64_t limit_bytes; /* 0: none */
	unsigned refuse_one_in; /* request for memory; 0: none */
	uint32_t nr_blocks; /* of the backing; 0: there is none */
	bool is_failing; /* it */
} rounds[] = {
	{"lz4", "plz", 0, 0, 0, false},
	{"zstd", "plz", 0, 0, NR_PAGES, false},
	{"lz4", "zstd", 5 * MIB, 0, NR_PAGES, true},
	{"zstd:-3", "zstd:9", 3 * MIB, 0, 40, false},
	{"lz4", "plz", 0, 3, 300, false},
};

/* Contents that own pages have in common. */
#define NR_CONTENTS 60u

struct worker {
	struct model *m;
	struct model_rng rng;
	struct zstore_scratch *scratch;
	struct zstore_ctx *ctx;
	struct zstore_ctx *beside_ctx;
	uint32_t beside; /* version of the page there; 0: zeros */
	uint64_t nr_ops;
	uint64_t *counts; /* by operation */
	unsigned id;
	enum model_phase phase;
	uint32_t version; /* of the last page written, whichever */
	uint32_t own[NR_OWN]; /* version; 0: zeros */
	uint32_t accessed_s[NR_OWN]; /* at the latest then */
	uint32_t part[NR_PARTED]; /* version; 0: zeros */
	uint32_t seen[NR_SHARED][NR_WORKERS]; /* newest version read */
	uint64_t nr_enospc, nr_foreign, nr_zeros, nr_without_memory;
	uint64_t nr_eio, nr_waits;
};

/* --- stamps -------------------------------------------------------------- */

struct stamp {
	uint16_t page;
	uint8_t writer;
	uint8_t mark; /* so that no stamp is 0 */
	uint32_t version;
};

#define STAMP_MARK 0xc7

_Static_assert(sizeof(struct stamp) == sizeof(uint64_t), "a word");

static uint64_t stamp_word(uint32_t page, unsigned writer, uint32_t version)
{
	struct stamp stamp = {
		.page = (uint16_t)page,
		.writer = (uint8_t)writer,
		.mark = STAMP_MARK,
		.version = version,
	};
	uint64_t word;

	memcpy(&word, &stamp, sizeof(word));
	return word;
}

static struct stamp stamp_of(const void *bytes)
{
	struct stamp stamp;

	memcpy(&stamp, bytes, sizeof(stamp));
	return stamp;
}

/*
 * The page that a stamp stands for: one in eight repeats it all along. Half of
 * them are of few lengths, so that some classes have many zspages.
 */
static void make_page(uint64_t word, unsigned char page[ZSD_PAGE_BYTES])
{
	struct model_rng rng;

	model_rng_init(&rng, word);
	if (model_rng_one_in(&rng, 8)) {
		for (size_t at = 0; at < ZSD_PAGE_BYTES; at += sizeof(word))
			memcpy(page + at, &word, sizeof(word));
		return;
	}
	model_page_fill(&rng,
			model_rng_one_in(&rng, 2) ? MODEL_PAGE_TEXT
						  : model_page_kind(&rng),
			page);
	memcpy(page, &word, sizeof(word));
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
	return !bytes[0] && memcmp(bytes, bytes + 1, n - 1) == 0;
}

static uint64_t offset_of(uint32_t page)
{
	return page * (uint64_t)STRIDE * ZSD_PAGE_BYTES;
}

/* --- I/O ----------------------------------------------------------------- */

/* Whether it is to be done again, when what it needs has come. */
static bool must_wait(struct worker *w, int err)
{
	if (err != -EINPROGRESS)
		return false;
	CHECK_MODEL(w->m, w->m->behind.nr_blocks, "worker %u waits", w->id);
	w->nr_waits++;
	/* When all are done, nobody else brings it. */
	if (!atomic_load(&w->m->nr_running) || model_rng_one_in(&w->rng, 20))
		(void)behind_arrive(&w->m->behind);
	else
		sched_yield();
	return true;
}

/* An error is the backing's. */
static bool is_failure(struct worker *w, int err)
{
	if (err != -EIO || !w->m->is_failing)
		return false;
	w->nr_eio++;
	return true;
}

/* It fails where the backing does, but not for ever. */
static void read_disk(struct worker *w, uint64_t offset, size_t bytes,
		      void *dst)
{
	int err;

	for (enum zstore_stage stage = ZSTORE_NEAR_SLOT;
	     stage <= ZSTORE_NEAR_OBJECT; stage++)
		zstore_prefetch(w->ctx, offset, stage);
	do {
		err = zstore_read(w->ctx, offset, bytes, dst);
	} while (must_wait(w, err) || is_failure(w, err));
	CHECK_MODEL(w->m, !err, "worker %u: read at %" PRIu64 ": %d", w->id,
		    offset, err);
}

/* Return: whether it was written; else there is a limit, and no room, or the
 * system had no memory for it. */
static bool check_written(struct worker *w, uint64_t offset, int err)
{
	if (!err)
		return true;
	if (is_failure(w, err)) /* to read what was to be patched */
		return false;
	if (w->m->is_scarce) {
		CHECK_MODEL(w->m, err == -ENOSPC || err == -ENOMEM,
			    "worker %u: write at %" PRIu64 ": %d", w->id,
			    offset, err);
		w->nr_without_memory++;
		return false;
	}
	CHECK_MODEL(w->m, err == -ENOSPC && w->m->params.mem_limit_bytes,
		    "worker %u: write at %" PRIu64 ": %d", w->id, offset, err);
	w->nr_enospc++;
	return false;
}

static bool write_disk(struct worker *w, uint64_t offset, size_t bytes,
		       const void *src)
{
	int err;

	do {
		err = zstore_write(w->ctx, offset, bytes, src);
	} while (must_wait(w, err));
	return check_written(w, offset, err);
}

/* --- own pages ----------------------------------------------------------- */

static uint32_t draw_own(struct worker *w)
{
	uint64_t nth = model_rng_below(&w->rng, NR_OWN / NR_WORKERS);

	return (uint32_t)nth * NR_WORKERS + w->id;
}

/* The stamp of a version: its own, or one that others have, too. */
static uint64_t own_word(uint32_t i, unsigned id, uint32_t version)
{
	if (version % 3)
		return stamp_word(i, id, version);
	return stamp_word(0, 0, version % NR_CONTENTS);
}

static void op_write_own(void *arg)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct worker *w = arg;
	uint32_t i = draw_own(w), version = ++w->version;
	uint32_t now_s = atomic_load(&w->m->now_s);

	make_page(own_word(i, w->id, version), page);
	if (!write_disk(w, offset_of(i), sizeof(page), page))
		return;
	w->own[i] = version;
	w->accessed_s[i] = now_s;
}

/* Nobody else accesses it. That it is not known when it was, while two epochs
 * become one, is as good as just now. */
static void check_age(struct worker *w, uint32_t i)
{
	struct zstore_block block;

	if (!zstore_block(w->m->store, (uint64_t)i * STRIDE, &block)) {
		CHECK_MODEL(w->m, !w->own[i],
			    "own page %u of worker %u is not there", i, w->id);
		return;
	}
	CHECK_MODEL(w->m,
		    !block.accessed_s || block.accessed_s >= w->accessed_s[i],
		    "own page %u of worker %u was accessed at %u, not %u", i,
		    w->id, w->accessed_s[i], block.accessed_s);
}

static void check_own(struct worker *w, uint32_t i)
{
	unsigned char found[ZSD_PAGE_BYTES], expected[ZSD_PAGE_BYTES] = {0};
	uint32_t now_s = atomic_load(&w->m->now_s);

	check_age(w, i);
	read_disk(w, offset_of(i), sizeof(found), found);
	w->accessed_s[i] = now_s;
	if (w->own[i])
		make_page(own_word(i, w->id, w->own[i]), expected);
	CHECK_MODEL(w->m, memcmp(found, expected, sizeof(found)) == 0,
		    "own page %u of worker %u is not version %u", i, w->id,
		    w->own[i]);
}

static void op_read_own(void *arg)
{
	struct worker *w = arg;

	check_own(w, draw_own(w));
}

static void op_trim_own(void *arg)
{
	struct worker *w = arg;
	uint32_t i = draw_own(w);

	zstore_trim(w->ctx, offset_of(i), ZSD_PAGE_BYTES);
	w->own[i] = 0;
}

/* --- shared pages -------------------------------------------------------- */

static uint32_t shared_page(uint32_t i)
{
	return NR_OWN + i;
}

static bool may_be_trimmed(uint32_t i)
{
	return i % 2 == 0;
}

static uint32_t draw_shared(struct worker *w)
{
	return (uint32_t)model_rng_below(&w->rng, NR_SHARED);
}

static void op_write_shared(void *arg)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct worker *w = arg;
	uint32_t i = draw_shared(w), version = ++w->version;

	make_page(stamp_word(shared_page(i), w->id, version), page);
	if (write_disk(w, offset_of(shared_page(i)), sizeof(page), page))
		atomic_store(&w->m->written[i][w->id], version);
}

/* What the first word says of a page must be true of all of it. */
static void check_whole(struct worker *w, uint32_t page,
			const unsigned char *found)
{
	unsigned char expected[ZSD_PAGE_BYTES];
	struct stamp stamp = stamp_of(found);

	CHECK_MODEL(w->m,
		    stamp.mark == STAMP_MARK && stamp.page == page &&
			    stamp.writer < NR_WORKERS,
		    "page %u begins with mark %02x, page %u, writer %u", page,
		    stamp.mark, stamp.page, stamp.writer);
	make_page(stamp_word(page, stamp.writer, stamp.version), expected);
	CHECK_MODEL(w->m, memcmp(found, expected, sizeof(expected)) == 0,
		    "page %u is torn: begins with version %u of writer %u",
		    page, stamp.version, stamp.writer);
}

static void op_read_shared(void *arg)
{
	unsigned char found[ZSD_PAGE_BYTES];
	uint32_t written[NR_WORKERS], any = 0;
	struct worker *w = arg;
	uint32_t i = draw_shared(w);
	struct stamp stamp;

	for (unsigned id = 0; id < NR_WORKERS; id++) {
		written[id] = atomic_load(&w->m->written[i][id]);
		any |= written[id];
	}
	read_disk(w, offset_of(shared_page(i)), sizeof(found), found);
	if (is_zero(found, sizeof(found))) {
		CHECK_MODEL(w->m, may_be_trimmed(i) || !any,
			    "shared page %u was written, but is zeros", i);
		w->nr_zeros++;
		return;
	}
	check_whole(w, shared_page(i), found);
	stamp = stamp_of(found);
	CHECK_MODEL(w->m,
		    stamp.version >= written[stamp.writer] &&
			    stamp.version >= w->seen[i][stamp.writer],
		    "shared page %u is version %u of writer %u: written was %u"
		    ", seen %u",
		    i, stamp.version, stamp.writer, written[stamp.writer],
		    w->seen[i][stamp.writer]);
	w->seen[i][stamp.writer] = stamp.version;
	w->nr_foreign += stamp.writer != w->id;
}

static void op_trim_shared(void *arg)
{
	struct worker *w = arg;
	uint32_t i = draw_shared(w);

	if (may_be_trimmed(i))
		zstore_trim(w->ctx, offset_of(shared_page(i)), ZSD_PAGE_BYTES);
}

/* --- pages in parts ------------------------------------------------------ */

static uint32_t parted_page(uint32_t i)
{
	return NR_OWN + NR_SHARED + i;
}

static uint32_t part_bytes(unsigned id)
{
	return parts[id + 1] - parts[id];
}

static uint32_t draw_parted(struct worker *w)
{
	return (uint32_t)model_rng_below(&w->rng, NR_PARTED);
}

static uint64_t part_offset(uint32_t i, unsigned id)
{
	return offset_of(parted_page(i)) + parts[id];
}

static void op_write_part(void *arg)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct worker *w = arg;
	uint32_t i = draw_parted(w), version = ++w->version;

	make_page(stamp_word(parted_page(i), w->id, version), page);
	if (write_disk(w, part_offset(i, w->id), part_bytes(w->id), page))
		w->part[i] = version;
}

static void op_zero_part(void *arg)
{
	struct worker *w = arg;
	uint32_t i = draw_parted(w);
	uint64_t offset = part_offset(i, w->id);
	int err;

	do {
		err = zstore_write_zeroes(w->ctx, offset, part_bytes(w->id));
	} while (must_wait(w, err));
	if (check_written(w, offset, err))
		w->part[i] = 0;
}

/* Whole, and of worker @id; if that is the reader, what it wrote last. */
static void check_part(struct worker *w, uint32_t i, unsigned id,
		       const unsigned char *found)
{
	unsigned char expected[ZSD_PAGE_BYTES] = {0};
	struct stamp stamp = stamp_of(found);

	if (!is_zero(found, part_bytes(id))) {
		CHECK_MODEL(w->m,
			    stamp.mark == STAMP_MARK && stamp.writer == id &&
				    stamp.page == parted_page(i),
			    "part %u of page %u begins with mark %02x, page %u"
			    ", writer %u",
			    id, i, stamp.mark, stamp.page, stamp.writer);
		make_page(stamp_word(stamp.page, id, stamp.version), expected);
	} else {
		stamp.version = 0;
	}
	CHECK_MODEL(w->m, memcmp(found, expected, part_bytes(id)) == 0,
		    "part %u of page %u is torn: begins with version %u", id, i,
		    stamp.version);
	CHECK_MODEL(w->m, id != w->id || stamp.version == w->part[i],
		    "part %u of page %u is version %u, not %u", id, i,
		    stamp.version, w->part[i]);
}

static void check_parts(struct worker *w, uint32_t i)
{
	unsigned char found[ZSD_PAGE_BYTES];

	read_disk(w, offset_of(parted_page(i)), sizeof(found), found);
	for (unsigned id = 0; id < NR_WORKERS; id++)
		check_part(w, i, id, found + parts[id]);
}

static void op_read_parts(void *arg)
{
	struct worker *w = arg;

	check_parts(w, draw_parted(w));
}

static void op_read_own_part(void *arg)
{
	unsigned char found[ZSD_PAGE_BYTES];
	struct worker *w = arg;
	uint32_t i = draw_parted(w);

	read_disk(w, part_offset(i, w->id), part_bytes(w->id), found);
	check_part(w, i, w->id, found);
}

/* --- another disk --------------------------------------------------------- */

static void check_beside(struct worker *w)
{
	unsigned char found[ZSD_PAGE_BYTES], expected[ZSD_PAGE_BYTES] = {0};
	int err = zstore_read(w->beside_ctx, w->id * ZSD_PAGE_BYTES,
			      sizeof(found), found);

	if (w->beside)
		make_page(stamp_word(w->id, w->id, w->beside), expected);
	CHECK_MODEL(w->m, !err && memcmp(found, expected, sizeof(found)) == 0,
		    "the page beside of worker %u is not version %u: %d", w->id,
		    w->beside, err);
}

static void op_beside(void *arg)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct worker *w = arg;
	uint32_t version = ++w->version;

	check_beside(w);
	make_page(stamp_word(w->id, w->id, version), page);
	if (zstore_write(w->beside_ctx, w->id * ZSD_PAGE_BYTES, sizeof(page),
			 page) == 0)
		w->beside = version;
	check_beside(w);
}

/* --- workers ------------------------------------------------------------- */

static const struct model_op ops[] = {
	{"write an own page", {600, 100, 200}, op_write_own},
	{"read an own page", {150, 150, 200}, op_read_own},
	{"trim an own page", {50, 300, 100}, op_trim_own},
	{"write a shared page", {100, 50, 150}, op_write_shared},
	{"read a shared page", {150, 150, 250}, op_read_shared},
	{"trim a shared page", {10, 30, 20}, op_trim_shared},
	{"write a part", {100, 50, 100}, op_write_part},
	{"zero a part", {10, 50, 30}, op_zero_part},
	{"read all parts", {60, 60, 100}, op_read_parts},
	{"read an own part", {60, 60, 100}, op_read_own_part},
	{"use another disk", {20, 20, 20}, op_beside},
};

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	uint64_t phase_left = 0;

	while (w->nr_ops--) {
		size_t op;

		if (!phase_left--) {
			w->phase = (enum model_phase)model_rng_below(
				&w->rng, MODEL_NR_PHASES);
			phase_left = model_rng_range(&w->rng, 100, 2000);
		}
		op = model_pick(&w->rng, ops, ARRAY_SIZE(ops), w->phase);
		ops[op].run(w);
		w->counts[op]++;
	}
	for (uint32_t i = w->id; i < NR_OWN; i += NR_WORKERS)
		check_own(w, i);
	atomic_fetch_sub(&w->m->nr_running, 1);
	return NULL;
}

/* --- rounds -------------------------------------------------------------- */

/* Another disk, with the same codec or another one. */
static void open_beside(struct model *m)
{
	struct zstore_params params = {
		.disk_bytes = NR_WORKERS * (uint64_t)ZSD_PAGE_BYTES,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
	};
	int err = zcomp_parse("zstd", &params.zcomp);

	if (!err)
		err = zstore_create(&params, &m->beside);
	CHECK_MODEL(m, !err, "another disk: %d", err);
}

static void open_store(struct model *m, size_t round)
{
	int err;

	m->params = (struct zstore_params){
		.disk_bytes = DISK_BYTES,
		.mem_limit_bytes = rounds[round].limit_bytes,
		.reserve_bytes = 128 * KIB,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
		.checksum = round % 2,
		.share = round != 2,
		.inherit_priority = round % 3 == 1,
	};
	err = zcomp_parse(rounds[round].algorithm, &m->params.zcomp);
	if (!err)
		err = zcomp_parse(rounds[round].secondary, &m->params.recomp);
	CHECK_MODEL(m, !err, "zcomp_parse: %d", err);
	refuse_one_in(0);
	open_backing(m, rounds[round].nr_blocks, rounds[round].is_failing);
	err = zstore_create(&m->params, &m->store);
	CHECK_MODEL(m, !err, "zstore_create: %d", err);
	train_dicts(m);
	open_beside(m);
	memset(m->written, 0, sizeof(m->written));
	m->now_s = 0;
	refuse_one_in(rounds[round].refuse_one_in);
	m->is_scarce = rounds[round].refuse_one_in;
}

static void open_worker(struct worker *w, struct model *m, unsigned id,
			uint64_t nr_ops, uint64_t *counts, uint64_t seed)
{
	int err;

	*w = (struct worker){
		.m = m,
		.id = id,
		.nr_ops = nr_ops,
	};
	w->counts = counts;
	model_rng_init(&w->rng, seed);
	err = zstore_scratch_create(&w->scratch);
	if (!err)
		err = zstore_ctx_create(m->store, w->scratch, &w->ctx);
	if (!err)
		err = zstore_ctx_create(m->beside, w->scratch, &w->beside_ctx);
	CHECK_MODEL(m, !err, "contexts of a worker: %d", err);
	if (id % 2)
		zstore_ctx_never_wait(w->ctx);
}

static void close_worker(struct worker *w)
{
	check_beside(w);
	zstore_ctx_destroy(w->beside_ctx);
	zstore_ctx_destroy(w->ctx);
	zstore_scratch_destroy(w->scratch);
}

static void run_threads(struct model *m, struct worker *workers)
{
	pthread_t threads[NR_WORKERS];
	struct beside beside;

	atomic_store(&m->nr_running, NR_WORKERS);
	start_beside(m, &beside);
	for (unsigned id = 0; id < NR_WORKERS; id++)
		threads[id] = start_thread(m, run_worker, &workers[id]);
	for (unsigned id = 0; id < NR_WORKERS; id++)
		pthread_join(threads[id], NULL);
	join_beside(&beside);
}

/* Alone again: all that the workers know of must still be so. */
static void close_store(struct model *m, struct worker *workers)
{
	struct zs_pool_stats stats;

	m->is_failing = false;
	if (m->behind.nr_blocks)
		behind_fail(&m->behind, 0, 0);
	for (unsigned id = 0; id < NR_WORKERS; id++) {
		for (uint32_t i = id; i < NR_OWN; i += NR_WORKERS)
			check_own(&workers[id], i);
		for (uint32_t i = 0; i < NR_PARTED; i++)
			check_parts(&workers[id], i);
	}
	verify_disk(m, workers[0].ctx);
	check_counts(m);
	zstore_trim(workers[0].ctx, 0, DISK_BYTES);
	verify_disk(m, workers[0].ctx);
	check_counts(m);
	zs_pool_stats(m->store->pool, &stats);
	CHECK_MODEL(m, !stats.pages_used, "empty, but %" PRIu64 " pages used",
		    stats.pages_used);
	m->nr_moved += stats.objs_moved;
	m->nr_compacted += stats.pages_compacted;
	for (unsigned id = 0; id < NR_WORKERS; id++)
		close_worker(&workers[id]);
	zstore_destroy(m->store);
	zstore_destroy(m->beside);
	close_backing(m);
}

int main(void)
{
	static struct model m;
	static struct worker workers[NR_WORKERS];
	uint64_t counts[NR_WORKERS][ARRAY_SIZE(ops)] = {{0}};
	uint64_t nr_enospc = 0, nr_foreign = 0, nr_zeros = 0, nr_ops;
	uint64_t nr_without_memory = 0, nr_eio = 0, nr_waits = 0;

	model_run_begin(&m.run, "model_threads");
	nr_ops = m.run.nr_ops / ARRAY_SIZE(rounds) / NR_WORKERS;
	for (size_t round = 0; round < ARRAY_SIZE(rounds); round++) {
		open_store(&m, round);
		for (unsigned id = 0; id < NR_WORKERS; id++)
			open_worker(&workers[id], &m, id, nr_ops, counts[id],
				    m.run.seed * 100 + round * NR_WORKERS + id);
		run_threads(&m, workers);
		for (unsigned id = 0; id < NR_WORKERS; id++) {
			nr_enospc += workers[id].nr_enospc;
			nr_without_memory += workers[id].nr_without_memory;
			nr_foreign += workers[id].nr_foreign;
			nr_zeros += workers[id].nr_zeros;
			nr_eio += workers[id].nr_eio;
			nr_waits += workers[id].nr_waits;
		}
		close_store(&m, workers);
		m.run.op += nr_ops * NR_WORKERS;
	}
	for (size_t op = 0; op < ARRAY_SIZE(ops); op++) {
		for (unsigned id = 1; id < NR_WORKERS; id++)
			counts[0][op] += counts[id][op];
	}
	model_report_ops(&m.run, ops, counts[0], ARRAY_SIZE(ops));
	model_report_fact(&m.run, "writes without room", nr_enospc);
	model_report_fact(&m.run, "writes without memory", nr_without_memory);
	model_report_fact(&m.run, "shared pages that another wrote",
			  nr_foreign);
	model_report_fact(&m.run, "shared pages that were zeros", nr_zeros);
	model_report_fact(&m.run, "errors of the backing", nr_eio);
	model_report_fact(&m.run, "times that blocks were not here", nr_waits);
	report_beside(&m);
	report_back(&m);
	return EXIT_SUCCESS;
}

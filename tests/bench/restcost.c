/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restcost - how dense a whole store becomes when its pages have rested
 *
 * Pages are written as they come in, by one codec, then recompressed by
 * another, then compacted. After each step: bytes of pages by all bytes that
 * the store holds for them, slots, ages, handles, descriptors, dictionaries and
 * models with their tables included. The second codec is trained on every
 * eighth page, which is left out of the store; or has the model that comes with
 * zsd, and then nothing is left out.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/units.h"
#include "bench_frame.h"
#include "model/own_ctx.h"
#include "plz_factory/plz_factory.h"
#include "zstore/zstore.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_recompress.h"

/* One page in so many is trained on, and this many at most, from all over. */
#define TRAIN_PART  8u
#define TRAIN_PAGES 2048u

static struct {
	struct bench_page_files page_files;
	struct zcomp_params zcomp;
	struct zcomp_params recomp;
	bool factory;
	uint64_t seed;
} options = {.seed = 1};

static const struct bench_option table[] = {
	BENCH_PAGES(&options.page_files),
	BENCH_ALGORITHM(&options.zcomp),
	BENCH_OPTION("recompress", 0, "ALG[:LEVEL]", algorithm, &options.recomp,
		     "the codec for what rests (default lz4: none)"),
	BENCH_OPTION("factory", 0, NULL, switch, &options.factory,
		     "with the model that comes with zsd"),
	BENCH_NUMBER("seed", 0, &options.seed, 0, UINT64_MAX,
		     "of made-up pages (default 1)"),
	{0},
};

static struct {
	struct load_pages pages;
	struct zstore *store;
	struct zstore_ctx *ctx;
	uint64_t nr_trained;
	uint64_t nr_stored;
	double recompress_us; /* of processor time, a page */
} bench;

static void must(int err, const char *what)
{
	if (err)
		error(1, -err, "%s", what);
}

static const unsigned char *page_at(uint64_t index)
{
	return bench.pages.base + index * ZSD_PAGE_BYTES;
}

static bool is_trained_on(uint64_t index)
{
	const uint64_t part = max_u64(
		TRAIN_PART, div_round_up(bench.pages.nr_pages, TRAIN_PAGES));

	return zcomp_has_dicts(&options.recomp) && !options.factory &&
	       index % part == 0;
}

static void open_store(void)
{
	const struct zstore_params params = {
		.disk_bytes = bench.pages.nr_pages * ZSD_PAGE_BYTES,
		.reserve_bytes = 4 * MIB, /* which is not counted */
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
		.zcomp = options.zcomp,
		.recomp = options.recomp,
	};

	must(zstore_create(&params, &bench.store), "the store");
	must(own_ctx_create(bench.store, &bench.ctx), "a context");
}

/* --- what the second codec knows ------------------------------------------- */

static void train(void)
{
	unsigned char *samples = malloc((size_t)TRAIN_PAGES * ZSD_PAGE_BYTES);
	unsigned char *model = malloc(ZCOMP_DICT_MAX_BYTES);
	size_t bytes;
	unsigned number;

	must(samples && model ? 0 : -ENOMEM, "samples");
	for (uint64_t i = 0; i < bench.pages.nr_pages; i++) {
		if (is_trained_on(i))
			memcpy(samples + bench.nr_trained++ * ZSD_PAGE_BYTES,
			       page_at(i), ZSD_PAGE_BYTES);
	}
	must(zcomp_train(&options.recomp, samples, (unsigned)bench.nr_trained,
			 ZSD_PAGE_BYTES, model, ZCOMP_DICT_MAX_BYTES, &bytes),
	     "training");
	must(zstore_dict_add(bench.store, ZSTORE_SECONDARY, model, bytes,
			     &number),
	     "the model");
	free(samples);
	free(model);
}

static void learn(void)
{
	const void *model;
	unsigned number;
	size_t bytes;

	if (!options.factory) {
		train();
		return;
	}
	model = plz_factory_model(&bytes);
	must(zstore_dict_add(bench.store, ZSTORE_SECONDARY, model, bytes,
			     &number),
	     "the model that comes with zsd");
}

/* --- what is done ----------------------------------------------------------- */

static void fill(void)
{
	for (uint64_t i = 0; i < bench.pages.nr_pages; i++) {
		if (is_trained_on(i))
			continue;
		must(zstore_write(bench.ctx, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES,
				  page_at(i)),
		     "a page");
		bench.nr_stored++;
	}
}

static void recompress(void)
{
	const struct zstore_recompress how = {.since_s = UINT32_MAX};
	struct zstore_recompressing at = {0};
	uint64_t start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	int more;

	do {
		more = zstore_recompress(bench.ctx, &how, &at, UINT32_MAX);
	} while (more == 1);
	must(more, "recompression");
	zstore_recompress_end(bench.ctx);
	bench.recompress_us =
		(double)(bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) /
		1e3 / (double)max_u64(at.nr_tried, 1);
}

static void check(void)
{
	struct zstore_verify_report report;
	unsigned char page[ZSD_PAGE_BYTES];

	for (uint64_t i = 0; i < bench.pages.nr_pages; i++) {
		if (is_trained_on(i))
			continue;
		must(zstore_read(bench.ctx, i * ZSD_PAGE_BYTES, sizeof(page),
				 page),
		     "a page");
		if (memcmp(page, page_at(i), sizeof(page)) != 0)
			error(1, 0, "page %ju is another", (uintmax_t)i);
	}
	if (zstore_verify(bench.ctx, &report))
		error(1, 0, "%s", report.text);
}

/* --- what is held ------------------------------------------------------------
 */

/* Models and dictionaries with their tables, bytes. */
static uint64_t model_bytes(void)
{
	struct zstore_dict_info info;
	uint64_t sum = 0;

	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		if (zstore_dict_info(bench.store, i, &info))
			sum += info.memory_bytes;
	}
	return sum;
}

static void print_step(const char *name)
{
	struct zstore_stats stats;
	uint64_t held;

	zstore_stats(bench.store, &stats);
	held = stats.mem_used_total + stats.metadata_bytes;
	printf(",\"%s\":{\"density\":%.4f,\"pool_bytes\":%ju"
	       ",\"metadata_bytes\":%ju,\"object_bytes\":%ju}",
	       name, (double)stats.orig_data_size / (double)held,
	       (uintmax_t)stats.mem_used_total, (uintmax_t)stats.metadata_bytes,
	       (uintmax_t)stats.compr_data_size);
}

/* By what they are stored, pages and bytes of objects. */
static void print_methods(void)
{
	struct {
		const char *name;
		uint64_t pages, bytes;
	} kinds[] = {{"same", 0, 0},
		     {"huge", 0, 0},
		     {"primary", 0, 0},
		     {"secondary", 0, 0}};
	struct zstore_block block;

	for (uint64_t i = 0; i < bench.pages.nr_pages; i++) {
		unsigned kind;

		if (!zstore_block(bench.store, i, &block))
			continue;
		kind = block.is_same	       ? 0
		       : block.is_huge	       ? 1
		       : block.is_recompressed ? 3
					       : 2;
		kinds[kind].pages++;
		kinds[kind].bytes += block.bytes;
	}
	printf(",\"methods\":{");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		printf("%s\"%s\":{\"pages\":%ju,\"bytes\":%ju}", i ? "," : "",
		       kinds[i].name, (uintmax_t)kinds[i].pages,
		       (uintmax_t)kinds[i].bytes);
	printf("}");
}

int main(int argc, char **argv)
{
	struct zs_compacted done;

	bench_parse(argc, argv, table,
		    "Measure how dense a store becomes whose pages have "
		    "rested.",
		    NULL);
	bench_open_pages(&options.page_files, options.seed, &bench.pages);
	open_store();
	fill();
	printf("{\"pages\":%ju", (uintmax_t)bench.nr_stored);
	print_step("filled");
	if (zcomp_has_dicts(&options.recomp)) {
		learn();
		recompress();
		print_step("recompressed");
		zstore_compact(bench.store, &done);
		zstore_shrink(bench.store);
		print_step("compacted");
	}
	check();
	print_methods();
	printf(",\"trained_pages\":%ju,\"model_bytes\":%ju"
	       ",\"recompress_us\":%.1f}\n",
	       (uintmax_t)bench.nr_trained, (uintmax_t)model_bytes(),
	       bench.recompress_us);
	return fflush(stdout) ? 1 : 0;
}

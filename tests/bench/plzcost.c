/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plzcost - how dense pages become with lib/plz and with the other codecs, and
 * what storing and reading a page takes
 *
 * Density is bytes of pages by bytes held for them: a slot of 8 bytes each; for
 * what is stored a handle and its part of a zspage; dictionary and model.
 * Same-filled pages take a slot alone. Dictionary and model are trained on some
 * of the pages, from all over; plz-factory has the model that comes with zsd,
 * or the one that --model names, which have seen none of them.
 *
 * Times are of pages at an even distance, the codecs by turns, the least of
 * some rounds: other load on the machine makes all of them longer, and none
 * shorter. Compare those of one run with each other. The slowest read is of the
 * page that takes longest, of those that zsd would recompress.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "bench_frame.h"
#include "plz/plz_internal.h"
#include "plz_factory/plz_factory.h"
#include "zcomp/zcomp.h"
#include "zsmalloc/zsmalloc.h"
#include "zstore/fill.h"

#define DICT_BYTES   ((size_t)64 << 10)
#define DICT_SAMPLES 2048u
#define PLZ_SAMPLES  1024u

#define SLOT_BYTES   8u
#define HANDLE_BYTES 8u

/* What does not get below is stored raw. */
#define MOST_BYTES 3600u

/* What plz does not get so short is not recompressed: see backend_plz.c. */
#define WORTH_BYTES 2048u

static struct {
	struct bench_page_files page_files;
	const char *model_path; /* NULL: the one that comes with zsd */
	const char *coder; /* NULL: the fastest */
	uint64_t nr_timed;
	uint64_t nr_rounds;
	uint64_t seed;
} options = {
	.nr_timed = 500,
	.nr_rounds = 5,
	.seed = 1,
};

static const struct bench_option table[] = {
	BENCH_PAGES(&options.page_files),
	BENCH_OPTION("model", 0, "FILE", text, &options.model_path,
		     "of plz-factory (default: the one that comes with zsd)"),
	BENCH_OPTION("coder", 0, "NAME", text, &options.coder,
		     "avx2, sse2, neon or portable (default: the fastest)"),
	BENCH_NUMBER("timed", 0, &options.nr_timed, 1, 1 << 20,
		     "how many pages are timed (default 500)"),
	BENCH_NUMBER("rounds", 0, &options.nr_rounds, 1, 1000,
		     "of which the least time counts (default 5)"),
	BENCH_NUMBER("seed", 0, &options.seed, 0, UINT64_MAX,
		     "of made-up pages (default 1)"),
	{0},
};

struct method {
	const char *name;
	const char *algorithm; /* of zcomp; NULL: plz */
	bool has_dict;
	bool has_factory_model;
	enum plz_effort effort;

	const struct plz_model *model;
	struct zcomp_ctx *ctx;
	struct zcomp_dict *dict;
	size_t shared_bytes; /* dictionary and model */
	double held_bytes;
	uint64_t nr_raw;
	double store_us, read_us;
	double *each_us; /* to read each page that is timed */
	double slowest_us;
};

static struct method methods[] = {
	{.name = "lz4", .algorithm = "lz4"},
	{.name = "zstd:1", .algorithm = "zstd:1"},
	{.name = "zstd:3", .algorithm = "zstd:3"},
	{.name = "zstd:1+dict", .algorithm = "zstd:1", .has_dict = true},
	{.name = "zstd:3+dict", .algorithm = "zstd:3", .has_dict = true},
	{.name = "plz", .effort = PLZ_FAST},
	{.name = "plz-optimal", .effort = PLZ_OPTIMAL},
	{.name = "plz-factory", .effort = PLZ_FAST, .has_factory_model = true},
	{.name = "plz-factory-optimal",
	 .effort = PLZ_OPTIMAL,
	 .has_factory_model = true},
};

static struct {
	struct load_pages pages;
	struct plz_model *model, *factory_model;
	struct plz_workspace *work;
	unsigned char dict[DICT_BYTES];
	size_t dict_bytes;
	struct zs_geometry classes[ZS_NR_CLASSES];
	uint64_t nr_same_filled;
	double train_ms;
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

static bool is_same_filled(const unsigned char *page)
{
	uint64_t word;

	return fill_detect(page, &word);
}

/* --- methods ------------------------------------------------------------- */

/* Pages from all over, but for same-filled ones. Return: how many. */
static unsigned take_samples(unsigned most, unsigned char *dst)
{
	uint64_t step = max_u64(bench.pages.nr_pages / most, 1);
	unsigned nr = 0;

	for (uint64_t i = 0; i < bench.pages.nr_pages && nr < most; i += step)
		if (!is_same_filled(page_at(i)))
			memcpy(dst + (size_t)nr++ * ZSD_PAGE_BYTES, page_at(i),
			       ZSD_PAGE_BYTES);
	return nr;
}

static void train(void)
{
	unsigned char *samples = malloc((size_t)DICT_SAMPLES * ZSD_PAGE_BYTES);
	struct zcomp_params params;
	uint64_t start_ns;
	unsigned nr;

	must(samples ? 0 : -ENOMEM, "samples");
	must(zcomp_parse("zstd:3", &params), "zstd:3");
	nr = take_samples(DICT_SAMPLES, samples);
	must(zcomp_train(&params, samples, nr, ZSD_PAGE_BYTES, bench.dict,
			 sizeof(bench.dict), &bench.dict_bytes),
	     "a dictionary");
	nr = take_samples(PLZ_SAMPLES, samples);
	start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	must(plz_train(samples, nr, bench.dict, bench.dict_bytes, &bench.model),
	     "a model");
	bench.train_ms =
		(double)(bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) /
		1e6;
	free(samples);
}

static void open_factory_model(void)
{
	size_t bytes;
	const void *model = plz_factory_model(&bytes);

	if (options.model_path)
		must(plz_model_read(options.model_path, &bench.factory_model),
		     options.model_path);
	else
		must(plz_model_load(model, bytes, &bench.factory_model),
		     "the factory model");
	must(plz_model_ready(bench.factory_model), "its tables");
}

/* With the coder that was asked for. */
static void choose_coder(void)
{
	const struct plz_coder *coder = plz_coder_at(0);

	for (unsigned i = 0; options.coder && coder; i++) {
		coder = plz_coder_at(i);
		if (coder && !strcmp(coder->name, options.coder))
			break;
	}
	must(coder ? 0 : -ENOENT, "coder");
	bench.model->coder = bench.factory_model->coder = coder;
}

static void open_method(struct method *m)
{
	struct zcomp_params params;

	if (!m->algorithm) {
		m->model = m->has_factory_model ? bench.factory_model
						: bench.model;
		m->shared_bytes = plz_model_bytes(m->model);
		return;
	}
	must(zcomp_parse(m->algorithm, &params), m->algorithm);
	must(zcomp_ctx_create(&params, ZSD_PAGE_BYTES, &m->ctx), m->name);
	if (!m->has_dict)
		return;
	must(zcomp_dict_create(&params, ZSD_PAGE_BYTES, bench.dict,
			       bench.dict_bytes, &m->dict),
	     m->name);
	m->shared_bytes = bench.dict_bytes;
}

static void open_bench(void)
{
	void *work = NULL;

	bench_open_pages(&options.page_files, options.seed, &bench.pages);
	zs_geometry_table(ZS_CHAIN_SIZE_DEFAULT, bench.classes);
	must(-posix_memalign(&work, PLZ_WORKSPACE_ALIGN,
			     plz_workspace_bytes(PLZ_TO_STORE)),
	     "a workspace");
	bench.work = work;
	train();
	open_factory_model();
	choose_coder();
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		open_method(&methods[i]);
}

/* Return: the length, or 0 where the page is to be stored raw. */
static size_t store(struct method *m, const unsigned char *page,
		    unsigned char *dst)
{
	size_t bytes = 0;
	int err = m->algorithm ? zcomp_compress(m->ctx, m->dict, page,
						ZSD_PAGE_BYTES, dst, MOST_BYTES,
						&bytes)
			       : plz_compress(m->model, m->effort, bench.work,
					      page, dst, MOST_BYTES, &bytes);

	return err ? 0 : bytes;
}

static void read_back(struct method *m, const unsigned char *src, size_t bytes,
		      unsigned char *page)
{
	must(m->algorithm
		     ? zcomp_decompress(m->ctx, m->dict, src, bytes, page,
					ZSD_PAGE_BYTES)
		     : plz_decompress(m->model, bench.work, src, bytes, page),
	     m->name);
}

/* --- density ------------------------------------------------------------- */

/* What an object takes of its class's zspages, its header included. */
static double object_bytes(size_t bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(bench.classes); i++) {
		const struct zs_geometry *g = &bench.classes[i];

		if (g->size_bytes >= bytes + ZS_HEADER_BYTES)
			return (double)g->pages_per_zspage * ZSD_PAGE_BYTES /
			       g->objs_per_zspage;
	}
	return ZSD_PAGE_BYTES;
}

static void hold(struct method *m, const unsigned char *page)
{
	unsigned char packed[ZSD_PAGE_BYTES], back[ZSD_PAGE_BYTES];
	size_t bytes = store(m, page, packed);

	m->held_bytes += HANDLE_BYTES;
	if (!bytes) {
		m->nr_raw++;
		m->held_bytes += ZSD_PAGE_BYTES;
		return;
	}
	m->held_bytes += object_bytes(bytes);
	read_back(m, packed, bytes, back);
	BUG_ON(memcmp(back, page, sizeof(back)) != 0);
}

static void weigh(struct method *m)
{
	m->held_bytes = (double)m->shared_bytes;
	bench.nr_same_filled = 0;
	for (uint64_t i = 0; i < bench.pages.nr_pages; i++) {
		m->held_bytes += SLOT_BYTES;
		if (is_same_filled(page_at(i)))
			bench.nr_same_filled++;
		else
			hold(m, page_at(i));
	}
}

/* --- time ---------------------------------------------------------------- */

static void least(double *least_us, uint64_t start_ns, uint64_t nr)
{
	double us = (double)(bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) /
		    1e3 / (double)max_u64(nr, 1);

	if (*least_us == 0 || us < *least_us)
		*least_us = us;
}

/* Each read by itself. */
static void time_each(struct method *m, const unsigned char *packed,
		      const size_t *bytes, uint64_t nr)
{
	unsigned char page[ZSD_PAGE_BYTES];

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);

		if (!bytes[i] || bytes[i] > WORTH_BYTES)
			continue;
		read_back(m, packed + i * ZSD_PAGE_BYTES, bytes[i], page);
		least(&m->each_us[i], start_ns, 1);
	}
}

/* All pages are stored, then all are read: pages and results have left the
 * processor's nearest caches meanwhile. */
static void time_round(struct method *m, unsigned char *packed, size_t *bytes)
{
	uint64_t step = max_u64(bench.pages.nr_pages / options.nr_timed, 1);
	uint64_t nr = 0, nr_stored = 0, start_ns;
	unsigned char page[ZSD_PAGE_BYTES];

	start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < bench.pages.nr_pages; i += step)
		if (!is_same_filled(page_at(i))) {
			bytes[nr] = store(m, page_at(i),
					  packed + nr * ZSD_PAGE_BYTES);
			nr++;
		}
	least(&m->store_us, start_ns, nr);
	start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < nr; i++)
		if (bytes[i]) {
			read_back(m, packed + i * ZSD_PAGE_BYTES, bytes[i],
				  page);
			nr_stored++;
		}
	least(&m->read_us, start_ns, nr_stored);
	time_each(m, packed, bytes, nr);
}

static void find_slowest(struct method *m, uint64_t room)
{
	for (uint64_t i = 0; i < room; i++)
		if (m->each_us[i] > m->slowest_us)
			m->slowest_us = m->each_us[i];
	free(m->each_us);
}

static void time_all(void)
{
	uint64_t room = 2 * options.nr_timed + 2;
	unsigned char *packed = malloc(room * ZSD_PAGE_BYTES);
	size_t *bytes = malloc(room * sizeof(*bytes));

	must(packed && bytes ? 0 : -ENOMEM, "results");
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		methods[i].each_us = calloc(room, sizeof(double));
		must(methods[i].each_us ? 0 : -ENOMEM, "results");
	}
	for (uint64_t round = 0; round < options.nr_rounds; round++)
		for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
			time_round(&methods[i], packed, bytes);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		find_slowest(&methods[i], room);
	free(packed);
	free(bytes);
}

int main(int argc, char **argv)
{
	bench_parse(argc, argv, table,
		    "Measure how dense pages become, and what that takes.",
		    NULL);
	open_bench();
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		weigh(&methods[i]);
	time_all();
	printf("{\"pages\":%ju,\"same_filled\":%ju,\"coder\":\"%s\""
	       ",\"train_ms\":%.0f,\"methods\":[",
	       (uintmax_t)bench.pages.nr_pages, (uintmax_t)bench.nr_same_filled,
	       plz_model_coder(bench.model), bench.train_ms);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		const struct method *m = &methods[i];

		printf("%s{\"name\":\"%s\",\"density\":%.3f,\"raw\":%ju"
		       ",\"store_us\":%.1f,\"read_us\":%.1f"
		       ",\"slowest_read_us\":%.1f}",
		       i ? "," : "", m->name,
		       (double)bench.pages.nr_pages * ZSD_PAGE_BYTES /
			       m->held_bytes,
		       (uintmax_t)m->nr_raw, m->store_us, m->read_us,
		       m->slowest_us);
	}
	printf("]}\n");
	return fflush(stdout) ? 1 : 0;
}

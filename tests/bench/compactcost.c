/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compactcost - what compaction costs: objects moved a second
 *
 * A store is filled with pages. Each round trims a share of them at random,
 * compacts, and writes them again. No server, no socket: see nbdload for those.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/units.h"
#include "bench_frame.h"
#include "model/own_ctx.h"
#include "zstore/zstore.h"

static struct {
	struct bench_page_files page_files;
	struct zcomp_params zcomp;
	uint64_t disk_bytes;
	uint64_t chain_size;
	uint64_t percent; /* trimmed before each compaction */
	uint64_t nr_rounds;
	uint64_t seed;
} options = {
	.disk_bytes = 64 * MIB,
	.chain_size = ZS_CHAIN_SIZE_DEFAULT,
	.percent = 50,
	.nr_rounds = 10,
	.seed = 1,
};

static const struct bench_option table[] = {
	BENCH_PAGES(&options.page_files),
	BENCH_ALGORITHM(&options.zcomp),
	BENCH_OPTION("size", 's', "SIZE", disk_size, &options.disk_bytes,
		     "of the disk (default 64M)"),
	BENCH_NUMBER("chain-size", 0, &options.chain_size, ZS_CHAIN_SIZE_MIN,
		     ZS_CHAIN_SIZE_MAX, "as zsd's"),
	BENCH_NUMBER("trim", 0, &options.percent, 1, 99,
		     "percent of the pages before each one (default 50)"),
	BENCH_NUMBER("rounds", 0, &options.nr_rounds, 1, 1000000,
		     "trims and compactions (default 10)"),
	BENCH_NUMBER("seed", 0, &options.seed, 0, UINT64_MAX,
		     "of what is trimmed (default 1)"),
	{0},
};

struct bench {
	struct load_pages pages;
	struct zstore *store;
	struct zstore_ctx *ctx;
	struct rng rng;
	uint64_t nr_pages; /* of the disk */
	bool *trimmed; /* each of them */
	uint64_t moved_objs, freed_pages, cpu_ns;
	struct zstore_stats stats; /* after a compaction */
};

static void open_bench(struct bench *b)
{
	const struct zstore_params params = {
		.disk_bytes = options.disk_bytes,
		.reserve_bytes = 4 * MIB,
		.chain_size = (unsigned)options.chain_size,
		.zcomp = options.zcomp,
	};
	int err;

	bench_open_pages(&options.page_files, options.seed, &b->pages);
	b->rng.state = options.seed;
	b->nr_pages = options.disk_bytes / ZSD_PAGE_BYTES;
	b->trimmed = calloc(b->nr_pages, sizeof(*b->trimmed));
	err = b->trimmed ? zstore_create(&params, &b->store) : -ENOMEM;
	if (!err)
		err = own_ctx_create(b->store, &b->ctx);
	if (err)
		error(1, -err, "the store");
}

static void write_page(const struct bench *b, uint64_t index)
{
	const unsigned char *page =
		b->pages.base + index % b->pages.nr_pages * ZSD_PAGE_BYTES;
	int err = zstore_write(b->ctx, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES,
			       page);

	if (err)
		error(1, -err, "page %ju", (uintmax_t)index);
}

static void fill(struct bench *b, bool all)
{
	for (uint64_t i = 0; i < b->nr_pages; i++) {
		if (all || b->trimmed[i])
			write_page(b, i);
		if (i % 64 == 0)
			(void)zstore_housekeep(b->store, UINT64_MAX);
	}
}

static void trim(struct bench *b)
{
	for (uint64_t i = 0; i < b->nr_pages; i++) {
		b->trimmed[i] = rng_below(&b->rng, 100) < options.percent;
		if (b->trimmed[i])
			zstore_trim(b->ctx, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	}
}

static void compact(struct bench *b)
{
	uint64_t start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	struct zs_compacted done;

	zstore_compact(b->store, &done);
	b->cpu_ns += bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
	b->moved_objs += done.moved_objs;
	b->freed_pages += done.freed_pages;
	zstore_stats(b->store, &b->stats);
}

int main(int argc, char **argv)
{
	static struct bench b;

	bench_parse(argc, argv, table,
		    "Measure what compaction of a store costs.", NULL);
	open_bench(&b);
	fill(&b, true);
	for (uint64_t i = 0; i < options.nr_rounds; i++) {
		trim(&b);
		compact(&b);
		fill(&b, false);
	}
	printf("{\"objects_moved\":%ju,\"pages_freed\":%ju,\"cpu_ms\":%.3f"
	       ",\"objects_per_second\":%.0f"
	       ",\"pool_per_compressed_byte\":%.4f}\n",
	       (uintmax_t)b.moved_objs, (uintmax_t)b.freed_pages,
	       (double)b.cpu_ns / 1e6,
	       (double)b.moved_objs * 1e9 / (double)max_u64(b.cpu_ns, 1),
	       (double)b.stats.mem_used_total /
		       (double)max_u64(b.stats.compr_data_size, 1));
	return fflush(stdout) ? 1 : 0;
}

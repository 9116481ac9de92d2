/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * adoptcost - how long it takes to go on with the image of another process
 *
 * A store is filled with pages and let go of, but for its image. Then that is
 * adopted, as after a death.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/units.h"
#include "bench_frame.h"
#include "model/own_ctx.h"
#include "zstore/zstore.h"

static struct {
	struct bench_page_files page_files;
	struct zcomp_params zcomp;
	uint64_t disk_bytes;
} options = {
	.disk_bytes = 4 * GIB,
};

static const struct bench_option table[] = {
	BENCH_PAGES(&options.page_files),
	BENCH_ALGORITHM(&options.zcomp),
	BENCH_OPTION("size", 's', "SIZE", disk_size, &options.disk_bytes,
		     "of the disk, all of which is written (default 4G)"),
	{0},
};

static void must(int err, const char *what)
{
	if (err)
		error(1, -err, "%s", what);
}

/* Pages come to the disk in another order than they have there, as they do to
 * one that is swapped on. */
static uint64_t shuffled(uint64_t i, uint64_t nr_pages)
{
	return i * 7919 % nr_pages;
}

static void fill(struct zstore_ctx *ctx)
{
	uint64_t nr_pages = options.disk_bytes / ZSD_PAGE_BYTES;
	struct load_pages pages;

	bench_open_pages(&options.page_files, 1, &pages);
	for (uint64_t i = 0; i < nr_pages; i++)
		must(zstore_write(ctx, shuffled(i, nr_pages) * ZSD_PAGE_BYTES,
				  ZSD_PAGE_BYTES,
				  pages.base +
					  i % pages.nr_pages * ZSD_PAGE_BYTES),
		     "a write");
	load_pages_fini(&pages);
}

/* Return: a descriptor of the image. */
static int leave_image(const struct zstore_params *params)
{
	struct zstore *store;
	struct zstore_ctx *ctx;
	int fd;

	must(zstore_create(params, &store), "the store");
	must(own_ctx_create(store, &ctx), "its context");
	fill(ctx);
	fd = dup(zstore_image_fd(store));
	own_ctx_destroy(ctx);
	zstore_destroy(store);
	return fd;
}

static double ms_since(uint64_t ns)
{
	return (double)(bench_now_ns(CLOCK_MONOTONIC) - ns) / 1e6;
}

/* As zsd does: the context is there before it is needed. */
static void adopt(const struct zstore_params *params, int fd)
{
	unsigned char page[ZSD_PAGE_BYTES];
	double read_ms, rebuilt_ms;
	struct zstore *store;
	struct zstore_ctx *ctx;
	uint64_t start_ns;

	must(zstore_open(params, fd, &store), "the image");
	must(own_ctx_create(store, &ctx), "its context");
	start_ns = bench_now_ns(CLOCK_MONOTONIC);
	must(zstore_adopt(store), "adoption");
	must(zstore_read(ctx, 0, sizeof(page), page), "a read");
	read_ms = ms_since(start_ns);
	while (zstore_rebuild(store, 8192))
		;
	rebuilt_ms = ms_since(start_ns);
	printf("{\"disk_bytes\":%ju,\"read_ms\":%.3f,\"rebuilt_ms\":%.3f}\n",
	       (uintmax_t)params->disk_bytes, read_ms, rebuilt_ms);
	own_ctx_destroy(ctx);
	zstore_destroy(store);
}

int main(int argc, char **argv)
{
	struct zstore_params params = {
		.reserve_bytes = 4 * MIB,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
	};

	bench_parse(argc, argv, table,
		    "Measure how long adoption of an image takes.", NULL);
	params.disk_bytes = options.disk_bytes;
	params.zcomp = options.zcomp;
	adopt(&params, leave_image(&params));
	return fflush(stdout) ? 1 : 0;
}

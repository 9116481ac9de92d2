/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsmalloc_tour - the numbers that docs/allocator.md explains
 *
 * Builds a small pool, fills it, makes holes, compacts it, and prints what the
 * pool says of itself at each step. The output is the same on every machine:
 * tests/lint/tour.sh compares it with what the document shows.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zsmalloc/zsmalloc.h"

#define OBJ_BYTES 1500u /* a page compressed to a bit more than a third */
#define NR_OBJS	  40u

/* The kernel's, whose zspages are easier to overlook than ours. */
#define CHAIN_SIZE 8u

ZSD_NORETURN static void die(const char *what)
{
	fprintf(stderr, "zsmalloc_tour: %s failed\n", what);
	exit(EXIT_FAILURE);
}

static void show_geometry(void)
{
	static const unsigned sizes[] = {28,   100,  200,  500,
					 1500, 2000, 3000, 3628};
	struct zs_geometry table[ZS_NR_CLASSES];

	zs_geometry_table(CHAIN_SIZE, table);
	printf("object  class   size  pages  objects  wasted\n");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned size = sizes[i] + ZS_HEADER_BYTES;
		const struct zs_geometry *g =
			&table[size <= 32 ? 0 : (size - 32 + 15) / 16];
		unsigned zspage_bytes = g->pages_per_zspage * ZSD_PAGE_BYTES;
		unsigned wasted = zspage_bytes - g->objs_per_zspage * sizes[i];

		printf("%6u  %5u  %5u  %5u  %7u  %5.1f%%\n", sizes[i],
		       g->class_idx, g->size_bytes, g->pages_per_zspage,
		       g->objs_per_zspage, 100.0 * wasted / zspage_bytes);
	}
}

static void show_class(struct zs_pool *pool, const char *when)
{
	unsigned class_idx = zs_lookup_class_index(pool, OBJ_BYTES);
	struct zs_class_stats s;

	zs_class_stats(pool, class_idx, &s);
	printf("%-22s %11" PRIu64 " %12" PRIu64 " %4" PRIu64 " %13" PRIu64
	       " %8" PRIu64 " %10" PRIu64 " %8" PRIu64 "\n",
	       when, s.almost_full, s.almost_empty, s.full, s.obj_allocated,
	       s.obj_used, s.pages_used, s.freeable);
}

static void put(struct zs_pool *pool, zs_handle *handle, unsigned i)
{
	unsigned char bytes[OBJ_BYTES];
	int err;

	memset(bytes, (int)i, sizeof(bytes));
	do {
		err = zs_store(pool, bytes, sizeof(bytes), 0, ZS_NORMAL,
			       handle);
	} while (err == -EAGAIN && !(err = zs_make_ready(pool, ZS_NORMAL)));
	if (err)
		die("zs_store");
}

static void check_bytes(struct zs_pool *pool, zs_handle handle, unsigned i)
{
	unsigned char copy[OBJ_BYTES];
	const void *bytes;

	if (zs_obj_read_begin(pool, handle, sizeof(copy), copy, &bytes))
		die("zs_obj_read_begin");
	for (unsigned at = 0; at < sizeof(copy); at++) {
		if (((const unsigned char *)bytes)[at] != (unsigned char)i)
			die("comparing");
	}
	zs_obj_read_end(pool, handle);
}

static void fill_and_compact(struct zs_pool *pool)
{
	zs_handle handles[NR_OBJS];
	struct zs_compacted done;
	unsigned kept = 0;

	printf("%-22s %11s %12s %4s %13s %8s %10s %8s\n", "", "almost_full",
	       "almost_empty", "full", "obj_allocated", "obj_used",
	       "pages_used", "freeable");
	for (unsigned i = 0; i < NR_OBJS; i++) {
		char when[32];

		put(pool, &handles[i], i);
		snprintf(when, sizeof(when), "after %u allocated", i + 1);
		if (i == 0 || i == 1 || i == 2 || i == 18 || i == 19 ||
		    i + 1 == NR_OBJS)
			show_class(pool, when);
	}
	for (unsigned i = 0; i < NR_OBJS; i++) {
		if (i % 3)
			zs_free(pool, handles[i]);
	}
	show_class(pool, "two of three freed");
	zs_compact(pool, &done);
	printf("compaction moved %" PRIu64 " objects, freed %" PRIu64
	       " pages\n",
	       done.moved_objs, done.freed_pages);
	show_class(pool, "after compaction");
	for (unsigned i = 0; i < NR_OBJS; i += 3, kept++)
		check_bytes(pool, handles[i], i);
	printf("%u objects kept their handles and bytes\n", kept);
}

int main(void)
{
	struct zs_pool_params params = {
		.chain_size = CHAIN_SIZE,
		.nr_handles = 1000,
		.nr_pages = 1000,
		.reserve_pages = 16,
	};
	struct mapping map;
	struct zs_pool *pool;

	if (mapping_create("tour", zs_pool_image_bytes(&params), &map) ||
	    zs_pool_create(&params, &map, 0, &pool))
		die("making a pool");
	show_geometry();
	printf("\n");
	fill_and_compact(pool);
	zs_pool_destroy(pool);
	mapping_destroy(&map);
	return EXIT_SUCCESS;
}

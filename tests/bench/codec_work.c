/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "codec_work.h"
#include "zsmalloc/zsmalloc.h"
#include "zstore/fill.h"

/* Where pages lie in a buffer: behind a request's head, 28 bytes of NBD. */
#define WIRE_STRIDE ((size_t)ZSD_PAGE_BYTES + 28)

/* This thread's, so that whoever else wants the core does not count. */
static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const unsigned char *page_of(const struct codec_work *work,
				    uint64_t index)
{
	return work->pages->base +
	       index % work->pages->nr_pages * ZSD_PAGE_BYTES;
}

/* Most bytes that are worth storing compressed, in a pool as it comes. */
static size_t compressed_room(void)
{
	struct zs_geometry table[ZS_NR_CLASSES];
	size_t largest = 0;

	zs_geometry_table(ZS_CHAIN_SIZE_DEFAULT, table);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].size_bytes < ZS_MAX_OBJ_BYTES)
			largest = max_u64(largest, table[i].size_bytes);
	return largest - ZS_HEADER_BYTES;
}

/* Compress page @index of the disk to the end of what is there. */
static int store_page(struct codec_work *work, uint64_t index, uint64_t *end)
{
	struct codec_object *object = &work->object[index];
	const unsigned char *page = page_of(work, index);
	unsigned char *to = work->store.base + *end;
	size_t bytes;
	uint64_t word;

	*object = (struct codec_object){.offset = *end};
	if (fill_detect(page, &word))
		return 0;
	if (zcomp_compress_using(work->zcomp, work->dict, page, ZSD_PAGE_BYTES,
				 to, work->room, &bytes)) {
		object->bytes = ZSD_PAGE_BYTES;
		memcpy(to, page, ZSD_PAGE_BYTES);
	} else {
		object->bytes = (uint32_t)bytes;
		if (zcomp_decompress_using(work->zcomp, work->dict, to, bytes,
					   work->wire, ZSD_PAGE_BYTES) ||
		    memcmp(work->wire, page, ZSD_PAGE_BYTES) != 0)
			return -EUCLEAN;
	}
	*end += object->bytes;
	return 0;
}

static int store_disk(struct codec_work *work)
{
	uint64_t end = 0;
	int err = mapping_commit(&work->store, 0, work->store.bytes);

	for (uint64_t i = 0; !err && i < work->nr_objects; i++)
		err = store_page(work, i, &end);
	return err;
}

int codec_work_init(struct codec_work *work, const struct load_pages *pages,
		    const struct zcomp_params *params,
		    const struct zcomp_dict *dict, uint64_t disk_bytes,
		    uint64_t seed)
{
	int err = mapping_create("codec", disk_bytes, &work->store);

	if (err)
		return err;
	work->pages = pages;
	work->dict = dict;
	work->nr_objects = disk_bytes / ZSD_PAGE_BYTES;
	work->rng.state = seed;
	work->room = compressed_room();
	work->zcomp = NULL;
	work->object = calloc(work->nr_objects, sizeof(*work->object));
	work->wire = calloc(CODEC_BATCH_PAGES, WIRE_STRIDE);
	err = work->object && work->wire
		      ? zcomp_ctx_create(params, ZSD_PAGE_BYTES, &work->zcomp)
		      : -ENOMEM;
	if (!err)
		err = store_disk(work);
	if (err)
		codec_work_fini(work);
	return err;
}

void codec_work_fini(struct codec_work *work)
{
	zcomp_ctx_destroy(work->zcomp);
	free(work->wire);
	free(work->object);
	mapping_destroy(&work->store);
}

void codec_work_sizes(const struct codec_work *work, struct codec_sizes *out)
{
	*out = (struct codec_sizes){.nr_pages = work->nr_objects};
	for (uint64_t i = 0; i < work->nr_objects; i++) {
		out->stored_bytes += work->object[i].bytes;
		out->nr_same_filled += work->object[i].bytes == 0;
		out->nr_raw += work->object[i].bytes == ZSD_PAGE_BYTES;
	}
}

static void choose_batch(struct codec_work *work,
			 uint64_t index[CODEC_BATCH_PAGES])
{
	for (unsigned i = 0; i < CODEC_BATCH_PAGES; i++)
		index[i] = rng_below(&work->rng, work->nr_objects);
}

uint64_t codec_work_compress(struct codec_work *work)
{
	unsigned char result[ZSD_PAGE_BYTES];
	uint64_t index[CODEC_BATCH_PAGES];
	uint64_t start_ns;
	size_t bytes;

	choose_batch(work, index);
	for (unsigned i = 0; i < CODEC_BATCH_PAGES; i++)
		memcpy(work->wire + i * WIRE_STRIDE, page_of(work, index[i]),
		       ZSD_PAGE_BYTES);
	start_ns = cpu_now_ns();
	for (unsigned i = 0; i < CODEC_BATCH_PAGES; i++) {
		const struct codec_object *object = &work->object[index[i]];
		int err;

		if (!object->bytes)
			continue;
		err = zcomp_compress_using(work->zcomp, work->dict,
					   work->wire + i * WIRE_STRIDE,
					   ZSD_PAGE_BYTES, result, work->room,
					   &bytes);
		CHECK(!err == (object->bytes < ZSD_PAGE_BYTES));
	}
	return cpu_now_ns() - start_ns;
}

uint64_t codec_work_decompress(struct codec_work *work)
{
	uint64_t index[CODEC_BATCH_PAGES];
	uint64_t start_ns;

	choose_batch(work, index);
	start_ns = cpu_now_ns();
	for (unsigned i = 0; i < CODEC_BATCH_PAGES; i++) {
		const struct codec_object *object = &work->object[index[i]];
		int err;

		if (!object->bytes || object->bytes == ZSD_PAGE_BYTES)
			continue;
		err = zcomp_decompress_using(work->zcomp, work->dict,
					     work->store.base + object->offset,
					     object->bytes,
					     work->wire + i * WIRE_STRIDE,
					     ZSD_PAGE_BYTES);
		CHECK(!err);
	}
	return cpu_now_ns() - start_ns;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codeccost - what a codec takes for a page: the bare loop, no server around it
 *
 * What a server's processor time for a request is compared with. Its caller
 * chooses the core (taskset).
 *
 * The disk is as many pages as a server's: those of the files, repeated. All of
 * it is compressed first, into memory like a store's. Then pages are chosen at
 * random, and the processor's caches are left as in a server: pages to compress
 * have just been copied to a buffer, as recv(2) does, and their results
 * overwrite each other; objects to decompress lie scattered over as much memory
 * as a server has, and the pages go to a buffer that was used a moment ago.
 *
 * Same-filled pages, which a store detects without a codec, and pages that are
 * stored raw, as far as decompression goes, are part of the disk and of the
 * number of pages, and cost nothing.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/mapping.h"
#include "base/units.h"
#include "bench_frame.h"
#include "zcomp/zcomp.h"
#include "zsmalloc/zsmalloc.h"
#include "zstore/fill.h"

/* What a server finds in its socket at depth 32; and where pages lie in it,
 * behind a request's head, 28 bytes of NBD. */
#define BATCH_PAGES 32u
#define WIRE_STRIDE ((size_t)ZSD_PAGE_BYTES + 28)

/* A dictionary is trained as a server does: this size, and 128 times as much to
 * train on. */
#define DICT_BYTES   ((size_t)32 << 10)
#define DICT_SAMPLES 1024u

static struct {
	struct bench_page_files page_files;
	struct bench_page_files train;
	struct zcomp_params zcomp;
	uint64_t disk_bytes;
	uint64_t run_ns; /* of the codec, each direction */
	uint64_t seed;
} options = {
	.disk_bytes = 256 * MIB,
	.run_ns = NS_PER_S / 2,
	.seed = 1,
};

static const struct bench_option table[] = {
	BENCH_PAGES(&options.page_files),
	BENCH_ALGORITHM(&options.zcomp),
	BENCH_OPTION("train", 0, "FILE", pages, &options.train,
		     "use a dictionary that is trained on these pages"),
	BENCH_OPTION("size", 's', "SIZE", disk_size, &options.disk_bytes,
		     "of the disk (default 256M)"),
	BENCH_OPTION("seconds", 0, "N", seconds, &options.run_ns,
		     "processor time for each direction (default 0.5)"),
	BENCH_NUMBER("seed", 0, &options.seed, 0, UINT64_MAX,
		     "of the order of pages (default 1)"),
	{0},
};

/* A page of the disk. */
struct object {
	uint64_t offset; /* of its bytes in the store */
	uint32_t bytes; /* 0: same-filled; ZSD_PAGE_BYTES: raw */
};

struct work {
	struct load_pages pages;
	struct zcomp_ctx *zcomp;
	struct zcomp_dict *dict; /* or NULL */
	struct object *object; /* of each page of the disk */
	uint64_t nr_objects;
	struct mapping store; /* the objects' bytes */
	size_t room; /* for a compressed page, before it is stored raw */
	unsigned char wire[BATCH_PAGES * WIRE_STRIDE]; /* as they come and go */
	struct rng rng;

	uint64_t nr_same_filled, nr_raw, stored_bytes;
};

static void must(int err, const char *what)
{
	if (err)
		error(1, -err, "%s", what);
}

/* --- the disk ------------------------------------------------------------ */

static const unsigned char *page_of(const struct work *work, uint64_t index)
{
	return work->pages.base + index % work->pages.nr_pages * ZSD_PAGE_BYTES;
}

/* Most bytes that are worth storing compressed, in a pool as it comes. */
static size_t compressed_room(void)
{
	struct zs_geometry classes[ZS_NR_CLASSES];
	size_t largest = 0;

	zs_geometry_table(ZS_CHAIN_SIZE_DEFAULT, classes);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].size_bytes < ZS_MAX_OBJ_BYTES)
			largest = max_u64(largest, classes[i].size_bytes);
	return largest - ZS_HEADER_BYTES;
}

/* From all over the pages, but for same-filled ones. */
static struct zcomp_dict *train(const struct load_pages *pages)
{
	static unsigned char sample[DICT_SAMPLES * ZSD_PAGE_BYTES];
	static unsigned char bytes[ZCOMP_DICT_MAX_BYTES];
	uint64_t step = max_u64(pages->nr_pages / DICT_SAMPLES, 1), word;
	struct zcomp_dict *dict = NULL;
	size_t nr_bytes = 0;
	unsigned nr = 0;

	for (uint64_t i = 0; i < pages->nr_pages && nr < DICT_SAMPLES;
	     i += step) {
		const unsigned char *page = pages->base + i * ZSD_PAGE_BYTES;

		if (!fill_detect(page, &word))
			memcpy(sample + (size_t)nr++ * ZSD_PAGE_BYTES, page,
			       ZSD_PAGE_BYTES);
	}
	must(zcomp_train(&options.zcomp, sample, nr, ZSD_PAGE_BYTES, bytes,
			 min_u64(DICT_BYTES + zcomp_dict_bytes_besides(
						      &options.zcomp),
				 sizeof(bytes)),
			 &nr_bytes),
	     "training");
	must(zcomp_dict_create(&options.zcomp, ZSD_PAGE_BYTES, bytes, nr_bytes,
			       &dict),
	     "a dictionary");
	return dict;
}

/* Compress page @index of the disk to the end of what is there. */
static void store_page(struct work *work, uint64_t index)
{
	struct object *object = &work->object[index];
	const unsigned char *page = page_of(work, index);
	unsigned char *to = work->store.base + work->stored_bytes;
	size_t bytes;
	uint64_t word;

	object->offset = work->stored_bytes;
	if (fill_detect(page, &word)) {
		work->nr_same_filled++;
		return;
	}
	if (zcomp_compress(work->zcomp, work->dict, page, ZSD_PAGE_BYTES, to,
			   work->room, &bytes)) {
		object->bytes = ZSD_PAGE_BYTES;
		memcpy(to, page, ZSD_PAGE_BYTES);
		work->nr_raw++;
	} else {
		object->bytes = (uint32_t)bytes;
	}
	work->stored_bytes += object->bytes;
}

static void open_work(struct work *work)
{
	struct load_pages pages;

	bench_open_pages(&options.page_files, options.seed, &work->pages);
	if (options.train.nr) {
		bench_open_pages(&options.train, 0, &pages);
		work->dict = train(&pages);
		load_pages_fini(&pages);
	}
	work->nr_objects = options.disk_bytes / ZSD_PAGE_BYTES;
	work->rng.state = options.seed;
	work->room = compressed_room();
	work->object = calloc(work->nr_objects, sizeof(*work->object));
	must(work->object ? 0 : -ENOMEM, "the disk");
	must(mapping_create("codec", options.disk_bytes, &work->store),
	     "the store");
	must(mapping_commit(&work->store, 0, work->store.bytes, NULL),
	     "the store");
	must(zcomp_ctx_create(&options.zcomp, ZSD_PAGE_BYTES, &work->zcomp),
	     "the codec");
	for (uint64_t i = 0; i < work->nr_objects; i++)
		store_page(work, i);
}

/* --- the codec alone ----------------------------------------------------- */

static void compress(struct work *work, uint64_t index, unsigned char *wire)
{
	const struct object *object = &work->object[index];
	unsigned char result[ZSD_PAGE_BYTES];
	size_t bytes;
	int err;

	if (!object->bytes)
		return;
	err = zcomp_compress(work->zcomp, work->dict, wire, ZSD_PAGE_BYTES,
			     result, work->room, &bytes);
	CHECK(!err == (object->bytes < ZSD_PAGE_BYTES));
}

static void decompress(struct work *work, uint64_t index, unsigned char *wire)
{
	const struct object *object = &work->object[index];
	int err;

	if (!object->bytes || object->bytes == ZSD_PAGE_BYTES)
		return;
	err = zcomp_decompress(work->zcomp, work->dict,
			       work->store.base + object->offset, object->bytes,
			       wire, ZSD_PAGE_BYTES);
	CHECK(!err);
}

typedef void codec_fn(struct work *work, uint64_t index, unsigned char *wire);

/* Some pages at random. Return: nanoseconds of this thread alone. */
static uint64_t run_batch(struct work *work, codec_fn *codec)
{
	uint64_t index[BATCH_PAGES], start_ns;

	for (unsigned i = 0; i < BATCH_PAGES; i++) {
		index[i] = rng_below(&work->rng, work->nr_objects);
		if (codec == compress)
			memcpy(work->wire + i * WIRE_STRIDE,
			       page_of(work, index[i]), ZSD_PAGE_BYTES);
	}
	start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < BATCH_PAGES; i++)
		codec(work, index[i], work->wire + i * WIRE_STRIDE);
	return bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
}

/* Microseconds a page. The first batch, which finds cold caches, is not
 * counted. */
static double measure(struct work *work, codec_fn *codec)
{
	uint64_t ns = 0, nr_pages = 0;

	(void)run_batch(work, codec);
	for (; ns < options.run_ns; nr_pages += BATCH_PAGES)
		ns += run_batch(work, codec);
	return (double)ns / 1e3 / (double)nr_pages;
}

int main(int argc, char **argv)
{
	static struct work work; /* too large for the stack */
	char name[ZCOMP_NAME_BYTES];
	double compress_us, decompress_us;
	uint64_t bytes;

	bench_parse(argc, argv, table,
		    "Measure what a codec takes for a page of memory.", NULL);
	open_work(&work);
	compress_us = measure(&work, compress);
	decompress_us = measure(&work, decompress);
	zcomp_format(&options.zcomp, name);
	bytes = (work.nr_objects - work.nr_same_filled) * ZSD_PAGE_BYTES;
	printf("{\"algorithm\":\"%s\",\"compress_us\":%.4f"
	       ",\"decompress_us\":%.4f,\"ratio\":%.4f,\"pages\":%ju"
	       ",\"same_filled\":%ju,\"raw\":%ju,\"stored_bytes\":%ju}\n",
	       name, compress_us, decompress_us,
	       (double)bytes / (double)max_u64(work.stored_bytes, 1),
	       (uintmax_t)work.nr_objects, (uintmax_t)work.nr_same_filled,
	       (uintmax_t)work.nr_raw, (uintmax_t)work.stored_bytes);
	return fflush(stdout) ? 1 : 0;
}

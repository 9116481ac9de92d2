/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec_work - compresses and decompresses pages as a server does, and nothing
 * else
 *
 * Terms:
 *   disk      as many pages as a server's disk holds: the pool's, repeated.
 *   object    a page of the disk compressed, in memory of the same kind as a
 *             store's, among as many others.
 *   batch     CODEC_BATCH_PAGES pages of the disk, chosen at random.
 *
 * The processor's caches are left as in a server: the pages to compress have
 * just been copied to a buffer, as recv(2) does, and their results overwrite
 * each other; objects to decompress lie scattered over as much memory as a
 * server has, and the pages go to a buffer that was used a moment ago.
 *
 * Same-filled pages, which a store detects without a codec, and pages that are
 * stored raw, as far as decompression goes, are part of the disk and of the
 * number of pages, and cost nothing.
 *
 * Threads: one. Ownership: the caller's, from init to fini.
 */
#ifndef ZSD_BENCH_CODEC_WORK_H
#define ZSD_BENCH_CODEC_WORK_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/mapping.h"
#include "load_pages.h"
#include "rng.h"
#include "zcomp/zcomp.h"

/* What a server finds in its socket at depth 32. */
#define CODEC_BATCH_PAGES 32u

/* A page of the disk. */
struct codec_object {
	uint64_t offset; /* of its bytes in the mapping */
	uint32_t bytes; /* 0: same-filled; ZSD_PAGE_BYTES: raw */
};

struct codec_work {
	const struct load_pages *pages;
	struct zcomp_ctx *zcomp;
	const struct zcomp_dict *dict; /* or NULL */
	struct codec_object *object; /* of each page of the disk */
	uint64_t nr_objects;
	struct mapping store; /* the objects' bytes */
	size_t room; /* for a compressed page, before it is stored raw */
	unsigned char *wire; /* pages as they come and go */
	struct rng rng;
};

/* What the pages of the disk come to. */
struct codec_sizes {
	uint64_t nr_pages;
	uint64_t nr_same_filled;
	uint64_t nr_raw;
	uint64_t stored_bytes; /* of the objects, raw ones too */
};

/**
 * codec_work_init() - compress a whole disk, and see that it comes back
 * @pages:      the caller's, as long as the work
 * @params:     which codec
 * @dict:       the caller's, as long as the work; or NULL
 * @disk_bytes: a multiple of ZSD_PAGE_BYTES, not 0
 *
 * Return: 0, -ENOMEM, -EUCLEAN where a page did not come back as it was, or
 * the -errno of mapping_create() or mapping_commit().
 */
int codec_work_init(struct codec_work *work, const struct load_pages *pages,
		    const struct zcomp_params *params,
		    const struct zcomp_dict *dict, uint64_t disk_bytes,
		    uint64_t seed) ZSD_MUST_CHECK;
void codec_work_fini(struct codec_work *work);

void codec_work_sizes(const struct codec_work *work, struct codec_sizes *out);

/* Both: a batch. Return: nanoseconds that the codec took for all of it. */
uint64_t codec_work_compress(struct codec_work *work);
uint64_t codec_work_decompress(struct codec_work *work);

#endif

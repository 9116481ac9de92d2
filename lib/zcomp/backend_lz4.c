/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LZ4 blocks without a frame. The level is LZ4's acceleration: higher is
 * faster and compresses less.
 */
#include "config.h"

#include <errno.h>
#include <lz4.h>
#include <stdlib.h>

#include "zcomp/zcomp_internal.h"

struct lz4_scratch {
	int acceleration;
	void *state; /* LZ4_sizeofState() bytes: the hash table */
};

static int lz4_create(int level, size_t src_bytes_max, void **out)
{
	struct lz4_scratch *scratch = malloc(sizeof(*scratch));

	(void)src_bytes_max; /* the state's size does not depend on it */
	if (!scratch)
		return -ENOMEM;
	scratch->acceleration = level;
	scratch->state = malloc((size_t)LZ4_sizeofState());
	if (!scratch->state) {
		free(scratch);
		return -ENOMEM;
	}
	*out = scratch;
	return 0;
}

static void lz4_destroy(void *arg)
{
	struct lz4_scratch *scratch = arg;

	free(scratch->state);
	free(scratch);
}

static int lz4_compress(void *arg, const void *digest, const void *src,
			size_t src_bytes, void *dst, size_t dst_bytes,
			size_t *out_bytes)
{
	struct lz4_scratch *scratch = arg;
	int n = LZ4_compress_fast_extState(scratch->state, src, dst,
					   (int)src_bytes, (int)dst_bytes,
					   scratch->acceleration);

	(void)digest; /* there is none without dict_create() */
	if (n <= 0)
		return -ENOSPC;
	*out_bytes = (size_t)n;
	return 0;
}

static int lz4_decompress(void *scratch, const void *digest, const void *src,
			  size_t src_bytes, void *dst, size_t dst_bytes)
{
	int n = LZ4_decompress_safe(src, dst, (int)src_bytes, (int)dst_bytes);

	(void)scratch;
	(void)digest;
	return n >= 0 && (size_t)n == dst_bytes ? 0 : -EIO;
}

const struct zcomp_ops zcomp_lz4 = {
	.name = "lz4",
	.description = "lz4[:1..65537]",
	.level_min = 1,
	.level_max = 65537, /* LZ4_ACCELERATION_MAX, lz4.c */
	.level_default = 1,
	.create = lz4_create,
	.destroy = lz4_destroy,
	.compress = lz4_compress,
	.decompress = lz4_decompress,
};

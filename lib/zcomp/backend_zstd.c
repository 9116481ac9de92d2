/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zstandard frames stripped to what a page needs: no magic number, content
 * size, checksum or dictionary id, since the store knows all of them. That is
 * 6 bytes less a page.
 *
 * Contexts live in memory of ours (ZSTD_initStatic…), so that the library
 * cannot allocate behind our back: a context of its own making resizes itself
 * now and then.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

/* The static contexts and the magicless format are outside zstd's stable API,
 * but in every shared library since 1.4. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "zcomp/zcomp_internal.h"

struct zstd_scratch {
	void *cctx_memory;
	void *dctx_memory;
	ZSTD_CCtx *cctx; /* in cctx_memory */
	ZSTD_DCtx *dctx; /* in dctx_memory */
};

static void zstd_destroy(void *arg)
{
	struct zstd_scratch *scratch = arg;

	free(scratch->cctx_memory);
	free(scratch->dctx_memory);
	free(scratch);
}

static size_t set_parameters(ZSTD_CCtx *cctx,
			     const ZSTD_compressionParameters *cparams)
{
	const struct {
		ZSTD_cParameter parameter;
		int value;
	} settings[] = {
		{ZSTD_c_windowLog, (int)cparams->windowLog},
		{ZSTD_c_chainLog, (int)cparams->chainLog},
		{ZSTD_c_hashLog, (int)cparams->hashLog},
		{ZSTD_c_searchLog, (int)cparams->searchLog},
		{ZSTD_c_minMatch, (int)cparams->minMatch},
		{ZSTD_c_targetLength, (int)cparams->targetLength},
		{ZSTD_c_strategy, (int)cparams->strategy},
		{ZSTD_c_contentSizeFlag, 0},
		{ZSTD_c_checksumFlag, 0},
		{ZSTD_c_dictIDFlag, 0},
		{ZSTD_c_format, ZSTD_f_zstd1_magicless},
	};
	size_t ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings) && !ZSTD_isError(ret); i++)
		ret = ZSTD_CCtx_setParameter(cctx, settings[i].parameter,
					     settings[i].value);
	return ret;
}

static int init_cctx(struct zstd_scratch *scratch, int level,
		     size_t src_bytes_max)
{
	ZSTD_compressionParameters cparams =
		ZSTD_getCParams(level, src_bytes_max, 0);
	size_t bytes = ZSTD_estimateCCtxSize_usingCParams(cparams);

	scratch->cctx_memory = malloc(bytes);
	if (!scratch->cctx_memory)
		return -ENOMEM;
	scratch->cctx = ZSTD_initStaticCCtx(scratch->cctx_memory, bytes);
	if (!scratch->cctx ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(
		    scratch->cctx, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(set_parameters(scratch->cctx, &cparams)))
		return -ENOMEM;
	return 0;
}

static int init_dctx(struct zstd_scratch *scratch)
{
	size_t bytes = ZSTD_estimateDCtxSize();

	scratch->dctx_memory = malloc(bytes);
	if (!scratch->dctx_memory)
		return -ENOMEM;
	scratch->dctx = ZSTD_initStaticDCtx(scratch->dctx_memory, bytes);
	if (!scratch->dctx ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(scratch->dctx, ZSTD_d_format,
						ZSTD_f_zstd1_magicless)))
		return -ENOMEM;
	return 0;
}

static int zstd_create(int level, size_t src_bytes_max, void **out)
{
	struct zstd_scratch *scratch = calloc(1, sizeof(*scratch));
	int err;

	if (!scratch)
		return -ENOMEM;
	err = init_cctx(scratch, level, src_bytes_max);
	if (!err)
		err = init_dctx(scratch);
	if (err) {
		zstd_destroy(scratch);
		return err;
	}
	*out = scratch;
	return 0;
}

static int zstd_compress(void *arg, const void *src, size_t src_bytes,
			 void *dst, size_t dst_bytes, size_t *out_bytes)
{
	struct zstd_scratch *scratch = arg;
	size_t n =
		ZSTD_compress2(scratch->cctx, dst, dst_bytes, src, src_bytes);

	/* With memory and parameters fixed, only the room can be wrong. */
	if (ZSTD_isError(n))
		return -ENOSPC;
	*out_bytes = n;
	return 0;
}

/*
 * Piece by piece, each no longer than what is left of the source: the
 * library's one-call function looks for a magic number beyond the end of a
 * source that is damaged, even where there is to be none (seen with 1.5.4).
 */
static int zstd_decompress(void *arg, const void *src, size_t src_bytes,
			   void *dst, size_t dst_bytes)
{
	ZSTD_DCtx *dctx = ((struct zstd_scratch *)arg)->dctx;
	const unsigned char *from = src;
	unsigned char *to = dst;
	size_t bytes;

	if (ZSTD_isError(ZSTD_decompressBegin(dctx)))
		return -EIO;
	while ((bytes = ZSTD_nextSrcSizeToDecompress(dctx)) > 0) {
		size_t n;

		if (bytes > src_bytes)
			return -EIO;
		n = ZSTD_decompressContinue(dctx, to, dst_bytes, from, bytes);
		if (ZSTD_isError(n))
			return -EIO;
		from += bytes;
		src_bytes -= bytes;
		to += n;
		dst_bytes -= n;
	}
	return src_bytes || dst_bytes ? -EIO : 0;
}

const struct zcomp_ops zcomp_zstd = {
	.name = "zstd",
	.description = "zstd[:-7..22]",
	.level_min = -7,
	.level_max = 22,
	.level_default = 1,
	.create = zstd_create,
	.destroy = zstd_destroy,
	.compress = zstd_compress,
	.decompress = zstd_decompress,
};

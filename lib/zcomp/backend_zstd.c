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
#include <stdbool.h>
#include <stdlib.h>

/* The static contexts and the magicless format are outside zstd's stable API,
 * but in every shared library since 1.4. */
#define ZSTD_STATIC_LINKING_ONLY
#define ZDICT_STATIC_LINKING_ONLY
#include <zdict.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/bits.h"
#include "base/check.h"
#include "zcomp/zcomp_internal.h"

/*
 * How zcomp_train() counts (FASTCOVER): strings of 8 bytes, a word of memory,
 * in a table of 2^18; chosen are segments of 256 bytes, since what pages have
 * in common are records of that order. The library's own search for the best
 * length takes many times longer, and finds hardly better ones.
 */
#define TRAIN_STRING_BYTES  8u
#define TRAIN_TABLE_LOG	    18u
#define TRAIN_SEGMENT_BYTES 256u

struct zstd_digest {
	const void *bytes; /* the dictionary, the caller's */
	size_t nr_bytes;
	ZSTD_compressionParameters cparams; /* it is made ready by */
	void *cdict_memory; /* NULL: it is not ready */
	void *ddict_memory;
	const ZSTD_CDict *cdict; /* in cdict_memory */
	const ZSTD_DDict *ddict; /* in ddict_memory */
};

struct zstd_scratch {
	void *cctx_memory;
	void *dctx_memory;
	ZSTD_CCtx *cctx; /* in cctx_memory */
	ZSTD_DCtx *dctx; /* in dctx_memory */
	bool has_dict; /* cctx: attached by the last compression */
};

/* --- contexts ------------------------------------------------------------ */

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
		{ZSTD_c_forceAttachDict, ZSTD_dictForceAttach},
		{ZSTD_c_format, ZSTD_f_zstd1_magicless},
	};
	size_t ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings) && !ZSTD_isError(ret); i++)
		ret = ZSTD_CCtx_setParameter(cctx, settings[i].parameter,
					     settings[i].value);
	return ret;
}

/*
 * With a dictionary a context has the strategy that is the dictionary's, and
 * tables as long as a source of that length needs: enough memory for that of
 * any dictionary. The lengths tried are on either side of where the library
 * changes its mind.
 */
static size_t cctx_bytes(int level, size_t src_bytes_max)
{
	static const size_t dict_bytes[] = {0, 8 * KIB, ZCOMP_DICT_MAX_BYTES};
	size_t most = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dict_bytes); i++) {
		ZSTD_compressionParameters cparams =
			ZSTD_getCParams(level, src_bytes_max, dict_bytes[i]);

		cparams.hashLog = ZSTD_HASHLOG_MAX; /* for what is cut below */
		cparams = ZSTD_adjustCParams(cparams, src_bytes_max, 0);
		most = max_u64(most,
			       ZSTD_estimateCCtxSize_usingCParams(cparams));
	}
	return most;
}

static int init_cctx(struct zstd_scratch *scratch, int level,
		     size_t src_bytes_max)
{
	ZSTD_compressionParameters cparams =
		ZSTD_getCParams(level, src_bytes_max, 0);
	size_t bytes = cctx_bytes(level, src_bytes_max);

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

/* --- dictionaries -------------------------------------------------------- */

/* As the library would choose, but with an entry for every second byte: the
 * table is filled only once, and read by all threads. */
static ZSTD_compressionParameters
dict_parameters(int level, size_t src_bytes_max, size_t nr_bytes)
{
	ZSTD_compressionParameters cparams =
		ZSTD_getCParams(level, src_bytes_max, nr_bytes);

	while (cparams.strategy <= ZSTD_dfast &&
	       nr_bytes >> (cparams.hashLog + 2))
		cparams.hashLog++;
	return cparams;
}

static size_t cdict_room(ZSTD_compressionParameters cparams, size_t nr_bytes)
{
	return ZSTD_estimateCDictSize_advanced(nr_bytes, cparams,
					       ZSTD_dlm_byRef);
}

static size_t ddict_room(size_t nr_bytes)
{
	return ZSTD_estimateDDictSize(nr_bytes, ZSTD_dlm_byRef);
}

static size_t zstd_dict_memory(int level, enum zcomp_use use,
			       size_t src_bytes_max, size_t nr_bytes)
{
	return use == ZCOMP_TO_DECOMPRESS
		       ? sizeof(struct zstd_digest) + ddict_room(nr_bytes)
		       : cdict_room(dict_parameters(level, src_bytes_max,
						    nr_bytes),
				    nr_bytes);
}

static void zstd_dict_rest(void *arg)
{
	struct zstd_digest *digest = arg;

	free(digest->cdict_memory);
	digest->cdict_memory = NULL;
	digest->cdict = NULL;
}

static int zstd_dict_ready(void *arg)
{
	struct zstd_digest *digest = arg;
	size_t room = cdict_room(digest->cparams, digest->nr_bytes);

	if (digest->cdict)
		return 0;
	digest->cdict_memory = malloc(room);
	if (!digest->cdict_memory)
		return -ENOMEM;
	digest->cdict =
		ZSTD_initStaticCDict(digest->cdict_memory, room, digest->bytes,
				     digest->nr_bytes, ZSTD_dlm_byRef,
				     ZSTD_dct_fullDict, digest->cparams);
	if (digest->cdict)
		return 0;
	zstd_dict_rest(digest);
	return -EINVAL;
}

static void zstd_dict_destroy(void *arg)
{
	struct zstd_digest *digest = arg;

	free(digest->cdict_memory);
	free(digest->ddict_memory);
	free(digest);
}

static int zstd_dict_create(int level, size_t src_bytes_max, const void *bytes,
			    size_t nr_bytes, void **out)
{
	struct zstd_digest *digest = calloc(1, sizeof(*digest));
	size_t room = ddict_room(nr_bytes);

	if (!digest)
		return -ENOMEM;
	digest->bytes = bytes;
	digest->nr_bytes = nr_bytes;
	digest->cparams = dict_parameters(level, src_bytes_max, nr_bytes);
	digest->ddict_memory = malloc(room);
	if (!digest->ddict_memory) {
		zstd_dict_destroy(digest);
		return -ENOMEM;
	}
	digest->ddict = ZSTD_initStaticDDict(digest->ddict_memory, room, bytes,
					     nr_bytes, ZSTD_dlm_byRef,
					     ZSTD_dct_fullDict);
	if (!digest->ddict) {
		zstd_dict_destroy(digest);
		return -EINVAL;
	}
	*out = digest;
	return 0;
}

static int zstd_train(int level, const void *samples, unsigned nr_samples,
		      size_t sample_bytes, void *dst, size_t dst_bytes,
		      size_t *out_bytes)
{
	const ZDICT_fastCover_params_t params = {
		.k = TRAIN_SEGMENT_BYTES,
		.d = TRAIN_STRING_BYTES,
		.f = TRAIN_TABLE_LOG,
		.accel = 1, /* look at every string */
		.splitPoint = 1, /* the caller keeps what to test it on */
		.zParams = {.compressionLevel = level},
	};
	size_t *lengths = malloc(nr_samples * sizeof(*lengths)), n;

	if (!lengths)
		return -ENOMEM;
	for (unsigned i = 0; i < nr_samples; i++)
		lengths[i] = sample_bytes;
	n = ZDICT_trainFromBuffer_fastCover(dst, dst_bytes, samples, lengths,
					    nr_samples, params);
	free(lengths);
	if (!ZDICT_isError(n)) {
		*out_bytes = n;
		return 0;
	}
	return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM
								    : -EINVAL;
}

/* --- pages --------------------------------------------------------------- */

static void attach(struct zstd_scratch *scratch,
		   const struct zstd_digest *digest)
{
	size_t ret;

	BUG_ON(digest && !digest->cdict);
	/* One that failed for want of room left its session open. */
	ret = ZSTD_CCtx_reset(scratch->cctx, ZSTD_reset_session_only);
	BUG_ON(ZSTD_isError(ret));
	ret = ZSTD_CCtx_refCDict(scratch->cctx, digest ? digest->cdict : NULL);
	BUG_ON(ZSTD_isError(ret));
	scratch->has_dict = digest;
}

static int zstd_compress(void *arg, const void *digest, const void *src,
			 size_t src_bytes, void *dst, size_t dst_bytes,
			 size_t *out_bytes)
{
	struct zstd_scratch *scratch = arg;
	size_t n;

	if (digest || scratch->has_dict)
		attach(scratch, digest);
	n = ZSTD_compress2(scratch->cctx, dst, dst_bytes, src, src_bytes);
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
static int zstd_decompress(void *arg, const void *digest, const void *src,
			   size_t src_bytes, void *dst, size_t dst_bytes)
{
	const ZSTD_DDict *ddict =
		digest ? ((const struct zstd_digest *)digest)->ddict : NULL;
	ZSTD_DCtx *dctx = ((struct zstd_scratch *)arg)->dctx;
	const unsigned char *from = src;
	unsigned char *to = dst;
	size_t bytes;

	if (ZSTD_isError(ZSTD_decompressBegin_usingDDict(dctx, ddict)))
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
	.dict_memory = zstd_dict_memory,
	.dict_create = zstd_dict_create,
	.dict_ready = zstd_dict_ready,
	.dict_rest = zstd_dict_rest,
	.dict_destroy = zstd_dict_destroy,
	.train = zstd_train,
};

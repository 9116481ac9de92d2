/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plz, whose dictionary is a model of it. Until there is one, and for what is
 * no page, it is zstd: a codec must compress before anything could be learned.
 * What was compressed tells by its dictionary which of the two it is.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "plz/plz.h"
#include "zcomp/zcomp_internal.h"

#define LEVEL_FAST    1
#define LEVEL_OPTIMAL 2

/* Longer pages are one in two hundred, and would be read for longest. */
#define WORTH_BYTES 2048u

/* What compresses without a model, and finds what a model's dictionary is of. */
#define PLAIN_LEVEL 1

struct plz_scratch {
	enum plz_effort effort;
	void *plain; /* of zstd */
	struct plz_workspace *work;
};

static void plz_destroy(void *arg)
{
	struct plz_scratch *scratch = arg;

	if (scratch->plain)
		zcomp_zstd.destroy(scratch->plain);
	free(scratch->work);
	free(scratch);
}

static int plz_create(int level, size_t src_bytes_max, void **out)
{
	struct plz_scratch *scratch = calloc(1, sizeof(*scratch));
	size_t bytes = align_up(plz_workspace_bytes(PLZ_TO_STORE),
				PLZ_WORKSPACE_ALIGN);
	int err;

	if (!scratch)
		return -ENOMEM;
	scratch->effort = level == LEVEL_OPTIMAL ? PLZ_OPTIMAL : PLZ_FAST;
	scratch->work = aligned_alloc(PLZ_WORKSPACE_ALIGN, bytes);
	err = scratch->work ? zcomp_zstd.create(PLAIN_LEVEL, src_bytes_max,
						&scratch->plain)
			    : -ENOMEM;
	if (err) {
		plz_destroy(scratch);
		return err;
	}
	*out = scratch;
	return 0;
}

/* --- pages --------------------------------------------------------------- */

static int compress_page(void *arg, const void *digest, const void *src,
			 size_t src_bytes, void *dst, size_t dst_bytes,
			 size_t *out_bytes)
{
	struct plz_scratch *scratch = arg;

	if (!digest || src_bytes != ZSD_PAGE_BYTES)
		return zcomp_zstd.compress(scratch->plain, NULL, src, src_bytes,
					   dst, dst_bytes, out_bytes);
	return plz_compress(digest, scratch->effort, scratch->work, src, dst,
			    dst_bytes, out_bytes);
}

static int decompress_page(void *arg, const void *digest, const void *src,
			   size_t src_bytes, void *dst, size_t dst_bytes)
{
	struct plz_scratch *scratch = arg;

	if (!digest || dst_bytes != ZSD_PAGE_BYTES)
		return zcomp_zstd.decompress(scratch->plain, NULL, src,
					     src_bytes, dst, dst_bytes);
	return plz_decompress(digest, scratch->work, src, src_bytes, dst) ? -EIO
									  : 0;
}

/* --- models -------------------------------------------------------------- */

static size_t model_bytes_besides(void)
{
	return plz_model_room(0);
}

/* Of a model, how much is its dictionary's, whatever it turns out to be. */
static size_t dict_part(size_t nr_bytes)
{
	const size_t rest = model_bytes_besides();

	return nr_bytes > rest ? min_u64(nr_bytes - rest, PLZ_DICT_MAX_BYTES)
			       : 0;
}

static size_t model_memory(int level, enum zcomp_use use, size_t src_bytes_max,
			   size_t nr_bytes)
{
	(void)level;
	(void)src_bytes_max;
	return use == ZCOMP_TO_DECOMPRESS
		       ? plz_model_memory()
		       : plz_tables_memory(dict_part(nr_bytes));
}

static int model_create(int level, size_t src_bytes_max, const void *bytes,
			size_t nr_bytes, void **out)
{
	struct plz_model *model;
	int err = plz_model_load(bytes, nr_bytes, &model);

	(void)level;
	(void)src_bytes_max;
	if (err)
		return err == -ENOMEM ? err : -EINVAL;
	*out = model;
	return 0;
}

static int model_ready(void *model)
{
	int err = plz_model_ready(model);

	return err == -EBADMSG ? -EINVAL : err;
}

static void model_rest(void *model)
{
	plz_model_rest(model);
}

static void model_destroy(void *model)
{
	plz_model_free(model);
}

/* What the samples have in common. Where that is too little, there is none. */
static int find_dict(const void *samples, unsigned nr_samples, void *dict,
		     size_t room_bytes, size_t *out_bytes)
{
	int err = -EINVAL;

	if (room_bytes >= ZCOMP_DICT_MIN_BYTES)
		err = zcomp_zstd.train(PLAIN_LEVEL, samples, nr_samples,
				       ZSD_PAGE_BYTES, dict, room_bytes,
				       out_bytes);
	if (err != -EINVAL)
		return err;
	*out_bytes = 0;
	return 0;
}

static int train_on_pages(const void *samples, unsigned nr_samples, void *dst,
			  size_t dict_room_bytes, size_t *out_bytes)
{
	struct plz_model *model;
	size_t dict_bytes;
	int err = find_dict(samples, nr_samples, dst, dict_room_bytes,
			    &dict_bytes);

	if (!err)
		err = plz_train(samples, nr_samples, dst, dict_bytes, &model);
	if (err)
		return err == -EMSGSIZE ? -EINVAL : err;
	plz_model_save(model, dst);
	*out_bytes = plz_model_bytes(model);
	plz_model_free(model);
	return 0;
}

/* The dictionary is found in @dst, where the model that has it goes. */
static int model_train(int level, const void *samples, unsigned nr_samples,
		       size_t sample_bytes, void *dst, size_t dst_bytes,
		       size_t *out_bytes)
{
	(void)level;
	if (sample_bytes != ZSD_PAGE_BYTES || dst_bytes < model_bytes_besides())
		return -EINVAL;
	return train_on_pages(samples, nr_samples, dst, dict_part(dst_bytes),
			      out_bytes);
}

const struct zcomp_ops zcomp_plz = {
	.name = "plz",
	.description = "plz[:1..2]",
	.level_min = LEVEL_FAST,
	.level_max = LEVEL_OPTIMAL,
	.level_default = LEVEL_FAST,
	.worth_bytes = WORTH_BYTES,
	.create = plz_create,
	.destroy = plz_destroy,
	.compress = compress_page,
	.decompress = decompress_page,
	.dict_bytes_besides = model_bytes_besides,
	.dict_memory = model_memory,
	.dict_create = model_create,
	.dict_ready = model_ready,
	.dict_rest = model_rest,
	.dict_destroy = model_destroy,
	.train = model_train,
};

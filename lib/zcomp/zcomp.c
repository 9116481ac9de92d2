/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zcomp/zcomp.h"
#include "zcomp/zcomp_internal.h"

struct zcomp_ctx {
	const struct zcomp_ops *ops;
	void *scratch;
};

struct zcomp_dict {
	const struct zcomp_ops *ops;
	void *digest;
};

static const struct zcomp_ops *const codecs[] = {&zcomp_lz4, &zcomp_zstd,
						 &zcomp_plz};

static const struct zcomp_ops *find_codec(const char *name, size_t name_bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
		if (strlen(codecs[i]->name) == name_bytes &&
		    memcmp(codecs[i]->name, name, name_bytes) == 0)
			return codecs[i];
	}
	return NULL;
}

static int parse_level(const struct zcomp_ops *ops, const char *text, int *out)
{
	long level;
	char *end;

	if (*text != '-' && !isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	level = strtol(text, &end, 10);
	if (end == text || *end != '\0')
		return -EINVAL;
	/* 0 is no level: zstd reads it as "your default", which ours is not. */
	if (errno || level == 0 || level < ops->level_min ||
	    level > ops->level_max)
		return -ERANGE;
	*out = (int)level;
	return 0;
}

int zcomp_parse(const char *text, struct zcomp_params *out)
{
	size_t name_bytes = strcspn(text, ":");
	struct zcomp_params params;
	int err;

	params.ops = find_codec(text, name_bytes);
	if (!params.ops)
		return -ENOENT;
	params.level = params.ops->level_default;
	if (text[name_bytes] == ':') {
		err = parse_level(params.ops, text + name_bytes + 1,
				  &params.level);
		if (err)
			return err;
	}
	*out = params;
	return 0;
}

char *zcomp_format(const struct zcomp_params *params,
		   char text[ZCOMP_NAME_BYTES])
{
	snprintf(text, ZCOMP_NAME_BYTES, "%s:%d", params->ops->name,
		 params->level);
	return text;
}

const char *zcomp_describe(size_t index)
{
	return index < ARRAY_SIZE(codecs) ? codecs[index]->description : NULL;
}

int zcomp_ctx_create(const struct zcomp_params *params, size_t src_bytes_max,
		     struct zcomp_ctx **out)
{
	struct zcomp_ctx *ctx = malloc(sizeof(*ctx));
	int err;

	if (!ctx)
		return -ENOMEM;
	ctx->ops = params->ops;
	err = ctx->ops->create(params->level, src_bytes_max, &ctx->scratch);
	if (err) {
		free(ctx);
		return err;
	}
	*out = ctx;
	return 0;
}

void zcomp_ctx_destroy(struct zcomp_ctx *ctx)
{
	if (!ctx)
		return;
	ctx->ops->destroy(ctx->scratch);
	free(ctx);
}

size_t zcomp_worth_bytes(const struct zcomp_params *params)
{
	return params->ops->worth_bytes ? params->ops->worth_bytes : SIZE_MAX;
}

bool zcomp_has_dicts(const struct zcomp_params *params)
{
	return params->ops && params->ops->dict_create;
}

/* Whether there may be a dictionary of so many bytes. */
static int check_dict(const struct zcomp_params *params, size_t nr_bytes)
{
	if (!zcomp_has_dicts(params))
		return -EOPNOTSUPP;
	return nr_bytes < ZCOMP_DICT_MIN_BYTES ||
			       nr_bytes > ZCOMP_DICT_MAX_BYTES
		       ? -EMSGSIZE
		       : 0;
}

int zcomp_dict_create(const struct zcomp_params *params, size_t src_bytes_max,
		      const void *bytes, size_t nr_bytes,
		      struct zcomp_dict **out)
{
	struct zcomp_dict *dict;
	int err = check_dict(params, nr_bytes);

	if (err)
		return err;
	dict = malloc(sizeof(*dict));
	if (!dict)
		return -ENOMEM;
	dict->ops = params->ops;
	err = dict->ops->dict_create(params->level, src_bytes_max, bytes,
				     nr_bytes, &dict->digest);
	if (err) {
		free(dict);
		return err;
	}
	err = zcomp_dict_ready(dict);
	if (err) {
		zcomp_dict_destroy(dict);
		return err;
	}
	*out = dict;
	return 0;
}

int zcomp_dict_ready(struct zcomp_dict *dict)
{
	return dict->ops->dict_ready(dict->digest);
}

void zcomp_dict_rest(struct zcomp_dict *dict)
{
	dict->ops->dict_rest(dict->digest);
}

void zcomp_dict_destroy(struct zcomp_dict *dict)
{
	if (!dict)
		return;
	dict->ops->dict_destroy(dict->digest);
	free(dict);
}

size_t zcomp_dict_memory(const struct zcomp_params *params, enum zcomp_use use,
			 size_t src_bytes_max, size_t nr_bytes)
{
	return (use == ZCOMP_TO_DECOMPRESS ? sizeof(struct zcomp_dict) : 0) +
	       params->ops->dict_memory(params->level, use, src_bytes_max,
					nr_bytes);
}

size_t zcomp_dict_bytes_besides(const struct zcomp_params *params)
{
	return params->ops->dict_bytes_besides
		       ? params->ops->dict_bytes_besides()
		       : 0;
}

int zcomp_train(const struct zcomp_params *params, const void *samples,
		unsigned nr_samples, size_t sample_bytes, void *dst,
		size_t dst_bytes, size_t *out_bytes)
{
	int err = check_dict(params, dst_bytes);

	return err ? err
		   : params->ops->train(params->level, samples, nr_samples,
					sample_bytes, dst, dst_bytes,
					out_bytes);
}

int zcomp_compress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
		   const void *src, size_t src_bytes, void *dst,
		   size_t dst_bytes, size_t *out_bytes)
{
	return ctx->ops->compress(ctx->scratch, dict ? dict->digest : NULL, src,
				  src_bytes, dst, dst_bytes, out_bytes);
}

int zcomp_decompress(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
		     const void *src, size_t src_bytes, void *dst,
		     size_t dst_bytes)
{
	return ctx->ops->decompress(ctx->scratch, dict ? dict->digest : NULL,
				    src, src_bytes, dst, dst_bytes);
}

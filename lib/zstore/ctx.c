/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a thread works with: scratch, which it has once, and a context for each
 * store.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "zstore/zstore_internal.h"

#define CACHE_LINE 64u

/* A codec's context, which all contexts of stores with that codec and level
 * share. */
struct codec {
	struct list_node node;
	struct zcomp_params params;
	struct zcomp_ctx *zcomp;
	unsigned nr_users;
};

/* Zeroed memory that shares no cache line with anything else. */
static void *alloc_lines(size_t bytes)
{
	void *p;

	bytes = align_up(bytes, CACHE_LINE);
	p = aligned_alloc(CACHE_LINE, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

/* --- scratch ------------------------------------------------------------- */

int zstore_scratch_create(struct zstore_scratch **out)
{
	struct zstore_scratch *scratch = alloc_lines(sizeof(*scratch));

	if (!scratch)
		return -ENOMEM;
	list_init(&scratch->codecs);
	*out = scratch;
	return 0;
}

void zstore_scratch_destroy(struct zstore_scratch *scratch)
{
	if (!scratch)
		return;
	BUG_ON(!list_is_empty(&scratch->codecs));
	free(scratch->brought);
	free(scratch);
}

static struct codec *find_codec(struct zstore_scratch *scratch,
				const struct zcomp_params *params)
{
	struct codec *codec, *next;

	list_for_each_safe (codec, next, &scratch->codecs, struct codec, node) {
		if (codec->params.ops == params->ops &&
		    codec->params.level == params->level)
			return codec;
	}
	return NULL;
}

static struct codec *add_codec(struct zstore_scratch *scratch,
			       const struct zcomp_params *params)
{
	struct codec *codec = calloc(1, sizeof(*codec));

	if (!codec)
		return NULL;
	codec->params = *params;
	if (zcomp_ctx_create(params, ZSD_PAGE_BYTES, &codec->zcomp)) {
		free(codec);
		return NULL;
	}
	list_add_tail(&scratch->codecs, &codec->node);
	return codec;
}

/* Return: NULL where there is no memory. */
static struct codec *get_codec(struct zstore_scratch *scratch,
			       const struct zcomp_params *params)
{
	struct codec *codec = find_codec(scratch, params);

	if (!codec)
		codec = add_codec(scratch, params);
	if (codec)
		codec->nr_users++;
	return codec;
}

static void put_codec(struct codec *codec)
{
	if (--codec->nr_users)
		return;
	list_del(&codec->node);
	zcomp_ctx_destroy(codec->zcomp);
	free(codec);
}

/* --- blocks --------------------------------------------------------------- */

/* Have room for them, for a store with a backing. 0 or -ENOMEM. */
static int get_blocks(struct zstore_scratch *scratch,
		      const struct zstore *store)
{
	if (!store->block_pages || scratch->brought)
		return 0;
	scratch->brought =
		alloc_lines(ZSTORE_NEED_MAX * sizeof(*scratch->brought));
	return scratch->brought ? 0 : -ENOMEM;
}

/* Another store may come to be where this one is. */
static void forget_blocks(struct zstore_scratch *scratch,
			  const struct zstore *store)
{
	for (unsigned i = 0; scratch->brought && i < ZSTORE_NEED_MAX; i++) {
		if (scratch->brought[i].store == store)
			scratch->brought[i].store = NULL;
	}
}

/* --- contexts ------------------------------------------------------------ */

static void put_codecs(struct zstore_ctx *ctx)
{
	for (unsigned i = 0; i < ZSTORE_CODECS; i++) {
		if (ctx->codecs[i])
			put_codec(ctx->codecs[i]);
	}
}

/* 0 or -ENOMEM. */
static int get_codecs(struct zstore_ctx *ctx)
{
	for (unsigned i = 0; i < ZSTORE_CODECS; i++) {
		const struct zcomp_params *params = zstore_codec(ctx->store, i);

		if (!params->ops)
			continue;
		ctx->codecs[i] = get_codec(ctx->scratch, params);
		if (!ctx->codecs[i]) {
			put_codecs(ctx);
			return -ENOMEM;
		}
		ctx->zcomp[i] = ctx->codecs[i]->zcomp;
	}
	return 0;
}

int zstore_ctx_create(struct zstore *store, struct zstore_scratch *scratch,
		      struct zstore_ctx **out)
{
	struct zstore_ctx *ctx = alloc_lines(sizeof(*ctx));

	if (!ctx)
		return -ENOMEM;
	ctx->store = store;
	ctx->scratch = scratch;
	if (get_blocks(scratch, store) || get_codecs(ctx)) {
		free(ctx);
		return -ENOMEM;
	}
	pthread_mutex_lock(&store->ctxs_lock);
	list_add_tail(&store->ctxs, &ctx->node);
	pthread_mutex_unlock(&store->ctxs_lock);
	*out = ctx;
	return 0;
}

void zstore_ctx_never_wait(struct zstore_ctx *ctx)
{
	ctx->never_waits = true;
}

void zstore_ctx_destroy(struct zstore_ctx *ctx)
{
	struct zstore *store;

	if (!ctx)
		return;
	zstore_ctx_rest(ctx);
	store = ctx->store;
	pthread_mutex_lock(&store->ctxs_lock);
	list_del(&ctx->node);
	for (unsigned i = 0; i < NR_COUNTERS; i++)
		store->retired[i] += ctx->counters[i];
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++)
		store->retired_dict_pages[i] += ctx->dict_pages[i];
	pthread_mutex_unlock(&store->ctxs_lock);
	put_codecs(ctx);
	forget_blocks(ctx->scratch, store);
	free(ctx);
}

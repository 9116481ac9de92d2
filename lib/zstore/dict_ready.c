/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What storing with a dictionary of the secondary codec takes: it is there
 * while somebody recompresses.
 */
#include "config.h"

#include <errno.h>

#include "zstore/zstore_internal.h"

/* For one context more. */
static int add_user(struct zstore *store, unsigned number)
{
	const uint64_t bytes = zstore_dict_ready_bytes(
		store, ZSTORE_SECONDARY, store->dict_bytes[number]);
	int err = 0;

	pthread_mutex_lock(&store->ready_lock);
	/* Recompression makes room. */
	if (!store->dict_users[number])
		err = zs_pool_charge(store->pool, bytes, ZS_SHRINKING);
	if (!err && !store->dict_users[number]) {
		err = zcomp_dict_ready(zstore_dict_of(store, number));
		if (err)
			zs_pool_uncharge(store->pool, bytes);
	}
	if (!err)
		atomic_fetch_add(&store->dict_users[number], 1);
	pthread_mutex_unlock(&store->ready_lock);
	return err == -EINVAL ? -EIO : err;
}

static void remove_user(struct zstore *store, unsigned number)
{
	pthread_mutex_lock(&store->ready_lock);
	if (atomic_fetch_sub(&store->dict_users[number], 1) == 1) {
		zcomp_dict_rest(zstore_dict_of(store, number));
		zs_pool_uncharge(
			store->pool,
			zstore_dict_ready_bytes(store, ZSTORE_SECONDARY,
						store->dict_bytes[number]));
	}
	pthread_mutex_unlock(&store->ready_lock);
}

int zstore_ctx_ready(struct zstore_ctx *ctx)
{
	const unsigned current = zstore_ctx_dict(ctx, ZSTORE_SECONDARY);
	int err = 0;

	if (likely(ctx->ready_dict == current))
		return 0;
	zstore_ctx_rest(ctx);
	if (current)
		err = add_user(ctx->store, current);
	if (!err)
		atomic_store(&ctx->ready_dict, current);
	return err;
}

void zstore_ctx_rest(struct zstore_ctx *ctx)
{
	if (!ctx->ready_dict)
		return;
	remove_user(ctx->store, ctx->ready_dict);
	atomic_store(&ctx->ready_dict, 0); /* it may go from now on */
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "zstore/zstore_internal.h"

int64_t zstore_sum(struct zstore *store, enum zstore_counter counter)
{
	struct zstore_ctx *ctx, *next;
	int64_t sum;

	pthread_mutex_lock(&store->ctxs_lock);
	sum = store->retired[counter];
	list_for_each_safe (ctx, next, &store->ctxs, struct zstore_ctx, node)
		sum += atomic_load_explicit(&ctx->counters[counter],
					    memory_order_acquire);
	pthread_mutex_unlock(&store->ctxs_lock);
	return sum;
}

uint64_t zstore_gauge(struct zstore *store, enum zstore_counter counter)
{
	int64_t n = zstore_sum(store, counter);

	return n > 0 ? (uint64_t)n : 0;
}

void zstore_stats(struct zstore *store, struct zstore_stats *out)
{
	struct zs_pool_stats pool;

	zs_pool_stats(store->pool, &pool);
	*out = (struct zstore_stats){
		.orig_data_size = zstore_gauge(store, COUNT_pages_stored) *
				  ZSD_PAGE_BYTES,
		.compr_data_size = zstore_gauge(store, COUNT_compr_data_size),
		.mem_used_total = pool.pages_used * ZSD_PAGE_BYTES,
		.mem_limit = pool.limit_bytes,
		.mem_used_max = pool.pages_used_max * ZSD_PAGE_BYTES,
		.same_pages = zstore_gauge(store, COUNT_same_pages),
		.pages_compacted = pool.pages_compacted,
		.huge_pages = zstore_gauge(store, COUNT_huge_pages),
		.pages_sharing = zstore_gauge(store, COUNT_pages_sharing),
		.huge_pages_since = zstore_gauge(store, COUNT_huge_pages_since),
		.failed_reads = zstore_gauge(store, COUNT_failed_reads),
		.corrupt_reads = zstore_gauge(store, COUNT_corrupt_reads),
		.failed_writes = zstore_gauge(store, COUNT_failed_writes),
		.notify_free = zstore_gauge(store, COUNT_notify_free),
		.metadata_bytes = pool.metadata_bytes + pool.charged_bytes,
		.reserve_bytes = pool.pages_reserve * ZSD_PAGE_BYTES,
		.direct_grows = pool.direct_grows,
	};
}

bool zstore_class_stats(struct zstore *store, unsigned class_idx,
			struct zs_class_stats *out)
{
	return zs_class_stats(store->pool, class_idx, out);
}

void zstore_reset_peak(struct zstore *store)
{
	zs_pool_reset_peak(store->pool);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_zspage.h"

/* Groups of up to a quarter of the objects in use; the others are almost full. */
#define NR_ALMOST_EMPTY (ZS_NR_PARTIAL_GROUPS / 4)

bool zs_class_stats(struct zs_pool *pool, unsigned class_idx,
		    struct zs_class_stats *out)
{
	struct zs_class *class = &pool->classes[class_idx];
	struct zs_class_stats stats = {.geometry = class->geometry};

	if (pool->class_of[class_idx] != class_idx)
		return false;
	zs_class_lock(class);
	for (unsigned g = 0; g < ZS_NR_PARTIAL_GROUPS; g++) {
		if (g < NR_ALMOST_EMPTY)
			stats.almost_empty += class->nr_zspages[g];
		else
			stats.almost_full += class->nr_zspages[g];
	}
	stats.full = class->nr_zspages[ZS_GROUP_FULL];
	stats.obj_allocated = class->obj_allocated;
	stats.obj_used = class->obj_used;
	stats.pages_used = class->nr_pages;
	if (!class->is_huge)
		stats.freeable = zs_class_freeable(class);
	pthread_mutex_unlock(&class->lock);
	*out = stats;
	return true;
}

void zs_pool_stats(struct zs_pool *pool, struct zs_pool_stats *out)
{
	struct zs_arena *arena = &pool->arena;

	pthread_mutex_lock(&arena->lock);
	*out = (struct zs_pool_stats){
		.pages_used = arena->nr_used,
		.pages_used_max = arena->nr_used_max,
		.pages_reserve = arena->free.nr,
		.metadata_bytes = arena->metadata_bytes,
		.charged_bytes = arena->charged_bytes,
		.limit_bytes = arena->limit_bytes,
		.direct_grows = arena->direct_grows,
		.damages = arena->nr_damages,
	};
	pthread_mutex_unlock(&arena->lock);
	out->pages_compacted = atomic_load_explicit(&pool->pages_compacted,
						    memory_order_relaxed);
	out->objs_moved =
		atomic_load_explicit(&pool->objs_moved, memory_order_relaxed);
	out->pages_retired = atomic_load_explicit(&pool->pages_retired,
						  memory_order_relaxed);
	out->classes_searched = atomic_load_explicit(&pool->classes_searched,
						     memory_order_relaxed);
}

zs_handle zs_pool_handles_end(const struct zs_pool *pool)
{
	return (zs_handle)pool->handles.nr_fresh;
}

zs_handle zs_pool_handles_max(const struct zs_pool *pool)
{
	return (zs_handle)pool->handles.nr_max;
}

void zs_pool_reset_peak(struct zs_pool *pool)
{
	pthread_mutex_lock(&pool->arena.lock);
	pool->arena.nr_used_max = pool->arena.nr_used;
	pthread_mutex_unlock(&pool->arena.lock);
}

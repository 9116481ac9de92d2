/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_class - the zspages of a class, in lists by how full they are
 *
 * Context: the class's lock is held, but for those that take it.
 */
#ifndef ZSD_ZSMALLOC_ZS_CLASS_H
#define ZSD_ZSMALLOC_ZS_CLASS_H

#include "zsmalloc/zs_internal.h"

/*
 * Take the class's lock, and let it be known while that takes: a thread that
 * holds it for long looks whether somebody waits.
 */
static inline void zs_class_lock(struct zs_class *class)
{
	if (likely(!pthread_mutex_trylock(&class->lock)))
		return;
	atomic_fetch_add_explicit(&class->nr_waiting, 1, memory_order_relaxed);
	pthread_mutex_lock(&class->lock);
	atomic_fetch_sub_explicit(&class->nr_waiting, 1, memory_order_relaxed);
}

static inline bool zs_class_is_wanted(const struct zs_class *class)
{
	return atomic_load_explicit(&class->nr_waiting, memory_order_relaxed);
}

/*
 * The fullest zspage that has a free object, or NONE. What has holes comes
 * before the growing zspage, which would cost a page.
 */
uint32_t zs_class_find_room(const struct zs_pool *pool,
			    const struct zs_class *class);

/*
 * Move @head to the list where it belongs now that it has other than
 * @old_inuse objects in use. With none in use it is in no list.
 */
void zs_zspage_refile(struct zs_pool *pool, struct zs_class *class,
		      uint32_t head, unsigned old_inuse);

/* The class's fullness group for @inuse > 0 objects. */
unsigned zs_fullness_group(const struct zs_class *class, unsigned inuse);

/*
 * Pages that compaction could certainly free: all but those of as many full
 * zspages as the objects in use add up to, and what those left over need.
 */
uint64_t zs_class_freeable(const struct zs_class *class);

/* Free objects came, @class's lock being held: see is_compact. */
static inline void zs_class_loosen(struct zs_class *class)
{
	atomic_store_explicit(&class->is_compact, false, memory_order_relaxed);
}

static inline uint64_t zs_class_obj_free(const struct zs_class *class)
{
	return class->obj_allocated - class->obj_used;
}

#endif

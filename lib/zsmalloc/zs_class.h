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

/* Objects in use of a zspage. */
static inline unsigned zs_inuse(const struct zs_pool *pool, uint32_t head)
{
	return zs_state_inuse(zs_state_load(&pool->arena, head));
}

/* Its first free object, or ZS_OBJ_NONE. */
static inline unsigned zs_freeobj(const struct zs_pool *pool, uint32_t head)
{
	return zs_state_freeobj(zs_state_load(&pool->arena, head));
}

/* --- Lists --------------------------------------------------------------- */

/* The class's fullness group for @inuse > 0 objects. */
unsigned zs_fullness_group(const struct zs_class *class, unsigned inuse);

/*
 * The fullest zspage that has a free object, or NONE. What has holes comes
 * before the growing zspage, which would cost a page.
 */
uint32_t zs_class_find_room(struct zs_pool *pool, struct zs_class *class);

/* The zspage behind @head in its list, or NONE: also where the list was torn,
 * and all are new. */
uint32_t zs_class_next(struct zs_pool *pool, struct zs_class *class,
		       uint32_t head);

/*
 * Move @head to the list where it belongs now that it has other than
 * @old_inuse objects in use. With none in use it is in no list. Return: false
 * where the list was torn: then all are new, and each zspage is where it
 * belongs.
 */
bool zs_zspage_refile(struct zs_pool *pool, struct zs_class *class,
		      uint32_t head, unsigned old_inuse);

/* Take a zspage that is in none yet into the list where it belongs, and into
 * the account. */
void zs_class_enter(struct zs_pool *pool, struct zs_class *class,
		    uint32_t head);

/* --- Damage -------------------------------------------------------------- */

/*
 * Make lists and account anew from the descriptors, and count that it had to
 * be. Cost: a look at the descriptor of each page of the arena.
 */
void zs_class_mend(struct zs_pool *pool, struct zs_class *class);

/*
 * Take a zspage that was found damaged out of use: its objects stay, and can be
 * read, but none of its places is used again, whatever the image says of them.
 */
void zs_class_retire(struct zs_pool *pool, struct zs_class *class,
		     uint32_t head);

bool zs_zspage_is_retired(const struct zs_pool *pool, uint32_t head);

/* --- Account ------------------------------------------------------------- */

/*
 * Pages that compaction could certainly free: all but those of as many full
 * zspages as the objects in use add up to, and what those left over need.
 */
uint64_t zs_class_freeable(const struct zs_class *class);

/* Free objects came: see is_compact. */
static inline void zs_class_loosen(struct zs_class *class)
{
	atomic_store_explicit(&class->is_compact, false, memory_order_relaxed);
}

static inline uint64_t zs_class_obj_free(const struct zs_class *class)
{
	return class->obj_allocated - class->obj_used;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool: its life, and the life of its objects.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/lock.h"
#include "zsmalloc/zs_adopt.h"
#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_handle.h"
#include "zsmalloc/zs_object.h"
#include "zsmalloc/zs_zspage.h"

/* --- Create and destroy -------------------------------------------------- */

uint64_t zs_pool_handles_bytes(const struct zs_pool_params *params)
{
	return zs_handles_bytes(params);
}

uint64_t zs_pool_image_bytes(const struct zs_pool_params *params)
{
	return zs_handles_bytes(params) +
	       zs_arena_descriptor_bytes(params->nr_pages) +
	       params->nr_pages * ZSD_PAGE_BYTES;
}

static bool params_are_valid(const struct zs_pool_params *params)
{
	return params->chain_size >= ZS_CHAIN_SIZE_MIN &&
	       params->chain_size <= ZS_CHAIN_SIZE_MAX && params->nr_handles &&
	       params->nr_handles <= ZS_MAX_HANDLES && params->nr_pages &&
	       params->nr_pages <= ZS_MAX_PAGES &&
	       params->reserve_pages <= params->nr_pages;
}

static void init_class(struct zs_class *class, struct zs_geometry geometry,
		       bool inherit_priority)
{
	CHECK(geometry.objs_per_zspage <= ZS_MAX_OBJS);
	lock_init(&class->lock, inherit_priority);
	class->geometry = geometry;
	class->is_huge = geometry.size_bytes == ZS_MAX_OBJ_BYTES;
	class->growing = ZS_PAGE_NONE;
	for (unsigned g = 0; g < ZS_NR_GROUPS; g++)
		class->first_zspage[g] = ZS_PAGE_NONE;
}

static void init_classes(struct zs_pool *pool,
			 const struct zs_pool_params *params)
{
	struct zs_geometry table[ZS_NR_CLASSES];
	unsigned largest = 0;

	zs_geometry_table(params->chain_size, table);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		struct zs_geometry geometry = table[i];

		pool->class_of[i] = (uint8_t)geometry.class_idx;
		init_class(&pool->classes[i], geometry,
			   params->inherit_priority);
		if (geometry.size_bytes < ZS_MAX_OBJ_BYTES)
			largest = geometry.size_bytes;
	}
	/* The first payload that the largest class cannot hold. */
	pool->huge_class_bytes = largest - ZS_HEADER_BYTES + 1;
}

/* A pool that knows nothing of what is in the mapping. */
static int make_pool(const struct zs_pool_params *params, struct mapping *map,
		     uint64_t offset, struct zs_pool **out)
{
	struct zs_pool *pool;

	if (!params_are_valid(params))
		return -EINVAL;
	pool = aligned_alloc(_Alignof(struct zs_pool), sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	memset(pool, 0, sizeof(*pool));
	init_classes(pool, params);
	zs_handles_init(&pool->handles, params, map, offset);
	zs_arena_init(&pool->arena, params, map,
		      offset + zs_handles_bytes(params));
	*out = pool;
	return 0;
}

int zs_pool_create(const struct zs_pool_params *params, struct mapping *map,
		   uint64_t offset, struct zs_pool **out)
{
	struct zs_pool *pool;
	int err = make_pool(params, map, offset, &pool);

	if (err)
		return err;
	while (zs_arena_housekeep(&pool->arena, UINT64_MAX))
		;
	if (pool->arena.free.nr < params->reserve_pages) {
		zs_pool_destroy(pool);
		return -ENOMEM;
	}
	*out = pool;
	return 0;
}

int zs_pool_open(const struct zs_pool_params *params, struct mapping *map,
		 uint64_t offset, struct zs_pool **out)
{
	struct zs_pool *pool;
	int err = make_pool(params, map, offset, &pool);

	if (err)
		return err;
	err = zs_adoption_begin(pool);
	if (err)
		zs_pool_destroy(pool);
	else
		*out = pool;
	return err;
}

void zs_pool_destroy(struct zs_pool *pool)
{
	if (!pool)
		return;
	zs_adoption_end(pool);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++)
		pthread_mutex_destroy(&pool->classes[i].lock);
	zs_handles_fini(&pool->handles);
	zs_arena_fini(&pool->arena);
	free(pool);
}

void zs_pool_set_limit(struct zs_pool *pool, uint64_t limit_bytes)
{
	pthread_mutex_lock(&pool->arena.lock);
	pool->arena.limit_bytes = limit_bytes;
	pthread_mutex_unlock(&pool->arena.lock);
}

int zs_pool_charge(struct zs_pool *pool, uint64_t bytes, enum zs_alloc how)
{
	return zs_arena_charge(&pool->arena, bytes, how);
}

void zs_pool_uncharge(struct zs_pool *pool, uint64_t bytes)
{
	zs_arena_uncharge(&pool->arena, bytes);
}

bool zs_pool_housekeep(struct zs_pool *pool, uint64_t max_pages)
{
	return zs_arena_housekeep(&pool->arena, max_pages);
}

uint64_t zs_pool_shrink(struct zs_pool *pool)
{
	return zs_arena_shrink(&pool->arena);
}

/* --- Allocate and free --------------------------------------------------- */

/* A zspage with a free object: one that there is, or with a page from the
 * reserve. */
static int find_room(struct zs_pool *pool, struct zs_class *class,
		     enum zs_alloc how, uint32_t *head)
{
	uint32_t page;
	int err;

	*head = zs_class_find_room(pool, class);
	if (likely(*head != ZS_PAGE_NONE))
		return 0;
	err = zs_arena_take(&pool->arena, how, &page);
	if (!err)
		*head = zs_class_add_page(pool, class, page);
	return err;
}

/* A zspage that turns out to be damaged is taken out of use: then the next. */
static int take_obj(struct zs_pool *pool, struct zs_class *class,
		    enum zs_alloc how, zs_handle handle, uint64_t *entry)
{
	_Atomic uint64_t *home = &pool->handles.entries[handle];
	struct zs_taken taken;
	uint32_t head;
	int err;

	while (!(err = find_room(pool, class, how, &head))) {
		if (zs_zspage_is_fit(pool, class, head) &&
		    likely(zs_zspage_take_obj(pool, class, head, NULL, handle,
					      &taken)))
			break;
		zs_class_retire(pool, class, head);
	}
	if (err)
		return err;
	*entry = taken.entry;
	atomic_store_explicit(home, zs_entry_filling(taken.entry),
			      memory_order_relaxed);
	class->obj_used++;
	zs_zspage_refile(pool, class, head, zs_inuse(pool, head) - 1);
	CHECK_ZSPAGE(!zs_zspage_fault(pool, class, head));
	return 0;
}

/*
 * A handle, and an object of the class for it, which is to be filled: its entry
 * is not live yet. @entry: what it will be then. The class's lock is held.
 */
static int allocate(struct zs_pool *pool, struct zs_class *class,
		    enum zs_alloc how, zs_handle *handle, uint64_t *entry)
{
	int err = zs_handle_get(pool, class, handle);

	if (err)
		return err;
	err = take_obj(pool, class, how, *handle, entry);
	if (err)
		zs_handle_put(pool, class, *handle);
	return err;
}

int zs_store(struct zs_pool *pool, const void *src, size_t bytes, uint32_t tag,
	     enum zs_alloc how, zs_handle *out)
{
	struct zs_class *class;
	zs_handle handle;
	uint64_t entry;
	int err;

	if (!bytes)
		return -EINVAL;
	if (bytes > ZS_MAX_OBJ_BYTES)
		return -E2BIG;
	class = &pool->classes[zs_lookup_class_index(pool, bytes)];
	zs_class_lock(class);
	err = allocate(pool, class, how, &handle, &entry);
	pthread_mutex_unlock(&class->lock);
	if (err)
		return err;
	if (unlikely(!zs_obj_fill(pool, entry, src, bytes))) {
		zs_note_damage(&pool->arena); /* it stays as it is */
		return -EIO;
	}
	zs_handle_set_tag(pool, handle, tag);
	zs_handle_unpin(pool, handle, entry); /* complete: now it is live */
	*out = handle;
	return 0;
}

int zs_make_ready(struct zs_pool *pool, enum zs_alloc how)
{
	if (zs_handles_are_short(pool))
		return zs_handles_refill(pool, how);
	return zs_arena_refill(&pool->arena, how);
}

/*
 * The zspage of the object that @entry leads to, or NONE where the descriptors
 * do not say the same.
 */
static uint32_t head_of(const struct zs_pool *pool,
			const struct zs_class *class, uint64_t entry)
{
	uint32_t at = zs_entry_obj(entry) * class->geometry.size_bytes;
	uint32_t page = zs_entry_page(entry), head = page;

	if (page >= zs_nr_described(&pool->arena))
		return ZS_PAGE_NONE;
	if (at >= ZSD_PAGE_BYTES) {
		head = pool->arena.descs[page].head;
		if (zs_state_load(&pool->arena, page) !=
		    zs_state_tail(class->geometry.class_idx, head))
			return ZS_PAGE_NONE;
	}
	return zs_is_zspage(pool, class, head) ? head : ZS_PAGE_NONE;
}

/*
 * Give an object back to its zspage. What does not fit together is left alone:
 * then its place is never used again. The class's lock is held.
 */
static void put_obj(struct zs_pool *pool, struct zs_class *class,
		    uint64_t entry, zs_handle handle)
{
	uint32_t head = head_of(pool, class, entry);
	unsigned inuse;

	if (unlikely(head == ZS_PAGE_NONE)) {
		zs_note_damage(&pool->arena);
		return;
	}
	if (unlikely(zs_zspage_is_retired(pool, head)))
		return;
	if (!zs_zspage_is_fit(pool, class, head) ||
	    unlikely(!zs_zspage_put_obj(pool, class, head, entry, handle))) {
		zs_class_retire(pool, class, head);
		return;
	}
	inuse = zs_inuse(pool, head);
	class->obj_used--;
	zs_zspage_refile(pool, class, head, inuse + 1);
	zs_class_loosen(class);
	if (!inuse)
		zs_zspage_give_back(pool, class, head);
	else
		CHECK_ZSPAGE(!zs_zspage_fault(pool, class, head));
}

void zs_free(struct zs_pool *pool, zs_handle handle)
{
	struct zs_class *class;
	uint64_t entry;
	int err = zs_handle_pin(pool, handle, &entry);

	BUG_ON(err == -ESTALE);
	if (unlikely(err)) {
		zs_note_damage(&pool->arena);
		return;
	}
	class = &pool->classes[zs_entry_class(entry)];
	zs_class_lock(class);
	put_obj(pool, class, entry, handle);
	zs_handle_put(pool, class, handle);
	pthread_mutex_unlock(&class->lock);
}

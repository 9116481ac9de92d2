/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compaction: empty the emptiest zspages of a class into its fullest, as long
 * as that is certain to free a whole one.
 *
 * As in the kernel since 6.4, the destination stays the same until it is full,
 * so that no object is moved twice; unlike there, an object whose handle is
 * pinned is passed over instead of waited for.
 */
#include "config.h"

#include <sched.h>

#include "zsmalloc/zs_internal.h"

/*
 * Objects moved under one hold of a class's lock, by zs_compact(). About 10 us
 * of copying: what a request may have to wait.
 */
#define SLICE_OBJECTS 64u

/* What a slice does to one class. */
struct migration {
	struct zs_pool *pool;
	struct zs_class *class;
	unsigned budget; /* objects that may still be moved */
	uint32_t freed; /* pages of emptied zspages, chained by next */
	uint32_t nr_freed;
};

/*
 * The growing zspage goes first: with the fewest objects to have free
 * elsewhere, and none of its own that a page would have to be added for.
 */
static uint32_t pick_src(const struct zs_class *class)
{
	if (class->growing != ZS_PAGE_NONE)
		return class->growing;
	for (unsigned g = 0; g < ZS_NR_PARTIAL_GROUPS; g++) {
		if (class->first_zspage[g] != ZS_PAGE_NONE)
			return class->first_zspage[g];
	}
	return ZS_PAGE_NONE;
}

/* The fullest zspage with room that is not @src. */
static uint32_t fullest_but(const struct zs_pool *pool,
			    const struct zs_class *class, uint32_t src)
{
	for (unsigned g = ZS_NR_PARTIAL_GROUPS; g-- > 0;) {
		uint32_t head = class->first_zspage[g];

		if (head == src)
			head = pool->arena.pages[head].list_next;
		if (head != ZS_PAGE_NONE)
			return head;
	}
	return ZS_PAGE_NONE;
}

/* Copy an object, header and all, from page chain to page chain. */
static void copy_obj(const struct zs_pool *pool, struct zs_place to,
		     struct zs_place from, size_t bytes)
{
	while (bytes) {
		size_t n = bytes;

		if (n > ZSD_PAGE_BYTES - to.offset_bytes)
			n = ZSD_PAGE_BYTES - to.offset_bytes;
		if (n > ZSD_PAGE_BYTES - from.offset_bytes)
			n = ZSD_PAGE_BYTES - from.offset_bytes;
		memcpy(zs_page_address(&pool->arena, to.page) + to.offset_bytes,
		       zs_page_address(&pool->arena, from.page) +
			       from.offset_bytes,
		       n);
		bytes -= n;
		to.offset_bytes += (uint32_t)n;
		from.offset_bytes += (uint32_t)n;
		if (to.offset_bytes == ZSD_PAGE_BYTES && bytes) {
			to.page = pool->arena.pages[to.page].next;
			to.offset_bytes = 0;
		}
		if (from.offset_bytes == ZSD_PAGE_BYTES && bytes) {
			from.page = pool->arena.pages[from.page].next;
			from.offset_bytes = 0;
		}
	}
}

/* Move object @obj of @src to @dst unless it is free or pinned. */
static bool migrate_obj(struct migration *m, uint32_t src, unsigned obj,
			struct zs_place from, uint32_t dst)
{
	uint32_t header = zs_obj_header_load(m->pool, m->class, from);
	zs_handle handle = header >> 1;
	struct zs_place to;
	uint64_t entry;

	if (!(header & ZS_HEADER_ALLOCATED) ||
	    !zs_handle_try_pin(m->pool, handle))
		return false;
	entry = zs_zspage_take_obj(m->pool, m->class, dst, handle);
	to.page = zs_entry_page(entry);
	to.offset_bytes = zs_entry_obj(entry) * m->class->geometry.size_bytes %
			  ZSD_PAGE_BYTES;
	copy_obj(m->pool, to, from, m->class->geometry.size_bytes);
	zs_zspage_put_obj(m->pool, m->class, src, obj, from);
	zs_handle_unpin(m->pool, handle, entry);
	return true;
}

/*
 * Move objects from *obj of @src on until @dst is full, @src is at its end or
 * the budget is spent. Return: how many.
 */
static unsigned migrate(struct migration *m, uint32_t src, unsigned *obj,
			uint32_t dst)
{
	struct zs_page *pages = m->pool->arena.pages;
	unsigned n = m->class->geometry.objs_per_zspage;
	unsigned src_inuse = pages[src].inuse, dst_inuse = pages[dst].inuse;
	unsigned moved = 0;

	while (*obj < n && pages[src].inuse && pages[dst].inuse < n &&
	       moved < m->budget) {
		struct zs_place from =
			zs_obj_place(m->pool, m->class, src, *obj);

		moved += migrate_obj(m, src, *obj, from, dst);
		++*obj;
	}
	m->budget -= moved;
	zs_zspage_refile(m->pool, m->class, dst, dst_inuse);
	zs_zspage_refile(m->pool, m->class, src, src_inuse);
	return moved;
}

/* Put the pages of @head, which is empty, to those that are to be freed. */
static void collect(struct migration *m, uint32_t head)
{
	struct zs_page *pages = m->pool->arena.pages;
	uint32_t nr_pages, last = head;

	zs_zspage_detach(m->pool, m->class, head, &nr_pages);
	while (pages[last].next != ZS_PAGE_NONE)
		last = pages[last].next;
	pages[last].next = m->freed;
	m->freed = head;
	m->nr_freed += nr_pages;
}

/* Empty one zspage as far as the budget goes. Return: objects moved. */
static unsigned empty_one(struct migration *m)
{
	struct zs_page *pages = m->pool->arena.pages;
	uint32_t src = pick_src(m->class);
	unsigned obj = 0, moved = 0;

	while (obj < m->class->geometry.objs_per_zspage && pages[src].inuse &&
	       m->budget) {
		uint32_t dst = fullest_but(m->pool, m->class, src);

		if (dst == ZS_PAGE_NONE)
			break;
		moved += migrate(m, src, &obj, dst);
	}
	if (!pages[src].inuse)
		collect(m, src);
	return moved;
}

/* Return: whether the class has more to move (and is not held by pins). */
static bool compact_class(struct zs_pool *pool, struct zs_class *class,
			  unsigned *budget, uint64_t *freed_pages)
{
	struct migration m = {
		.pool = pool,
		.class = class,
		.budget = *budget,
		.freed = ZS_PAGE_NONE,
	};
	unsigned moved = 1;
	bool more;

	pthread_mutex_lock(&class->lock);
	while (zs_class_freeable(pool, class) && m.budget && moved)
		moved = empty_one(&m);
	more = zs_class_freeable(pool, class) && moved;
	pthread_mutex_unlock(&class->lock);
	if (m.nr_freed)
		zs_arena_put(&pool->arena, m.freed, m.nr_freed);

	atomic_fetch_add_explicit(&pool->objs_moved, *budget - m.budget,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&pool->pages_compacted, m.nr_freed,
				  memory_order_relaxed);
	*budget = m.budget;
	*freed_pages += m.nr_freed;
	return more;
}

bool zs_compact_slice(struct zs_pool *pool, struct zs_compact_cursor *cursor,
		      unsigned max_objects, uint64_t *freed_pages)
{
	unsigned budget = max_objects;

	*freed_pages = 0;
	while (cursor->next_class < ZS_NR_CLASSES) {
		unsigned i = ZS_NR_CLASSES - 1 - cursor->next_class;

		if (pool->class_of[i] == i && !pool->classes[i].is_huge &&
		    compact_class(pool, &pool->classes[i], &budget,
				  freed_pages))
			return true;
		cursor->next_class++;
		if (!budget)
			break;
	}
	return cursor->next_class < ZS_NR_CLASSES;
}

uint64_t zs_compact(struct zs_pool *pool)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed, total = 0;
	bool more;

	do {
		more = zs_compact_slice(pool, &cursor, SLICE_OBJECTS, &freed);
		total += freed;
		sched_yield(); /* let those in who wait for a class */
	} while (more);
	return total;
}

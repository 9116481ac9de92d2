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
	uint32_t stuck; /* zspage that pins kept from being emptied, or NONE */
	uint32_t freed; /* pages of emptied zspages, chained by next */
	uint32_t nr_freed;
};

/* The first zspage of a list that is none of two, or NONE. */
static uint32_t first_but(const struct zs_page *pages, uint32_t head,
			  uint32_t not_this, uint32_t nor_that)
{
	while (head != ZS_PAGE_NONE && (head == not_this || head == nor_that))
		head = pages[head].list_next;
	return head;
}

/*
 * The zspage to empty, if the holes of the others can take its objects: the
 * growing one where that costs no whole one (see zs_class_freeable()), else
 * the emptiest.
 */
static uint32_t pick_src(const struct migration *m)
{
	const struct zs_class *class = m->class;

	if (class->growing != m->stuck &&
	    zs_class_growing_is_freeable(m->pool, class))
		return class->growing;
	if (zs_class_obj_free(class) < class->geometry.objs_per_zspage)
		return ZS_PAGE_NONE;
	for (unsigned g = 0; g < ZS_NR_PARTIAL_GROUPS; g++) {
		uint32_t head =
			first_but(m->pool->arena.pages, class->first_zspage[g],
				  m->stuck, class->growing);

		if (head != ZS_PAGE_NONE)
			return head;
	}
	return ZS_PAGE_NONE;
}

/* The fullest zspage that has a free object and is not @src. */
static uint32_t pick_dst(const struct migration *m, uint32_t src)
{
	const struct zs_page *pages = m->pool->arena.pages;
	const struct zs_class *class = m->class;
	uint32_t no_room = ZS_PAGE_NONE;

	if (class->growing != ZS_PAGE_NONE &&
	    pages[class->growing].freeobj == ZS_OBJ_NONE)
		no_room = class->growing;
	for (unsigned g = ZS_NR_PARTIAL_GROUPS; g-- > 0;) {
		uint32_t head =
			first_but(pages, class->first_zspage[g], src, no_room);

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
 * Move objects from *obj of @src on until @dst has no room, @src is at the end
 * of its @nr_objs or the budget is spent.
 */
static void migrate(struct migration *m, uint32_t src, unsigned *obj,
		    unsigned nr_objs, uint32_t dst)
{
	struct zs_page *pages = m->pool->arena.pages;
	unsigned src_inuse = pages[src].inuse, dst_inuse = pages[dst].inuse;
	unsigned moved = 0;

	while (*obj < nr_objs && pages[src].inuse &&
	       pages[dst].freeobj != ZS_OBJ_NONE && moved < m->budget) {
		struct zs_place from =
			zs_obj_place(m->pool, m->class, src, *obj);

		moved += migrate_obj(m, src, *obj, from, dst);
		++*obj;
	}
	m->budget -= moved;
	zs_zspage_refile(m->pool, m->class, dst, dst_inuse);
	zs_zspage_refile(m->pool, m->class, src, src_inuse);
}

/* Put the pages of @head, which is empty, to those that are to be freed. */
static void collect(struct migration *m, uint32_t head)
{
	struct zs_page *pages = m->pool->arena.pages;
	uint32_t nr_pages, last = head;

	if (!m->nr_freed)
		zs_transit_begin(m->pool);
	zs_zspage_detach(m->pool, m->class, head, &nr_pages);
	while (pages[last].next != ZS_PAGE_NONE)
		last = pages[last].next;
	pages[last].next = m->freed;
	m->freed = head;
	m->nr_freed += nr_pages;
}

/*
 * Empty a zspage, as far as the budget goes. Return: whether to go on with
 * another: not where there is none, or where pins were in the way twice.
 */
static bool empty_one(struct migration *m)
{
	struct zs_page *pages = m->pool->arena.pages;
	uint32_t src = pick_src(m), dst;
	unsigned obj = 0, nr_objs;

	if (src == ZS_PAGE_NONE)
		return false;
	nr_objs = zs_objs_in_pages(m->class,
				   zs_zspage_nr_pages(m->pool, m->class, src));
	while (obj < nr_objs && pages[src].inuse && m->budget) {
		dst = pick_dst(m, src);
		if (dst == ZS_PAGE_NONE)
			break;
		migrate(m, src, &obj, nr_objs, dst);
	}
	if (!pages[src].inuse) {
		collect(m, src);
		return true;
	}
	if (!m->budget || m->stuck != ZS_PAGE_NONE)
		return false;
	m->stuck = src;
	return true;
}

/* Return: whether the budget ended before the class was done. */
static bool compact_class(struct migration *m)
{
	unsigned budget = m->budget;
	bool is_done;

	pthread_mutex_lock(&m->class->lock);
	while (m->budget && empty_one(m))
		;
	is_done = pick_src(m) == ZS_PAGE_NONE;
	/* What is pinned now will not be for long. */
	if (is_done && m->stuck == ZS_PAGE_NONE)
		atomic_store_explicit(&m->class->is_compact, true,
				      memory_order_relaxed);
	pthread_mutex_unlock(&m->class->lock);
	atomic_fetch_add_explicit(&m->pool->classes_searched, 1,
				  memory_order_relaxed);
	if (m->nr_freed) {
		zs_arena_put(&m->pool->arena, m->freed, m->nr_freed);
		zs_transit_end(m->pool);
	}
	atomic_fetch_add_explicit(&m->pool->objs_moved, budget - m->budget,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&m->pool->pages_compacted, m->nr_freed,
				  memory_order_relaxed);
	return !m->budget && !is_done;
}

/* Whether there can be something to free, and something to move for it. */
static bool is_worth_it(const struct zs_pool *pool, unsigned class_idx)
{
	const struct zs_class *class = &pool->classes[class_idx];

	return pool->class_of[class_idx] == class_idx && !class->is_huge &&
	       !atomic_load_explicit(&class->is_compact, memory_order_relaxed);
}

bool zs_compact_slice(struct zs_pool *pool, struct zs_compact_cursor *cursor,
		      unsigned max_objects, uint64_t *freed_pages)
{
	unsigned budget = max_objects;

	*freed_pages = 0;
	while (cursor->next_class < ZS_NR_CLASSES && budget) {
		unsigned i = ZS_NR_CLASSES - 1 - cursor->next_class;
		struct migration m = {
			.pool = pool,
			.class = &pool->classes[i],
			.budget = budget,
			/* Kept from slice to slice, or objects would be moved
			 * out of it and back for as long as the pin lasts. */
			.stuck = cursor->stuck ? (uint32_t)(cursor->stuck - 1)
					       : ZS_PAGE_NONE,
			.freed = ZS_PAGE_NONE,
		};
		bool more = false;

		if (is_worth_it(pool, i))
			more = compact_class(&m);
		cursor->moved_objs += budget - m.budget;
		budget = m.budget;
		*freed_pages += m.nr_freed;
		cursor->stuck =
			m.stuck == ZS_PAGE_NONE ? 0 : (uint64_t)m.stuck + 1;
		if (more)
			break;
		cursor->next_class++;
		cursor->stuck = 0;
	}
	return cursor->next_class < ZS_NR_CLASSES;
}

void zs_compact(struct zs_pool *pool, struct zs_compacted *out)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed, total = 0;
	bool more;

	do {
		more = zs_compact_slice(pool, &cursor, SLICE_OBJECTS, &freed);
		total += freed;
		sched_yield(); /* let those in who wait for a class */
	} while (more);
	*out = (struct zs_compacted){
		.freed_pages = total,
		.moved_objs = cursor.moved_objs,
	};
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compaction: empty the emptiest zspages of a class into its fullest, and pack
 * what is left of the last into its first pages, as long as that is certain to
 * free a page.
 *
 * As in the kernel since 6.4, the destination stays the same until it is full,
 * so that no object is moved twice, but for some of those that are packed;
 * unlike there, an object whose handle is pinned is passed over instead of
 * waited for.
 *
 * Packing is what zspages that grow make possible: one that lost its last
 * pages has not all of them yet, and so grows again when it must. A class may
 * have one such zspage, so that the last one with free objects is it.
 */
#include "config.h"

#include <sched.h>

#include "base/spin.h"
#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_handle.h"
#include "zsmalloc/zs_zspage.h"

/*
 * Work under one hold of a class's lock, bytes copied or looked through, if
 * nobody waits for it: about 10 us. If somebody does, it ends with the object
 * that is being moved.
 */
#define HOLD_BYTES 32768u

/*
 * Objects between two times that zs_compact() offers its core to others: it
 * has no lock then, so that nobody waits for one while it does not run.
 */
#define YIELD_OBJECTS 32u

/* What it costs to look at an object: its header's cache line. */
#define LOOK_BYTES 64u

/* What one hold of the lock does to a class. */
struct migration {
	struct zs_pool *pool;
	struct zs_class *class;
	unsigned budget; /* objects that may still be moved */
	unsigned done_bytes; /* see HOLD_BYTES */
	bool has_moved; /* an object at least: the next hold gets further */
	uint32_t stuck; /* zspage that pins kept from being emptied, or NONE */
	uint32_t nr_freed; /* pages */
};

static bool is_spent(const struct migration *m)
{
	return !m->budget || m->done_bytes >= HOLD_BYTES ||
	       (m->has_moved && zs_class_is_wanted(m->class));
}

/* The first zspage of a list that is none of two, or NONE. */
static uint32_t first_but(const struct zs_desc *descs, uint32_t head,
			  uint32_t not_this, uint32_t nor_that)
{
	while (head != ZS_PAGE_NONE && (head == not_this || head == nor_that))
		head = descs[head].list_next;
	return head;
}

/*
 * The zspage to empty: the emptiest. But where the holes do not add up to a
 * whole zspage, it is the growing one, since there is room for no second.
 */
static uint32_t pick_src(const struct migration *m)
{
	const struct zs_class *class = m->class;

	if (!zs_class_freeable(class))
		return ZS_PAGE_NONE;
	if (class->growing != ZS_PAGE_NONE &&
	    zs_class_obj_free(class) < class->geometry.objs_per_zspage)
		return class->growing == m->stuck ? ZS_PAGE_NONE
						  : class->growing;
	for (unsigned g = 0; g < ZS_NR_PARTIAL_GROUPS; g++) {
		uint32_t head =
			first_but(m->pool->arena.descs, class->first_zspage[g],
				  m->stuck, ZS_PAGE_NONE);

		if (head != ZS_PAGE_NONE)
			return head;
	}
	return ZS_PAGE_NONE;
}

/* The fullest zspage that has a free object and is not @src. */
static uint32_t pick_dst(const struct migration *m, uint32_t src)
{
	const struct zs_desc *descs = m->pool->arena.descs;
	const struct zs_class *class = m->class;
	uint32_t no_room = ZS_PAGE_NONE;

	if (class->growing != ZS_PAGE_NONE &&
	    descs[class->growing].freeobj == ZS_OBJ_NONE)
		no_room = class->growing;
	for (unsigned g = ZS_NR_PARTIAL_GROUPS; g-- > 0;) {
		uint32_t head =
			first_but(descs, class->first_zspage[g], src, no_room);

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
			to.page = pool->arena.descs[to.page].next;
			to.offset_bytes = 0;
		}
		if (from.offset_bytes == ZSD_PAGE_BYTES && bytes) {
			from.page = pool->arena.descs[from.page].next;
			from.offset_bytes = 0;
		}
	}
}

/*
 * Move an object to the first free one of @dst, unless it is pinned; its own
 * place is the caller's to give back.
 */
static bool move_obj(struct migration *m, struct zs_place from,
		     uint32_t header, const struct zs_chain *dst)
{
	const struct zs_class *class = m->class;
	zs_handle handle = header >> 1;
	struct zs_place to;
	uint64_t entry;

	if (!zs_handle_try_pin(m->pool, handle))
		return false;
	to = zs_chain_place(class, dst,
			    m->pool->arena.descs[dst->head].freeobj);
	entry = zs_zspage_take_obj(m->pool, class, dst->head, to, handle);
	copy_obj(m->pool, to, from, class->geometry.size_bytes);
	zs_handle_unpin(m->pool, handle, entry);
	m->budget--;
	m->has_moved = true;
	m->done_bytes += class->geometry.size_bytes;
	return true;
}

/*
 * Move objects from *obj of @src on until @dst has no room, @src is at its end
 * or the hold is spent.
 */
static void migrate(struct migration *m, const struct zs_chain *src,
		    unsigned *obj, const struct zs_chain *dst)
{
	struct zs_desc *descs = m->pool->arena.descs;
	unsigned src_inuse = descs[src->head].inuse;
	unsigned dst_inuse = descs[dst->head].inuse, first = *obj;

	for (; *obj < src->nr_objs && descs[src->head].inuse &&
	       descs[dst->head].freeobj != ZS_OBJ_NONE && !is_spent(m);
	     ++*obj) {
		struct zs_place from = zs_chain_place(m->class, src, *obj);
		uint32_t header = *zs_obj_header(m->pool, from);

		if (header & ZS_HEADER_ALLOCATED &&
		    move_obj(m, from, header, dst))
			zs_zspage_put_obj(m->pool, m->class, src->head, *obj,
					  from);
	}
	m->done_bytes += (*obj - first) * LOOK_BYTES;
	zs_zspage_refile(m->pool, m->class, dst->head, dst_inuse);
	zs_zspage_refile(m->pool, m->class, src->head, src_inuse);
}

/*
 * Move objects of the last pages of @src to its free objects before them, and
 * give those pages back. Return: false where a pin was in the way.
 */
static bool pack(struct migration *m, struct zs_chain *src)
{
	struct zs_desc *zspage = &m->pool->arena.descs[src->head];
	unsigned end = src->nr_objs, looked = src->nr_objs;
	unsigned enough = zs_objs_in_pages(
		m->class, zs_pages_for_objs(m->class, zspage->inuse));
	uint32_t nr_pages;
	bool pinned = false;

	zs_zspage_relink(m->pool, m->class, src); /* take the lowest first */
	for (; end > enough; end--) {
		struct zs_place from = zs_chain_place(m->class, src, end - 1);
		uint32_t *header = zs_obj_header(m->pool, from);

		if (!(*header & ZS_HEADER_ALLOCATED))
			continue;
		if (is_spent(m))
			break;
		pinned = !move_obj(m, from, *header, src);
		if (pinned)
			break;
		*header = zs_header_free(ZS_OBJ_NONE);
		zspage->inuse--;
	}
	nr_pages = zs_pages_for_objs(m->class, end);
	if (nr_pages < src->nr_pages) {
		m->nr_freed += src->nr_pages - nr_pages;
		zs_zspage_cut(m->pool, m->class, src, nr_pages);
	}
	zs_zspage_relink(m->pool, m->class, src);
	m->done_bytes += 2 * looked * LOOK_BYTES;
	return !pinned;
}

/*
 * Empty a zspage, or pack it, as far as the hold goes. Return: whether to go on
 * with another: not where there is none, or where pins were in the way twice.
 */
static bool empty_one(struct migration *m)
{
	struct zs_desc *descs = m->pool->arena.descs;
	uint32_t head = pick_src(m), dst_head = ZS_PAGE_NONE;
	struct zs_chain src, dst;
	unsigned obj = 0;

	if (head == ZS_PAGE_NONE)
		return false;
	zs_chain_open(m->pool, m->class, head, &src);
	while (obj < src.nr_objs && descs[head].inuse && !is_spent(m)) {
		dst_head = pick_dst(m, head);
		if (dst_head == ZS_PAGE_NONE)
			break;
		zs_chain_open(m->pool, m->class, dst_head, &dst);
		migrate(m, &src, &obj, &dst);
	}
	if (!descs[head].inuse) {
		m->nr_freed += src.nr_pages;
		zs_zspage_give_back(m->pool, m->class, head);
		return true;
	}
	if (is_spent(m))
		return false;
	if (dst_head == ZS_PAGE_NONE && pack(m, &src))
		return true;
	if (m->stuck != ZS_PAGE_NONE)
		return false;
	m->stuck = head;
	return true;
}

/* Return: whether the hold ended before the class was done. */
static bool compact_class(struct migration *m)
{
	unsigned budget = m->budget;
	bool is_done;

	zs_class_lock(m->class);
	while (!is_spent(m) && empty_one(m))
		;
	is_done = pick_src(m) == ZS_PAGE_NONE;
	/* What is pinned now will not be for long. */
	if (is_done && m->stuck == ZS_PAGE_NONE)
		atomic_store_explicit(&m->class->is_compact, true,
				      memory_order_relaxed);
	pthread_mutex_unlock(&m->class->lock);
	atomic_fetch_add_explicit(&m->pool->classes_searched, 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&m->pool->objs_moved, budget - m->budget,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&m->pool->pages_compacted, m->nr_freed,
				  memory_order_relaxed);
	return is_spent(m) && !is_done;
}

/*
 * Let those in who wait for a class: woken up, they would find it locked again.
 * They may need our core; but they may not get one soon, so that there is an
 * end to it.
 */
static void give_way(const struct zs_class *class)
{
	unsigned spins = 0;

	while (zs_class_is_wanted(class) && spins < SPIN_BEFORE_SLEEP)
		spin_wait(&spins);
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
			/* Kept from hold to hold, or objects would be moved
			 * out of it and back for as long as the pin lasts. */
			.stuck = cursor->stuck ? (uint32_t)(cursor->stuck - 1)
					       : ZS_PAGE_NONE,
		};
		bool more = false;

		if (is_worth_it(pool, i))
			more = compact_class(&m);
		cursor->moved_objs += budget - m.budget;
		budget = m.budget;
		*freed_pages += m.nr_freed;
		cursor->stuck =
			m.stuck == ZS_PAGE_NONE ? 0 : (uint64_t)m.stuck + 1;
		if (more) {
			give_way(&pool->classes[i]);
			continue;
		}
		cursor->next_class++;
		cursor->stuck = 0;
	}
	return cursor->next_class < ZS_NR_CLASSES;
}

void zs_compact(struct zs_pool *pool, struct zs_compacted *out)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed;
	bool more;

	*out = (struct zs_compacted){0};
	do {
		more = zs_compact_slice(pool, &cursor, YIELD_OBJECTS, &freed);
		out->freed_pages += freed;
		sched_yield();
	} while (more);
	out->moved_objs = cursor.moved_objs;
}

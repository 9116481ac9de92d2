/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compaction: empty the emptiest zspages of a class into its fullest, and pack
 * what is left of the last into its first pages, as long as that is certain to
 * free a page.
 *
 * As in the kernel since 6.4, the destination stays the same until it is full,
 * so that no object is moved twice, but for some of those that are packed.
 * Unlike there, an object whose handle is pinned is passed over instead of
 * waited for.
 *
 * Packing is possible since zspages grow: one that has lost its last pages is
 * one that has not got them yet. A class may have one such zspage, and another
 * that grows is never in the way. Where one grows, another is emptied only if
 * the class has as many free objects as a whole zspage. When no other has any
 * left, all of these are in the one that is emptied. So that one is empty: it
 * is given back, not packed.
 */
#include "config.h"

#include <sched.h>
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/spin.h"
#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_handle.h"
#include "zsmalloc/zs_zspage.h"

/*
 * Work under one hold of a class's lock, in bytes copied or looked through, if
 * nobody waits for it: about 10 us. If somebody does, the hold ends with the
 * object that is being moved.
 */
#define HOLD_BYTES 32768u

/*
 * Objects between two times that zs_compact() offers its core to others. It
 * holds no lock then, so that nobody waits for a thread that does not run.
 */
#define YIELD_OBJECTS 32u

/* Cost of a look at an object, bytes: the cache line of its header. */
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

/* --- Which zspages ------------------------------------------------------- */

/* The first zspage of a group that is none of two, or NONE. */
static uint32_t first_but(const struct migration *m, unsigned group,
			  uint32_t not_this, uint32_t nor_that)
{
	uint32_t head = m->class->first_zspage[group];

	while (head != ZS_PAGE_NONE && (head == not_this || head == nor_that))
		head = zs_class_next(m->pool, m->class, head);
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
		uint32_t head = first_but(m, g, m->stuck, ZS_PAGE_NONE);

		if (head != ZS_PAGE_NONE)
			return head;
	}
	return ZS_PAGE_NONE;
}

/* The fullest zspage that has a free object and is not @src. */
static uint32_t pick_dst(const struct migration *m, uint32_t src)
{
	const struct zs_class *class = m->class;
	uint32_t no_room = ZS_PAGE_NONE;

	if (class->growing != ZS_PAGE_NONE &&
	    zs_freeobj(m->pool, class->growing) == ZS_OBJ_NONE)
		no_room = class->growing;
	for (unsigned g = ZS_NR_PARTIAL_GROUPS; g-- > 0;) {
		uint32_t head = first_but(m, g, src, no_room);

		if (head != ZS_PAGE_NONE)
			return head;
	}
	return ZS_PAGE_NONE;
}

/* --- One object ---------------------------------------------------------- */

/* What became of an object that was to be moved. */
enum outcome {
	MOVED,
	IN_USE, /* somebody has it pinned, or is about to fill it */
	SRC_DAMAGED, /* its handle leads elsewhere: nobody knows whose it is */
	DST_DAMAGED, /* what should be free there is not */
};

/* The byte @at of a zspage. */
static unsigned char *address_of(const struct migration *m,
				 const struct zs_chain *chain, uint32_t at)
{
	return zs_page_address(&m->pool->arena,
			       chain->pages[at >> ZSD_PAGE_SHIFT]) +
	       at % ZSD_PAGE_BYTES;
}

/* Copy an object, header and all. */
static void copy_obj(const struct migration *m, const struct zs_chain *dst,
		     unsigned dst_obj, const struct zs_chain *src,
		     unsigned src_obj)
{
	uint32_t left = m->class->geometry.size_bytes;
	uint32_t to = dst_obj * left, from = src_obj * left;

	while (left) {
		uint32_t n =
			min_u32(left, ZSD_PAGE_BYTES - to % ZSD_PAGE_BYTES);

		n = min_u32(n, ZSD_PAGE_BYTES - from % ZSD_PAGE_BYTES);
		memcpy(address_of(m, dst, to), address_of(m, src, from), n);
		left -= n;
		to += n;
		from += n;
	}
}

/*
 * Pin an object that says it is @handle's, if the handle says so, too. The
 * handle is right: it is what the object will be read by.
 */
static enum outcome pin_obj(const struct migration *m, zs_handle handle,
			    uint64_t live)
{
	const struct zs_handles *handles = &m->pool->handles;
	uint64_t entry;

	if (handle == ZS_HANDLE_NONE || handle >= handles->nr_fresh)
		return SRC_DAMAGED;
	if (zs_handle_try_pin(m->pool, handle, live))
		return MOVED;
	entry = atomic_load_explicit(&handles->entries[handle],
				     memory_order_relaxed);
	return (entry & ~ZS_ENTRY_PINNED) == live ||
			       entry == zs_entry_filling(live)
		       ? IN_USE
		       : SRC_DAMAGED;
}

/*
 * Move object @obj of @src to the first free one of @dst; its own place is the
 * caller's to give back.
 */
static enum outcome move_obj(struct migration *m, const struct zs_chain *src,
			     unsigned obj, zs_handle handle,
			     const struct zs_chain *dst)
{
	const struct zs_class *class = m->class;
	struct zs_place from = zs_chain_place(class, src, obj);
	uint64_t live =
		zs_entry_live(class->geometry.class_idx, obj, from.page);
	enum outcome outcome = pin_obj(m, handle, live);
	struct zs_taken taken;

	if (outcome != MOVED)
		return outcome;
	if (!zs_zspage_take_obj(m->pool, class, dst->head, dst, handle,
				&taken)) {
		zs_handle_unpin(m->pool, handle, live);
		return DST_DAMAGED;
	}
	copy_obj(m, dst, zs_entry_obj(taken.entry), src, obj);
	zs_handle_unpin(m->pool, handle, taken.entry);
	m->budget--;
	m->has_moved = true;
	m->done_bytes += class->geometry.size_bytes;
	return MOVED;
}

/* --- From zspage to zspage ----------------------------------------------- */

/* The header of an object that says it is in use, or 0. */
static uint32_t header_in_use(const struct migration *m,
			      const struct zs_chain *chain, unsigned obj)
{
	uint32_t header =
		*zs_obj_header(m->pool, zs_chain_place(m->class, chain, obj));

	return header & ZS_HEADER_ALLOCATED ? header : 0;
}

/* Free the place of an object that was moved, outside the free list. */
static void vacate(const struct migration *m, const struct zs_chain *chain,
		   unsigned obj)
{
	uint32_t state = zs_state_load(&m->pool->arena, chain->head);

	*zs_obj_header(m->pool, zs_chain_place(m->class, chain, obj)) =
		zs_header_free(ZS_OBJ_NONE);
	zs_state_store(&m->pool->arena, chain->head,
		       zs_state_head(zs_state_class(state),
				     zs_state_inuse(state) - 1,
				     zs_state_freeobj(state)));
}

/* Free it, into the free list. The handle leads to its new place by now. */
static bool put_moved(const struct migration *m, const struct zs_chain *chain,
		      unsigned obj, uint32_t header)
{
	struct zs_place place = zs_chain_place(m->class, chain, obj);

	return zs_zspage_put_obj(m->pool, m->class, chain->head,
				 zs_entry_live(m->class->geometry.class_idx,
					       obj, place.page),
				 header >> 1);
}

/*
 * Move objects from *obj of @src on until @dst has no room, @src is at its end
 * or the hold is spent. Return: MOVED, or which of the two is damaged.
 */
static enum outcome migrate(struct migration *m, const struct zs_chain *src,
			    unsigned *obj, const struct zs_chain *dst)
{
	unsigned src_inuse = zs_inuse(m->pool, src->head);
	unsigned dst_inuse = zs_inuse(m->pool, dst->head), first = *obj;
	enum outcome outcome = MOVED;

	for (; *obj < src->nr_objs && zs_inuse(m->pool, src->head) &&
	       zs_freeobj(m->pool, dst->head) != ZS_OBJ_NONE && !is_spent(m);
	     ++*obj) {
		uint32_t header = header_in_use(m, src, *obj);

		if (!header)
			continue;
		outcome = move_obj(m, src, *obj, header >> 1, dst);
		if (outcome == MOVED && !put_moved(m, src, *obj, header))
			outcome = SRC_DAMAGED;
		if (outcome == SRC_DAMAGED || outcome == DST_DAMAGED)
			break;
	}
	m->done_bytes += (*obj - first) * LOOK_BYTES;
	if (outcome == MOVED || outcome == IN_USE) {
		CHECK_ZSPAGE(!zs_zspage_fault(m->pool, m->class, src->head));
		CHECK_ZSPAGE(!zs_zspage_fault(m->pool, m->class, dst->head));
	}
	if (zs_zspage_refile(m->pool, m->class, dst->head, dst_inuse))
		(void)zs_zspage_refile(m->pool, m->class, src->head, src_inuse);
	return outcome == IN_USE ? MOVED : outcome;
}

/*
 * Move objects of the last pages of @src to its free objects before them, from
 * the last on, until what is left fits as few pages as can be. Return: why it
 * ends; *end is behind the last object that is left.
 */
static enum outcome move_down(struct migration *m, const struct zs_chain *src,
			      unsigned *end)
{
	unsigned enough = zs_objs_in_pages(
		m->class,
		zs_pages_for_objs(m->class, zs_inuse(m->pool, src->head)));

	for (*end = src->nr_objs; *end > enough; --*end) {
		unsigned obj = *end - 1;
		uint32_t header = header_in_use(m, src, obj);
		enum outcome outcome;

		if (!header)
			continue;
		if (is_spent(m))
			break;
		outcome = move_obj(m, src, obj, header >> 1, src);
		if (outcome != MOVED)
			return outcome;
		vacate(m, src, obj);
	}
	return MOVED;
}

/* Give back the last pages of @src, after what is in them has moved down. */
static enum outcome pack(struct migration *m, struct zs_chain *src)
{
	unsigned looked = src->nr_objs, end;
	enum outcome outcome;
	uint32_t nr_pages;

	if (!zs_zspage_relink(m->pool, m->class, src)) /* the lowest first */
		return SRC_DAMAGED;
	outcome = move_down(m, src, &end);
	if (outcome == SRC_DAMAGED || outcome == DST_DAMAGED)
		return SRC_DAMAGED;
	nr_pages = zs_pages_for_objs(m->class, end);
	if (nr_pages < src->nr_pages) {
		m->nr_freed += src->nr_pages - nr_pages;
		zs_zspage_cut(m->pool, m->class, src, nr_pages);
	}
	m->done_bytes += 2 * looked * LOOK_BYTES;
	if (!zs_zspage_relink(m->pool, m->class, src))
		return SRC_DAMAGED;
	CHECK_ZSPAGE(!zs_zspage_fault(m->pool, m->class, src->head));
	return outcome;
}

/* --- A class ------------------------------------------------------------- */

static bool open_chain(const struct migration *m, uint32_t head,
		       struct zs_chain *chain)
{
	return zs_zspage_is_fit(m->pool, m->class, head) &&
	       zs_chain_open(m->pool, m->class, head, chain);
}

/*
 * Move what can be moved out of @src into others, as far as the hold goes.
 * Return: DST_DAMAGED where there is no other any more, or what stopped it.
 */
static enum outcome empty_into_others(struct migration *m,
				      const struct zs_chain *src,
				      bool *has_others)
{
	unsigned obj = 0;

	*has_others = true;
	while (obj < src->nr_objs && zs_inuse(m->pool, src->head) &&
	       !is_spent(m)) {
		uint32_t head = pick_dst(m, src->head);
		enum outcome outcome;
		struct zs_chain dst;

		*has_others = head != ZS_PAGE_NONE;
		if (!*has_others)
			break;
		outcome = DST_DAMAGED;
		if (open_chain(m, head, &dst))
			outcome = migrate(m, src, &obj, &dst);
		if (outcome == SRC_DAMAGED)
			return outcome;
		if (outcome == DST_DAMAGED)
			zs_class_retire(m->pool, m->class, head);
	}
	return MOVED;
}

/*
 * Whether @head may lose its last pages, and grow again. Another that grows has
 * no free object then, or there would have been room in it: that is so unless a
 * list was torn.
 */
static bool may_grow(const struct migration *m, uint32_t head)
{
	return m->class->growing == ZS_PAGE_NONE || m->class->growing == head;
}

/*
 * Empty a zspage, or pack it, as far as the hold goes. Return: whether to go on
 * with another: not where there is none, or where pins were in the way twice.
 */
static bool empty_one(struct migration *m)
{
	uint32_t head = pick_src(m);
	enum outcome outcome = SRC_DAMAGED;
	struct zs_chain src;
	bool has_others;

	if (head == ZS_PAGE_NONE)
		return false;
	if (open_chain(m, head, &src))
		outcome = empty_into_others(m, &src, &has_others);
	if (outcome == MOVED && !zs_inuse(m->pool, head)) {
		m->nr_freed += src.nr_pages;
		zs_zspage_give_back(m->pool, m->class, head);
		return true;
	}
	if (outcome == MOVED && is_spent(m))
		return false;
	if (outcome == MOVED && !has_others && may_grow(m, head))
		outcome = pack(m, &src);
	else if (outcome == MOVED)
		outcome = IN_USE;
	if (outcome == SRC_DAMAGED)
		zs_class_retire(m->pool, m->class, head);
	if (outcome != IN_USE)
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
 * They may need our core. They may also not get one soon, so that this ends
 * after a while in any case.
 */
static void give_way(const struct zs_class *class)
{
	unsigned spins = 0;

	while (zs_class_is_wanted(class) && spins < SPIN_BEFORE_SLEEP)
		(void)spin_wait(&spins);
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
			/* Remembered from hold to hold: else objects would be
			 * moved out of it and back while the pin lasts. */
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A class's zspages, in lists by how full they are, and their account.
 *
 * All of it follows from the descriptors. So what is damaged is not repaired:
 * the zspage is taken out of use, and lists and account are made anew from the
 * descriptors of those that are left.
 */
#include "config.h"

#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_zspage.h"

unsigned zs_fullness_group(const struct zs_class *class, unsigned inuse)
{
	unsigned n = class->geometry.objs_per_zspage;

	if (inuse >= n)
		return ZS_GROUP_FULL;
	return (ZS_NR_PARTIAL_GROUPS * inuse + n - 1) / n - 1;
}

/* --- Lists --------------------------------------------------------------- */

static void list_insert(struct zs_pool *pool, struct zs_class *class,
			uint32_t head, unsigned group)
{
	struct zs_desc *descs = pool->arena.descs;
	uint32_t first = class->first_zspage[group];

	descs[head].list_prev = ZS_PAGE_NONE;
	descs[head].list_next = first;
	if (first != ZS_PAGE_NONE)
		descs[first].list_prev = head;
	class->first_zspage[group] = head;
	class->nr_zspages[group]++;
}

/* Return: false where its neighbours do not know it, and it stays. */
static bool list_remove(struct zs_pool *pool, struct zs_class *class,
			uint32_t head, unsigned group)
{
	struct zs_desc *descs = pool->arena.descs;
	uint32_t prev = descs[head].list_prev, next = descs[head].list_next;

	if (prev == ZS_PAGE_NONE ? class->first_zspage[group] != head
				 : !zs_is_zspage(pool, class, prev) ||
					   descs[prev].list_next != head)
		return false;
	if (next != ZS_PAGE_NONE &&
	    (!zs_is_zspage(pool, class, next) || descs[next].list_prev != head))
		return false;
	if (prev == ZS_PAGE_NONE)
		class->first_zspage[group] = next;
	else
		descs[prev].list_next = next;
	if (next != ZS_PAGE_NONE)
		descs[next].list_prev = prev;
	class->nr_zspages[group]--;
	return true;
}

bool zs_zspage_refile(struct zs_pool *pool, struct zs_class *class,
		      uint32_t head, unsigned old_inuse)
{
	unsigned inuse = zs_inuse(pool, head);
	unsigned old_group = ZS_NR_GROUPS, group = ZS_NR_GROUPS;

	if (old_inuse)
		old_group = zs_fullness_group(class, old_inuse);
	if (inuse)
		group = zs_fullness_group(class, inuse);
	if (group == old_group)
		return true;
	if (old_inuse && unlikely(!list_remove(pool, class, head, old_group))) {
		zs_class_mend(pool, class);
		return false;
	}
	if (inuse)
		list_insert(pool, class, head, group);
	return true;
}

uint32_t zs_class_next(struct zs_pool *pool, struct zs_class *class,
		       uint32_t head)
{
	const struct zs_desc *descs = pool->arena.descs;
	uint32_t next = descs[head].list_next;

	if (next == ZS_PAGE_NONE ||
	    (zs_is_zspage(pool, class, next) && descs[next].list_prev == head))
		return next;
	zs_class_mend(pool, class);
	return ZS_PAGE_NONE;
}

uint32_t zs_class_find_room(struct zs_pool *pool, struct zs_class *class)
{
	for (unsigned g = ZS_NR_PARTIAL_GROUPS; g-- > 0;) {
		uint32_t head = class->first_zspage[g];

		if (head == class->growing && head != ZS_PAGE_NONE &&
		    zs_freeobj(pool, head) == ZS_OBJ_NONE)
			head = zs_class_next(pool, class, head);
		if (head != ZS_PAGE_NONE)
			return head;
	}
	return ZS_PAGE_NONE;
}

/* --- Damage -------------------------------------------------------------- */

static void forget_all(struct zs_class *class)
{
	for (unsigned g = 0; g < ZS_NR_GROUPS; g++) {
		class->first_zspage[g] = ZS_PAGE_NONE;
		class->nr_zspages[g] = 0;
	}
	class->obj_used = 0;
	class->obj_allocated = 0;
	class->nr_pages = 0;
}

void zs_class_enter(struct zs_pool *pool, struct zs_class *class, uint32_t head)
{
	uint32_t nr_pages = head == class->growing
				    ? class->nr_growing
				    : class->geometry.pages_per_zspage;
	unsigned inuse = zs_inuse(pool, head);

	class->nr_pages += nr_pages;
	class->obj_allocated += zs_objs_in_pages(class, nr_pages);
	class->obj_used += inuse;
	if (inuse)
		list_insert(pool, class, head, zs_fullness_group(class, inuse));
}

void zs_class_mend(struct zs_pool *pool, struct zs_class *class)
{
	uint64_t nr_described = zs_nr_described(&pool->arena);
	uint64_t nr_pages = class->nr_pages;

	zs_note_damage(&pool->arena);
	if (!zs_is_zspage(pool, class, class->growing) ||
	    zs_freeobj(pool, class->growing) == ZS_OBJ_RETIRED)
		class->growing = ZS_PAGE_NONE;
	forget_all(class);
	for (uint32_t page = 0; page < nr_described; page++) {
		if (zs_is_zspage(pool, class, page) &&
		    zs_freeobj(pool, page) != ZS_OBJ_RETIRED)
			zs_class_enter(pool, class, page);
	}
	if (nr_pages > class->nr_pages)
		atomic_fetch_add_explicit(&pool->pages_retired,
					  nr_pages - class->nr_pages,
					  memory_order_relaxed);
	zs_class_loosen(class);
}

void zs_class_retire(struct zs_pool *pool, struct zs_class *class,
		     uint32_t head)
{
	zs_state_store(&pool->arena, head,
		       zs_state_head(class->geometry.class_idx, 0,
				     ZS_OBJ_RETIRED));
	zs_class_mend(pool, class);
}

bool zs_zspage_is_retired(const struct zs_pool *pool, uint32_t head)
{
	return zs_freeobj(pool, head) == ZS_OBJ_RETIRED;
}

/* --- Account ------------------------------------------------------------- */

uint64_t zs_class_freeable(const struct zs_class *class)
{
	const struct zs_geometry *g = &class->geometry;
	uint64_t nr_full = class->obj_used / g->objs_per_zspage;
	unsigned left_over = (unsigned)(class->obj_used % g->objs_per_zspage);
	uint64_t needed = nr_full * g->pages_per_zspage +
			  zs_pages_for_objs(class, left_over);

	return class->nr_pages > needed ? class->nr_pages - needed : 0;
}

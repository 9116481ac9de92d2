/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A class's zspages, in lists by how full they are.
 */
#include "config.h"

#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_zspage.h"

unsigned zs_fullness_group(const struct zs_class *class, unsigned inuse)
{
	unsigned n = class->geometry.objs_per_zspage;

	if (inuse == n)
		return ZS_GROUP_FULL;
	return (ZS_NR_PARTIAL_GROUPS * inuse + n - 1) / n - 1;
}

static void list_insert(struct zs_desc *descs, struct zs_class *class,
			uint32_t head, unsigned group)
{
	uint32_t first = class->first_zspage[group];

	descs[head].list_prev = ZS_PAGE_NONE;
	descs[head].list_next = first;
	if (first != ZS_PAGE_NONE)
		descs[first].list_prev = head;
	class->first_zspage[group] = head;
	class->nr_zspages[group]++;
}

static void list_remove(struct zs_desc *descs, struct zs_class *class,
			uint32_t head, unsigned group)
{
	uint32_t prev = descs[head].list_prev, next = descs[head].list_next;

	if (prev == ZS_PAGE_NONE)
		class->first_zspage[group] = next;
	else
		descs[prev].list_next = next;
	if (next != ZS_PAGE_NONE)
		descs[next].list_prev = prev;
	class->nr_zspages[group]--;
}

void zs_zspage_refile(struct zs_pool *pool, struct zs_class *class,
		      uint32_t head, unsigned old_inuse)
{
	struct zs_desc *descs = pool->arena.descs;
	unsigned inuse = descs[head].inuse;
	unsigned old_group = ZS_NR_GROUPS, group = ZS_NR_GROUPS;

	if (old_inuse)
		old_group = zs_fullness_group(class, old_inuse);
	if (inuse)
		group = zs_fullness_group(class, inuse);
	if (group == old_group)
		return;
	if (old_inuse)
		list_remove(descs, class, head, old_group);
	if (inuse)
		list_insert(descs, class, head, group);
}

uint32_t zs_class_find_room(const struct zs_pool *pool,
			    const struct zs_class *class)
{
	for (unsigned g = ZS_NR_PARTIAL_GROUPS; g-- > 0;) {
		uint32_t head = class->first_zspage[g];

		if (head == class->growing && head != ZS_PAGE_NONE &&
		    pool->arena.descs[head].freeobj == ZS_OBJ_NONE)
			head = pool->arena.descs[head].list_next;
		if (head != ZS_PAGE_NONE)
			return head;
	}
	return ZS_PAGE_NONE;
}

uint64_t zs_class_freeable(const struct zs_class *class)
{
	const struct zs_geometry *g = &class->geometry;
	uint64_t nr_full = class->obj_used / g->objs_per_zspage;
	unsigned left_over = (unsigned)(class->obj_used % g->objs_per_zspage);

	return class->nr_pages - nr_full * g->pages_per_zspage -
	       zs_pages_for_objs(class, left_over);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One zspage: its chain of pages, its free objects, its place in the lists.
 *
 * The zspage is known by its first page, whose descriptor is the zspage's.
 * Free objects are chained by index through their headers.
 */
#include "config.h"

#include "zsmalloc/zs_internal.h"

struct zs_place zs_obj_place(const struct zs_pool *pool,
			     const struct zs_class *class, uint32_t head,
			     unsigned obj)
{
	uint32_t at = obj * class->geometry.size_bytes;
	uint32_t page = head;

	for (; at >= ZSD_PAGE_BYTES; at -= ZSD_PAGE_BYTES)
		page = pool->arena.pages[page].next;
	return (struct zs_place){ .page = page, .offset_bytes = at };
}

uint32_t zs_obj_header_load(const struct zs_pool *pool,
			    const struct zs_class *class, struct zs_place place)
{
	if (class->is_huge)
		return pool->arena.pages[place.page].next;
	return *zs_obj_header(pool, place);
}

static void obj_header_store(struct zs_pool *pool, const struct zs_class *class,
			     struct zs_place place, uint32_t header)
{
	if (class->is_huge)
		pool->arena.pages[place.page].next = header;
	else
		*zs_obj_header(pool, place) = header;
}

/* --- Life ------------------------------------------------------------------ */

/* Chain all objects as free, in order. */
static void init_objs(struct zs_pool *pool, const struct zs_class *class,
		      uint32_t head)
{
	unsigned size = class->geometry.size_bytes;
	unsigned last = class->geometry.objs_per_zspage - 1u;
	struct zs_place place = { .page = head };

	for (unsigned obj = 0; obj <= last; obj++) {
		obj_header_store(pool, class, place,
				 zs_header_free(obj < last ? obj + 1 :
							     ZS_OBJ_NONE));
		place.offset_bytes += size;
		if (place.offset_bytes >= ZSD_PAGE_BYTES && obj < last) {
			place.offset_bytes -= ZSD_PAGE_BYTES;
			place.page = pool->arena.pages[place.page].next;
		}
	}
}

int zs_zspage_create(struct zs_pool *pool, const struct zs_class *class,
		     enum zs_alloc how, uint32_t *head)
{
	struct zs_page *pages = pool->arena.pages;
	uint8_t class_idx = (uint8_t)class->geometry.class_idx;
	int err;

	err = zs_arena_take(&pool->arena, class->geometry.pages_per_zspage, how,
			    head);
	if (err)
		return err;
	for (uint32_t page = *head; page != ZS_PAGE_NONE;
	     page = pages[page].next) {
		pages[page].kind = ZS_PAGE_TAIL;
		pages[page].class_idx = class_idx;
		pages[page].head = *head;
	}
	pages[*head].kind = ZS_PAGE_HEAD;
	pages[*head].inuse = 0;
	pages[*head].freeobj = 0;
	init_objs(pool, class, *head);
	return 0;
}

void zs_zspage_destroy(struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head)
{
	if (class->is_huge) /* where next is the object's header */
		pool->arena.pages[head].next = ZS_PAGE_NONE;
	zs_arena_put(&pool->arena, head, class->geometry.pages_per_zspage);
}

/* --- Objects --------------------------------------------------------------- */

uint64_t zs_zspage_take_obj(struct zs_pool *pool, const struct zs_class *class,
			    uint32_t head, zs_handle handle)
{
	struct zs_page *zspage = &pool->arena.pages[head];
	unsigned obj = zspage->freeobj;
	struct zs_place place = zs_obj_place(pool, class, head, obj);

	CHECK(obj < class->geometry.objs_per_zspage);
	zspage->freeobj =
		(zs_obj_header_load(pool, class, place) >> 1) & ZS_OBJ_NONE;
	zspage->inuse++;
	obj_header_store(pool, class, place, zs_header_allocated(handle));
	return zs_entry(class->geometry.class_idx, obj, place.page);
}

void zs_zspage_put_obj(struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head, unsigned obj, struct zs_place place)
{
	struct zs_page *zspage = &pool->arena.pages[head];

	CHECK(zspage->kind == ZS_PAGE_HEAD && zspage->inuse > 0);
	obj_header_store(pool, class, place, zs_header_free(zspage->freeobj));
	zspage->freeobj = obj & ZS_OBJ_NONE;
	zspage->inuse--;
}

/* --- Fullness lists -------------------------------------------------------- */

unsigned zs_fullness_group(const struct zs_class *class, unsigned inuse)
{
	unsigned n = class->geometry.objs_per_zspage;

	if (inuse == n)
		return ZS_GROUP_FULL;
	return (ZS_NR_PARTIAL_GROUPS * inuse + n - 1) / n - 1;
}

static void list_insert(struct zs_page *pages, struct zs_class *class,
			uint32_t head, unsigned group)
{
	uint32_t first = class->first_zspage[group];

	pages[head].list_prev = ZS_PAGE_NONE;
	pages[head].list_next = first;
	if (first != ZS_PAGE_NONE)
		pages[first].list_prev = head;
	class->first_zspage[group] = head;
	class->nr_zspages[group]++;
}

static void list_remove(struct zs_page *pages, struct zs_class *class,
			uint32_t head, unsigned group)
{
	uint32_t prev = pages[head].list_prev, next = pages[head].list_next;

	if (prev == ZS_PAGE_NONE)
		class->first_zspage[group] = next;
	else
		pages[prev].list_next = next;
	if (next != ZS_PAGE_NONE)
		pages[next].list_prev = prev;
	class->nr_zspages[group]--;
}

void zs_zspage_refile(struct zs_pool *pool, struct zs_class *class,
		      uint32_t head, unsigned old_inuse)
{
	struct zs_page *pages = pool->arena.pages;
	unsigned inuse = pages[head].inuse;
	unsigned old_group = ZS_NR_GROUPS, group = ZS_NR_GROUPS;

	if (old_inuse)
		old_group = zs_fullness_group(class, old_inuse);
	if (inuse)
		group = zs_fullness_group(class, inuse);
	if (group == old_group)
		return;
	if (old_inuse)
		list_remove(pages, class, head, old_group);
	if (inuse)
		list_insert(pages, class, head, group);
}

uint32_t zs_class_fullest(const struct zs_class *class)
{
	for (unsigned g = ZS_NR_PARTIAL_GROUPS; g-- > 0;) {
		if (class->first_zspage[g] != ZS_PAGE_NONE)
			return class->first_zspage[g];
	}
	return ZS_PAGE_NONE;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One zspage: its chain of pages, its free objects, its place in the lists.
 *
 * The zspage is known by its first page, whose descriptor is the zspage's.
 * Free objects are chained by index through their headers.
 *
 * Pages are added one at a time, when the class has no free object left, so
 * that a class with few objects has few pages. (The kernel builds the chain
 * whole, which costs each class half a chain on average: over a hundred
 * classes, more than a small pool's headers and handles together.)
 */
#include "config.h"

#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_zspage.h"

struct zs_place zs_obj_place(const struct zs_pool *pool,
			     const struct zs_class *class, uint32_t head,
			     unsigned obj)
{
	uint32_t at = obj * class->geometry.size_bytes;
	uint32_t page = head;

	for (; at >= ZSD_PAGE_BYTES; at -= ZSD_PAGE_BYTES)
		page = pool->arena.descs[page].next;
	return (struct zs_place){.page = page, .offset_bytes = at};
}

uint32_t zs_obj_header_load(const struct zs_pool *pool,
			    const struct zs_class *class, struct zs_place place)
{
	if (class->is_huge)
		return pool->arena.descs[place.page].next;
	return *zs_obj_header(pool, place);
}

static void obj_header_store(struct zs_pool *pool, const struct zs_class *class,
			     struct zs_place place, uint32_t header)
{
	if (class->is_huge)
		pool->arena.descs[place.page].next = header;
	else
		*zs_obj_header(pool, place) = header;
}

/* --- Life ------------------------------------------------------------------ */

/* Chain the objects that page @nr_pages - 1, now the last, completes. */
static void add_objs(struct zs_pool *pool, const struct zs_class *class,
		     uint32_t head, uint32_t nr_pages)
{
	struct zs_desc *zspage = &pool->arena.descs[head];
	unsigned first = zs_objs_in_pages(class, nr_pages - 1);
	unsigned obj = zs_objs_in_pages(class, nr_pages);

	/* Backwards, so that they are taken in order. */
	while (obj-- > first) {
		struct zs_place place = zs_obj_place(pool, class, head, obj);

		obj_header_store(pool, class, place,
				 zs_header_free(zspage->freeobj));
		zspage->freeobj = obj & ZS_OBJ_NONE;
	}
}

void zs_chain_open(const struct zs_pool *pool, const struct zs_class *class,
		   uint32_t head, struct zs_chain *chain)
{
	const struct zs_desc *descs = pool->arena.descs;

	chain->head = head;
	chain->nr_pages = 0;
	while (head != ZS_PAGE_NONE &&
	       chain->nr_pages < class->geometry.pages_per_zspage) {
		chain->pages[chain->nr_pages++] = head;
		head = class->is_huge ? ZS_PAGE_NONE : descs[head].next;
	}
	chain->nr_objs = zs_objs_in_pages(class, chain->nr_pages);
}

/* Pages that the zspage has so far. */
static uint32_t nr_pages_of(const struct zs_pool *pool,
			    const struct zs_class *class, uint32_t head)
{
	uint32_t n = 0;

	if (head != class->growing)
		return class->geometry.pages_per_zspage;
	for (; head != ZS_PAGE_NONE; head = pool->arena.descs[head].next)
		n++;
	return n;
}

static void start_zspage(struct zs_pool *pool, struct zs_class *class,
			 uint32_t head)
{
	struct zs_desc *zspage = &pool->arena.descs[head];

	zspage->kind = ZS_PAGE_HEAD;
	zspage->inuse = 0;
	zspage->freeobj = ZS_OBJ_NONE;
	class->growing = head;
}

static void append_page(struct zs_pool *pool, uint32_t head, uint32_t page)
{
	struct zs_desc *descs = pool->arena.descs;
	uint32_t last = head;

	while (descs[last].next != ZS_PAGE_NONE)
		last = descs[last].next;
	descs[last].next = page;
	descs[page].kind = ZS_PAGE_TAIL;
	descs[page].head = head;
}

uint32_t zs_class_add_page(struct zs_pool *pool, struct zs_class *class,
			   uint32_t page)
{
	uint32_t head = class->growing, nr_pages;

	pool->arena.descs[page].class_idx = (uint8_t) class->geometry.class_idx;
	pool->arena.descs[page].next = ZS_PAGE_NONE;
	if (head == ZS_PAGE_NONE) {
		head = page;
		start_zspage(pool, class, head);
	} else {
		append_page(pool, head, page);
	}
	nr_pages = nr_pages_of(pool, class, head);
	add_objs(pool, class, head, nr_pages);
	class->obj_allocated += zs_objs_in_pages(class, nr_pages) -
				zs_objs_in_pages(class, nr_pages - 1);
	class->nr_pages++;
	zs_class_loosen(class);
	if (nr_pages == class->geometry.pages_per_zspage)
		class->growing = ZS_PAGE_NONE;
	return head;
}

void zs_zspage_give_back(struct zs_pool *pool, struct zs_class *class,
			 uint32_t head)
{
	struct zs_chain chain;

	zs_chain_open(pool, class, head, &chain);
	class->obj_allocated -= chain.nr_objs;
	class->nr_pages -= chain.nr_pages;
	if (class->growing == head)
		class->growing = ZS_PAGE_NONE;
	zs_arena_put(&pool->arena, chain.pages, chain.nr_pages);
}

void zs_zspage_cut(struct zs_pool *pool, struct zs_class *class,
		   struct zs_chain *chain, uint32_t nr_pages)
{
	uint32_t nr_cut = chain->nr_pages - nr_pages;
	unsigned nr_objs = zs_objs_in_pages(class, nr_pages);

	CHECK(class->growing == ZS_PAGE_NONE || class->growing == chain->head);
	pool->arena.descs[chain->pages[nr_pages - 1]].next = ZS_PAGE_NONE;
	class->growing = chain->head;
	class->obj_allocated -= chain->nr_objs - nr_objs;
	class->nr_pages -= nr_cut;
	chain->nr_objs = nr_objs;
	chain->nr_pages = nr_pages;
	zs_arena_put(&pool->arena, chain->pages + nr_pages, nr_cut);
}

void zs_zspage_relink(struct zs_pool *pool, const struct zs_class *class,
		      const struct zs_chain *chain)
{
	unsigned next = ZS_OBJ_NONE;

	for (unsigned obj = chain->nr_objs; obj-- > 0;) {
		uint32_t *header = zs_obj_header(
			pool, zs_chain_place(class, chain, obj));

		if (*header & ZS_HEADER_ALLOCATED)
			continue;
		*header = zs_header_free(next);
		next = obj;
	}
	pool->arena.descs[chain->head].freeobj = next & ZS_OBJ_NONE;
}

/* --- Objects --------------------------------------------------------------- */

uint64_t zs_zspage_take_obj(struct zs_pool *pool, const struct zs_class *class,
			    uint32_t head, struct zs_place place,
			    zs_handle handle)
{
	struct zs_desc *zspage = &pool->arena.descs[head];
	unsigned obj = zspage->freeobj;

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
	struct zs_desc *zspage = &pool->arena.descs[head];

	CHECK(zspage->kind == ZS_PAGE_HEAD && zspage->inuse > 0);
	obj_header_store(pool, class, place, zs_header_free(zspage->freeobj));
	zspage->freeobj = obj & ZS_OBJ_NONE;
	zspage->inuse--;
}

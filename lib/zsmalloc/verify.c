/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_pool_verify(): every invariant of zsmalloc.h, walked from the lists down
 * to each object's header and back from its handle.
 *
 * What is walked may be broken, so that no index is followed before it was
 * compared with its bounds, and no chain further than it can be long.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_handle.h"
#include "zsmalloc/zs_zspage.h"

struct verifier {
	struct zs_pool *pool;
	struct zs_class *class; /* its lock is held */
	uint32_t head; /* the zspage looked at */
	unsigned nr_objs; /* that its pages have room for */
	struct { /* of the class's zspages so far */
		uint64_t nr_pages;
		uint64_t obj_allocated;
		uint64_t obj_used;
	} totals;
	char *text;
};

static int ZSD_PRINTF(2, 3) broken(struct verifier *v, const char *format, ...)
{
	va_list args;
	int n = 0;

	if (v->class)
		n = snprintf(v->text, ZS_VERIFY_TEXT_BYTES,
			     "class %u, zspage %u: ",
			     v->class->geometry.class_idx, v->head);
	va_start(args, format);
	vsnprintf(v->text + n, ZS_VERIFY_TEXT_BYTES - (size_t)n, format, args);
	va_end(args);
	return -EUCLEAN;
}

static bool page_exists(const struct verifier *v, uint32_t page)
{
	return page < zs_nr_described(&v->pool->arena);
}

/* The pages of the zspage: as many as they should be, and all its own. */
static int verify_chain(struct verifier *v)
{
	const struct zs_desc *descs = v->pool->arena.descs;
	unsigned n = v->class->geometry.pages_per_zspage;
	bool is_growing = v->head == v->class->growing;
	uint32_t page = v->head;
	unsigned i;

	for (i = 0; i < n && !(is_growing && page == ZS_PAGE_NONE); i++) {
		if (!page_exists(v, page))
			return broken(v, "page %u of the chain is %u", i, page);
		if (descs[page].class_idx != v->class->geometry.class_idx)
			return broken(v, "page %u is of class %u", page,
				      descs[page].class_idx);
		if (i == 0 ? descs[page].kind != ZS_PAGE_HEAD
			   : descs[page].kind != ZS_PAGE_TAIL ||
				     descs[page].head != v->head)
			return broken(v, "page %u does not belong to it", page);
		page = v->class->is_huge ? ZS_PAGE_NONE : descs[page].next;
	}
	if (page != ZS_PAGE_NONE)
		return broken(v, "chain is longer than %u pages", n);
	if (is_growing && i == n)
		return broken(v, "it grows, but has all its %u pages", n);
	v->nr_objs = zs_objs_in_pages(v->class, i);
	v->totals.nr_pages += i;
	v->totals.obj_allocated += v->nr_objs;
	return 0;
}

static int verify_allocated(struct verifier *v, unsigned obj, uint32_t page,
			    uint32_t header)
{
	struct zs_handles *handles = &v->pool->handles;
	zs_handle handle = header >> 1;
	uint64_t entry, expected;

	if (handle == ZS_HANDLE_NONE || handle >= handles->nr_max)
		return broken(v, "object %u has handle %u", obj, handle);
	entry = atomic_load_explicit(&handles->entries[handle],
				     memory_order_acquire);
	expected = zs_entry(v->class->geometry.class_idx, obj, page);
	if (zs_entry_is_free(entry) ||
	    ((entry | ZS_ENTRY_LIVE) & ~ZS_ENTRY_PINNED) != expected)
		return broken(v, "object %u: its handle %u leads elsewhere",
			      obj, handle);
	return 0;
}

/* Headers: those allocated lead back here; count both kinds. */
static int verify_objs(struct verifier *v)
{
	const struct zs_desc *zspage = &v->pool->arena.descs[v->head];
	unsigned nr_allocated = 0;

	for (unsigned obj = 0; obj < v->nr_objs; obj++) {
		struct zs_place place =
			zs_obj_place(v->pool, v->class, v->head, obj);
		uint32_t header = zs_obj_header_load(v->pool, v->class, place);
		int err;

		if (!(header & ZS_HEADER_ALLOCATED))
			continue;
		nr_allocated++;
		err = verify_allocated(v, obj, place.page, header);
		if (err)
			return err;
	}
	if (nr_allocated != zspage->inuse)
		return broken(v, "%u objects in use, %u counted", nr_allocated,
			      zspage->inuse);
	return 0;
}

/* The free list: every object that is not in use, once. */
static int verify_free_list(struct verifier *v)
{
	const struct zs_desc *zspage = &v->pool->arena.descs[v->head];
	unsigned n = v->nr_objs;
	unsigned nr_free = 0, obj = zspage->freeobj;

	while (obj != ZS_OBJ_NONE) {
		uint32_t header;

		if (obj >= n || nr_free == n)
			return broken(v, "free list runs astray at %u", obj);
		header = zs_obj_header_load(v->pool, v->class,
					    zs_obj_place(v->pool, v->class,
							 v->head, obj));
		if (header & ZS_HEADER_ALLOCATED)
			return broken(v, "object %u in use is in the free list",
				      obj);
		nr_free++;
		obj = header >> 1;
	}
	if (nr_free + zspage->inuse != n)
		return broken(v, "%u free and %u in use of %u objects", nr_free,
			      zspage->inuse, n);
	return 0;
}

static int verify_zspage(struct verifier *v, unsigned group)
{
	const struct zs_desc *zspage = &v->pool->arena.descs[v->head];
	int err = verify_chain(v);

	if (err)
		return err;
	if (!zspage->inuse ||
	    zspage->inuse > v->class->geometry.objs_per_zspage ||
	    zs_fullness_group(v->class, zspage->inuse) != group)
		return broken(v, "%u objects in use, but in group %u",
			      zspage->inuse, group);
	err = verify_objs(v);
	if (!err)
		err = verify_free_list(v);
	return err;
}

static int verify_group(struct verifier *v, unsigned group)
{
	const struct zs_desc *descs = v->pool->arena.descs;
	uint32_t prev = ZS_PAGE_NONE;
	uint64_t n = 0;

	for (v->head = v->class->first_zspage[group]; v->head != ZS_PAGE_NONE;
	     v->head = descs[v->head].list_next) {
		int err;

		if (!page_exists(v, v->head))
			return broken(v, "list %u leads nowhere", group);
		if (descs[v->head].list_prev != prev)
			return broken(v, "list %u is torn", group);
		if (++n > v->class->nr_zspages[group])
			return broken(v, "list %u is longer than counted",
				      group);
		err = verify_zspage(v, group);
		if (err)
			return err;
		v->totals.obj_used += descs[v->head].inuse;
		prev = v->head;
	}
	if (n != v->class->nr_zspages[group])
		return broken(v, "list %u is shorter than counted", group);
	return 0;
}

static int verify_totals(struct verifier *v)
{
	const struct zs_class *class = v->class;

	if (v->totals.obj_used != class->obj_used ||
	    v->totals.obj_allocated != class->obj_allocated ||
	    v->totals.nr_pages != class->nr_pages)
		return broken(
			v,
			"last of the class, which has %llu of %llu objects"
			" in %llu pages, counted %llu of %llu in %llu",
			(unsigned long long)v->totals.obj_used,
			(unsigned long long)v->totals.obj_allocated,
			(unsigned long long)v->totals.nr_pages,
			(unsigned long long)class->obj_used,
			(unsigned long long)class->obj_allocated,
			(unsigned long long)class->nr_pages);
	if (class->is_compact && zs_class_freeable(class))
		return broken(v, "last of the class, which is not as compact"
				 " as it is said to be");
	return 0;
}

static int verify_class(struct verifier *v)
{
	int err = 0;

	memset(&v->totals, 0, sizeof(v->totals));
	zs_class_lock(v->class);
	for (unsigned g = 0; g < ZS_NR_GROUPS && !err; g++)
		err = verify_group(v, g);
	if (!err)
		err = verify_totals(v);
	pthread_mutex_unlock(&v->class->lock);
	return err;
}

static int verify_free_chain(struct verifier *v, enum zs_page_kind kind,
			     uint32_t page, uint64_t n)
{
	const struct zs_desc *descs = v->pool->arena.descs;
	uint64_t found = 0;

	for (; page != ZS_PAGE_NONE; page = descs[page].next) {
		if (!page_exists(v, page) || found++ == n)
			return broken(v, "arena: chain of free pages astray");
		if (descs[page].kind != kind)
			return broken(v,
				      "arena: page %u is free, but of kind"
				      " %u",
				      page, descs[page].kind);
	}
	if (found != n)
		return broken(v, "arena: %llu free pages, %llu counted",
			      (unsigned long long)found, (unsigned long long)n);
	return 0;
}

static int verify_arena(struct verifier *v)
{
	struct zs_arena *arena = &v->pool->arena;
	int err;

	v->class = NULL;
	pthread_mutex_lock(&arena->lock);
	err = verify_free_chain(v, ZS_PAGE_FREE, arena->free_head,
				arena->nr_free);
	if (!err)
		err = verify_free_chain(v, ZS_PAGE_RELEASED,
					arena->released_head,
					arena->nr_released);
	/* Pages on their way to or from the system are in no chain. */
	if (!err && arena->nr_used + arena->nr_free + arena->nr_released +
				    arena->nr_moving !=
			    arena->nr_top)
		err = broken(v, "arena: of %llu pages some are lost",
			     (unsigned long long)arena->nr_top);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

/* A handle leads to an object, and that back to it. The handle is pinned. */
static int verify_entry(struct verifier *v, zs_handle handle, uint64_t entry)
{
	struct zs_pool *pool = v->pool;
	unsigned class_idx = zs_entry_class(entry), obj = zs_entry_obj(entry);
	struct zs_place place = {.page = zs_entry_page(entry)};
	const struct zs_class *class = &pool->classes[class_idx];

	if (class_idx >= ZS_NR_CLASSES ||
	    pool->class_of[class_idx] != class_idx)
		return broken(v, "handle %u names class %u", handle, class_idx);
	place.offset_bytes = obj * class->geometry.size_bytes % ZSD_PAGE_BYTES;
	if (obj >= class->geometry.objs_per_zspage ||
	    place.page >= pool->arena.nr_pages ||
	    zs_obj_header_load(pool, class, place) !=
		    zs_header_allocated(handle))
		return broken(v, "handle %u leads to an object of another's",
			      handle);
	return 0;
}

static int verify_handles(struct verifier *v)
{
	struct zs_handles *handles = &v->pool->handles;
	uint64_t nr_fresh;
	int err = 0;

	v->class = NULL;
	pthread_mutex_lock(&handles->lock);
	nr_fresh = handles->nr_fresh;
	pthread_mutex_unlock(&handles->lock);
	for (zs_handle handle = 1; handle < nr_fresh && !err; handle++) {
		uint64_t entry = zs_handle_pin(v->pool, handle);

		if (!entry)
			continue;
		err = verify_entry(v, handle, entry);
		zs_handle_unpin(v->pool, handle, entry);
	}
	return err;
}

/* How often pages went between arena and classes. */
static uint64_t count_transits(struct zs_arena *arena, uint64_t *nr_used)
{
	uint64_t nr;

	pthread_mutex_lock(&arena->lock);
	nr = arena->nr_transits;
	*nr_used = arena->nr_used;
	pthread_mutex_unlock(&arena->lock);
	return nr;
}

/*
 * Every page in use is some class's, as far as they keep still to be counted.
 * A page comes and goes under its class's lock: of one that went before the
 * first look its class knows when it is counted, and one that goes after that
 * shows in the second.
 */
static int verify_pages(struct verifier *v)
{
	struct zs_pool *pool = v->pool;
	uint64_t nr_in_classes = 0, nr_used;
	uint64_t before = count_transits(&pool->arena, &nr_used);

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		zs_class_lock(&pool->classes[i]);
		nr_in_classes += pool->classes[i].nr_pages;
		pthread_mutex_unlock(&pool->classes[i].lock);
	}
	if (count_transits(&pool->arena, &nr_used) != before ||
	    nr_used == nr_in_classes)
		return 0;
	return broken(v, "arena: %llu pages in use, but %llu in classes",
		      (unsigned long long)nr_used,
		      (unsigned long long)nr_in_classes);
}

int zs_pool_verify(struct zs_pool *pool, char text[ZS_VERIFY_TEXT_BYTES])
{
	struct verifier v = {.pool = pool, .text = text};
	int err = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < ZS_NR_CLASSES && !err; i++) {
		if (pool->class_of[i] != i)
			continue;
		v.class = &pool->classes[i];
		err = verify_class(&v);
	}
	if (!err)
		err = verify_handles(&v);
	if (!err)
		err = verify_arena(&v);
	return err ? err : verify_pages(&v);
}

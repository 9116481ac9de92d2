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

/* --- classes ------------------------------------------------------------- */

/* The zspage at hand, which is in the list of @group. */
static int verify_zspage(struct verifier *v, unsigned group)
{
	const char *fault = zs_zspage_fault(v->pool, v->class, v->head);
	unsigned inuse;
	uint32_t nr_pages = v->class->geometry.pages_per_zspage;

	if (fault)
		return broken(v, "%s", fault);
	inuse = zs_inuse(v->pool, v->head);
	if (!inuse || zs_fullness_group(v->class, inuse) != group)
		return broken(v, "%u objects in use, but in group %u", inuse,
			      group);
	if (v->head == v->class->growing)
		nr_pages = v->class->nr_growing;
	v->totals.nr_pages += nr_pages;
	v->totals.obj_allocated += zs_objs_in_pages(v->class, nr_pages);
	v->totals.obj_used += inuse;
	return 0;
}

static int verify_group(struct verifier *v, unsigned group)
{
	const struct zs_desc *descs = v->pool->arena.descs;
	uint32_t prev = ZS_PAGE_NONE;
	uint64_t n = 0;

	for (v->head = v->class->first_zspage[group]; v->head != ZS_PAGE_NONE;
	     v->head = descs[v->head].list_next) {
		int err;

		if (!zs_is_zspage(v->pool, v->class, v->head))
			return broken(v, "list %u leads to no zspage", group);
		if (descs[v->head].list_prev != prev)
			return broken(v, "list %u is torn", group);
		if (++n > v->class->nr_zspages[group])
			return broken(v, "list %u is longer than counted",
				      group);
		err = verify_zspage(v, group);
		if (err)
			return err;
		prev = v->head;
	}
	if (n != v->class->nr_zspages[group])
		return broken(v, "list %u is shorter than counted", group);
	return 0;
}

/* Handles that the class keeps for itself. */
static int verify_stash(struct verifier *v)
{
	const struct zs_handle_chain *stash = &v->class->stash;

	if (stash->nr < ZS_STASH_MAX &&
	    zs_handle_chain_is_sound(
		    &v->pool->handles, stash,
		    ZS_OWNER_CLASS(v->class->geometry.class_idx)))
		return 0;
	return broken(v, "last of the class, whose chain of free handles is"
			 " torn");
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
	if (!err)
		err = verify_stash(v);
	pthread_mutex_unlock(&v->class->lock);
	return err;
}

/* --- the arena ----------------------------------------------------------- */

static int verify_page_chain(struct verifier *v,
			     const struct zs_page_chain *chain)
{
	const struct zs_arena *arena = &v->pool->arena;
	uint32_t page = chain->first;
	uint64_t left = chain->nr;

	for (; left && page < arena->nr_top; left--) {
		if (zs_state_load(arena, page) != zs_state(chain->kind))
			return broken(v, "arena: page %u is no free one", page);
		page = arena->descs[page].next;
	}
	if (left || page != ZS_PAGE_NONE)
		return broken(v, "arena: chain of free pages astray at %u",
			      page);
	return 0;
}

static int verify_arena(struct verifier *v)
{
	struct zs_arena *arena = &v->pool->arena;
	int err;

	v->class = NULL;
	pthread_mutex_lock(&arena->lock);
	err = verify_page_chain(v, &arena->free);
	if (!err)
		err = verify_page_chain(v, &arena->released);
	/* Pages on their way to or from the system are in no chain. */
	if (!err && arena->nr_used + arena->free.nr + arena->released.nr +
				    arena->nr_moving !=
			    arena->nr_top)
		err = broken(v, "arena: of %llu pages some are lost",
			     (unsigned long long)arena->nr_top);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

/* --- handles ------------------------------------------------------------- */

/* A live handle leads to an object, and that back to it. It is pinned. */
static int verify_object(struct verifier *v, zs_handle handle, uint64_t entry)
{
	struct zs_pool *pool = v->pool;
	const struct zs_class *class = &pool->classes[zs_entry_class(entry)];
	struct zs_place place = zs_entry_place(class, entry);

	if (zs_entry_obj(entry) < class->geometry.objs_per_zspage &&
	    place.page < zs_nr_described(&pool->arena) &&
	    zs_obj_header_load(pool, class, place) ==
		    zs_header_allocated(handle))
		return 0;
	return broken(v, "handle %u leads to an object of another's", handle);
}

/* Any handle that was ever taken: one that is not live is free, or about to be
 * live. */
static int verify_handle(struct verifier *v, zs_handle handle)
{
	struct zs_handles *handles = &v->pool->handles;
	uint64_t entry = atomic_load_explicit(&handles->entries[handle],
					      memory_order_relaxed);
	int err = -EIO;

	if (zs_entry_is_sound(entry))
		err = zs_handle_pin(v->pool, handle, &entry);
	if (err == -EIO)
		return broken(v, "handle %u is damaged", handle);
	if (err)
		return 0;
	err = verify_object(v, handle, entry);
	zs_handle_unpin(v->pool, handle, entry);
	return err;
}

static int verify_handles(struct verifier *v)
{
	struct zs_handles *handles = &v->pool->handles;
	int err = 0;

	v->class = NULL;
	for (zs_handle handle = 1; handle < handles->nr_fresh && !err; handle++)
		err = verify_handle(v, handle);
	if (err)
		return err;
	pthread_mutex_lock(&handles->lock);
	if (!zs_handle_chain_is_sound(handles, &handles->free, ZS_OWNER_TABLE))
		err = broken(v, "the chain of free handles is torn");
	pthread_mutex_unlock(&handles->lock);
	return err;
}

/* --- the pool ------------------------------------------------------------ */

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
	    nr_used == nr_in_classes + pool->pages_retired)
		return 0;
	return broken(v, "arena: %llu pages in use, but %llu in classes",
		      (unsigned long long)nr_used,
		      (unsigned long long)nr_in_classes);
}

/* What was left alone once is lost, though all else is in order. */
static int verify_unharmed(struct verifier *v)
{
	unsigned long long nr_damages = v->pool->arena.nr_damages;
	unsigned long long nr_pages = v->pool->pages_retired;

	if (!nr_damages)
		return 0;
	return broken(v,
		      "damage was met %llu times, and left alone; %llu pages"
		      " are out of use for it",
		      nr_damages, nr_pages);
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
	if (!err)
		err = verify_pages(&v);
	return err ? err : verify_unharmed(&v);
}

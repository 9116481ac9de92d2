/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adoption, the rest: all that follows from the truth is made anew, a piece at
 * a time, while objects are read.
 *
 *   1. handles   Those that their owner did not name, and those whose object
 *                was still being filled, are free. The others lead to an object
 *                that leads back; if not, its zspage is taken out of use.
 *   2. zspages   An object is in use if its handle leads to it. Free lists,
 *                fullness lists and account follow. A zspage with no object in
 *                use is on its way back to the arena, or from there.
 *   3. pages     Those in no zspage are in the arena's chains.
 *
 * The image may be damaged, and the process may die again at any instruction:
 * then the next one starts over. So nothing is given away that a live handle
 * leads to, whatever the descriptors say, and no zspage that does not fit
 * together is used again.
 */
#include "config.h"

#include "base/bits.h"
#include "base/check.h"
#include "zsmalloc/zs_adopt.h"
#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_handle.h"
#include "zsmalloc/zs_zspage.h"

/* Pages that there can be. */
static uint64_t nr_pages_at_most(const struct zs_pool *pool)
{
	return min_u64(zs_nr_described(&pool->arena), pool->arena.nr_pages);
}

/* --- 1. handles ---------------------------------------------------------- */

/*
 * The zspage whose page number @nr is @page, by links that agree in both
 * directions, whatever the states say. Or NONE.
 */
static uint32_t find_head(const struct zs_pool *pool, uint32_t page,
			  uint32_t nr)
{
	const struct zs_desc *descs = pool->arena.descs;
	uint32_t head = nr ? descs[page].head : page;

	for (; nr; nr--) {
		uint32_t prev = descs[page].prev;

		if (prev >= zs_nr_described(&pool->arena) ||
		    descs[prev].next != page || descs[page].head != head)
			return ZS_PAGE_NONE;
		page = prev;
	}
	return page == head ? head : ZS_PAGE_NONE;
}

/* The number of the page of its zspage in which an object starts. */
static uint32_t page_nr_of(const struct zs_class *class, uint64_t entry)
{
	return zs_entry_obj(entry) * class->geometry.size_bytes >>
	       ZSD_PAGE_SHIFT;
}

/*
 * An object that is named is where its descriptors, or its header, do not know
 * it. It can be read for all that. So its zspage keeps its pages, or at least
 * that page, for good.
 */
static void quarantine(struct zs_pool *pool, const struct zs_class *class,
		       uint64_t entry)
{
	unsigned class_idx = class->geometry.class_idx;
	uint32_t page = zs_entry_page(entry), nr = page_nr_of(class, entry);
	uint32_t head = find_head(pool, page, nr);

	zs_note_damage(&pool->arena);
	for (; head != ZS_PAGE_NONE && nr; nr--) {
		zs_state_store(&pool->arena, page,
			       zs_state_tail(class_idx, head));
		page = pool->arena.descs[page].prev;
	}
	zs_state_store(&pool->arena, page,
		       zs_state_head(class_idx, 0, ZS_OBJ_RETIRED));
}

/* Whether an object that straddles two pages has the second. */
static bool has_its_end(const struct zs_pool *pool,
			const struct zs_class *class, uint32_t head,
			uint64_t entry)
{
	uint32_t page = zs_entry_page(entry);
	struct zs_place place = zs_entry_place(class, entry);

	return place.offset_bytes + class->geometry.size_bytes <=
		       ZSD_PAGE_BYTES ||
	       zs_is_tail(pool, class, head, page,
			  pool->arena.descs[page].next);
}

/* Whether the pages in which an object is are where they should be. */
static bool is_in_zspage(const struct zs_pool *pool,
			 const struct zs_class *class, uint64_t entry)
{
	uint32_t page = zs_entry_page(entry), nr = page_nr_of(class, entry);
	uint32_t head = find_head(pool, page, nr);

	if (head == ZS_PAGE_NONE || !zs_is_zspage(pool, class, head) ||
	    !has_its_end(pool, class, head, entry))
		return false;
	for (; nr; nr--) {
		uint32_t prev = pool->arena.descs[page].prev;

		if (!zs_is_tail(pool, class, head, prev, page))
			return false;
		page = prev;
	}
	return true;
}

static bool is_in_order(const struct zs_pool *pool,
			const struct zs_class *class, zs_handle handle,
			uint64_t entry)
{
	return is_in_zspage(pool, class, entry) &&
	       zs_obj_header_load(pool, class, zs_entry_place(class, entry)) ==
		       zs_header_allocated(handle);
}

static void check_object(struct zs_pool *pool, zs_handle handle, uint64_t entry)
{
	const struct zs_class *class = &pool->classes[zs_entry_class(entry)];

	/* There is no such object: none can be read, none can be given away. */
	if (zs_entry_obj(entry) >= class->geometry.objs_per_zspage ||
	    zs_entry_page(entry) >= nr_pages_at_most(pool))
		zs_note_damage(&pool->arena);
	else if (!is_in_order(pool, class, handle, entry))
		quarantine(pool, class, entry);
}

static void rebuild_handle(struct zs_pool *pool, zs_handle handle)
{
	uint64_t entry = atomic_load_explicit(&pool->handles.entries[handle],
					      memory_order_relaxed);

	if (zs_is_named(pool, handle))
		check_object(pool, handle, entry);
	else if (entry && !zs_entry_is_sound(entry))
		zs_note_damage(&pool->arena); /* nobody knows whose it was */
	else
		zs_handle_reclaim(pool, handle);
}

/* --- 2. zspages ---------------------------------------------------------- */

/* What the descriptors of a zspage say. */
enum chain_state {
	CHAIN_WHOLE, /* or growing */
	CHAIN_BROKEN,
};

/* @chain receives the pages up to the end, or to where it is broken. */
static enum chain_state follow(const struct zs_pool *pool,
			       const struct zs_class *class, uint32_t head,
			       struct zs_chain *chain)
{
	const struct zs_desc *descs = pool->arena.descs;
	uint32_t last = head, next = ZS_PAGE_NONE;

	*chain = (struct zs_chain){.head = head, .nr_pages = 1};
	chain->pages[0] = head;
	if (!class->is_huge)
		next = descs[head].next;
	while (next != ZS_PAGE_NONE &&
	       chain->nr_pages < class->geometry.pages_per_zspage &&
	       zs_is_tail(pool, class, head, last, next)) {
		chain->pages[chain->nr_pages++] = next;
		last = next;
		next = descs[last].next;
	}
	chain->nr_objs = zs_objs_in_pages(class, chain->nr_pages);
	return next == ZS_PAGE_NONE ? CHAIN_WHOLE : CHAIN_BROKEN;
}

/* Whether a handle that was named leads to an object. */
static bool is_in_use(const struct zs_pool *pool, const struct zs_class *class,
		      const struct zs_chain *chain, unsigned obj)
{
	struct zs_place place = zs_chain_place(class, chain, obj);
	uint32_t header = zs_obj_header_load(pool, class, place);
	zs_handle handle = header >> 1;
	uint64_t entry;

	if (!(header & ZS_HEADER_ALLOCATED) || handle == ZS_HANDLE_NONE ||
	    handle >= pool->handles.nr_fresh || !zs_is_named(pool, handle))
		return false;
	entry = atomic_load_explicit(&pool->handles.entries[handle],
				     memory_order_relaxed);
	/* It may be read at this moment. */
	return (entry & ~ZS_ENTRY_PINNED) ==
	       zs_entry_live(class->geometry.class_idx, obj, place.page);
}

static unsigned count_in_use(const struct zs_pool *pool,
			     const struct zs_class *class,
			     const struct zs_chain *chain)
{
	unsigned nr = 0;

	for (unsigned obj = 0; obj < chain->nr_objs; obj++)
		nr += is_in_use(pool, class, chain, obj);
	return nr;
}

/* Each of its pages is in no zspage any more. */
static void dissolve(struct zs_pool *pool, const struct zs_chain *chain)
{
	for (uint32_t i = 0; i < chain->nr_pages; i++) {
		uint32_t page = chain->pages[i];

		pool->arena.descs[page].head = page;
		zs_state_store(&pool->arena, page, zs_state_tail(0, page));
	}
}

static void free_others(struct zs_pool *pool, const struct zs_class *class,
			const struct zs_chain *chain)
{
	for (unsigned obj = 0; obj < chain->nr_objs; obj++) {
		if (!is_in_use(pool, class, chain, obj))
			zs_obj_header_store(pool, class,
					    zs_chain_place(class, chain, obj),
					    zs_header_free(ZS_OBJ_NONE));
	}
}

/* Take a zspage that is whole, and has objects in use, into the class. */
static void restore(struct zs_pool *pool, struct zs_class *class,
		    const struct zs_chain *chain, unsigned inuse)
{
	uint32_t head = chain->head;

	free_others(pool, class, chain);
	zs_state_store(&pool->arena, head,
		       zs_state_head(class->geometry.class_idx, inuse,
				     ZS_OBJ_NONE));
	if (!class->is_huge)
		BUG_ON(!zs_zspage_relink(pool, class, chain));
	zs_class_lock(class);
	if (chain->nr_pages < class->geometry.pages_per_zspage) {
		class->growing = head;
		class->nr_growing = chain->nr_pages;
	}
	zs_class_enter(pool, class, head);
	pthread_mutex_unlock(&class->lock);
}

/* No class has two that grow. */
static bool is_one_too_many(const struct zs_class *class,
			    const struct zs_chain *chain)
{
	return chain->nr_pages < class->geometry.pages_per_zspage &&
	       class->growing != ZS_PAGE_NONE;
}

static void rebuild_zspage(struct zs_pool *pool, struct zs_class *class,
			   uint32_t head)
{
	struct zs_chain chain;
	enum chain_state state = follow(pool, class, head, &chain);
	unsigned inuse = count_in_use(pool, class, &chain);

	if (!inuse) {
		dissolve(pool, &chain);
	} else if (state == CHAIN_BROKEN || is_one_too_many(class, &chain)) {
		zs_note_damage(&pool->arena);
		zs_state_store(&pool->arena, head,
			       zs_state_head(class->geometry.class_idx, 0,
					     ZS_OBJ_RETIRED));
	} else {
		restore(pool, class, &chain, inuse);
	}
}

/* The class of a zspage, or of a page of one; NULL: there is none such. */
static struct zs_class *class_of_state(struct zs_pool *pool, uint32_t state)
{
	unsigned class_idx = zs_state_class(state);

	return class_idx < ZS_NR_CLASSES &&
			       pool->class_of[class_idx] == class_idx
		       ? &pool->classes[class_idx]
		       : NULL;
}

/* Or was about to be, for the first time: then it may have a link already. */
static bool was_never_taken(const struct zs_desc *desc)
{
	return !desc->state;
}

/* A page that may be the first of a zspage. */
static void rebuild_head(struct zs_pool *pool, uint32_t page)
{
	uint32_t state = zs_state_load(&pool->arena, page);
	struct zs_class *class = class_of_state(pool, state);

	if (!pool->adoption.nr_top &&
	    !was_never_taken(&pool->arena.descs[page]))
		pool->adoption.nr_top = (uint64_t)page + 1;
	if (class && zs_is_zspage(pool, class, page) &&
	    !zs_zspage_is_retired(pool, page))
		rebuild_zspage(pool, class, page);
}

/* --- 3. pages ------------------------------------------------------------ */

/* Whether a page, which is a TAIL, is in a zspage that there is. */
static bool is_linked(struct zs_pool *pool, uint32_t page)
{
	struct zs_class *class =
		class_of_state(pool, zs_state_load(&pool->arena, page));
	uint32_t head = pool->arena.descs[page].head;

	if (!class || !zs_is_zspage(pool, class, head))
		return false;
	for (uint32_t nr = class->geometry.pages_per_zspage; nr > 1; nr--) {
		uint32_t prev = pool->arena.descs[page].prev;

		if (prev >= zs_nr_described(&pool->arena) ||
		    pool->arena.descs[prev].next != page ||
		    !zs_is_tail(pool, class, head, prev, page))
			return false;
		if (prev == head)
			return true;
		page = prev;
	}
	return false;
}

/* Whether a page is nobody's. */
static bool is_free(struct zs_pool *pool, uint32_t page)
{
	const struct zs_desc *desc = &pool->arena.descs[page];
	uint32_t state = zs_state_load(&pool->arena, page);

	if (was_never_taken(desc))
		return true;
	if (!zs_state_is_sound(state)) {
		zs_note_damage(&pool->arena);
		return false;
	}
	switch (zs_state_kind(state)) {
	case ZS_PAGE_FREE:
	case ZS_PAGE_RELEASED:
		return true;
	case ZS_PAGE_HEAD:
		return false;
	case ZS_PAGE_TAIL:
		break;
	}
	return !is_linked(pool, page);
}

static void rebuild_page(struct zs_pool *pool, uint32_t page)
{
	if (is_free(pool, page))
		zs_arena_reclaim(&pool->arena, page);
}

/* --- A piece at a time --------------------------------------------------- */

/* What is in no class is in zspages that are out of use. */
static void count_retired(struct zs_pool *pool)
{
	uint64_t nr = pool->arena.nr_used;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++)
		nr -= pool->classes[i].nr_pages;
	atomic_store_explicit(&pool->pages_retired, nr, memory_order_relaxed);
}

static void begin_next_stage(struct zs_pool *pool)
{
	struct zs_adoption *adoption = &pool->adoption;

	switch (++adoption->stage) {
	case ZS_REBUILD_HANDLES:
		break;
	case ZS_REBUILD_ZSPAGES:
		adoption->next = nr_pages_at_most(pool);
		break;
	case ZS_REBUILD_PAGES:
		adoption->next = adoption->nr_top;
		break;
	case ZS_REBUILT:
		zs_arena_settle(&pool->arena, adoption->nr_top);
		count_retired(pool);
		zs_adoption_end(pool);
		break;
	}
}

/* Look at one of what this stage looks at. Handle 0 is none. */
static void look_at(struct zs_pool *pool, uint32_t nr)
{
	switch (pool->adoption.stage) {
	case ZS_REBUILD_HANDLES:
		if (nr != ZS_HANDLE_NONE)
			rebuild_handle(pool, nr);
		break;
	case ZS_REBUILD_ZSPAGES:
		rebuild_head(pool, nr);
		break;
	case ZS_REBUILD_PAGES:
		rebuild_page(pool, nr);
		break;
	case ZS_REBUILT:
		break;
	}
}

bool zs_pool_rebuild(struct zs_pool *pool, unsigned max_looks)
{
	struct zs_adoption *adoption = &pool->adoption;

	if (!adoption->named)
		return false;
	for (; max_looks && adoption->next; max_looks--)
		look_at(pool, (uint32_t)--adoption->next);
	if (!adoption->next)
		begin_next_stage(pool);
	return adoption->stage != ZS_REBUILT;
}

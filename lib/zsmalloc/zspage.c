/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One zspage: its chain of pages, and its objects, in use and free.
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

#include "base/check.h"
#include "zsmalloc/zs_class.h"
#include "zsmalloc/zs_zspage.h"

/* --- Pages --------------------------------------------------------------- */

bool zs_is_zspage(const struct zs_pool *pool, const struct zs_class *class,
		  uint32_t head)
{
	uint32_t state;

	if (head >= zs_nr_described(&pool->arena))
		return false;
	state = zs_state_load(&pool->arena, head);
	return zs_state_is_sound(state) &&
	       zs_state_kind(state) == ZS_PAGE_HEAD &&
	       zs_state_class(state) == class->geometry.class_idx;
}

/* Pages that a zspage should have. */
static uint32_t nr_pages_of(const struct zs_class *class, uint32_t head)
{
	return head == class->growing ? class->nr_growing
				      : class->geometry.pages_per_zspage;
}

bool zs_chain_open(const struct zs_pool *pool, const struct zs_class *class,
		   uint32_t head, struct zs_chain *chain)
{
	const struct zs_desc *descs = pool->arena.descs;
	uint32_t nr_pages = nr_pages_of(class, head), page = head;

	if (!zs_is_zspage(pool, class, head))
		return false;
	*chain = (struct zs_chain){
		.head = head,
		.nr_pages = 1,
		.nr_objs = zs_objs_in_pages(class, nr_pages),
	};
	chain->pages[0] = head;
	while (chain->nr_pages < nr_pages) {
		uint32_t next = descs[page].next;

		if (!zs_is_tail(pool, class, head, page, next))
			return false;
		chain->pages[chain->nr_pages++] = next;
		page = next;
	}
	return class->is_huge || descs[page].next == ZS_PAGE_NONE;
}

/* Where an object starts. Return: false where the pages up to its end are
 * damaged. */
static bool find_place(const struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head, unsigned obj, struct zs_place *place)
{
	uint32_t size_bytes = class->geometry.size_bytes;
	uint32_t at = obj * size_bytes, page = head;

	*place = (struct zs_place){.page = head, .offset_bytes = at};
	while (at + size_bytes > ZSD_PAGE_BYTES) {
		uint32_t next = pool->arena.descs[page].next;

		if (unlikely(!zs_is_tail(pool, class, head, page, next)))
			return false;
		if (at < ZSD_PAGE_BYTES)
			break;
		page = next;
		at -= ZSD_PAGE_BYTES;
		*place = (struct zs_place){.page = page, .offset_bytes = at};
	}
	return true;
}

/* --- Headers ------------------------------------------------------------- */

uint32_t zs_obj_header_load(const struct zs_pool *pool,
			    const struct zs_class *class, struct zs_place place)
{
	if (class->is_huge)
		return pool->arena.descs[place.page].next;
	return *zs_obj_header(pool, place);
}

void zs_obj_header_store(struct zs_pool *pool, const struct zs_class *class,
			 struct zs_place place, uint32_t header)
{
	if (class->is_huge)
		pool->arena.descs[place.page].next = header;
	else
		*zs_obj_header(pool, place) = header;
}

static void head_store(struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head, unsigned inuse, unsigned freeobj)
{
	zs_state_store(&pool->arena, head,
		       zs_state_head(class->geometry.class_idx, inuse,
				     freeobj));
}

/* --- Life ---------------------------------------------------------------- */

static void start_zspage(struct zs_pool *pool, const struct zs_class *class,
			 struct zs_chain *chain, uint32_t page)
{
	struct zs_desc *desc = &pool->arena.descs[page];

	desc->next = ZS_PAGE_NONE;
	desc->list_prev = ZS_PAGE_NONE;
	desc->list_next = ZS_PAGE_NONE;
	head_store(pool, class, page, 0, ZS_OBJ_NONE);
	*chain = (struct zs_chain){.head = page};
}

/* The page is complete before it is linked. */
static void append_page(struct zs_pool *pool, const struct zs_class *class,
			const struct zs_chain *chain, uint32_t page)
{
	uint32_t last = chain->pages[chain->nr_pages - 1];
	struct zs_desc *desc = &pool->arena.descs[page];

	desc->next = ZS_PAGE_NONE;
	desc->head = chain->head;
	desc->prev = last;
	zs_state_store(&pool->arena, page,
		       zs_state_tail(class->geometry.class_idx, chain->head));
	atomic_signal_fence(memory_order_release);
	pool->arena.descs[last].next = page;
}

/* Chain the objects from @first on, which are new. */
static void add_objs(struct zs_pool *pool, const struct zs_class *class,
		     const struct zs_chain *chain, unsigned first)
{
	uint32_t state = zs_state_load(&pool->arena, chain->head);
	unsigned freeobj = zs_state_freeobj(state);

	/* Backwards, so that they are taken in order. */
	for (unsigned obj = chain->nr_objs; obj-- > first;) {
		zs_obj_header_store(pool, class,
				    zs_chain_place(class, chain, obj),
				    zs_header_free(freeobj));
		freeobj = obj;
	}
	head_store(pool, class, chain->head, zs_state_inuse(state), freeobj);
}

uint32_t zs_class_add_page(struct zs_pool *pool, struct zs_class *class,
			   uint32_t page)
{
	uint32_t head = class->growing;
	struct zs_chain chain;
	unsigned old_nr_objs;

	if (head != ZS_PAGE_NONE &&
	    unlikely(!zs_chain_open(pool, class, head, &chain))) {
		zs_class_retire(pool, class, head);
		head = ZS_PAGE_NONE;
	}
	if (head == ZS_PAGE_NONE)
		start_zspage(pool, class, &chain, page);
	else
		append_page(pool, class, &chain, page);
	chain.pages[chain.nr_pages++] = page;
	old_nr_objs = chain.nr_objs;
	chain.nr_objs = zs_objs_in_pages(class, chain.nr_pages);
	add_objs(pool, class, &chain, old_nr_objs);
	class->obj_allocated += chain.nr_objs - old_nr_objs;
	class->nr_pages++;
	class->growing = chain.head;
	class->nr_growing = chain.nr_pages;
	if (chain.nr_pages == class->geometry.pages_per_zspage)
		class->growing = ZS_PAGE_NONE;
	zs_class_loosen(class);
	return chain.head;
}

void zs_zspage_give_back(struct zs_pool *pool, struct zs_class *class,
			 uint32_t head)
{
	struct zs_chain chain;

	if (unlikely(!zs_chain_open(pool, class, head, &chain))) {
		zs_class_retire(pool, class, head);
		return;
	}
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
	class->nr_growing = nr_pages;
	class->obj_allocated -= chain->nr_objs - nr_objs;
	class->nr_pages -= nr_cut;
	chain->nr_objs = nr_objs;
	chain->nr_pages = nr_pages;
	zs_arena_put(&pool->arena, chain->pages + nr_pages, nr_cut);
}

/* --- Objects ------------------------------------------------------------- */

/* How many objects of a zspage say that they are in use. */
static unsigned count_allocated(const struct zs_pool *pool,
				const struct zs_class *class,
				const struct zs_chain *chain)
{
	unsigned nr = 0;

	for (unsigned obj = 0; obj < chain->nr_objs; obj++)
		nr += zs_obj_header_load(pool, class,
					 zs_chain_place(class, chain, obj)) &
		      ZS_HEADER_ALLOCATED;
	return nr;
}

bool zs_zspage_relink(struct zs_pool *pool, const struct zs_class *class,
		      const struct zs_chain *chain)
{
	unsigned next = ZS_OBJ_NONE;
	unsigned inuse =
		zs_state_inuse(zs_state_load(&pool->arena, chain->head));

	if (count_allocated(pool, class, chain) != inuse)
		return false;
	for (unsigned obj = chain->nr_objs; obj-- > 0;) {
		uint32_t *header =
			zs_obj_header(pool, zs_chain_place(class, chain, obj));

		if (*header & ZS_HEADER_ALLOCATED)
			continue;
		*header = zs_header_free(next);
		next = obj;
	}
	head_store(pool, class, chain->head, inuse, next);
	return true;
}

bool zs_zspage_take_obj(struct zs_pool *pool, const struct zs_class *class,
			uint32_t head, const struct zs_chain *chain,
			zs_handle handle, struct zs_taken *out)
{
	uint32_t state = zs_state_load(&pool->arena, head), header;
	unsigned obj = zs_state_freeobj(state), next;
	unsigned nr_objs = zs_objs_in_pages(class, nr_pages_of(class, head));

	if (!zs_is_zspage(pool, class, head) || obj >= nr_objs ||
	    zs_state_inuse(state) >= nr_objs)
		return false;
	if (chain)
		out->place = zs_chain_place(class, chain, obj);
	else if (!find_place(pool, class, head, obj, &out->place))
		return false;
	header = zs_obj_header_load(pool, class, out->place);
	next = header >> 1;
	if (header & ZS_HEADER_ALLOCATED ||
	    (next >= nr_objs && next != ZS_OBJ_NONE))
		return false;
	zs_obj_header_store(pool, class, out->place,
			    zs_header_allocated(handle));
	head_store(pool, class, head, zs_state_inuse(state) + 1, next);
	out->entry =
		zs_entry_live(class->geometry.class_idx, obj, out->place.page);
	return true;
}

bool zs_zspage_put_obj(struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head, uint64_t entry, zs_handle handle)
{
	uint32_t state = zs_state_load(&pool->arena, head);
	unsigned obj = zs_entry_obj(entry);
	struct zs_place place = zs_entry_place(class, entry);

	if (!zs_state_inuse(state) || zs_obj_header_load(pool, class, place) !=
					      zs_header_allocated(handle))
		return false;
	zs_obj_header_store(pool, class, place,
			    zs_header_free(zs_state_freeobj(state)));
	head_store(pool, class, head, zs_state_inuse(state) - 1, obj);
	return true;
}

/* --- Whether it is in order ---------------------------------------------- */

/* Whether an object in use is what its handle leads to. */
static bool is_led_to(const struct zs_pool *pool, const struct zs_class *class,
		      struct zs_place place, unsigned obj, uint32_t header)
{
	const struct zs_handles *handles = &pool->handles;
	zs_handle handle = header >> 1;
	uint64_t live =
		zs_entry_live(class->geometry.class_idx, obj, place.page);
	uint64_t entry;

	if (handle == ZS_HANDLE_NONE || handle >= handles->nr_fresh)
		return false;
	entry = atomic_load_explicit(&handles->entries[handle],
				     memory_order_acquire);
	return (entry & ~ZS_ENTRY_PINNED) == live ||
	       entry == zs_entry_filling(live);
}

static const char *find_object_fault(const struct zs_pool *pool,
				     const struct zs_class *class,
				     const struct zs_chain *chain)
{
	for (unsigned obj = 0; obj < chain->nr_objs; obj++) {
		struct zs_place place = zs_chain_place(class, chain, obj);
		uint32_t header = zs_obj_header_load(pool, class, place);

		if (header & ZS_HEADER_ALLOCATED &&
		    !is_led_to(pool, class, place, obj, header))
			return "the handle of an object leads elsewhere";
	}
	return NULL;
}

static const char *find_free_list_fault(const struct zs_pool *pool,
					const struct zs_class *class,
					const struct zs_chain *chain)
{
	uint32_t state = zs_state_load(&pool->arena, chain->head);
	unsigned obj = zs_state_freeobj(state);
	unsigned left = chain->nr_objs - zs_state_inuse(state);

	for (; left && obj < chain->nr_objs; left--) {
		uint32_t header = zs_obj_header_load(
			pool, class, zs_chain_place(class, chain, obj));

		if (header & ZS_HEADER_ALLOCATED)
			return "an object in use is in the free list";
		obj = header >> 1;
	}
	return left || obj != ZS_OBJ_NONE ? "its free list runs astray" : NULL;
}

const char *zs_zspage_fault(const struct zs_pool *pool,
			    const struct zs_class *class, uint32_t head)
{
	struct zs_chain chain;
	const char *fault;
	unsigned inuse;

	if (!zs_is_zspage(pool, class, head))
		return "its descriptor is another's";
	if (!zs_chain_open(pool, class, head, &chain))
		return "its pages do not belong together";
	inuse = zs_state_inuse(zs_state_load(&pool->arena, head));
	if (count_allocated(pool, class, &chain) != inuse)
		return "its objects in use are miscounted";
	fault = find_object_fault(pool, class, &chain);
	return fault ? fault : find_free_list_fault(pool, class, &chain);
}

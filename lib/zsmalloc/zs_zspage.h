/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_zspage - one zspage: its chain of pages, and its objects, in use and free
 *
 * Nothing is taken for granted: where a function returns false, the image is
 * damaged, and nothing was changed. What to do then is zs_class_retire().
 *
 * Context: the class's lock is held.
 */
#ifndef ZSD_ZSMALLOC_ZS_ZSPAGE_H
#define ZSD_ZSMALLOC_ZS_ZSPAGE_H

#include "base/check.h"
#include "zsmalloc/zs_internal.h"

/* --- Pages --------------------------------------------------------------- */

/* A zspage with its pages at hand, for those who look at many objects of it. */
struct zs_chain {
	uint32_t head;
	uint32_t nr_pages;
	unsigned nr_objs; /* that its pages have room for */
	uint32_t pages[ZS_CHAIN_SIZE_MAX];
};

/* Whether @head, which may be any number, is a zspage of the class. */
bool zs_is_zspage(const struct zs_pool *pool, const struct zs_class *class,
		  uint32_t head);

/* Whether @page, which may be any number, is the one behind @prev in the zspage
 * @head. */
static inline bool zs_is_tail(const struct zs_pool *pool,
			      const struct zs_class *class, uint32_t head,
			      uint32_t prev, uint32_t page)
{
	const struct zs_desc *desc = &pool->arena.descs[page];

	return page < zs_nr_described(&pool->arena) && desc->prev == prev &&
	       desc->head == head &&
	       zs_state_load(&pool->arena, page) ==
		       zs_state_tail(class->geometry.class_idx, head);
}

/* All pages that it should have are there, and no more. */
bool zs_chain_open(const struct zs_pool *pool, const struct zs_class *class,
		   uint32_t head, struct zs_chain *chain) ZSD_MUST_CHECK;

/*
 * Add @page to the growing zspage, or make it the first of a new one.
 * Return: the zspage, which has a free object now.
 */
uint32_t zs_class_add_page(struct zs_pool *pool, struct zs_class *class,
			   uint32_t page);

/* Give the pages of an emptied zspage, which is in no list, to the arena. */
void zs_zspage_give_back(struct zs_pool *pool, struct zs_class *class,
			 uint32_t head);

/*
 * Give the pages from the @nr_pages-th on, in which no object is in use, to the
 * arena: the zspage grows again, so that no other may. The free list is void
 * until it is relinked.
 */
void zs_zspage_cut(struct zs_pool *pool, struct zs_class *class,
		   struct zs_chain *chain, uint32_t nr_pages);

/* Objects that fit the first @nr_pages pages of a zspage. */
static inline unsigned zs_objs_in_pages(const struct zs_class *class,
					uint32_t nr_pages)
{
	return nr_pages * ZSD_PAGE_BYTES / class->geometry.size_bytes;
}

/* Pages that the first @nr_objs objects of a zspage need. */
static inline uint32_t zs_pages_for_objs(const struct zs_class *class,
					 unsigned nr_objs)
{
	return (nr_objs * class->geometry.size_bytes + ZSD_PAGE_BYTES - 1) >>
	       ZSD_PAGE_SHIFT;
}

/* --- Objects ------------------------------------------------------------- */

/* Where an object starts. */
struct zs_place {
	uint32_t page;
	uint32_t offset_bytes;
};

static inline struct zs_place zs_chain_place(const struct zs_class *class,
					     const struct zs_chain *chain,
					     unsigned obj)
{
	uint32_t at = obj * class->geometry.size_bytes;

	return (struct zs_place){
		.page = chain->pages[at >> ZSD_PAGE_SHIFT],
		.offset_bytes = at % ZSD_PAGE_BYTES,
	};
}

static inline struct zs_place zs_entry_place(const struct zs_class *class,
					     uint64_t entry)
{
	uint32_t at = zs_entry_obj(entry) * class->geometry.size_bytes;

	return (struct zs_place){
		.page = zs_entry_page(entry),
		.offset_bytes = at % ZSD_PAGE_BYTES,
	};
}

static inline uint32_t *zs_obj_header(const struct zs_pool *pool,
				      struct zs_place place)
{
	return (uint32_t *)(void *)(zs_page_address(&pool->arena, place.page) +
				    place.offset_bytes);
}

/* The header of an object, which a huge one has in its descriptor. */
uint32_t zs_obj_header_load(const struct zs_pool *pool,
			    const struct zs_class *class,
			    struct zs_place place);

void zs_obj_header_store(struct zs_pool *pool, const struct zs_class *class,
			 struct zs_place place, uint32_t header);

/* An object just taken. */
struct zs_taken {
	struct zs_place place;
	uint64_t entry; /* of its handle, once it is live */
};

/*
 * Take the first free object for @handle. @chain: of @head, if it is at hand,
 * or NULL.
 */
bool zs_zspage_take_obj(struct zs_pool *pool, const struct zs_class *class,
			uint32_t head, const struct zs_chain *chain,
			zs_handle handle, struct zs_taken *out) ZSD_MUST_CHECK;

/* Give back the object that @entry, which is @handle's, leads to. */
bool zs_zspage_put_obj(struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head, uint64_t entry,
		       zs_handle handle) ZSD_MUST_CHECK;

/* Make the free list anew, lowest object first. */
bool zs_zspage_relink(struct zs_pool *pool, const struct zs_class *class,
		      const struct zs_chain *chain) ZSD_MUST_CHECK;

/*
 * What is wrong with a zspage, of all that can be; NULL: nothing. Cost: a look
 * at each of its objects and their handles.
 */
const char *zs_zspage_fault(const struct zs_pool *pool,
			    const struct zs_class *class, uint32_t head);

/*
 * Whether a zspage that is about to change has none. At check level 2 alone;
 * below, what the change needs is looked at, and nothing else.
 */
static inline bool zs_zspage_is_fit(const struct zs_pool *pool,
				    const struct zs_class *class, uint32_t head)
{
	return ZSD_CHECKS < 2 || !zs_zspage_fault(pool, class, head);
}

#endif

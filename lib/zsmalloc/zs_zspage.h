/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_zspage - one zspage: its chain of pages, its objects, used and free
 *
 * Context: the class's lock is held.
 */
#ifndef ZSD_ZSMALLOC_ZS_ZSPAGE_H
#define ZSD_ZSMALLOC_ZS_ZSPAGE_H

#include <string.h>

#include "base/check.h"
#include "zsmalloc/zs_internal.h"

/* Where an object starts. */
struct zs_place {
	uint32_t page;
	uint32_t offset_bytes;
};

/* A zspage with its pages at hand, for those who look at many objects of it. */
struct zs_chain {
	uint32_t head;
	uint32_t nr_pages;
	unsigned nr_objs; /* that its pages have room for */
	uint32_t pages[ZS_CHAIN_SIZE_MAX];
};

void zs_chain_open(const struct zs_pool *pool, const struct zs_class *class,
		   uint32_t head, struct zs_chain *chain);

static inline struct zs_place zs_chain_place(const struct zs_class *class,
					     const struct zs_chain *chain,
					     unsigned obj)
{
	uint32_t at = obj * class->geometry.size_bytes;

	return (struct zs_place){
		.page = chain->pages[at >> ZSD_PAGE_SHIFT],
		.offset_bytes = at & (ZSD_PAGE_BYTES - 1),
	};
}

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

/* Make the free list anew, lowest object first. */
void zs_zspage_relink(struct zs_pool *pool, const struct zs_class *class,
		      const struct zs_chain *chain);

/* Objects that fit the first @nr_pages pages of a zspage. */
static inline unsigned zs_objs_in_pages(const struct zs_class *class,
					uint32_t nr_pages)
{
	return nr_pages * ZSD_PAGE_BYTES / class->geometry.size_bytes;
}

struct zs_place zs_obj_place(const struct zs_pool *pool,
			     const struct zs_class *class, uint32_t head,
			     unsigned obj);

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

/* Pages that the first @nr_objs objects of a zspage need. */
static inline uint32_t zs_pages_for_objs(const struct zs_class *class,
					 unsigned nr_objs)
{
	return (nr_objs * class->geometry.size_bytes + ZSD_PAGE_BYTES - 1) >>
	       ZSD_PAGE_SHIFT;
}

/*
 * Take the first free object of @head, which starts at @place, for @handle.
 * Return: its entry.
 */
uint64_t zs_zspage_take_obj(struct zs_pool *pool, const struct zs_class *class,
			    uint32_t head, struct zs_place place,
			    zs_handle handle);

/* Give back object @obj, which starts at @place. */
void zs_zspage_put_obj(struct zs_pool *pool, const struct zs_class *class,
		       uint32_t head, unsigned obj, struct zs_place place);

#endif

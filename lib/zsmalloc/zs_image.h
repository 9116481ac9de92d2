/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_image - the words that a pool keeps in the image
 *
 *   handle entries   uint64_t[]         8 B a handle: where its object is
 *   tags             uint32_t[]         4 B a handle, if the pool has them
 *   descriptors      struct zs_desc[]  16 B an arena page
 *   arena            4 KiB pages: objects, each with a header of 4 B, or with
 *                    none where it fills its page
 *
 * Each part is page-aligned. They stand in this order.
 */
#ifndef ZSD_ZSMALLOC_ZS_IMAGE_H
#define ZSD_ZSMALLOC_ZS_IMAGE_H

#include <stdint.h>

#include "zsmalloc/zsmalloc.h"

/* --- Descriptors -------------------------------------------------------- */

/* No page: the end of a chain or a list. */
#define ZS_PAGE_NONE UINT32_MAX

/* No object: the end of a zspage's free list. */
#define ZS_OBJ_NONE 2047u

enum zs_page_kind {
	ZS_PAGE_FREE, /* in the reserve; all zero: never taken */
	ZS_PAGE_HEAD, /* first page of a zspage, and its descriptor */
	ZS_PAGE_TAIL, /* any other page of a zspage */
	ZS_PAGE_RELEASED, /* its memory was given back to the system */
};

struct zs_desc {
	uint32_t next; /* page of the zspage, or of a free list; in a huge
			* zspage, which has one page, the object's handle */
	union {
		uint32_t list_prev; /* HEAD: in its fullness list */
		uint32_t head; /* TAIL: its zspage */
	};
	uint32_t list_next; /* HEAD: in its fullness list */
	uint32_t kind : 2;
	uint32_t class_idx : 8;
	uint32_t inuse : 11; /* HEAD: objects in use */
	uint32_t freeobj : 11; /* HEAD: first free object, or ZS_OBJ_NONE */
};

_Static_assert(sizeof(struct zs_desc) == 16, "16 B a page is the budget");

/* --- Handle entries and object headers ---------------------------------- */

/*
 * The entry of a live handle, from bit 0:
 *   1 live | 1 pinned | 8 class | 11 object | 32 page where the object starts
 * That of a handle whose object is being filled says the same, but is pinned
 * and not live yet. A free one: 0 | 31 unused | 32 next free handle
 * Only the holder of the pin may change an entry.
 */
#define ZS_ENTRY_LIVE	     ((uint64_t)1 << 0)
#define ZS_ENTRY_PINNED	     ((uint64_t)1 << 1)
#define ZS_ENTRY_CLASS_SHIFT 2
#define ZS_ENTRY_OBJ_SHIFT   10
#define ZS_ENTRY_PAGE_SHIFT  21
#define ZS_ENTRY_NEXT_SHIFT  32

static inline uint64_t zs_entry(unsigned class_idx, unsigned obj, uint32_t page)
{
	return ZS_ENTRY_LIVE | (uint64_t)class_idx << ZS_ENTRY_CLASS_SHIFT |
	       (uint64_t)obj << ZS_ENTRY_OBJ_SHIFT |
	       (uint64_t)page << ZS_ENTRY_PAGE_SHIFT;
}

/* The same while it is being filled. */
static inline uint64_t zs_entry_filling(uint64_t live)
{
	return (live & ~ZS_ENTRY_LIVE) | ZS_ENTRY_PINNED;
}

static inline bool zs_entry_is_free(uint64_t entry)
{
	return !(entry & (ZS_ENTRY_LIVE | ZS_ENTRY_PINNED));
}

static inline unsigned zs_entry_class(uint64_t entry)
{
	return (unsigned)(entry >> ZS_ENTRY_CLASS_SHIFT) & 0xff;
}

static inline unsigned zs_entry_obj(uint64_t entry)
{
	return (unsigned)(entry >> ZS_ENTRY_OBJ_SHIFT) & 0x7ff;
}

static inline uint32_t zs_entry_page(uint64_t entry)
{
	return (uint32_t)(entry >> ZS_ENTRY_PAGE_SHIFT);
}

/* The header in front of an object: its handle, or the next free object. */
#define ZS_HEADER_ALLOCATED 1u

static inline uint32_t zs_header_allocated(zs_handle handle)
{
	return handle << 1 | ZS_HEADER_ALLOCATED;
}

static inline uint32_t zs_header_free(unsigned next_obj)
{
	return next_obj << 1;
}

#endif

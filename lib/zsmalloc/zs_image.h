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
 *
 * Memory fails, and a stray write may hit the image, so that no word of it is
 * believed alone. A handle entry and the state of a descriptor carry a check;
 * pages and lists are linked both ways; the header of an object must agree with
 * its handle's entry; and what a free list leads to must not be in use. What
 * does not agree is left alone: no object is taken or freed by it.
 *
 * Each word is written as a whole, so that it is sound at every instant.
 */
#ifndef ZSD_ZSMALLOC_ZS_IMAGE_H
#define ZSD_ZSMALLOC_ZS_IMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "zsmalloc/zsmalloc.h"

/* --- Descriptors -------------------------------------------------------- */

/* No page: the end of a chain or a list. */
#define ZS_PAGE_NONE UINT32_MAX

/*
 * Most objects of a zspage, whatever its class and the chain size: as many as
 * pieces of 16 bytes fit a page. Two numbers beyond are no object: the end of a
 * free list, and the mark of a zspage that is out of use since it is damaged.
 */
#define ZS_MAX_OBJS    256u
#define ZS_OBJ_NONE    511u
#define ZS_OBJ_RETIRED 510u

enum zs_page_kind {
	ZS_PAGE_FREE, /* in the reserve */
	ZS_PAGE_HEAD, /* first page of a zspage, and its descriptor */
	ZS_PAGE_TAIL, /* any other page of a zspage; or a page that was taken
		       * from the arena and is in no zspage yet */
	ZS_PAGE_RELEASED, /* its memory was given back to the system */
};

/*
 * The descriptor of a page. All zero: it was never taken. Links lead both ways:
 * the page that "next" names has this one in "prev", and the same holds for the
 * neighbours in a fullness list.
 */
struct zs_desc {
	uint32_t next; /* page of the zspage, or of a free list; in a huge
			* zspage, which has one page, the object's header */
	union {
		uint32_t list_prev; /* HEAD: in its fullness list */
		uint32_t head; /* TAIL: its zspage */
	};
	union {
		uint32_t list_next; /* HEAD: in its fullness list */
		uint32_t prev; /* TAIL: page before it in the zspage */
	};
	_Atomic uint32_t state; /* see zs_state() */
};

_Static_assert(sizeof(struct zs_desc) == 16, "16 B a page is the budget");

/*
 * The state of a page, from bit 0:
 *   2 kind | 8 class | 9 objects in use | 9 first free object | 4 check
 * A TAIL has its head folded to 18 bits in place of the two numbers. The check
 * makes all halves of bytes come to ZS_STATE_SUM when they are exclusive-ored.
 */
#define ZS_STATE_CLASS_SHIFT 2
#define ZS_STATE_INUSE_SHIFT 10
#define ZS_STATE_FREE_SHIFT  19
#define ZS_STATE_CHECK_SHIFT 28
#define ZS_STATE_SUM	     0x9u

static inline unsigned zs_state_sum(uint32_t state)
{
	uint8_t sum = xor_bytes(state);

	return (sum ^ sum >> 4) & 0xf;
}

/* @state has no check yet. */
static inline uint32_t zs_state_seal(uint32_t state)
{
	return state | (zs_state_sum(state) ^ ZS_STATE_SUM)
			       << ZS_STATE_CHECK_SHIFT;
}

static inline bool zs_state_is_sound(uint32_t state)
{
	return zs_state_sum(state) == ZS_STATE_SUM;
}

/* Of a FREE or RELEASED page. */
static inline uint32_t zs_state(enum zs_page_kind kind)
{
	return zs_state_seal(kind);
}

static inline uint32_t zs_state_head(unsigned class_idx, unsigned inuse,
				     unsigned freeobj)
{
	return zs_state_seal(ZS_PAGE_HEAD |
			     (uint32_t)class_idx << ZS_STATE_CLASS_SHIFT |
			     (uint32_t)inuse << ZS_STATE_INUSE_SHIFT |
			     (uint32_t)freeobj << ZS_STATE_FREE_SHIFT);
}

static inline uint32_t zs_state_tail(unsigned class_idx, uint32_t head)
{
	uint32_t folded = (head ^ head >> 18) & 0x3ffff;

	return zs_state_seal(ZS_PAGE_TAIL |
			     (uint32_t)class_idx << ZS_STATE_CLASS_SHIFT |
			     folded << ZS_STATE_INUSE_SHIFT);
}

static inline enum zs_page_kind zs_state_kind(uint32_t state)
{
	return (enum zs_page_kind)(state & 3);
}

static inline unsigned zs_state_class(uint32_t state)
{
	return state >> ZS_STATE_CLASS_SHIFT & 0xff;
}

static inline unsigned zs_state_inuse(uint32_t state)
{
	return state >> ZS_STATE_INUSE_SHIFT & 0x1ff;
}

static inline unsigned zs_state_freeobj(uint32_t state)
{
	return state >> ZS_STATE_FREE_SHIFT & 0x1ff;
}

/* --- Handle entries and object headers ---------------------------------- */

/*
 * The entry of a handle, from bit 0:
 *   1 live | 1 pinned | 8 class | 11 object | 32 page | 3 zero | 8 check
 *
 * A handle is
 *   live          the object of the class starts in that page
 *   being filled  the same, but pinned and not live: its bytes are yet to come
 *   free          neither; "page" is the next free handle, and "class" whose
 *                 chain that is: ZS_OWNER_TABLE, or that of a class
 *
 * The check makes all bytes of the entry, the pin aside, come to ZS_ENTRY_SUM
 * when they are exclusive-ored. No entry is 0. Only the holder of the pin may
 * change one that is live.
 */
#define ZS_ENTRY_LIVE	     ((uint64_t)1 << 0)
#define ZS_ENTRY_PINNED	     ((uint64_t)1 << 1)
#define ZS_ENTRY_CLASS_SHIFT 2
#define ZS_ENTRY_OBJ_SHIFT   10
#define ZS_ENTRY_PAGE_SHIFT  21
#define ZS_ENTRY_ZERO	     ((uint64_t)7 << 53)
#define ZS_ENTRY_CHECK_SHIFT 56
#define ZS_ENTRY_CHECK	     ((uint64_t)0xff << ZS_ENTRY_CHECK_SHIFT)
#define ZS_ENTRY_SUM	     0xa6u

/* Who has a free handle in its chain. */
#define ZS_OWNER_TABLE	      0u
#define ZS_OWNER_CLASS(index) ((index) + 1u)

/* @entry has no check yet, and no pin. */
static inline uint64_t zs_entry_seal(uint64_t entry)
{
	uint64_t check = xor_bytes(entry) ^ ZS_ENTRY_SUM;

	return entry | check << ZS_ENTRY_CHECK_SHIFT;
}

static inline bool zs_entry_is_sound(uint64_t entry)
{
	return xor_bytes(entry & ~ZS_ENTRY_PINNED) == ZS_ENTRY_SUM &&
	       !(entry & ZS_ENTRY_ZERO);
}

static inline uint64_t zs_entry_live(unsigned class_idx, unsigned obj,
				     uint32_t page)
{
	return zs_entry_seal(ZS_ENTRY_LIVE |
			     (uint64_t)class_idx << ZS_ENTRY_CLASS_SHIFT |
			     (uint64_t)obj << ZS_ENTRY_OBJ_SHIFT |
			     (uint64_t)page << ZS_ENTRY_PAGE_SHIFT);
}

/* The same while the object is being filled. */
static inline uint64_t zs_entry_filling(uint64_t live)
{
	return zs_entry_seal(live & ~(ZS_ENTRY_LIVE | ZS_ENTRY_CHECK)) |
	       ZS_ENTRY_PINNED;
}

static inline uint64_t zs_entry_free(unsigned owner, zs_handle next)
{
	return zs_entry_seal((uint64_t)owner << ZS_ENTRY_CLASS_SHIFT |
			     (uint64_t)next << ZS_ENTRY_PAGE_SHIFT);
}

static inline bool zs_entry_is_free(uint64_t entry)
{
	return !(entry & (ZS_ENTRY_LIVE | ZS_ENTRY_PINNED));
}

/* Of a free handle. */
static inline unsigned zs_entry_owner(uint64_t entry)
{
	return (unsigned)(entry >> ZS_ENTRY_CLASS_SHIFT) & 0xff;
}

static inline zs_handle zs_entry_next(uint64_t entry)
{
	return (zs_handle)(entry >> ZS_ENTRY_PAGE_SHIFT);
}

/* Of one that is live or being filled. */
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

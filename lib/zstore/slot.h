/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slot - the entry of one page of the disk, packed into 64 bits
 *
 *   bit  0      locked: a writer is about to change it. Readers ignore it.
 *   bits 1-2    kind
 *   bit  3      OBJECT: it holds the word of a same-filled page
 *   bits 4-16   OBJECT, BACKED: its length, bytes: 4096 is a huge page, raw;
 *               less is compressed
 *   bits 17-20  OBJECT, BACKED: the dictionary it is compressed with; 0 is none
 *   bit  21     OBJECT, BACKED: compressed by the store's secondary codec
 *   bit  22     OBJECT, BACKED: recompressing it gained nothing
 *   bit  23     OBJECT: its object may be other pages', too: see
 *               zstore_share.h. No word's
 *   bits 24-31  check: makes all bytes of the slot, the lock aside, and of the
 *               number of its page come to SLOT_SUM when exclusive-ored
 *   bits 32-63  OBJECT: handle. FILLED: the 4 bytes that the page repeats.
 *               BACKED: the block of the backing that it is in
 *
 * All zero is a page that was never written or was trimmed. What is neither
 * that nor has a check that holds, and a meaning, is damaged: nobody knows
 * which object is its page's. So no bit can change unnoticed, and no slot can
 * be taken for another page's.
 *
 * Same-filled pages repeat one word of 8 bytes. Nearly always (zeros, poison
 * bytes) that word repeats its own half, and the half fits the slot; if not,
 * the word is an object of 8 bytes.
 */
#ifndef ZSD_ZSTORE_SLOT_H
#define ZSD_ZSTORE_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/spin.h"
#include "zsmalloc/zsmalloc.h"

enum slot_kind {
	SLOT_EMPTY,
	SLOT_FILLED,
	SLOT_OBJECT,
	SLOT_BACKED,
};

#define SLOT_LOCKED	    ((uint64_t)1 << 0)
#define SLOT_KIND_SHIFT	    1
#define SLOT_WORD	    ((uint64_t)1 << 3)
#define SLOT_LEN_SHIFT	    4
#define SLOT_DICT_SHIFT	    17
#define SLOT_SECONDARY	    ((uint64_t)1 << 21)
#define SLOT_INCOMPRESSIBLE ((uint64_t)1 << 22)
#define SLOT_SHARED	    ((uint64_t)1 << 23)
#define SLOT_CHECK_SHIFT    24
#define SLOT_HIGH_SHIFT	    32
#define SLOT_SUM	    0x35u

static inline enum slot_kind slot_kind(uint64_t slot)
{
	return (enum slot_kind)(slot >> SLOT_KIND_SHIFT & 3);
}

static inline bool slot_is_word(uint64_t slot)
{
	return slot & SLOT_WORD;
}

static inline uint32_t slot_len_bytes(uint64_t slot)
{
	return (uint32_t)(slot >> SLOT_LEN_SHIFT) & 0x1fff;
}

static inline unsigned slot_dict(uint64_t slot)
{
	return (unsigned)(slot >> SLOT_DICT_SHIFT) & 0xf;
}

/* By which of the store's codecs, ZSTORE_PRIMARY or ZSTORE_SECONDARY. */
static inline unsigned slot_codec(uint64_t slot)
{
	return slot & SLOT_SECONDARY ? 1 : 0;
}

static inline bool slot_is_shared(uint64_t slot)
{
	return slot & SLOT_SHARED;
}

static inline bool slot_is_huge(uint64_t slot)
{
	return slot_len_bytes(slot) == ZSD_PAGE_BYTES;
}

/* Whether it names an object that its page's content is in: no word. */
static inline bool slot_has_content(uint64_t slot)
{
	return slot_kind(slot) == SLOT_OBJECT && !slot_is_word(slot);
}

/* Whether its page is what a codec has made, or raw; in memory or not. */
static inline bool slot_has_method(uint64_t slot)
{
	return slot_kind(slot) >= SLOT_OBJECT;
}

/* Of a BACKED one. */
static inline uint32_t slot_block(uint64_t slot)
{
	return (uint32_t)(slot >> SLOT_HIGH_SHIFT);
}

static inline zs_handle slot_handle(uint64_t slot)
{
	return (zs_handle)(slot >> SLOT_HIGH_SHIFT);
}

/* The word that a FILLED slot's page repeats. */
static inline uint64_t slot_filled_word(uint64_t slot)
{
	uint64_t half = slot >> SLOT_HIGH_SHIFT;

	return half << 32 | half;
}

static inline bool slot_can_fill(uint64_t word)
{
	return word >> 32 == (word & UINT32_MAX);
}

/* @slot, of page @index, has no check yet. */
static inline uint64_t slot_seal(uint64_t slot, uint64_t index)
{
	uint64_t check = xor_bytes(slot) ^ xor_bytes(index) ^ SLOT_SUM;

	return slot | check << SLOT_CHECK_SHIFT;
}

static inline uint64_t slot_make_filled(uint64_t index, uint64_t word)
{
	return slot_seal(word << SLOT_HIGH_SHIFT | (uint64_t)SLOT_FILLED
							   << SLOT_KIND_SHIFT,
			 index);
}

static inline uint64_t slot_make_object(uint64_t index, zs_handle handle,
					uint32_t len_bytes, uint64_t flags)
{
	return slot_seal((uint64_t)handle << SLOT_HIGH_SHIFT |
				 (uint64_t)len_bytes << SLOT_LEN_SHIFT | flags |
				 (uint64_t)SLOT_OBJECT << SLOT_KIND_SHIFT,
			 index);
}

/* The slot of an object, which recompressing gained nothing for. */
static inline uint64_t slot_make_incompressible(uint64_t index, uint64_t slot)
{
	slot &= ~((uint64_t)0xff << SLOT_CHECK_SHIFT);
	return slot_seal(slot | SLOT_INCOMPRESSIBLE, index);
}

/* The slot of an object, which is to be that of @handle and may be others'. */
static inline uint64_t slot_make_shared(uint64_t index, uint64_t slot,
					zs_handle handle)
{
	slot &= ~((uint64_t)0xff << SLOT_CHECK_SHIFT) & UINT32_MAX;
	return slot_seal((uint64_t)handle << SLOT_HIGH_SHIFT | slot |
				 SLOT_SHARED,
			 index);
}

/* The slot of an object with content, which is in a block of the backing now. */
static inline uint64_t slot_make_backed(uint64_t index, uint64_t slot,
					uint32_t block)
{
	const uint64_t kept = (uint64_t)0x1fff << SLOT_LEN_SHIFT |
			      (uint64_t)0xf << SLOT_DICT_SHIFT |
			      SLOT_SECONDARY | SLOT_INCOMPRESSIBLE;

	return slot_seal((uint64_t)block << SLOT_HIGH_SHIFT | (slot & kept) |
				 (uint64_t)SLOT_BACKED << SLOT_KIND_SHIFT,
			 index);
}

/* Whether page @index can be what its slot, without the lock, says. */
static inline bool slot_is_sound(uint64_t slot, uint64_t index)
{
	const uint64_t low = (uint64_t)0xfffff8; /* all but kind and check */

	if (!slot)
		return true;
	if (unlikely(xor_bytes(slot) != (xor_bytes(index) ^ SLOT_SUM)))
		return false;
	if (slot_kind(slot) == SLOT_FILLED)
		return !(slot & low);
	if (slot_kind(slot) == SLOT_EMPTY)
		return false;
	if (slot_kind(slot) == SLOT_BACKED)
		return !(slot & (SLOT_WORD | SLOT_SHARED)) &&
		       slot_len_bytes(slot) - 1 < ZSD_PAGE_BYTES;
	return slot_is_word(slot) ? slot_len_bytes(slot) == sizeof(uint64_t) &&
					    !slot_is_shared(slot)
				  : slot_len_bytes(slot) - 1 < ZSD_PAGE_BYTES;
}

/* What the page is now, for a reader. */
static inline uint64_t slot_load(const _Atomic uint64_t *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire) & ~SLOT_LOCKED;
}

/*
 * Keep other writers out. @old receives what the page is until slot_publish().
 * Return: false where the slot stays locked: damage set the lock.
 */
static inline bool slot_lock(_Atomic uint64_t *slot, uint64_t *old)
{
	unsigned spins = 0;

	do {
		*old = atomic_load_explicit(slot, memory_order_relaxed);
		if (!(*old & SLOT_LOCKED) &&
		    atomic_compare_exchange_weak_explicit(
			    slot, old, *old | SLOT_LOCKED, memory_order_acquire,
			    memory_order_relaxed))
			return true;
	} while (spin_wait(&spins));
	return false;
}

/* The same without waiting, if it says @old. Return: whether it is locked. */
static inline bool slot_try_lock(_Atomic uint64_t *slot, uint64_t old)
{
	return atomic_compare_exchange_strong_explicit(slot, &old,
						       old | SLOT_LOCKED,
						       memory_order_acquire,
						       memory_order_relaxed);
}

/* Make @new what the page is, and keep other writers out. */
static inline void slot_publish_locked(_Atomic uint64_t *slot, uint64_t new)
{
	atomic_store_explicit(slot, new | SLOT_LOCKED, memory_order_release);
}

/* Make @new what the page is, and let other writers in. */
static inline void slot_publish(_Atomic uint64_t *slot, uint64_t new)
{
	atomic_store_explicit(slot, new, memory_order_release);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_age - when the pages of a disk were last accessed
 *
 * A read or a write of a page makes it young. How long ago that was is known by
 * epochs: an access is noted as one of the current epoch, in a byte a page, and
 * only if it is the first of that page in it. The library has no clock: whoever
 * has one begins an epoch from time to time, and says what time it is. There
 * are numbers for 127 of them. When they are used up, the two neighbours whose
 * difference is the least part of their age become one: so what is young is
 * told to the epoch, and what is old to some 8 % of its age.
 *
 * A page is taken to have been accessed at the end of its epoch: it may be
 * older than it is said to be, never younger. What the store does by itself
 * (saving, verifying, recompressing) is no access. A page that is restored was
 * accessed then: what was saved has no ages.
 *
 * Times are seconds of whichever clock the caller has, the same for a disk
 * through all its processes: they stand in the image.
 *
 * Idle pages, as zram counts them: zstore_mark_idle() marks what was not
 * accessed for some time, and takes the mark off all others; an access takes it
 * off, and so do recompressing and writing out. Same-filled pages are never
 * marked, nor those that are backed.
 *
 * Threads: one at a time may begin epochs, or mark; all else from any.
 * Source: Linux drivers/block/zram/zram_drv.c, its attribute "idle".
 */
#ifndef ZSD_ZSTORE_ZSTORE_AGE_H
#define ZSD_ZSTORE_ZSTORE_AGE_H

#include "zstore/zstore.h"

/**
 * zstore_begin_epoch() - what is accessed from now on is young
 * @now_s: at least that of the call before; less counts as that
 *
 * Cost: nothing much; where two epochs become one, a look at each age: 0.3 ms
 * for 4 GiB of disk.
 */
void zstore_begin_epoch(struct zstore *store, uint32_t now_s);

/**
 * zstore_mark_idle() - mark the pages that were not accessed since some time
 * @since_s: that time; UINT32_MAX marks all
 *
 * Cost: a look at each slot: 10 ms for 4 GiB of disk.
 * Return: how many are marked.
 */
uint64_t zstore_mark_idle(struct zstore *store, uint32_t since_s);

/* What a page of the disk is, as zram's block_state tells. */
struct zstore_block {
	uint32_t accessed_s; /* when, at the latest; 0: not known */
	uint32_t bytes; /* of its object, in memory or in a block */
	bool is_same; /* same-filled */
	bool is_backed; /* in a block of the backing */
	bool is_huge;
	bool is_idle; /* marked */
	bool is_recompressed;
	bool is_incompressible; /* recompressing it gained nothing */
};

/**
 * zstore_block() - tell of one page
 * @index: inside the disk
 *
 * Cost: a look at its slot. Return: false where nothing is stored for it.
 */
bool zstore_block(const struct zstore *store, uint64_t index,
		  struct zstore_block *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flat_disk - what a store must hold, as an array of bytes
 *
 * Follows what is done to a store, and is compared with it. There is one, so
 * that its memory need not be cleared where nothing was written.
 *
 * Where a write fails for want of room the store has some of it: the pages
 * before the one that failed are new, the others old. The functions named
 * flat_settle look which, and fail where a page is neither. They must be
 * called before anything else is done to the store.
 */
#ifndef ZSD_FUZZ_FLAT_DISK_H
#define ZSD_FUZZ_FLAT_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "zstore/zstore.h"

/* Largest disk, pages. */
#define FLAT_MAX_PAGES 1600u
#define FLAT_MAX_BYTES (FLAT_MAX_PAGES * (size_t)ZSD_PAGE_BYTES)

/* Make it new: @nr_pages of zeros, none of them stored. */
void flat_open(uint64_t nr_pages);

/* The disk's bytes from @offset on. */
const unsigned char *flat_at(uint64_t offset);

/* What zstore_extent() must say of page @index: ZSTORE_*. */
unsigned flat_state(uint64_t index);

/* Follow what the store was asked for, and did. Ranges are inside the disk. */
void flat_write(uint64_t offset, uint64_t bytes, const void *src);
void flat_trim(uint64_t offset, uint64_t bytes);
void flat_write_zeroes(uint64_t offset, uint64_t bytes);

/* Follow what the store was asked for, and failed to do. */
void flat_settle_write(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes,
		       const void *src);
void flat_settle_zeroes(struct zstore_ctx *ctx, uint64_t offset,
			uint64_t bytes);

/* The store's bytes must be the same. */
void flat_compare(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes);

/* All that was ever changed must be the same, and the page after it; the
 * store's verifier must be content, and its counters and limit hold. */
void flat_check_all(struct zstore *store, struct zstore_ctx *ctx);

#endif

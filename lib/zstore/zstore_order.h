/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_order - in which order the pages of a disk are gone through
 *
 * Those with the longest objects first, by 64 bytes of length, and of those the
 * last of the disk first: what takes most memory is worth most. Two passes: how
 * many pages there are of each length is counted, then they are looked for.
 * What changes meanwhile may be passed over.
 *
 * The struct is what is known of a pass, for who goes on with it: see
 * zstore_recompress.h and zstore_writeback.h.
 *
 * Source: Linux drivers/block/zram/zram_drv.c, struct zram_pp_ctl.
 */
#ifndef ZSD_ZSTORE_ZSTORE_ORDER_H
#define ZSD_ZSTORE_ZSTORE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "zsmalloc/zsmalloc.h"

#define ZSTORE_BUCKET_BYTES 64u
#define ZSTORE_BUCKETS	    (ZSD_PAGE_BYTES / ZSTORE_BUCKET_BYTES + 1)

/* {0} to begin with. */
struct zstore_order {
	bool is_counted;
	uint64_t next; /* while counting: page behind the next one; 0: begin */
	uint64_t nr_left[ZSTORE_BUCKETS]; /* pages, at most */
	uint64_t behind[ZSTORE_BUCKETS]; /* page behind the next to look at */
};

#endif

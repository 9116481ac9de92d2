/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flat_store - stands in for the store in tests of the server: plain memory
 *
 * Implements what the server calls of zstore.h. Offsets beyond its memory, up
 * to any disk size, read as zeros and may be trimmed, but not written. A page
 * of zeros is a hole, whoever wrote it.
 * Notes what is asked for, and fails where it is told to.
 *
 * There is one; flat_store_reset() makes it new. Threads: one at a time, so a
 * test of a worker looks at it when the worker has answered or is held.
 */
#ifndef ZSD_UNIT_FLAT_STORE_H
#define ZSD_UNIT_FLAT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"
#include "zstore/zstore.h"

/* Memory behind it, bytes. */
#define FLAT_STORE_BYTES (64 * MIB)

/* Size of the disk that it says to be. */
#define FLAT_STORE_DISK_BYTES ((uint64_t)1 << 42)

struct flat_store {
	unsigned char *bytes; /* FLAT_STORE_BYTES of them */

	/* What touches this byte of the disk fails with this. */
	uint64_t bad_offset;
	int read_err;
	int write_err;
	int zeroes_err;

	/* Whether a read or a change is to be answered with -EINPROGRESS, or
	 * NULL. Of trims it is not asked. Context: the worker's. */
	bool (*waits)(uint64_t offset, uint64_t bytes);

	unsigned nr_calls; /* but for prefetches */
	unsigned nr_prefetches;
	uint64_t last_prefetch; /* offset */
	unsigned nr_calls_at_read; /* when the last read came */
	uint64_t longest_trim; /* bytes, write-zeroes too */
	uint64_t trimmed_bytes; /* write-zeroes too */
	uint64_t stored_zero_bytes; /* of zeros that must not be holes */
	bool split_a_page; /* a call ended inside a page, the next one
			    * began there */
	uint64_t last_end;
};

extern struct flat_store flat;

void flat_store_reset(void);

/* The next call waits inside the store, from flat_store_hold() until
 * flat_store_release(); flat_store_wait_held() returns when it is there. */
void flat_store_hold(void);
void flat_store_wait_held(void);
void flat_store_release(void);

struct zstore *flat_store(void);
struct zstore_ctx *flat_store_ctx(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * around - what limits the memory of zsd from outside
 *
 * The machine has so much. A control group may have less, and so may each of
 * those that it is in: beyond memory.max (memory.limit_in_bytes of version 1)
 * there is no more, and beyond memory.high the kernel slows zsd down, with all
 * who wait for it. Groups that have a limit when this is opened are watched.
 * Where one of them has memory.swap.max 0, the kernel swaps out nothing of what
 * is in it, locked or not.
 *
 * Threads: one at a time for each struct. Allocates nothing after opening.
 * Source: cgroups(7); Linux Documentation/admin-guide/cgroup-v2.rst, "Memory
 * Interface Files", and cgroup-v1/memory.rst.
 */
#ifndef ZSD_GUARD_AROUND_H
#define ZSD_GUARD_AROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Limits that are watched at most: two of each group of a deep hierarchy. */
#define AROUND_MAX_LIMITS 16u

/* Longest path within a hierarchy, bytes with the final 0. */
#define AROUND_PATH_BYTES 512

struct around_limit {
	int limit_fd;
	int usage_fd;
};

struct around {
	uint64_t memory_bytes; /* of the machine; 0: it cannot be seen */
	uint64_t least_bytes; /* the smallest of all limits; UINT64_MAX: none */
	char least_name[AROUND_PATH_BYTES]; /* whose that is, for a message */
	struct around_limit limits[AROUND_MAX_LIMITS];
	size_t nr_limits;
	bool is_never_swapped; /* by the limit of a group */
};

/**
 * around_open() - look at what is there
 * @root: before all paths; "" but for tests
 *
 * What cannot be read is taken for no limit. Release: around_close().
 */
void around_open(struct around *around, const char *root);
void around_close(struct around *around);

/*
 * around_room_bytes() - how far it is to the nearest limit of a group
 *
 * Cost: two reads of some us for each limit. UINT64_MAX where there is none.
 */
uint64_t around_room_bytes(const struct around *around);

#endif

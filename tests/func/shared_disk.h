/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shared_disk - stands in for the store of servers that die: shared memory
 *
 * Implements what the server calls of zstore.h. It is made before the processes
 * are forked that use it, and outlives them. There is one.
 */
#ifndef ZSD_FUNC_SHARED_DISK_H
#define ZSD_FUNC_SHARED_DISK_H

#include "base/units.h"
#include "zstore/zstore.h"

#define SHARED_DISK_BYTES (16 * MIB)

/* What changes this byte dies of it, by SIGABRT. */
#define SHARED_DISK_POISON (SHARED_DISK_BYTES - 5 * ZSD_PAGE_BYTES)

void shared_disk_create(void);
struct zstore *shared_disk(void);

#endif

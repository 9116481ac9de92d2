/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shelf - the service manager holds what the keeper holds
 *
 * For the death of all processes of zsd at once; see held.h. Where zsd was not
 * started by a service manager, or the unit has no FileDescriptorStoreMax=,
 * nothing is held.
 *
 * Threads: the main one.
 */
#ifndef ZSD_ZSD_SURVIVE_SHELF_H
#define ZSD_ZSD_SURVIVE_SHELF_H

#include <stddef.h>

#include "base/compiler.h"
#include "io/listen.h"
#include "keep/keeper.h"

struct shelf {
	struct held_shelf calls; /* for the keeper */
	struct io_log *log;
	int socket; /* to the manager */
	struct keeper_kept *kept; /* what it passed to us */
	size_t nr_kept;
	size_t max_kept;
};

/**
 * shelf_open() - see what is on it
 * @max_kept: what is beyond that is let go of
 *
 * Before io_listen_open(). Return: 0 or -errno. Release: shelf_close().
 */
int shelf_open(struct shelf *shelf, struct io_log *log,
	       size_t max_kept) ZSD_MUST_CHECK;
void shelf_close(struct shelf *shelf);

/* shelf_clear() - let go of what was on it, which the keeper did not take. */
void shelf_clear(struct shelf *shelf);

#endif

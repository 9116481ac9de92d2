/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * housekeeper - the thread that refills and shrinks the store's reserve
 *
 * Sleeps until the store's wake callback says that there is something to do,
 * then works until nothing is left: the data path never has to ask the system
 * for memory as long as this thread keeps up.
 *
 * Where the kernel swaps on the store the data path must not ask at all. Then
 * this is the only thread that does, and only while the kernel has memory to
 * give without reclaiming some (see watermark.h), for reclaiming waits for the
 * data path. A thread that finds the reserve empty meanwhile waits here, for a
 * second at most.
 *
 * Because the store is created with the callbacks, and the thread needs the
 * store, there are two steps: create, then start.
 */
#ifndef ZSD_GUARD_RESERVE_H
#define ZSD_GUARD_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "guard/residence.h"
#include "zstore/zstore.h"

struct housekeeper;

/**
 * housekeeper_create() - make one that does not run yet
 * @residence: to join; outlives it
 *
 * Return: 0 or -errno. Release: housekeeper_destroy().
 */
int housekeeper_create(struct residence *residence,
		       struct housekeeper **out) ZSD_MUST_CHECK;

/**
 * housekeeper_start() - start the thread
 * @store: outlives it
 *
 * Return: 0 or -errno.
 */
int housekeeper_start(struct housekeeper *keeper,
		      struct zstore *store) ZSD_MUST_CHECK;

/* housekeeper_wake() - the store's wake callback; @arg is the housekeeper.
 * Context: any thread, under any lock; never blocks. */
void housekeeper_wake(void *arg);

/**
 * housekeeper_starve() - the store's starve callback; @arg is the housekeeper
 *
 * Waits until there is a free page, for STARVE_MS at most; not at all where
 * somebody waited so long in vain since, or the system refused to give memory.
 * Return: 0 where it has grown, or -ENOSPC.
 */
int housekeeper_starve(void *arg);

/* Times that the reserve was found empty, and those that ended with -ENOSPC.
 * Context: any thread. */
void housekeeper_count(struct housekeeper *keeper, uint64_t *starved,
		       uint64_t *failed);

/* housekeeper_destroy() - end the thread if it was started. It finishes the
 * step at hand. Takes NULL too. */
void housekeeper_destroy(struct housekeeper *keeper);

#endif

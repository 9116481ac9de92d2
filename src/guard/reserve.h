/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reserve - free memory that is kept ready for the stores
 *
 * Terms:
 *   reserve       the free pages of one store, and those who wait for some
 *   housekeeper   the thread that refills and shrinks all of them
 *
 * The thread sleeps until a store's wake callback says that there is something
 * to do, then works until nothing is left, a step for each store in turn: the
 * data path never has to ask the system for memory as long as it keeps up.
 *
 * Where the kernel swaps on a store the data path must not ask at all. Then
 * this is the only thread that does, and only while the kernel has memory to
 * give without reclaiming some (see watermark.h), for reclaiming waits for the
 * data path. A thread that finds a reserve empty meanwhile waits here, for a
 * second at most.
 *
 * Because a store is created with the callbacks, and the thread needs the
 * stores, there are steps: make the housekeeper, a reserve for each store, and
 * the store with it; then start.
 *
 * Ownership: a reserve is its housekeeper's, and ends with it.
 */
#ifndef ZSD_GUARD_RESERVE_H
#define ZSD_GUARD_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "guard/residence.h"
#include "zstore/zstore.h"

struct housekeeper;
struct reserve;

/**
 * housekeeper_create() - make one that does not run yet
 * @residence: to join; outlives it
 *
 * Return: 0 or -errno. Release: housekeeper_destroy().
 */
int housekeeper_create(struct residence *residence,
		       struct housekeeper **out) ZSD_MUST_CHECK;

/**
 * reserve_create() - one more to be kept
 *
 * Before housekeeper_start(). Return: 0 or -ENOMEM.
 */
int reserve_create(struct housekeeper *keeper,
		   struct reserve **out) ZSD_MUST_CHECK;

/* reserve_give_store() - whose it is. Before housekeeper_start(); @store
 * outlives the housekeeper. */
void reserve_give_store(struct reserve *reserve, struct zstore *store);

/**
 * housekeeper_start() - start the thread
 *
 * Each reserve has its store by now. Return: 0 or -errno.
 */
int housekeeper_start(struct housekeeper *keeper) ZSD_MUST_CHECK;

/* housekeeper_destroy() - end the thread if it was started, and all reserves.
 * It finishes the step at hand. Takes NULL too. */
void housekeeper_destroy(struct housekeeper *keeper);

/* reserve_wake() - the store's wake callback; @arg is its reserve.
 * Context: any thread, under any lock; never blocks. */
void reserve_wake(void *arg);

/**
 * reserve_starve() - the store's starve callback; @arg is its reserve
 *
 * Waits until there is a free page, for STARVE_MS at most; not at all where
 * somebody waited so long in vain since, or the system refused to give memory.
 * Return: 0 where it has grown, or -ENOSPC.
 */
int reserve_starve(void *arg);

/* reserve_count() - times that it was found empty, and those that ended with
 * -ENOSPC. Context: any thread. */
void reserve_count(struct reserve *reserve, uint64_t *starved,
		   uint64_t *failed);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * housekeeper - the thread that refills and shrinks the store's reserve, and
 * says what the data path finds wrong with what is stored
 *
 * Sleeps until the store's callbacks say that there is something to do, then
 * works until nothing is left: the data path never has to ask the system for
 * memory as long as this thread keeps up, and never has to write a log.
 *
 * Because the store is created with the callbacks, and the thread needs the
 * store, there are two steps: create, then start.
 */
#ifndef ZSD_SERVER_HOUSEKEEPER_H
#define ZSD_SERVER_HOUSEKEEPER_H

#include "base/compiler.h"
#include "zstore/zstore.h"

struct housekeeper;

/* housekeeper_create() - Return: 0 or -errno. Release: housekeeper_destroy(). */
int housekeeper_create(struct housekeeper **out) ZSD_MUST_CHECK;

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

/* housekeeper_damaged() - the store's callback of that name; @arg is the
 * housekeeper. Context: any thread, under any lock; never blocks. */
void housekeeper_damaged(void *arg, uint64_t index);

/* housekeeper_destroy() - end the thread if it was started. It finishes the
 * step at hand. Takes NULL too. */
void housekeeper_destroy(struct housekeeper *keeper);

#endif

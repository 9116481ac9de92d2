/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock_watch - how often a program's mutexes are taken, waited for and held
 *
 * The program is linked with --wrap=pthread_mutex_lock, _trylock and _unlock,
 * so that every such call in it comes here. Off, as at first, that costs a
 * branch; on, two looks at the clock each.
 *
 * Threads: each counts for itself. Switch and naming are set before the threads
 * that are watched start.
 */
#ifndef ZSD_BENCH_LOCK_WATCH_H
#define ZSD_BENCH_LOCK_WATCH_H

#include <pthread.h>
#include <stdint.h>

/* Most locks that are told apart. */
#define LOCK_WATCH_MAX 320u

/* What one lock came to, in all watched threads or in one. */
struct lock_tally {
	uint64_t nr_taken;
	uint64_t nr_busy; /* of those: another thread had it */
	uint64_t wait_ns;
	uint64_t hold_ns;
};

void lock_tally_add(struct lock_tally *into, const struct lock_tally *from);

/* Which lock @mutex is: a number below LOCK_WATCH_MAX. */
typedef unsigned lock_naming_fn(void *arg, const pthread_mutex_t *mutex);

/* Start to watch, or to let pass with a @naming of NULL. */
void lock_watch_set(lock_naming_fn *naming, void *arg);

/* Add what this thread counted since it last called, LOCK_WATCH_MAX entries. */
void lock_watch_collect(struct lock_tally *into);

#endif

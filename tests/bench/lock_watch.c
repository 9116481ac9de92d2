/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "bench_frame.h"
#include "lock_watch.h"

/* The linker's names for the library's functions and for ours. */
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

struct watched_lock {
	struct lock_tally tally;
	uint64_t since_ns; /* this thread has had it */
};

static lock_naming_fn *watch_naming;
static void *watch_arg;
static _Thread_local struct watched_lock watched[LOCK_WATCH_MAX];

void lock_watch_set(lock_naming_fn *naming, void *arg)
{
	watch_naming = naming;
	watch_arg = arg;
}

void lock_tally_add(struct lock_tally *into, const struct lock_tally *from)
{
	into->nr_taken += from->nr_taken;
	into->nr_busy += from->nr_busy;
	into->wait_ns += from->wait_ns;
	into->hold_ns += from->hold_ns;
}

void lock_watch_collect(struct lock_tally *into)
{
	for (size_t i = 0; i < LOCK_WATCH_MAX; i++)
		lock_tally_add(&into[i], &watched[i].tally);
	memset(watched, 0, sizeof(watched));
}

/* NULL while nobody watches. */
static struct watched_lock *find(const pthread_mutex_t *mutex)
{
	if (likely(!watch_naming))
		return NULL;
	return &watched[watch_naming(watch_arg, mutex)];
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	struct watched_lock *lock = find(mutex);
	uint64_t start_ns;
	int err;

	if (!lock)
		return __real_pthread_mutex_lock(mutex);
	lock->tally.nr_taken++;
	if (__real_pthread_mutex_trylock(mutex) == 0) {
		lock->since_ns = bench_now_ns(CLOCK_MONOTONIC);
		return 0;
	}
	lock->tally.nr_busy++;
	start_ns = bench_now_ns(CLOCK_MONOTONIC);
	err = __real_pthread_mutex_lock(mutex);
	lock->since_ns = bench_now_ns(CLOCK_MONOTONIC);
	lock->tally.wait_ns += lock->since_ns - start_ns;
	return err;
}

/* Whoever does not get it comes back to wait for it: that counts it. */
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	struct watched_lock *lock = find(mutex);
	int err = __real_pthread_mutex_trylock(mutex);

	if (lock && !err) {
		lock->tally.nr_taken++;
		lock->since_ns = bench_now_ns(CLOCK_MONOTONIC);
	}
	return err;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	struct watched_lock *lock = find(mutex);

	if (lock)
		lock->tally.hold_ns +=
			bench_now_ns(CLOCK_MONOTONIC) - lock->since_ns;
	return __real_pthread_mutex_unlock(mutex);
}

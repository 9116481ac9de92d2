/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
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

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void lock_watch_set(lock_naming_fn *naming, void *arg)
{
	watch_naming = naming;
	watch_arg = arg;
}

void lock_watch_collect(struct lock_tally *into)
{
	for (size_t i = 0; i < LOCK_WATCH_MAX; i++) {
		const struct lock_tally *from = &watched[i].tally;

		into[i].nr_taken += from->nr_taken;
		into[i].nr_busy += from->nr_busy;
		into[i].wait_ns += from->wait_ns;
		into[i].hold_ns += from->hold_ns;
	}
	memset(watched, 0, sizeof(watched));
}

static struct watched_lock *find(const pthread_mutex_t *mutex)
{
	unsigned which = watch_naming(watch_arg, mutex);

	return which < LOCK_WATCH_MAX ? &watched[which] : NULL;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	struct watched_lock *lock;
	uint64_t start_ns;
	int err;

	if (likely(!watch_naming))
		return __real_pthread_mutex_lock(mutex);
	lock = find(mutex);
	if (!lock)
		return __real_pthread_mutex_lock(mutex);
	lock->tally.nr_taken++;
	if (__real_pthread_mutex_trylock(mutex) == 0) {
		lock->since_ns = now_ns();
		return 0;
	}
	lock->tally.nr_busy++;
	start_ns = now_ns();
	err = __real_pthread_mutex_lock(mutex);
	lock->since_ns = now_ns();
	lock->tally.wait_ns += lock->since_ns - start_ns;
	return err;
}

/* Whoever does not get it comes back to wait for it: that counts it. */
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	struct watched_lock *lock;
	int err = __real_pthread_mutex_trylock(mutex);

	if (unlikely(watch_naming) && !err) {
		lock = find(mutex);
		if (lock) {
			lock->tally.nr_taken++;
			lock->since_ns = now_ns();
		}
	}
	return err;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	struct watched_lock *lock;

	if (unlikely(watch_naming)) {
		lock = find(mutex);
		if (lock)
			lock->tally.hold_ns += now_ns() - lock->since_ns;
	}
	return __real_pthread_mutex_unlock(mutex);
}

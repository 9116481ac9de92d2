/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "suite.h"

#define DEADLINE_S 20

/* What /proc shows of a thread that is not nice, and of the nicest. */
#define PRIORITY_NICE_0	 20
#define PRIORITY_NICE_19 39

static pthread_mutex_t lock;
static pthread_barrier_t held;

/* The kernel's view of the calling thread: proc_pid_stat(5), priority. */
static long own_priority(void)
{
	char path[64], line[1024], *at;
	FILE *file;
	long priority = 0;
	bool is_read;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", gettid());
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	is_read = fgets(line, sizeof(line), file);
	(void)fclose(file);
	ck_assert(is_read);
	at = strrchr(line, ')'); /* ends field 2; priority is field 18 */
	ck_assert_ptr_nonnull(at);
	for (unsigned field = 2; field < 18; field++) {
		at = strchr(at + 1, ' ');
		ck_assert_ptr_nonnull(at);
	}
	priority = strtol(at, NULL, 10);
	return priority;
}

static void *wait_for_lock(void *arg)
{
	pthread_barrier_wait(&held);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

/* Holds the lock with low priority until the other's arrives, or for a while
 * where none is expected. Return: the highest that was seen. */
static void *hold_lock(void *is_expected)
{
	static long seen;
	const time_t end = time(NULL) + (*(bool *)is_expected ? DEADLINE_S : 2);

	ck_assert_int_eq(setpriority(PRIO_PROCESS, (id_t)gettid(), 19), 0);
	pthread_mutex_lock(&lock);
	pthread_barrier_wait(&held);
	do {
		seen = own_priority();
		sched_yield();
	} while (seen == PRIORITY_NICE_19 && time(NULL) < end);
	pthread_mutex_unlock(&lock);
	return &seen;
}

static long priority_of_holder(bool inherit_priority)
{
	pthread_t holder, waiter;
	void *seen;

	lock_init(&lock, inherit_priority);
	ck_assert_int_eq(pthread_barrier_init(&held, NULL, 2), 0);
	ck_assert_int_eq(
		pthread_create(&holder, NULL, hold_lock, &inherit_priority), 0);
	ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_lock, NULL), 0);
	pthread_join(holder, &seen);
	pthread_join(waiter, NULL);
	pthread_barrier_destroy(&held);
	pthread_mutex_destroy(&lock);
	return *(long *)seen;
}

/* To be run at any niceness but 19: then no thread is more urgent than another
 * one. */
START_TEST(a_holder_inherits_priority_where_asked_for)
{
	ck_assert_int_eq(priority_of_holder(true),
			 PRIORITY_NICE_0 + getpriority(PRIO_PROCESS, 0));
}
END_TEST

/* The test above would see nothing if this were so anyway. */
START_TEST(otherwise_it_does_not)
{
	ck_assert_int_eq(priority_of_holder(false), PRIORITY_NICE_19);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tc = tcase_create("lock");

	tcase_set_timeout(tc, 2 * DEADLINE_S);
	tcase_add_test(tc, a_holder_inherits_priority_where_asked_for);
	tcase_add_test(tc, otherwise_it_does_not);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

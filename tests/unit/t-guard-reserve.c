/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The housekeeper where the kernel swaps on two stores: it takes no more than
 * there is, for both of them, and those who starve get an answer.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/lock.h"
#include "guard/reserve.h"
#include "guard/watermark.h"
#include "suite.h"

/* Until then everything that is waited for must have come, ns. */
#define DEADLINE_NS (20 * UINT64_C(1000000000))

#define TARGET_PAGES 100u

/* --- the made-up store and kernel --------------------------------------- */

struct zstore {
	_Atomic uint64_t reserve_pages;
	_Atomic uint64_t target_pages;
	_Atomic uint64_t nr_steps; /* of housekeeping */
};

static struct {
	_Atomic uint64_t room_pages; /* that the kernel has */
	_Atomic uint64_t max_pages; /* most that a step was allowed */
	atomic_bool is_refused; /* the system gives no memory */
} fake;

static struct zstore store, other_store;

int watermark_open(struct watermark *w)
{
	(void)w;
	return 0;
}

void watermark_close(struct watermark *w)
{
	(void)w;
}

uint64_t watermark_room_pages(struct watermark *w)
{
	(void)w;
	return fake.room_pages;
}

/* Whether the last lock that was made inherits priority. */
static bool inherits_priority;

void __real_lock_init(pthread_mutex_t *lock, bool inherit_priority);
void __wrap_lock_init(pthread_mutex_t *lock, bool inherit_priority);

void __wrap_lock_init(pthread_mutex_t *lock, bool inherit_priority)
{
	inherits_priority = inherit_priority;
	__real_lock_init(lock, inherit_priority);
}

bool zstore_housekeep(struct zstore *of, uint64_t max_pages)
{
	uint64_t missing = of->target_pages - of->reserve_pages;
	uint64_t pages = missing < max_pages ? missing : max_pages;

	of->nr_steps++;
	if (max_pages > fake.max_pages)
		fake.max_pages = max_pages;
	if (fake.is_refused)
		return false;
	of->reserve_pages += pages;
	fake.room_pages -= pages;
	return of->reserve_pages < of->target_pages;
}

uint64_t zstore_reserve_pages(struct zstore *of)
{
	return of->reserve_pages;
}

/* --- fixture ------------------------------------------------------------ */

static struct residence *residence;
static struct housekeeper *keeper;
static struct reserve *reserve, *other;

static void open_reserve(struct zstore *of, struct reserve **out)
{
	of->reserve_pages = 0;
	of->target_pages = TARGET_PAGES;
	of->nr_steps = 0;
	ck_assert_int_eq(reserve_create(keeper, out), 0);
	reserve_give_store(*out, of);
}

static void setup(void)
{
	fake.room_pages = 0;
	fake.max_pages = 0;
	fake.is_refused = false;
	ck_assert_int_eq(residence_begin(SWAP_ON, 1, NULL, &residence), 0);
	ck_assert_int_eq(housekeeper_create(residence, &keeper), 0);
	open_reserve(&store, &reserve);
	open_reserve(&other_store, &other);
	ck_assert_int_eq(housekeeper_start(keeper), 0);
}

static void teardown(void)
{
	housekeeper_destroy(keeper);
	residence_end(residence);
}

static void wait_for(const _Atomic uint64_t *number, uint64_t at_least)
{
	const uint64_t end_ns = uv_hrtime() + DEADLINE_NS;

	while (*number < at_least) {
		ck_assert_uint_lt(uv_hrtime(), end_ns);
		uv_sleep(1);
	}
}

static void expect_counts(uint64_t starved, uint64_t failed)
{
	uint64_t nr_starved, nr_failed;

	reserve_count(reserve, &nr_starved, &nr_failed);
	ck_assert_uint_eq(nr_starved, starved);
	ck_assert_uint_eq(nr_failed, failed);
}

/* Somebody who asks again and again gets memory now. */
static void expect_recovery(void)
{
	const uint64_t end_ns = uv_hrtime() + DEADLINE_NS;

	store.reserve_pages = 0;
	fake.room_pages = 10000;
	while (reserve_starve(reserve))
		ck_assert_uint_lt(uv_hrtime(), end_ns);
}

/* --- tests -------------------------------------------------------------- */

START_TEST(it_takes_what_the_kernel_has)
{
	other_store.target_pages = 0;
	fake.room_pages = 40;
	reserve_wake(reserve);
	wait_for(&store.reserve_pages, 20);
	wait_for(&store.nr_steps, store.nr_steps + 3);
	ck_assert_uint_lt(store.reserve_pages, 40);
	ck_assert_uint_gt(fake.room_pages, 0);

	fake.room_pages = 10000;
	wait_for(&store.reserve_pages, TARGET_PAGES);
	ck_assert_uint_le(fake.max_pages, 64);
}
END_TEST

START_TEST(who_starves_gets_what_comes)
{
	fake.room_pages = 10000;
	ck_assert_int_eq(reserve_starve(reserve), 0);
	ck_assert_uint_gt(store.reserve_pages, 0);
	expect_counts(1, 0);
}
END_TEST

static void starve_thread(void *arg)
{
	int *err = arg;

	*err = reserve_starve(reserve);
}

START_TEST(who_starves_waits_for_memory)
{
	uv_thread_t thread;
	int err = 1;

	ck_assert_int_eq(uv_thread_create(&thread, starve_thread, &err), 0);
	wait_for(&store.nr_steps, 3);
	fake.room_pages = 10000;
	uv_thread_join(&thread);
	ck_assert_int_eq(err, 0);
	expect_counts(1, 0);
}
END_TEST

START_TEST(who_starves_for_long_is_told)
{
	uint64_t start_ns = uv_hrtime(), first_ns, others_ns;

	ck_assert_int_eq(reserve_starve(reserve), -ENOSPC);
	first_ns = uv_hrtime() - start_ns;
	start_ns = uv_hrtime();
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(reserve_starve(reserve), -ENOSPC);
	/* The others need not wait to learn the same. */
	others_ns = uv_hrtime() - start_ns;
	ck_assert_uint_lt(others_ns, first_ns);
	expect_counts(11, 11);
	expect_recovery();
}
END_TEST

START_TEST(a_system_that_refuses_is_told_of)
{
	fake.room_pages = 10000;
	fake.is_refused = true;
	ck_assert_int_eq(reserve_starve(reserve), -ENOSPC);
	fake.is_refused = false;
	expect_recovery();
}
END_TEST

START_TEST(each_reserve_is_filled)
{
	fake.room_pages = 10000;
	ck_assert_int_eq(reserve_starve(other), 0);
	wait_for(&other_store.reserve_pages, TARGET_PAGES);
	wait_for(&store.reserve_pages, TARGET_PAGES);
	expect_counts(0, 0);
}
END_TEST

/* One store takes all that the kernel has, again and again. */
START_TEST(a_large_reserve_keeps_no_small_one_waiting)
{
	store.target_pages = UINT64_MAX;
	fake.room_pages = UINT64_MAX / 2;
	reserve_wake(reserve);
	wait_for(&store.nr_steps, 10);
	ck_assert_int_eq(reserve_starve(other), 0);
	ck_assert_uint_gt(other_store.reserve_pages, 0);
}
END_TEST

/* Workers, in real time, wait for those who ask what they count. */
START_TEST(its_lock_inherits_priority)
{
	ck_assert(inherits_priority);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard/reserve");
	TCase *tc = tcase_create("housekeeper");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, its_lock_inherits_priority);
	tcase_add_test(tc, it_takes_what_the_kernel_has);
	tcase_add_test(tc, who_starves_gets_what_comes);
	tcase_add_test(tc, who_starves_waits_for_memory);
	tcase_add_test(tc, who_starves_for_long_is_told);
	tcase_add_test(tc, a_system_that_refuses_is_told_of);
	tcase_add_test(tc, each_reserve_is_filled);
	tcase_add_test(tc, a_large_reserve_keeps_no_small_one_waiting);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

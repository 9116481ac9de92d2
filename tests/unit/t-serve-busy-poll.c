/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <uv.h>

#include "serve/busy_poll.h"
#include "suite.h"

/* The longest there is, so that a step of a test fits in it; should it not, on
 * a busy machine, the step is repeated. */
#define WINDOW_US BUSY_POLL_MAX_US
#define TRIES	  1000

static struct busy_poll_crowd crowd;
static struct busy_poll busy_poll;

static void init(unsigned window_us)
{
	crowd.max = 1;
	crowd.nr = 0;
	busy_poll_init(&busy_poll, window_us, &crowd);
}

static bool is_spinning(void)
{
	return busy_poll.spins;
}

static struct ctl_polling counted(void)
{
	struct ctl_polling sum = {0};

	busy_poll_sum(&busy_poll, &sum);
	return sum;
}

/* A request comes at once after the last one. */
static void find_at_once(void)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t since = uv_hrtime();

		busy_poll_waits(&busy_poll);
		busy_poll_found(&busy_poll);
		if (uv_hrtime() - since <= WINDOW_US * 1000u)
			return;
	}
	ck_abort_msg("two calls took too long %u times", TRIES);
}

/* Looks at the sockets, which have nothing, until it may sleep. */
static void spin_in_vain(void)
{
	busy_poll_waits(&busy_poll);
	while (!busy_poll_may_sleep(&busy_poll))
		;
}

START_TEST(without_a_window_nothing_is_done)
{
	init(0);
	busy_poll_waits(&busy_poll);
	busy_poll_found(&busy_poll);
	busy_poll_waits(&busy_poll);
	ck_assert(busy_poll_may_sleep(&busy_poll));
	ck_assert_uint_eq(counted().window_us, 0);
	ck_assert_uint_eq(counted().hits + counted().misses, 0);
}
END_TEST

START_TEST(a_short_wait_makes_it_spin_and_a_long_one_ends_that)
{
	init(WINDOW_US);
	busy_poll_found(&busy_poll);
	ck_assert_msg(!is_spinning(), "there was no wait before");
	find_at_once();
	ck_assert(is_spinning());
	ck_assert_uint_eq(counted().misses, 0);
	spin_in_vain();
	ck_assert_uint_eq(counted().misses, 1);
	ck_assert_uint_ge(counted().spun_us, WINDOW_US);
}
END_TEST

/* Who comes too late for the window finds the worker asleep, and so does the
 * next one: only a short wait shows that spinning pays again. */
START_TEST(after_a_long_wait_it_sleeps)
{
	struct ctl_polling before;

	init(WINDOW_US);
	find_at_once();
	spin_in_vain();
	before = counted();
	busy_poll_found(&busy_poll);
	ck_assert(!is_spinning());
	ck_assert_uint_eq(counted().hits, before.hits);
	ck_assert_uint_eq(counted().spun_us, before.spun_us);
	find_at_once();
	ck_assert(is_spinning());
}
END_TEST

START_TEST(what_comes_while_it_spins_is_a_hit)
{
	init(WINDOW_US);
	find_at_once();
	ck_assert(is_spinning());
	busy_poll_waits(&busy_poll);
	busy_poll_found(&busy_poll);
	ck_assert_uint_ge(counted().hits, 1);
	ck_assert_uint_eq(counted().misses, 0);
	ck_assert(is_spinning());
}
END_TEST

START_TEST(only_so_many_spin)
{
	struct busy_poll first;

	init(WINDOW_US);
	find_at_once();
	ck_assert(is_spinning());
	first = busy_poll;
	busy_poll_init(&busy_poll, WINDOW_US, &crowd);
	find_at_once();
	ck_assert(!is_spinning());
	busy_poll = first;
	spin_in_vain();
	ck_assert_uint_eq(crowd.nr, 0);
	find_at_once();
	ck_assert(is_spinning());
}
END_TEST

/* Requests that never end, each at once after the last one. */
static uint64_t find_until_it_rests(void)
{
	uint64_t since = uv_hrtime();

	do {
		busy_poll_waits(&busy_poll);
		busy_poll_found(&busy_poll);
		busy_poll_waits(&busy_poll);
	} while (!busy_poll_may_sleep(&busy_poll));
	return uv_hrtime() - since;
}

/* Others may spin meanwhile: it could be that nothing comes any more. */
START_TEST(who_spins_for_long_rests_once)
{
	init(WINDOW_US);
	find_at_once();
	ck_assert_uint_gt(find_until_it_rests() + WINDOW_US * UINT64_C(1000),
			  BUSY_POLL_AWAKE_NS);
	ck_assert(!is_spinning());
	ck_assert_uint_eq(crowd.nr, 0);
	find_at_once();
	ck_assert(is_spinning());
	ck_assert_uint_eq(crowd.nr, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("busy_poll");
	TCase *tc = tcase_create("busy_poll");

	tcase_add_test(tc, without_a_window_nothing_is_done);
	tcase_add_test(tc, a_short_wait_makes_it_spin_and_a_long_one_ends_that);
	tcase_add_test(tc, after_a_long_wait_it_sleeps);
	tcase_add_test(tc, what_comes_while_it_spins_is_a_hit);
	tcase_add_test(tc, only_so_many_spin);
	tcase_add_test(tc, who_spins_for_long_rests_once);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

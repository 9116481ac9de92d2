/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a real-time thread shares its processor. The scheduler and the kernel's
 * memory are made up; the processor time that is spent is not.
 */
#include "config.h"

#include <check.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

#include "base/units.h"
#include "guard/share.h"
#include "guard/watermark.h"
#include "suite.h"

static struct {
	int policy;
	bool is_refused; /* real time is */
	unsigned nr_changes;
	uint64_t room_pages;
} fake;

static struct share share;

/* glibc reserves the names of its parameters.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	ck_assert_int_eq(pid, 0);
	ck_assert(policy & SCHED_RESET_ON_FORK);
	policy &= ~SCHED_RESET_ON_FORK;
	ck_assert_int_eq(param->sched_priority, policy == SCHED_RR);
	if (policy == SCHED_RR && fake.is_refused)
		return -1;
	fake.policy = policy;
	fake.nr_changes++;
	return 0;
}

int sched_getscheduler(pid_t pid)
{
	ck_assert_int_eq(pid, 0);
	return fake.policy;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

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

static uint64_t thread_us(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void work(uint64_t us)
{
	const uint64_t end_us = thread_us() + us;

	while (thread_us() < end_us)
		;
}

static void begin(int policy)
{
	fake.policy = policy;
	fake.is_refused = false;
	fake.nr_changes = 0;
	fake.room_pages = SHARE_ROOM_BYTES / ZSD_PAGE_BYTES;
	ck_assert_int_eq(share_open(&share), 0);
	share_begin(&share);
	share_keep(&share, 1000); /* the first window */
}

START_TEST(who_has_had_its_share_lets_others_run)
{
	begin(SCHED_RR);
	work(SHARE_US);
	share_keep(&share, 1000 + SHARE_WINDOW_MS / 2);
	ck_assert_int_eq(fake.policy, SCHED_OTHER);
	ck_assert(share.is_given_up);
	/* Until the window ends. */
	share_keep(&share, 1000 + SHARE_WINDOW_MS - 1);
	ck_assert_int_eq(fake.policy, SCHED_OTHER);
	share_keep(&share, 1000 + SHARE_WINDOW_MS);
	ck_assert_int_eq(fake.policy, SCHED_RR);
	ck_assert(!share.is_given_up);
	ck_assert_uint_eq(fake.nr_changes, 2);
	share_close(&share);
}
END_TEST

START_TEST(who_takes_less_keeps_real_time)
{
	begin(SCHED_RR);
	for (unsigned ms = 1000; ms < 3000; ms += SHARE_LOOK_MS) {
		if (ms % SHARE_WINDOW_MS == 0)
			work(SHARE_US / 10);
		share_keep(&share, ms);
	}
	ck_assert_uint_eq(fake.nr_changes, 0);
	share_close(&share);
}
END_TEST

START_TEST(who_is_needed_while_memory_is_short_keeps_it)
{
	begin(SCHED_RR);
	fake.room_pages--;
	for (unsigned ms = 1000; ms < 1500; ms += SHARE_LOOK_MS) {
		work(SHARE_US / 10);
		share_keep(&share, ms);
	}
	ck_assert_uint_eq(fake.nr_changes, 0);
	share_close(&share);
}
END_TEST

START_TEST(who_has_no_real_time_gives_none_up)
{
	begin(SCHED_OTHER);
	work(2 * SHARE_US);
	share_keep(&share, 1000 + SHARE_WINDOW_MS / 2);
	share_keep(&share, 1000 + 2 * SHARE_WINDOW_MS);
	ck_assert_uint_eq(fake.nr_changes, 0);
	share_close(&share);
}
END_TEST

START_TEST(what_is_refused_is_asked_for_again)
{
	begin(SCHED_RR);
	work(SHARE_US);
	share_keep(&share, 1000 + SHARE_WINDOW_MS / 2);
	fake.is_refused = true;
	share_keep(&share, 1000 + SHARE_WINDOW_MS);
	ck_assert(share.is_given_up);
	fake.is_refused = false;
	share_keep(&share, 1000 + 2 * SHARE_WINDOW_MS);
	ck_assert_int_eq(fake.policy, SCHED_RR);
	share_close(&share);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard/share");
	TCase *tc = tcase_create("share");

	tcase_add_test(tc, who_has_had_its_share_lets_others_run);
	tcase_add_test(tc, who_takes_less_keeps_real_time);
	tcase_add_test(tc, who_is_needed_while_memory_is_short_keeps_it);
	tcase_add_test(tc, who_has_no_real_time_gives_none_up);
	tcase_add_test(tc, what_is_refused_is_asked_for_again);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

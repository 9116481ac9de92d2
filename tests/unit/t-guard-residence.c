/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measures for swapping, as far as whoever runs this may take them: what is
 * reported must be what the kernel says.
 */
#include "config.h"

#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#include "base/units.h"
#include "guard/residence.h"
#include "suite.h"

#ifndef PR_GET_IO_FLUSHER /* Linux 5.6 */
#define PR_GET_IO_FLUSHER 58
#endif

static struct residence *residence;
static struct io_log *lines;

/* A second thread, which is urgent, and stays until the end. */
static struct {
	uv_thread_t thread;
	uv_sem_t end;
} second;

static int policy_of(pid_t tid)
{
	return sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK;
}

static void third_thread(void *arg)
{
	*(int *)arg = policy_of(0);
}

static void second_thread(void *arg)
{
	uv_thread_t third;
	int policy = -1;

	(void)arg;
	residence_join(residence, "urgent", RESIDENCE_URGENT);
	ck_assert_int_eq(uv_thread_create(&third, third_thread, &policy), 0);
	uv_thread_join(&third);
	/* Else what logs, or compacts, would come before programs. */
	ck_assert_int_eq(policy, SCHED_OTHER);
	uv_sem_wait(&second.end);
}

static void begin(enum swap_mode mode)
{
	ck_assert_int_eq(io_log_create(&lines), 0);
	ck_assert_int_eq(residence_begin(mode, 2, lines, &residence), 0);
	residence_join(residence, "a name far too long", RESIDENCE_ORDINARY);
}

static void begin_with_second(enum swap_mode mode)
{
	begin(mode);
	residence_settle(residence);
	ck_assert_int_eq(uv_sem_init(&second.end, 0), 0);
	ck_assert_int_eq(uv_thread_create(&second.thread, second_thread, NULL),
			 0);
	ck_assert_int_eq(residence_check(residence, 2, false), 0);
}

static void end_with_second(void)
{
	uv_sem_post(&second.end);
	uv_thread_join(&second.thread);
	uv_sem_destroy(&second.end);
	residence_end(residence);
}

static struct residence_thread thread_number(unsigned i)
{
	struct residence_thread thread;

	ck_assert(residence_thread(residence, i, &thread));
	return thread;
}

START_TEST(off_takes_no_measure)
{
	struct residence_state state;
	struct residence_thread thread;

	begin_with_second(SWAP_OFF);
	thread = thread_number(0);
	ck_assert_str_eq(thread.name, "a name far too ");
	ck_assert_int_eq(thread.tid, getpid());
	ck_assert(!thread.is_urgent);
	thread = thread_number(1);
	ck_assert_str_eq(thread.name, "urgent");
	ck_assert(thread.is_urgent && !thread.is_real_time);
	ck_assert(!residence_thread(residence, 2, &thread));
	residence_state(residence, &state);
	ck_assert_uint_eq(state.vm_lck_bytes, 0);
	end_with_second();
}
END_TEST

START_TEST(what_is_told_is_what_holds)
{
	struct residence_state state;
	struct residence_thread thread;
	bool is_flusher;

	begin_with_second(SWAP_ON);
	is_flusher = prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1;
	for (unsigned i = 0; i < 2; i++) {
		thread = thread_number(i);
		ck_assert_int_eq(thread.is_io_flusher, is_flusher);
		ck_assert_int_eq(thread.is_real_time,
				 policy_of(thread.tid) == SCHED_RR);
	}
	ck_assert(!thread_number(0).is_real_time);
	residence_state(residence, &state);
	ck_assert_uint_eq(state.vm_swap_bytes, 0);
	end_with_second();
}
END_TEST

/* Whether all of a mapping is in memory. */
static bool is_in_memory(void *p, size_t bytes)
{
	unsigned char pages[64];
	bool all = true;

	ck_assert_uint_le(bytes / ZSD_PAGE_BYTES, sizeof(pages));
	ck_assert_int_eq(mincore(p, bytes, pages), 0);
	for (size_t i = 0; i < bytes / ZSD_PAGE_BYTES; i++)
		all = all && pages[i] & 1;
	return all;
}

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

/* Where locking is not permitted it must be told that nothing is locked. */
START_TEST(once_settled_what_is_mapped_is_in_memory)
{
	const size_t bytes = 16 * ZSD_PAGE_BYTES;
	struct residence_state state;
	void *before, *after;

	begin(SWAP_ON);
	residence_state(residence, &state);
	before = map(bytes);
	ck_assert(!is_in_memory(before, bytes));
	residence_settle(residence);
	after = map(bytes);
	ck_assert_int_eq(is_in_memory(after, bytes), state.vm_lck_bytes != 0);
	munmap(before, bytes);
	munmap(after, bytes);
	residence_end(residence);
}
END_TEST

START_TEST(nobody_else_looks_into_memory_that_is_swapped_on)
{
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
	begin(SWAP_OFF);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
	residence_end(residence);
	io_log_close(lines);
	begin(SWAP_ON);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
	residence_end(residence);
	io_log_close(lines);
}
END_TEST

#ifndef OTHER_MALLOC /* whose heap glibc does not know */
START_TEST(heap_growth_is_seen)
{
	struct residence_state state;
	void *p;

	begin(SWAP_OFF);
	ck_assert_int_eq(residence_check(residence, 1, false), 0);
	p = malloc(10 * MIB);
	ck_assert_ptr_nonnull(p);
	memset(p, 1, 10 * MIB);
	residence_state(residence, &state);
	ck_assert_uint_ge(state.heap_growth_bytes, 10 * MIB);
	free(p);
	residence_end(residence);
}
END_TEST
#endif

START_TEST(faults_are_counted_from_ready)
{
	const size_t bytes = 100 * ZSD_PAGE_BYTES;
	uint64_t before;
	void *p;

	begin(SWAP_OFF);
	ck_assert_int_eq(residence_check(residence, 1, false), 0);
	p = map(bytes);
	madvise(p, bytes, MADV_NOHUGEPAGE);
	before = thread_number(0).minor_faults;
	memset(p, 1, bytes);
	ck_assert_uint_ge(thread_number(0).minor_faults, before + 100);
	munmap(p, bytes);
	residence_end(residence);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard/residence");
	TCase *tc = tcase_create("residence");

	tcase_add_test(tc, off_takes_no_measure);
	tcase_add_test(tc, what_is_told_is_what_holds);
	tcase_add_test(tc, once_settled_what_is_mapped_is_in_memory);
	tcase_add_test(tc, nobody_else_looks_into_memory_that_is_swapped_on);
#ifndef OTHER_MALLOC
	tcase_add_test(tc, heap_growth_is_seen);
#endif
	tcase_add_test(tc, faults_are_counted_from_ready);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks are fetched for many at once, who all get theirs, and what is written
 * meanwhile is what they get. A disk is made up behind the file: what is read
 * of it says which block it is.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#include "backing/table.h"
#include "backing_rig.h"
#include "base/lock.h"
#include "quiet.h"
#include "suite.h"

/* --- a disk whose reads wait for the test ---------------------------------- */

static uv_sem_t has_read, may_end;

/* It has read what is there now, and hands it out later. */
static ssize_t held_read(int fd, void *buf, size_t bytes, off_t at)
{
	ssize_t got = pread(fd, buf, bytes, at);

	uv_sem_post(&has_read);
	uv_sem_wait(&may_end);
	return got;
}

static uv_sem_t has_begun_write, may_write;

static ssize_t held_write(int fd, const void *buf, size_t bytes, off_t at)
{
	uv_sem_post(&has_begun_write);
	uv_sem_wait(&may_write);
	return pwrite(fd, buf, bytes, at);
}

static const struct backing_ops held_reads = {held_read, pwrite};
static const struct backing_ops all_held = {held_read, held_write};

/* Whether the last lock that was made inherits priority. */
static bool inherits_priority;

void __real_lock_init(pthread_mutex_t *lock, bool inherit_priority);
void __wrap_lock_init(pthread_mutex_t *lock, bool inherit_priority);

void __wrap_lock_init(pthread_mutex_t *lock, bool inherit_priority)
{
	inherits_priority = inherit_priority;
	__real_lock_init(lock, inherit_priority);
}

static void setup(void)
{
	rig_setup();
	ck_assert_int_eq(uv_sem_init(&has_read, 0), 0);
	ck_assert_int_eq(uv_sem_init(&may_end, 0), 0);
	ck_assert_int_eq(uv_sem_init(&has_begun_write, 0), 0);
	ck_assert_int_eq(uv_sem_init(&may_write, 0), 0);
}

/* --- writing --------------------------------------------------------------- */

START_TEST(what_is_here_is_forgotten_when_it_is_written)
{
	struct backing *backing = rig_start(true, NULL);
	unsigned char page[BACKING_BLOCK_BYTES];
	const uint32_t block = 5;

	rig_write(backing, block, 1);
	rig_need(backing, &block, 1);
	rig_write(backing, block, 2);
	ck_assert_int_eq(backing_get(backing, block, page), -ENOENT);
	rig_need(backing, &block, 1);
	ck_assert_int_eq(backing_get(backing, block, page), 0);
	ck_assert(rig_holds(block, 2, page));
	backing_close(backing);
}
END_TEST

START_TEST(a_fetch_across_a_write_is_done_again)
{
	struct backing *backing = rig_start(true, &held_reads);
	unsigned char page[BACKING_BLOCK_BYTES];
	const uint32_t block = 6;
	struct backing_counts counts;

	rig_write(backing, block, 1);
	ck_assert_int_eq(backing_need(backing, &block, 1), -EINPROGRESS);
	uv_sem_wait(&has_read);
	rig_write(backing, block, 2);
	ck_assert_int_eq(backing_need(backing, &block, 1), -EINPROGRESS);
	ck_assert_int_eq(backing_get(backing, block, page), -ENOENT);
	uv_sem_post(&may_end);
	uv_sem_wait(&has_read);
	backing_count(backing, &counts);
	ck_assert_uint_eq(counts.waiting, 1);
	uv_sem_post(&may_end);
	rig_need(backing, &block, 1);
	ck_assert_int_eq(backing_get(backing, block, page), 0);
	ck_assert(rig_holds(block, 2, page));
	backing_close(backing);
}
END_TEST

static void write_thread(void *arg)
{
	rig_write(arg, 7, 2);
}

/* One that was asked for before the write, and one that is while it lasts. */
START_TEST(a_fetch_waits_for_a_write)
{
	struct backing *backing = rig_start(true, &all_held);
	unsigned char page[BACKING_BLOCK_BYTES];
	const uint32_t block = 7;
	uv_thread_t thread;

	ck_assert_int_eq(backing_need(backing, &block, 1), -EINPROGRESS);
	uv_sem_wait(&has_read);
	ck_assert_int_eq(uv_thread_create(&thread, write_thread, backing), 0);
	uv_sem_wait(&has_begun_write);
	uv_sem_post(&may_end);
	/* Nothing is read, nor handed out, before the write has ended. */
	uv_sleep(20);
	ck_assert_int_ne(uv_sem_trywait(&has_read), 0);
	ck_assert_int_eq(backing_need(backing, &block, 1), -EINPROGRESS);
	ck_assert_int_eq(backing_get(backing, block, page), -ENOENT);
	uv_sem_post(&may_write);
	uv_sem_wait(&has_read);
	uv_sem_post(&may_end);
	uv_thread_join(&thread);
	rig_need(backing, &block, 1);
	ck_assert_int_eq(backing_get(backing, block, page), 0);
	ck_assert(rig_holds(block, 2, page));
	backing_close(backing);
}
END_TEST

/* Workers, in real time, share it with a policy that runs last. */
START_TEST(its_lock_inherits_priority)
{
	struct backing *backing = rig_start(true, NULL);

	ck_assert(inherits_priority);
	backing_close(backing);
}
END_TEST

/* --- a full table ---------------------------------------------------------- */

/* Nobody comes for what fills the table, but it is there. */
START_TEST(there_is_room_once_something_was_taken)
{
	struct backing *backing = rig_start(true, NULL);
	unsigned char page[BACKING_BLOCK_BYTES];
	const uint32_t two[] = {TABLE_PLACES, TABLE_PLACES + 1};
	struct backing_counts counts;
	unsigned seen;

	for (uint32_t i = 0; i < TABLE_PLACES; i++)
		rig_need(backing, &i, 1);
	ck_assert_int_eq(backing_need(backing, two, 2), -EINPROGRESS);
	ck_assert_int_eq(backing_get(backing, 0, page), 0);
	ck_assert_int_eq(backing_need(backing, two, 2), -EINPROGRESS);
	backing_count(backing, &counts);
	ck_assert_uint_eq(counts.waiting, 0);
	ck_assert_uint_ge(counts.full_waits, 2);
	/* Whoever waits is told that there is room. */
	seen = rig_told();
	ck_assert_int_eq(backing_get(backing, 1, page), 0);
	rig_wait_told(seen);
	rig_need(backing, two, 2);
	backing_close(backing);
}
END_TEST

START_TEST(what_nobody_comes_for_makes_room)
{
	struct backing *backing = rig_start(true, NULL);
	const uint32_t other = TABLE_PLACES;
	const uint64_t start_ns = uv_hrtime();

	for (uint32_t i = 0; i < TABLE_PLACES; i++)
		rig_need(backing, &i, 1);
	rig_need(backing, &other, 1);
	/* Not before. The first of them was here at the start at best. */
	ck_assert_uint_ge((uv_hrtime() - start_ns) / 1000000u, TABLE_WANTED_MS);
	backing_close(backing);
}
END_TEST

/* --- many ------------------------------------------------------------------ */

#define NR_CLIENTS 24u
#define NR_SETS	   60u

static struct {
	uint64_t seed;
	struct backing *backing;
	uint32_t nr_blocks; /* of which they ask */
	atomic_uint nr_failures; /* that were told */
} crowd;

static uint64_t random_u64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Some reads take longer than others, and one in a hundred fails. */
static ssize_t made_up_read(int fd, void *buf, size_t bytes, off_t at)
{
	static atomic_uint nr;
	const uint32_t block = (uint32_t)(at / BACKING_BLOCK_BYTES);
	uint64_t state = crowd.seed + atomic_fetch_add(&nr, 1) *
					      UINT64_C(0x9E3779B97F4A7C15);

	(void)fd;
	if (random_u64(&state) % 4 == 0)
		(void)usleep((useconds_t)(random_u64(&state) % 300));
	if (random_u64(&state) % 100 == 0) {
		errno = EIO;
		return -1;
	}
	rig_fill(block, 1, buf);
	return (ssize_t)bytes;
}

static const struct backing_ops made_up = {made_up_read, pwrite};

/* Different blocks. */
static unsigned make_set(uint32_t *blocks, bool is_large, uint64_t *state)
{
	const unsigned nr =
		is_large ? BACKING_NEED_MAX
			 : 1 + (unsigned)(random_u64(state) % BACKING_NEED_MAX);
	uint32_t at = (uint32_t)(random_u64(state) % crowd.nr_blocks);

	for (unsigned i = 0; i < nr; i++) {
		blocks[i] = at % crowd.nr_blocks;
		at += 1 + (uint32_t)(random_u64(state) %
				     (crowd.nr_blocks / BACKING_NEED_MAX));
	}
	return nr;
}

/* Return: false where one was not here: all are asked for again. */
static bool take_set(const uint32_t *blocks, unsigned nr)
{
	unsigned char page[BACKING_BLOCK_BYTES];
	int err;

	for (unsigned i = 0; i < nr; i++) {
		err = backing_get(crowd.backing, blocks[i], page);
		if (err == -ENOENT)
			return false;
		if (err == -EREMOTEIO)
			atomic_fetch_add(&crowd.nr_failures, 1);
		else
			quiet_assert(!err && rig_holds(blocks[i], 1, page));
	}
	return true;
}

static void client_thread(void *arg)
{
	const unsigned id = (unsigned)(uintptr_t)arg;
	uint64_t state = crowd.seed + (id + 1) * UINT64_C(0xD1B54A32D192ED03);
	uint32_t blocks[BACKING_NEED_MAX];
	unsigned nr;

	for (unsigned i = 0; i < NR_SETS; i++) {
		/* One always asks for much, where most ask for less. */
		nr = make_set(blocks, id == 0, &state);
		do {
			rig_need(crowd.backing, blocks, nr);
		} while (!take_set(blocks, nr));
	}
}

/* Few blocks, which many want; about as many as there is room for; many. */
static const uint32_t crowd_blocks[] = {64, 300, 600, RIG_BLOCKS};

START_TEST(all_get_what_they_need)
{
	uv_thread_t threads[NR_CLIENTS];
	struct backing_counts counts;

	ck_assert_int_eq(getrandom(&crowd.seed, sizeof(crowd.seed), 0),
			 (ssize_t)sizeof(crowd.seed));
	printf("seed %" PRIu64 ", %u blocks\n", crowd.seed, crowd_blocks[_i]);
	(void)fflush(stdout);
	crowd.nr_blocks = crowd_blocks[_i];
	atomic_store(&crowd.nr_failures, 0);
	/* What is made up is not encrypted. */
	crowd.backing = rig_start(false, &made_up);
	for (unsigned i = 0; i < NR_CLIENTS; i++)
		ck_assert_int_eq(uv_thread_create(&threads[i], client_thread,
						  (void *)(uintptr_t)i),
				 0);
	for (unsigned i = 0; i < NR_CLIENTS; i++)
		uv_thread_join(&threads[i]);
	backing_count(crowd.backing, &counts);
	printf("%" PRIu64 " reads, %" PRIu64 " failed, %" PRIu64
	       " times no room\n",
	       counts.reads, counts.failed_reads, counts.full_waits);
	ck_assert_uint_le(crowd.nr_failures, counts.failed_reads);
	backing_close(crowd.backing);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backing/fetch");
	TCase *tc = tcase_create("fetch");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, what_is_here_is_forgotten_when_it_is_written);
	tcase_add_test(tc, a_fetch_across_a_write_is_done_again);
	tcase_add_test(tc, a_fetch_waits_for_a_write);
	tcase_add_test(tc, its_lock_inherits_priority);
	tcase_add_test(tc, there_is_room_once_something_was_taken);
	tcase_add_test(tc, what_nobody_comes_for_makes_room);
	tcase_add_loop_test(tc, all_get_what_they_need, 0,
			    ARRAY_SIZE(crowd_blocks));
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

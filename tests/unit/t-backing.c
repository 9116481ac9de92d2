/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks go out to a file and come back, encrypted there, in one piece
 * whatever pieces the kernel makes of them; what fails costs its block alone.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "backing_rig.h"
#include "suite.h"

/* --- I/O that does not go well --------------------------------------------- */

/* The block that cannot be read or written; -1: none. */
static _Atomic int64_t bad_block;

static atomic_uint nr_writes; /* system calls */

static bool is_bad(size_t bytes, off_t at)
{
	const int64_t bad = atomic_load(&bad_block);

	return bad >= 0 && at < (bad + 1) * BACKING_BLOCK_BYTES &&
	       at + (off_t)bytes > bad * BACKING_BLOCK_BYTES;
}

static ssize_t bad_read(int fd, void *buf, size_t bytes, off_t at)
{
	if (is_bad(bytes, at)) {
		errno = EIO;
		return -1;
	}
	return pread(fd, buf, bytes, at);
}

static ssize_t bad_write(int fd, const void *buf, size_t bytes, off_t at)
{
	atomic_fetch_add(&nr_writes, 1);
	if (is_bad(bytes, at)) {
		errno = EIO;
		return -1;
	}
	return pwrite(fd, buf, bytes, at);
}

static const struct backing_ops bad = {bad_read, bad_write};

/* Interrupts each second call, and does an odd number of sectors at a time. */
static ssize_t short_read(int fd, void *buf, size_t bytes, off_t at)
{
	static atomic_uint nr;

	if (atomic_fetch_add(&nr, 1) % 2) {
		errno = EINTR;
		return -1;
	}
	return pread(fd, buf, bytes > 1536 ? 1536 : bytes, at);
}

static ssize_t short_write(int fd, const void *buf, size_t bytes, off_t at)
{
	if (atomic_fetch_add(&nr_writes, 1) % 2) {
		errno = EINTR;
		return -1;
	}
	return pwrite(fd, buf, bytes > 5632 ? 5632 : bytes, at);
}

static const struct backing_ops in_pieces = {short_read, short_write};

static void setup(void)
{
	rig_setup();
	atomic_store(&bad_block, -1);
	atomic_store(&nr_writes, 0);
}

/* --- round trips ----------------------------------------------------------- */

static unsigned char pages[BACKING_WRITE_MAX][BACKING_BLOCK_BYTES];

/* Blocks to write: @numbers with what rig_fill() makes of them. */
static void prepare(struct backing_block *blocks, const uint32_t *numbers,
		    unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		rig_fill(numbers[i], 1, pages[i]);
		blocks[i] = (struct backing_block){
			.number = numbers[i], .bytes = pages[i], .err = 1};
	}
}

static void expect_block(struct backing *backing, uint32_t block)
{
	unsigned char page[BACKING_BLOCK_BYTES + 1];

	ck_assert_int_eq(backing_read(backing, block, page + 1), 0);
	ck_assert(rig_holds(block, 1, page + 1));
	memset(page, 0, sizeof(page));
	rig_need(backing, &block, 1);
	ck_assert_int_eq(backing_get(backing, block, page + 1), 0);
	ck_assert(rig_holds(block, 1, page + 1));
}

/* First and last ones, a run of many, and some that follow nothing. */
static const uint32_t some[] = {0,   1,	  2,   3,   100, 102,		101,
				104, 105, 106, 107, 108, RIG_BLOCKS - 1};

static void round_trip(bool encrypt, const struct backing_ops *ops)
{
	struct backing *backing = rig_start(encrypt, ops);
	struct backing_block blocks[ARRAY_SIZE(some)];
	struct backing_counts counts;

	prepare(blocks, some, ARRAY_SIZE(some));
	backing_write(backing, blocks, ARRAY_SIZE(some));
	for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
		ck_assert_int_eq(blocks[i].err, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
		expect_block(backing, some[i]);
	backing_count(backing, &counts);
	ck_assert_uint_eq(counts.writes, ARRAY_SIZE(some));
	ck_assert_uint_eq(counts.reads, 2 * ARRAY_SIZE(some));
	ck_assert_uint_eq(counts.failed_reads + counts.failed_writes, 0);
	ck_assert_uint_gt(counts.read_us, 0);
	ck_assert_uint_gt(counts.write_us, 0);
	ck_assert_uint_eq(counts.waiting, 0);
	backing_close(backing);
}

START_TEST(what_is_written_comes_back)
{
	round_trip(false, NULL);
	round_trip(true, NULL);
	round_trip(true, &in_pieces);
}
END_TEST

START_TEST(a_run_is_one_write)
{
	struct backing *backing = rig_start(true, &bad);
	struct backing_block blocks[ARRAY_SIZE(some)];

	prepare(blocks, some, ARRAY_SIZE(some));
	backing_write(backing, blocks, ARRAY_SIZE(some));
	ck_assert_uint_eq(nr_writes, 6);
	backing_close(backing);
}
END_TEST

START_TEST(what_it_is_can_be_asked)
{
	struct backing *backing = rig_start(true, NULL);

	ck_assert_uint_eq(backing_nr_blocks(backing), RIG_BLOCKS);
	ck_assert_str_eq(backing_kind(backing), "file");
	ck_assert_uint_ge(backing_nr_threads(), 2);
	backing_close(backing);
	backing_close(NULL);
}
END_TEST

/* --- encryption ------------------------------------------------------------ */

static bool file_has(const char *text, size_t length)
{
	static unsigned char file[RIG_BLOCKS * BACKING_BLOCK_BYTES];
	int fd = open(rig_path, O_RDONLY | O_CLOEXEC);
	bool found;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, file, sizeof(file), 0),
			 (ssize_t)sizeof(file));
	found = memmem(file, sizeof(file), text, length) != NULL;
	close(fd);
	return found;
}

static bool is_found(bool encrypt)
{
	static const char text[] = "sixteen secrets.";
	struct backing *backing = rig_start(encrypt, NULL);
	struct backing_block block = {.number = 5, .bytes = pages[0]};

	memset(pages[0], 0, sizeof(pages[0]));
	memcpy(pages[0] + 1000, text, sizeof(text));
	backing_write(backing, &block, 1);
	ck_assert_int_eq(block.err, 0);
	backing_close(backing);
	return file_has(text, sizeof(text) - 1);
}

START_TEST(no_text_is_in_the_file)
{
	ck_assert(is_found(false));
	ck_assert(!is_found(true));
}
END_TEST

START_TEST(another_key_reads_nothing)
{
	const struct backing_params params = rig_params(false, true);
	struct backing *backing = rig_start(true, NULL);
	unsigned char key[BACKING_KEY_BYTES], page[BACKING_BLOCK_BYTES];

	rig_write(backing, 7, 1);
	backing_close(backing);
	ck_assert_int_eq(backing_open(&params, &backing), 0);
	rig_key(2, key);
	ck_assert_int_eq(backing_start(backing, key), 0);
	ck_assert_int_eq(backing_read(backing, 7, page), 0);
	ck_assert(!rig_holds(7, 1, page));
	backing_close(backing);
}
END_TEST

START_TEST(a_key_is_there_where_it_must_be)
{
	struct backing_params params = rig_params(false, true);
	unsigned char key[BACKING_KEY_BYTES] = {0};
	struct backing *backing;

	ck_assert_int_eq(backing_open(&params, &backing), 0);
	ck_assert_int_eq(backing_start(backing, NULL), -EINVAL);
	ck_assert_int_eq(backing_start(backing, key), -EINVAL);
	backing_close(backing);
	params.encrypt = false;
	rig_key(1, key);
	ck_assert_int_eq(backing_open(&params, &backing), 0);
	ck_assert_int_eq(backing_start(backing, key), -EINVAL);
	backing_close(backing);
}
END_TEST

/* --- failures -------------------------------------------------------------- */

START_TEST(one_block_of_a_run_fails_alone)
{
	struct backing *backing = rig_start(true, &bad);
	uint32_t numbers[BACKING_WRITE_MAX];
	struct backing_block blocks[BACKING_WRITE_MAX];
	struct backing_counts counts;

	for (unsigned i = 0; i < BACKING_WRITE_MAX; i++)
		numbers[i] = 40 + i;
	prepare(blocks, numbers, BACKING_WRITE_MAX);
	atomic_store(&bad_block, 50);
	backing_write(backing, blocks, BACKING_WRITE_MAX);
	atomic_store(&bad_block, -1);
	for (unsigned i = 0; i < BACKING_WRITE_MAX; i++) {
		ck_assert_int_eq(blocks[i].err,
				 numbers[i] == 50 ? -EREMOTEIO : 0);
		if (numbers[i] != 50)
			expect_block(backing, numbers[i]);
	}
	backing_count(backing, &counts);
	ck_assert_uint_eq(counts.writes, BACKING_WRITE_MAX - 1);
	ck_assert_uint_eq(counts.failed_writes, 1);
	backing_close(backing);
}
END_TEST

START_TEST(what_cannot_be_read_is_told_once)
{
	const uint32_t numbers[] = {8, 9, 10};
	struct backing *backing = rig_start(true, &bad);
	unsigned char page[BACKING_BLOCK_BYTES];
	struct backing_counts counts;

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		rig_write(backing, numbers[i], 1);
	atomic_store(&bad_block, 9);
	rig_need(backing, numbers, ARRAY_SIZE(numbers));
	ck_assert_int_eq(backing_get(backing, 8, page), 0);
	ck_assert_int_eq(backing_get(backing, 9, page), -EREMOTEIO);
	ck_assert_int_eq(backing_get(backing, 9, page), -ENOENT);
	ck_assert_int_eq(backing_get(backing, 10, page), 0);
	ck_assert_int_eq(backing_read(backing, 9, page), -EREMOTEIO);
	backing_count(backing, &counts);
	ck_assert_uint_eq(counts.failed_reads, 2);
	atomic_store(&bad_block, -1);
	expect_block(backing, 9);
	backing_close(backing);
}
END_TEST

/* What names such blocks is damaged: they are not there, and stay so. */
START_TEST(nothing_is_behind_the_end)
{
	static const uint32_t numbers[] = {RIG_BLOCKS - 1, RIG_BLOCKS,
					   UINT32_MAX};
	struct backing *backing = rig_start(false, NULL);
	struct backing_block blocks[ARRAY_SIZE(numbers)];
	unsigned char page[BACKING_BLOCK_BYTES];

	prepare(blocks, numbers, ARRAY_SIZE(numbers));
	backing_write(backing, blocks, ARRAY_SIZE(numbers));
	ck_assert_int_eq(blocks[0].err, 0);
	ck_assert_int_eq(blocks[1].err, -EREMOTEIO);
	ck_assert_int_eq(blocks[2].err, -EREMOTEIO);
	expect_block(backing, numbers[0]);
	rig_need(backing, &numbers[1], 2);
	for (unsigned i = 1; i < ARRAY_SIZE(numbers); i++) {
		ck_assert_int_eq(backing_get(backing, numbers[i], page),
				 -EREMOTEIO);
		ck_assert_int_eq(backing_read(backing, numbers[i], page),
				 -EREMOTEIO);
	}
	backing_close(backing);
}
END_TEST

START_TEST(a_file_that_was_cut_off_fails)
{
	struct backing *backing = rig_start(true, NULL);
	unsigned char page[BACKING_BLOCK_BYTES];

	ck_assert_int_eq(truncate(rig_path, 0), 0);
	ck_assert_int_eq(backing_read(backing, 3, page), -EREMOTEIO);
	backing_close(backing);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backing");
	TCase *tc = tcase_create("io");

	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, what_is_written_comes_back);
	tcase_add_test(tc, a_run_is_one_write);
	tcase_add_test(tc, what_it_is_can_be_asked);
	tcase_add_test(tc, no_text_is_in_the_file);
	tcase_add_test(tc, another_key_reads_nothing);
	tcase_add_test(tc, a_key_is_there_where_it_must_be);
	tcase_add_test(tc, one_block_of_a_run_fails_alone);
	tcase_add_test(tc, what_cannot_be_read_is_told_once);
	tcase_add_test(tc, nothing_is_behind_the_end);
	tcase_add_test(tc, a_file_that_was_cut_off_fails);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

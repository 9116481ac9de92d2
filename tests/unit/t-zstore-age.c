/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When pages were accessed, and which are idle, as zram counts them.
 */
#include "config.h"

#include <stdlib.h>

#include "base/bits.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_internal.h"

static struct store_rig rig;
static uint32_t now_s;

static void setup(void)
{
	struct zstore_params params = rig_params("lz4");

	rig_open(&rig, &params);
	now_s = 8000;
	zstore_begin_epoch(rig.store, now_s);
}

static void teardown(void)
{
	rig_close(&rig);
}

/* Let time pass, an epoch every @step_s. */
static void wait_until(uint32_t until_s, uint32_t step_s)
{
	while (now_s < until_s) {
		now_s += (uint32_t)min_u64(step_s, until_s - now_s);
		zstore_begin_epoch(rig.store, now_s);
	}
}

static struct zstore_block block_of(uint64_t index)
{
	struct zstore_block block = {0};

	ck_assert(zstore_block(rig.store, index, &block));
	return block;
}

static bool is_idle(uint64_t index)
{
	return block_of(index).is_idle;
}

static void read_page(uint64_t index)
{
	rig_assert_range(&rig, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
}

/* --- zram's vectors -------------------------------------------------------- */

static void mark(uint32_t age_s)
{
	/* In 32 bits, as zram: an age beyond the clock's own is everything. */
	uint32_t since_s = age_s < now_s ? now_s - age_s : UINT32_MAX;

	(void)zstore_mark_idle(rig.store, since_s);
}

START_TEST(an_age_marks_what_is_older)
{
	wait_until(9000, 1);
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	wait_until(10000, 1);
	rig_write_page(&rig, 1, MODEL_PAGE_TEXT);
	mark(900);
	ck_assert(is_idle(0));
	ck_assert(!is_idle(1));
	mark(1000); /* each time anew: not older than that */
	ck_assert(!is_idle(0));
	mark(10000);
	ck_assert(is_idle(0));
	mark(20000);
	ck_assert(is_idle(0));
	read_page(0);
	ck_assert(!is_idle(0));
	ck_assert_uint_eq(block_of(0).accessed_s, 10000);
}
END_TEST

START_TEST(all_are_marked_but_same_filled_ones)
{
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	rig_write_page(&rig, 1, MODEL_PAGE_ZERO);
	rig_write_page(&rig, 2, MODEL_PAGE_SAME);
	rig_write_page(&rig, 1400, MODEL_PAGE_RANDOM);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 2);
	ck_assert(is_idle(0));
	ck_assert(!is_idle(1));
	ck_assert(!is_idle(2));
	ck_assert(is_idle(1400));
	ck_assert(!zstore_block(rig.store, 3, &(struct zstore_block){0}));
	ck_assert(!zstore_block(rig.store, 700, &(struct zstore_block){0}));
}
END_TEST

START_TEST(a_write_or_a_trim_takes_the_mark_off)
{
	for (uint64_t i = 0; i < 3; i++)
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 3);
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	rig_write(&rig, ZSD_PAGE_BYTES + 7, 3, "abc");
	rig_trim(&rig, 2 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	rig_write_page(&rig, 2, MODEL_PAGE_TEXT);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert(!is_idle(i));
}
END_TEST

/* Zeros for a part of a page are a write of it. */
START_TEST(zeros_for_a_part_take_the_mark_off)
{
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	rig_write_page(&rig, 1, MODEL_PAGE_TEXT);
	wait_until(9000, 5);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 2);
	rig_write_zeroes(&rig, ZSD_PAGE_BYTES - 9, 11);
	for (uint64_t i = 0; i < 2; i++) {
		ck_assert(!is_idle(i));
		ck_assert_uint_eq(block_of(i).accessed_s, 9000);
	}
}
END_TEST

START_TEST(blocks_say_what_they_are)
{
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	rig_write_page(&rig, 1, MODEL_PAGE_RANDOM);
	rig_write_page(&rig, 2, MODEL_PAGE_SAME);
	ck_assert(!block_of(0).is_same && !block_of(0).is_huge);
	ck_assert_uint_gt(block_of(0).bytes, 0);
	ck_assert_uint_lt(block_of(0).bytes, ZSD_PAGE_BYTES);
	ck_assert(block_of(1).is_huge);
	ck_assert_uint_eq(block_of(1).bytes, ZSD_PAGE_BYTES);
	ck_assert(block_of(2).is_same);
	ck_assert_uint_eq(block_of(2).bytes, 0);
}
END_TEST

/* What the store does by itself is no access. */
START_TEST(verifying_leaves_pages_old)
{
	struct zstore_verify_report report;

	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	wait_until(9000, 5);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, 8500), 1);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), 0);
	ck_assert(is_idle(0));
}
END_TEST

/* --- epochs ---------------------------------------------------------------- */

/*
 * A page a step, for longer than there are numbers. All are said to be as old
 * as they are, or younger: by a step, or a tenth of their age.
 */
START_TEST(ages_stay_right_when_numbers_run_out)
{
	static const uint32_t steps_s[] = {1, 5, 3600};
	const uint32_t step_s = steps_s[_i];
	uint32_t written_s[RIG_DISK_PAGES];

	for (uint64_t i = 0; i < RIG_DISK_PAGES; i++) {
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
		written_s[i] = now_s;
		wait_until(now_s + step_s, step_s);
	}
	for (uint64_t i = 0; i < RIG_DISK_PAGES; i++) {
		uint32_t age = now_s - written_s[i];
		uint32_t said = now_s - block_of(i).accessed_s;

		ck_assert_uint_le(said, age);
		ck_assert_uint_le(age - said, age / 10 + step_s);
	}
	rig_assert_sound(&rig);
}
END_TEST

/* A clock that goes back, or stands, makes no epoch. */
START_TEST(time_does_not_go_back)
{
	uint32_t before = rig.store->epoch;

	zstore_begin_epoch(rig.store, now_s);
	zstore_begin_epoch(rig.store, now_s - 1000);
	ck_assert_uint_eq(rig.store->epoch, before);
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	ck_assert_uint_eq(block_of(0).accessed_s, now_s);
}
END_TEST

/* Marks are kept where epochs become one. */
START_TEST(joining_keeps_marks)
{
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 1);
	wait_until(20000, 7);
	ck_assert(is_idle(0));
	ck_assert_uint_lt(block_of(0).accessed_s, 9500);
}
END_TEST

/* The last thing that its process did, and nobody was told of it. */
START_TEST(an_epoch_that_was_to_begin_ends_none)
{
	rig.store->epochs->start_s[100] = now_s + 50;
	zstore_ages_init(rig.store);
	now_s += 100;
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	zstore_begin_epoch(rig.store, now_s + 100);
	ck_assert_uint_ge(block_of(0).accessed_s, now_s);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, now_s), 0);
}
END_TEST

/* Whatever stands there, nothing goes wrong but ages. */
START_TEST(damaged_epochs_do_no_harm)
{
	struct zstore_epochs *epochs = rig.store->epochs;

	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	for (uint32_t i = 0; i < 600; i++) {
		epochs->start_s[model_rng_below(&rig.rng, AGE_EPOCHS)] =
			(uint32_t)model_rng_next(&rig.rng);
		rig.store->ages[0] = (uint8_t)model_rng_next(&rig.rng);
		zstore_begin_epoch(rig.store, now_s += 9);
		(void)zstore_mark_idle(rig.store, now_s - 50);
		(void)block_of(0);
		ck_assert_uint_lt(rig.store->epoch, AGE_EPOCHS);
		ck_assert_uint_gt(rig.store->epoch, 0);
	}
	epochs->current = 1000;
	zstore_ages_init(rig.store);
	ck_assert_uint_eq(rig.store->epoch, 1);
	rig_assert_sound(&rig);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("zstore-age");
	TCase *tcase = tcase_create("idle");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_age_marks_what_is_older);
	tcase_add_test(tcase, all_are_marked_but_same_filled_ones);
	tcase_add_test(tcase, a_write_or_a_trim_takes_the_mark_off);
	tcase_add_test(tcase, zeros_for_a_part_take_the_mark_off);
	tcase_add_test(tcase, blocks_say_what_they_are);
	tcase_add_test(tcase, verifying_leaves_pages_old);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("epochs");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, ages_stay_right_when_numbers_run_out, 0, 3);
	tcase_add_test(tcase, time_does_not_go_back);
	tcase_add_test(tcase, joining_keeps_marks);
	tcase_add_test(tcase, an_epoch_that_was_to_begin_ends_none);
	tcase_add_test(tcase, damaged_epochs_do_no_harm);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}

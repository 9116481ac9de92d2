/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recompression, by zram's vectors and beyond: pages whose lengths are given,
 * compressed by codecs that do as they are told.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "model/own_ctx.h"
#include "suite.h"
#include "told_rig.h"
#include "zstore/page.h"
#include "zstore/zstore_recompress.h"

static struct zstore_recompress how;
static struct zstore_recompressing at;

/* --- rig ------------------------------------------------------------------- */

static void open_rig(bool checksum, uint64_t limit, uint64_t reserve)
{
	struct zstore_params params = told_params();

	params.checksum = checksum;
	params.mem_limit_bytes = limit;
	params.reserve_bytes = reserve;
	rig_open(&rig, &params);
	how = (struct zstore_recompress){.since_s = UINT32_MAX};
	at = (struct zstore_recompressing){0};
}

static void setup(void)
{
	open_rig(true, 0, MIB);
}

static void teardown(void)
{
	rig_assert_sound(&rig);
	rig_close(&rig);
}

/* Go on to the end. Return: 0, or what it says. */
static int run(void)
{
	int more;

	at = (struct zstore_recompressing){0};
	do {
		more = zstore_recompress(rig.ctx, &how, &at, 100);
	} while (more == 1);
	return more;
}

static void assert_becomes(uint64_t index, uint32_t bytes, bool is_done)
{
	struct zstore_block block = told_block(index);

	ck_assert_uint_eq(block.bytes, bytes);
	ck_assert_int_eq(block.is_recompressed, is_done);
	ck_assert_int_eq(block.is_incompressible, !is_done);
	ck_assert_int_eq(block.is_huge, bytes == ZSD_PAGE_BYTES);
}

/* --- zram's vectors -------------------------------------------------------- */

static const struct {
	uint32_t before, after, threshold, becomes;
} vectors[] = {
	{2000, 1990, 0, 2000},
	{2000, 1900, 0, 1900},
	{2000, 1900, 1900, 2000}, /* not shorter than the threshold */
	{2000, 1899, 1900, 1899},
	{4096, 3700, 0, 4096},
	{4096, 3600, 0, 3600}, /* huge no more */
	/* By the class that it really takes, of an object with its header of 4
	 * bytes: 1,904 and 1,920. zram's rule takes the first for shorter. */
	{1904, 1901, 0, 1904},
	{1910, 1901, 0, 1910},
	{1910, 1900, 0, 1900},
	{2000, 2100, 0, 2000},
};

START_TEST(vectors_hold)
{
	uint32_t before = vectors[_i].before, becomes = vectors[_i].becomes;
	uint32_t after = vectors[_i].after;
	bool is_done = becomes != before;
	struct zstore_stats stats;

	how.threshold_bytes = vectors[_i].threshold;
	told_put(7, before, after);
	ck_assert_int_eq(told_block(7).is_recompressed, 0);
	ck_assert_int_eq(run(), 0);
	assert_becomes(7, becomes, is_done);
	ck_assert_uint_eq(at.nr_tried, 1);
	ck_assert_uint_eq(at.nr_done, is_done);
	ck_assert_uint_eq(at.bytes_before, is_done ? before : 0);
	ck_assert_uint_eq(at.bytes_after, is_done ? becomes : 0);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.compr_data_size, becomes);
	ck_assert_uint_eq(stats.huge_pages, becomes == ZSD_PAGE_BYTES);
	ck_assert_uint_eq(stats.orig_data_size, ZSD_PAGE_BYTES);
	/* Once is enough; another write makes it new. */
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_tried, 0);
	told_put(7, before, after);
	ck_assert_int_eq(told_block(7).is_incompressible, 0);
	ck_assert_int_eq(told_block(7).is_recompressed, 0);
}
END_TEST

START_TEST(shorter_than_the_threshold_does_not_count)
{
	how.threshold_bytes = 1500;
	how.max_pages = 1;
	told_put(0, 1499, 100);
	told_put(1, 1500, 100);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_tried, 1);
	ck_assert_uint_eq(told_block(0).bytes, 1499);
	ck_assert_uint_eq(told_block(1).bytes, 100);
}
END_TEST

/* By 64 bytes of length, and of one length the last first. Attempts count, if
 * they succeed or not. */
START_TEST(the_longest_come_first)
{
	static const uint32_t lengths[] = {4096, 100, 3000, 4096, 3010};
	static const unsigned order[] = {3, 0, 4, 2, 1};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
		told_put(i, lengths[i], i == 0 ? 5000 : 32);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		how.max_pages = 1;
		ck_assert_int_eq(run(), 0);
		ck_assert_uint_eq(at.nr_tried, 1);
		for (unsigned j = 0; j < ARRAY_SIZE(order); j++)
			ck_assert_int_eq(
				told_block(order[j]).is_recompressed ||
					told_block(order[j]).is_incompressible,
				j <= i);
	}
}
END_TEST

START_TEST(types_are_told_apart)
{
	told_put(0, 4096, 100);
	told_put(1, 2000, 100);
	told_put(2, 4096, 100);
	told_put(3, 2000, 100);
	ck_assert_uint_eq(zstore_mark_idle(rig.store, UINT32_MAX), 4);
	told_put(2, 4096, 100);
	told_put(3, 2000, 100);

	how.is_idle = how.is_huge = true;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(told_block(0).is_recompressed);
	ck_assert(!told_block(0).is_idle); /* trying takes the mark off */
	how.is_huge = false;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(told_block(1).is_recompressed);
	how.is_idle = false;
	how.is_huge = true;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(told_block(2).is_recompressed);
	how.is_huge = false;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(told_block(3).is_recompressed);
}
END_TEST

START_TEST(what_has_no_object_is_passed_over)
{
	rig_write_page(&rig, 0, MODEL_PAGE_ZERO);
	rig_write_page(&rig, 1, MODEL_PAGE_SAME);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_tried, 0);
}
END_TEST

START_TEST(the_young_are_left_alone)
{
	zstore_begin_epoch(rig.store, 100);
	told_put(0, 2000, 100);
	zstore_begin_epoch(rig.store, 200);
	told_put(1, 2000, 100);
	how.since_s = 150;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_tried, 0);
	how.since_s = 200;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	ck_assert(told_block(0).is_recompressed);
	/* It is no access. */
	ck_assert_uint_eq(told_block(0).accessed_s, 199);
}
END_TEST

/* --- beside others --------------------------------------------------------- */

/* Whatever looks each call has, the same comes of it. */
START_TEST(any_number_of_looks_will_do)
{
	static const unsigned looks[] = {1, 2, 500, 100000};

	for (unsigned i = 0; i < 200; i++)
		told_put(i * 7, 200 + i * 17 % 3800, 90);
	at = (struct zstore_recompressing){0};
	while (zstore_recompress(rig.ctx, &how, &at, looks[_i]) == 1)
		;
	ck_assert_uint_eq(at.nr_done, 200);
	rig_assert_sound(&rig);
}
END_TEST

/* In a full store it makes room, and is what makes room. */
START_TEST(it_works_where_nothing_else_fits)
{
	uint64_t nr = 0;

	rig_close(&rig);
	open_rig(false, 2 * MIB, MIB);
	while (nr < rig.nr_pages && told_try_put(nr, 2000, 700) == 0)
		nr++;
	ck_assert_uint_lt(nr, rig.nr_pages);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, nr);
	ck_assert_int_eq(told_try_put(nr, 2000, 700), 0);
}
END_TEST

/* It waits for memory where none is ready, as a write does. */
START_TEST(a_page_that_finds_no_room_gets_some)
{
	rig_close(&rig);
	open_rig(false, 0, 0);
	told_put(0, 2000, 100);
	zstore_shrink(rig.store);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_tried, 1);
	ck_assert_uint_eq(told_block(0).bytes, 100);
}
END_TEST

/* As if somebody wrote the page between the look at its slot and its turn. */
START_TEST(a_page_that_changed_is_left_alone)
{
	uint64_t slot;
	uint32_t len = 0;

	told_put(5, 2000, 100);
	slot = slot_load(&rig.store->slots[5]);
	told_put(5, 1800, 100);
	ck_assert_int_eq(page_recompress(rig.ctx, 5, slot, UINT32_MAX, &len),
			 -ESTALE);
	ck_assert_uint_eq(told_block(5).bytes, 1800);
}
END_TEST

static void write_twice(void)
{
	told_write_twice(5, 2000, 100);
}

/* If it becomes shorter, or if not. */
START_TEST(a_slot_that_is_the_same_again_is_left_alone)
{
	told_put(5, 2000, _i ? 3000 : 100);
	told_meanwhile = write_twice;
	ck_assert_int_eq(run(), 0);
	ck_assert_ptr_null(told_meanwhile);
	ck_assert_uint_eq(at.nr_done, 0);
	rig_assert_range(&rig, 5 * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	ck_assert(!told_block(5).is_recompressed);
	ck_assert(!told_block(5).is_incompressible);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
}
END_TEST

START_TEST(damage_is_told_and_passed_over)
{
	struct zstore_stats stats;

	told_put(0, 2000, 100);
	told_put(1, 2000, 100);
	rig.store->slots[1] ^= (uint64_t)1 << SLOT_CHECK_SHIFT;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(at.nr_done, 1);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.corrupt_reads, 0);
	rig.store->slots[1] ^= (uint64_t)1 << SLOT_CHECK_SHIFT;
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("zstore-recompress");
	TCase *tcase = tcase_create("vectors");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, vectors_hold, 0, ARRAY_SIZE(vectors));
	tcase_add_test(tcase, shorter_than_the_threshold_does_not_count);
	tcase_add_test(tcase, the_longest_come_first);
	tcase_add_test(tcase, types_are_told_apart);
	tcase_add_test(tcase, what_has_no_object_is_passed_over);
	tcase_add_test(tcase, the_young_are_left_alone);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("beside");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, any_number_of_looks_will_do, 0, 4);
	tcase_add_test(tcase, it_works_where_nothing_else_fits);
	tcase_add_test(tcase, a_page_that_finds_no_room_gets_some);
	tcase_add_test(tcase, a_page_that_changed_is_left_alone);
	tcase_add_loop_test(tcase, a_slot_that_is_the_same_again_is_left_alone,
			    0, 2);
	tcase_add_test(tcase, damage_is_told_and_passed_over);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}

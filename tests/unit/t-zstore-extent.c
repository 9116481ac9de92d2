/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "model/own_ctx.h"
#include "store_rig.h"
#include "suite.h"

#define HOLE (ZSTORE_HOLE | ZSTORE_ZERO)

/* Pages in 2 MiB of disk: what one look tells where nothing was written. */
#define GROUP 512u

static struct store_rig rig;

static uint64_t at_page(uint64_t index)
{
	return index * ZSD_PAGE_BYTES;
}

static void setup(void)
{
	struct zstore_params params = rig_params("lz4");

	rig_open(&rig, &params);
}

static void teardown(void)
{
	rig_close(&rig);
}

/* What must be found from @offset on, with steps enough. */
static void assert_extent(uint64_t offset, uint64_t bytes, uint64_t expected,
			  unsigned expected_state)
{
	uint32_t steps = UINT32_MAX;
	unsigned state = 77;

	ck_assert_uint_eq(zstore_extent(rig.ctx, offset, bytes, &steps, &state),
			  expected);
	ck_assert_uint_eq(state, expected_state);
}

/* Takes @steps for the whole disk from page 0 on; returns the pages told of. */
static uint64_t look(uint32_t steps, uint32_t *left)
{
	unsigned state;
	uint64_t bytes;

	*left = steps;
	bytes = zstore_extent(rig.ctx, 0, rig.params.disk_bytes, left, &state);
	ck_assert_uint_eq(bytes % ZSD_PAGE_BYTES, 0);
	return bytes / ZSD_PAGE_BYTES;
}

START_TEST(an_empty_disk_is_one_hole)
{
	const uint64_t size = rig.params.disk_bytes;
	uint32_t left;

	assert_extent(0, size, size, HOLE);
	assert_extent(12345, 7, 7, HOLE);
	assert_extent(size - 1, 1, 1, HOLE);
	ck_assert_uint_eq(look(10, &left), RIG_DISK_PAGES);
	ck_assert_uint_eq(left, 10 - (RIG_DISK_PAGES + GROUP - 1) / GROUP);
}
END_TEST

/* 64 GiB of nothing must not take long to tell: a look for 2 MiB. */
START_TEST(a_large_empty_disk_is_told_at_once)
{
	struct zstore_params params = rig_params("lz4");
	uint32_t steps = 32768;
	struct zstore *store;
	struct zstore_ctx *ctx;
	unsigned state;

	params.disk_bytes = 64 * GIB;
	ck_assert_int_eq(zstore_create(&params, &store), 0);
	ck_assert_int_eq(own_ctx_create(store, &ctx), 0);
	ck_assert_uint_eq(zstore_extent(ctx, 0, 64 * GIB, &steps, &state),
			  64 * GIB);
	ck_assert_uint_eq(state, HOLE);
	ck_assert_uint_eq(steps, 0);
	own_ctx_destroy(ctx);
	zstore_destroy(store);
}
END_TEST

START_TEST(each_kind_of_page_has_its_state)
{
	static const struct {
		enum model_page kind;
		unsigned state;
	} kinds[] = {
		{MODEL_PAGE_ZERO, ZSTORE_ZERO}, {MODEL_PAGE_SAME, 0},
		{MODEL_PAGE_NEARLY_SAME, 0},	{MODEL_PAGE_TEXT, 0},
		{MODEL_PAGE_SPARSE, 0},		{MODEL_PAGE_RANDOM, 0},
	};
	const uint64_t end = at_page(RIG_DISK_PAGES);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		rig_write_page(&rig, 10, kinds[i].kind);
		assert_extent(0, end, at_page(10), HOLE);
		assert_extent(at_page(10), end - at_page(10), ZSD_PAGE_BYTES,
			      kinds[i].state);
		assert_extent(at_page(11), end - at_page(11), end - at_page(11),
			      HOLE);
	}
	rig_trim(&rig, at_page(10), ZSD_PAGE_BYTES);
	assert_extent(0, end, end, HOLE);
}
END_TEST

/* A page of one repeated byte fits its slot, as one of zeros does. */
START_TEST(a_page_of_ones_is_data)
{
	unsigned char page[ZSD_PAGE_BYTES];

	memset(page, 1, sizeof(page));
	rig_write(&rig, at_page(3), sizeof(page), page);
	assert_extent(at_page(3), at_page(2), at_page(1), 0);
}
END_TEST

START_TEST(extents_end_with_the_range)
{
	for (uint64_t i = 100; i < 200; i++)
		rig_write_page(&rig, i,
			       i % 2 ? MODEL_PAGE_TEXT : MODEL_PAGE_RANDOM);
	assert_extent(at_page(100) + 5, 1, 1, 0);
	assert_extent(at_page(100) + 5, at_page(7), at_page(7), 0);
	assert_extent(at_page(100) + 5, at_page(900), at_page(100) - 5, 0);
	assert_extent(at_page(99) + 4095, 2, 1, HOLE);
	assert_extent(at_page(200), at_page(1300), at_page(1300), HOLE);
}
END_TEST

/* Runs go on from one group of slots to the next, written to or not. */
START_TEST(extents_cross_groups)
{
	const uint64_t end = at_page(RIG_DISK_PAGES);

	rig_write_page(&rig, GROUP, MODEL_PAGE_TEXT);
	assert_extent(0, end, at_page(GROUP), HOLE);
	assert_extent(at_page(5), end - at_page(5), at_page(GROUP - 5), HOLE);
	assert_extent(at_page(GROUP + 1), end - at_page(GROUP + 1),
		      end - at_page(GROUP + 1), HOLE);
	rig_write_page(&rig, GROUP - 1, MODEL_PAGE_TEXT);
	assert_extent(at_page(GROUP - 1), end - at_page(GROUP - 1), at_page(2),
		      0);
}
END_TEST

START_TEST(steps_bound_the_work)
{
	uint32_t left;

	for (uint64_t i = 0; i < 600; i++)
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
	for (uint32_t steps = 1; steps < 600; steps++) {
		ck_assert_uint_eq(look(steps, &left), steps);
		ck_assert_uint_eq(left, 0);
	}
	ck_assert_uint_eq(look(600, &left), 600);
	ck_assert_uint_eq(look(700, &left), 600);
	ck_assert_uint_eq(left, 99);
}
END_TEST

/* --- zeros that are stored ----------------------------------------------- */

START_TEST(stored_zeros_are_no_hole)
{
	const uint64_t end = at_page(RIG_DISK_PAGES);
	struct zstore_stats stats;

	rig_write_page(&rig, 20, MODEL_PAGE_RANDOM);
	rig_store_zeroes(&rig, at_page(10), at_page(20));
	assert_extent(at_page(10), end - at_page(10), at_page(20), ZSTORE_ZERO);
	stats = rig_stats(&rig);
	ck_assert_uint_eq(stats.same_pages, 20);
	ck_assert_uint_eq(stats.mem_used_total, 0);
	rig_assert_stats(&rig);
	rig_assert_sound(&rig);
	/* Until they are trimmed, or zeroed in the other way. */
	rig_write_zeroes(&rig, at_page(10), at_page(10));
	assert_extent(at_page(10), end - at_page(10), at_page(10), HOLE);
	rig_trim(&rig, 0, end);
	assert_extent(0, end, end, HOLE);
	rig_assert_stats(&rig);
}
END_TEST

/* In a page that was empty, in one of data, and across both. */
START_TEST(parts_of_pages_are_stored_too)
{
	rig_write_page(&rig, 1, MODEL_PAGE_RANDOM);
	rig_write_page(&rig, 2, MODEL_PAGE_RANDOM);
	rig_store_zeroes(&rig, 100, 7);
	assert_extent(0, at_page(2), at_page(1), ZSTORE_ZERO);
	rig_store_zeroes(&rig, at_page(2) + 1, at_page(1) - 1);
	assert_extent(at_page(1), at_page(3), at_page(2), 0);
	rig_store_zeroes(&rig, at_page(2), at_page(2) + 1);
	assert_extent(at_page(2), at_page(9), at_page(3), ZSTORE_ZERO);
	rig_assert_stats(&rig);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(no_zeros_are_no_operation)
{
	rig_store_zeroes(&rig, 5000, 0);
	assert_extent(0, at_page(9), at_page(9), HOLE);
	rig_assert_stats(&rig);
}
END_TEST

START_TEST(zeros_beyond_the_limit_are_refused)
{
	struct zstore_params params = rig_params("lz4");
	struct store_rig other;
	int err = 0;

	params.disk_bytes = 16 * GIB;
	params.mem_limit_bytes = 4 * MIB;
	ck_assert_int_eq(zstore_create(&params, &other.store), 0);
	ck_assert_int_eq(own_ctx_create(other.store, &other.ctx), 0);
	/* Each first page of 2 MiB takes a page of slots. */
	for (uint64_t at = 0; at < params.disk_bytes && !err; at += 2 * MIB)
		err = zstore_store_zeroes(other.ctx, at, 1);
	ck_assert_int_eq(err, -ENOSPC);
	own_ctx_destroy(other.ctx);
	zstore_destroy(other.store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore-extent");
	TCase *tc = tcase_create("extent");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_empty_disk_is_one_hole);
	tcase_add_test(tc, a_large_empty_disk_is_told_at_once);
	tcase_add_test(tc, each_kind_of_page_has_its_state);
	tcase_add_test(tc, a_page_of_ones_is_data);
	tcase_add_test(tc, extents_end_with_the_range);
	tcase_add_test(tc, extents_cross_groups);
	tcase_add_test(tc, steps_bound_the_work);
	tcase_add_test(tc, stored_zeros_are_no_hole);
	tcase_add_test(tc, parts_of_pages_are_stored_too);
	tcase_add_test(tc, no_zeros_are_no_operation);
	tcase_add_test(tc, zeros_beyond_the_limit_are_refused);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

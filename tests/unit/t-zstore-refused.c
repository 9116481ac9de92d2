/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A system without memory: what cannot be stored is refused at once, nothing
 * that is stored suffers, and all is well when there is memory again.
 */
#include "config.h"

#include <errno.h>

#include "model/refuse.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"

static struct store_rig rig;

static void open_store(uint64_t disk_bytes)
{
	struct zstore_params params = rig_params("lz4");

	params.disk_bytes = disk_bytes;
	params.checksum = true;
	refuse_one_in(0);
	rig_open(&rig, &params);
}

static void setup(void)
{
	open_store(64 * MIB);
}

static void teardown(void)
{
	refuse_one_in(0);
	rig_close(&rig);
}

static bool is_no_memory(int err)
{
	return err == -ENOMEM || err == -ENOSPC;
}

/* What the system gave is what the store says that it uses. */
static void assert_accounted(void)
{
	struct zstore_stats stats = rig_stats(&rig);

	ck_assert_uint_eq(stats.mem_used_total + stats.metadata_bytes +
				  stats.reserve_bytes,
			  rig_resident_bytes());
}

/* Write noise from page @first on until it is refused. Return: that page. */
static uint64_t fill_from(uint64_t first)
{
	int err;

	while ((err = rig_try_write_page(&rig, first, MODEL_PAGE_RANDOM)) == 0)
		quiet_assert(++first < rig.nr_pages);
	quiet_assert(is_no_memory(err));
	return first;
}

START_TEST(what_is_stored_does_not_suffer)
{
	uint64_t end;

	for (uint64_t i = 0; i < 100; i++)
		rig_write_page(&rig, i, model_page_kind(&rig.rng));
	refuse_one_in(1);
	end = fill_from(100);
	ck_assert_uint_ge(end, 200); /* the reserve was of use */
	for (uint64_t i = 0; i < 10; i++)
		quiet_assert(is_no_memory(
			rig_try_write_page(&rig, end + i, MODEL_PAGE_RANDOM)));
	ck_assert_uint_eq(rig_stats(&rig).failed_writes, 11);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	assert_accounted();
}
END_TEST

START_TEST(what_needs_no_memory_succeeds)
{
	const uint64_t page = ZSD_PAGE_BYTES;
	uint64_t end;

	rig_write_page(&rig, 0, MODEL_PAGE_RANDOM); /* slots, handles */
	refuse_one_in(1);
	end = fill_from(0);
	for (uint64_t i = 0; i < 50; i++)
		rig_write_page(&rig, i, MODEL_PAGE_ZERO);
	rig_write_zeroes(&rig, 50 * page, 10 * page);
	rig_trim(&rig, 60 * page, 10 * page);
	rig_trim(&rig, 60 * MIB, MIB); /* nothing was ever there */
	rig_assert_sound(&rig);
	/* And what they gave back is room, without the system's help. */
	ck_assert_uint_ge(fill_from(end), end + 60);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	assert_accounted();
}
END_TEST

START_TEST(memory_that_comes_back_is_used_at_once)
{
	uint64_t end = 0;

	for (int round = 0; round < 3; round++) {
		refuse_one_in(1);
		end = fill_from(end);
		refuse_one_in(0);
		for (int i = 0; i < 500; i++)
			rig_write_page(&rig, end++, MODEL_PAGE_RANDOM);
	}
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	assert_accounted();
}
END_TEST

/* The first page of each 2 MiB of disk needs memory for its slot. */
START_TEST(a_slot_without_memory_is_an_empty_page)
{
	uint64_t at = 32 * MIB / ZSD_PAGE_BYTES;

	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	refuse_one_in(1);
	ck_assert(is_no_memory(rig_try_write_page(&rig, at, MODEL_PAGE_ZERO)));
	rig_assert_sound(&rig);
	assert_accounted();
	refuse_one_in(0);
	rig_write_page(&rig, at, MODEL_PAGE_ZERO);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	assert_accounted();
}
END_TEST

/*
 * Of all commits that the store makes as it grows one is refused, a different
 * one each time: one write fails, and it may be done again.
 */
START_TEST(each_commit_may_be_refused)
{
	uint64_t nr_refused = 1, nr_failed = 0, n;

	rig_close(&rig);
	for (n = 0; nr_refused; n++) {
		uint64_t before = refuse_count();

		open_store(48 * MIB);
		refuse_after(n);
		for (uint64_t i = 0; i < rig.nr_pages; i++) {
			if (!rig_try_write_page(&rig, i, MODEL_PAGE_SPARSE))
				continue;
			assert_accounted();
			rig_write_page(&rig, i, MODEL_PAGE_SPARSE);
		}
		nr_refused = refuse_count() - before;
		/* Compaction may have done instead. */
		nr_failed += rig_stats(&rig).failed_writes;
		ck_assert_uint_le(rig_stats(&rig).failed_writes, nr_refused);
		rig_assert_sound(&rig);
		assert_accounted();
		rig_close(&rig);
	}
	ck_assert_uint_gt(n, 25);
	ck_assert_uint_ge(nr_failed, 24); /* for slots alone */
	setup();
}
END_TEST

/* Or it starts all the same: the reserve may come in several parts. */
START_TEST(a_store_that_cannot_start_says_so)
{
	struct zstore_params params = rig_params("lz4");
	struct zstore *store = NULL;
	unsigned n = 0, nr_failed = 0;

	params.checksum = true;
	for (;; n++) {
		uint64_t before = refuse_count();
		int err;

		refuse_after(n);
		err = zstore_create(&params, &store);
		if (refuse_count() == before) {
			ck_assert_int_eq(err, 0);
			break;
		}
		ck_assert(!err || is_no_memory(err));
		ck_assert_int_eq(!err, store != NULL);
		nr_failed += !!err;
		zstore_destroy(store);
		store = NULL;
	}
	ck_assert_uint_gt(n, 2);
	ck_assert_uint_ge(nr_failed, 1);
	zstore_destroy(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/refused");
	TCase *tc = tcase_create("no_memory");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_stored_does_not_suffer);
	tcase_add_test(tc, what_needs_no_memory_succeeds);
	tcase_add_test(tc, memory_that_comes_back_is_used_at_once);
	tcase_add_test(tc, a_slot_without_memory_is_an_empty_page);
	tcase_add_test(tc, each_commit_may_be_refused);
	tcase_add_test(tc, a_store_that_cannot_start_says_so);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

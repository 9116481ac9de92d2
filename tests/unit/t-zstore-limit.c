/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A full store: nothing is lost, what makes it no fuller still succeeds, and
 * room comes back.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "model/own_ctx.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_internal.h"

/* Less than the pages of the disk take, more than one reserve. */
#define LIMIT_BYTES (2 * MIB)

static struct store_rig rig;

static void open_limited(const char *algorithm, uint64_t limit_bytes)
{
	struct zstore_params params = rig_params(algorithm);

	params.disk_bytes = 64 * MIB;
	params.mem_limit_bytes = limit_bytes;
	rig_open(&rig, &params);
}

static void setup(void)
{
	open_limited("lz4", LIMIT_BYTES);
}

static void teardown(void)
{
	rig_close(&rig);
}

static void assert_within_limit(void)
{
	quiet_assert(rig_resident_bytes() <= rig.params.mem_limit_bytes);
}

/*
 * Write pages of @kind from @first on until there is no room for the next.
 * Return: the page that did not fit.
 */
static uint64_t fill_from(uint64_t first, enum model_page kind)
{
	int err;

	while ((err = rig_try_write_page(&rig, first, kind)) == 0) {
		assert_within_limit();
		first++;
		quiet_assert(first < rig.nr_pages);
	}
	quiet_assert(err == -ENOSPC);
	return first;
}

START_TEST(the_limit_holds_and_is_used)
{
	uint64_t end = fill_from(0, MODEL_PAGE_RANDOM);
	struct zstore_stats stats = rig_stats(&rig);

	ck_assert_uint_eq(stats.mem_limit, LIMIT_BYTES);
	ck_assert_uint_eq(stats.failed_writes, 1);
	ck_assert_uint_ge(end * ZSD_PAGE_BYTES, LIMIT_BYTES * 8 / 10);
	ck_assert_uint_le(stats.mem_used_total + stats.metadata_bytes +
				  stats.reserve_bytes,
			  LIMIT_BYTES);
	assert_within_limit();
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

START_TEST(a_write_that_fails_changes_nothing)
{
	static const enum model_page kinds[] = {MODEL_PAGE_TEXT,
						MODEL_PAGE_ZERO,
						MODEL_PAGE_POINTERS,
						MODEL_PAGE_MIXED};
	uint64_t nr_failed = 0;

	for (uint64_t i = 0; i < 100; i++)
		rig_write_page(&rig, i, kinds[i % ARRAY_SIZE(kinds)]);
	fill_from(100, MODEL_PAGE_RANDOM);
	/* Each would grow; none may; all must be what they were. */
	for (uint64_t i = 0; i < 100; i++)
		nr_failed += rig_try_write_page(&rig, i, MODEL_PAGE_RANDOM) ==
			     -ENOSPC;
	ck_assert_uint_ge(nr_failed, 90);
	ck_assert_uint_eq(rig_stats(&rig).failed_writes, nr_failed + 1);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* Of a long write the pages before the one that failed are written; all others
 * are counted. */
START_TEST(a_long_write_fails_at_a_page)
{
	enum {
		NR = 32
	};
	static unsigned char src[NR * ZSD_PAGE_BYTES];
	static unsigned char found[NR * ZSD_PAGE_BYTES];
	uint64_t end = fill_from(0, MODEL_PAGE_RANDOM), at, nr_new = 0;
	uint64_t nr_failed = rig_stats(&rig).failed_writes;

	for (uint64_t i = 0; i < 10; i++)
		rig_trim(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	at = (end + 10) * ZSD_PAGE_BYTES + 1000;
	model_rng_fill(&rig.rng, src, sizeof(src));
	ck_assert_int_eq(zstore_write(rig.ctx, at, sizeof(src), src), -ENOSPC);
	ck_assert_int_eq(zstore_read(rig.ctx, at, sizeof(found), found), 0);
	while (nr_new < sizeof(found) && found[nr_new] == src[nr_new])
		nr_new++;
	ck_assert_uint_ge(nr_new, 3 * (uint64_t)ZSD_PAGE_BYTES);
	ck_assert_uint_eq((at + nr_new) % ZSD_PAGE_BYTES, 0);
	for (uint64_t i = nr_new; i < sizeof(found); i++)
		quiet_assert(!found[i]);
	nr_failed = rig_stats(&rig).failed_writes - nr_failed;
	ck_assert_uint_eq(nr_failed, (at + sizeof(src)) / ZSD_PAGE_BYTES + 1 -
					     (at + nr_new) / ZSD_PAGE_BYTES);
}
END_TEST

/* Patches that do not fit leave the page alone, too. */
START_TEST(a_patch_that_fails_changes_nothing)
{
	unsigned char bytes[4000];
	unsigned nr_failed = 0;

	for (uint64_t i = 0; i < 50; i++)
		rig_write_page(&rig, i, MODEL_PAGE_SPARSE);
	fill_from(50, MODEL_PAGE_RANDOM);
	for (uint64_t i = 0; i < 50; i++) {
		uint64_t at = i * ZSD_PAGE_BYTES + 48;

		model_rng_fill(&rig.rng, bytes, sizeof(bytes));
		if (zstore_write(rig.ctx, at, sizeof(bytes), bytes) == 0)
			memcpy(rig.flat + at, bytes, sizeof(bytes));
		else
			nr_failed++;
	}
	ck_assert_uint_ge(nr_failed, 40);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

static uint64_t classes_searched(void)
{
	struct zs_pool_stats stats;

	zs_pool_stats(rig.store->pool, &stats);
	return stats.classes_searched;
}

/*
 * The kernel tries to swap the same pages out again and again: what it costs to
 * refuse them is taken from those who could free some.
 */
START_TEST(writes_that_fail_do_not_look_for_room_in_vain)
{
	uint64_t end = fill_from(0, MODEL_PAGE_TEXT), before;

	before = classes_searched();
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(rig_try_write_page(&rig, end + 1 + i,
						    MODEL_PAGE_RANDOM),
				 -ENOSPC);
	ck_assert_uint_eq(classes_searched(), before);

	/* They do as soon as something was freed. */
	for (uint64_t i = 0; i < end; i += 2)
		rig_trim(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	rig_write_page(&rig, end + 1, MODEL_PAGE_RANDOM);
	fill_from(end + 2, MODEL_PAGE_RANDOM);
	ck_assert_uint_gt(classes_searched(), before);
}
END_TEST

/* --- what succeeds in a full store --------------------------------------- */

START_TEST(same_filled_pages_still_fit)
{
	uint64_t end = fill_from(0, MODEL_PAGE_RANDOM);

	/* Over what is there, beside it, and where nothing ever was, for which
	 * slots and ages take a page each. */
	for (uint64_t i = 0; i < 100; i++) {
		rig_write_page(&rig, end - 1 - 2 * i, MODEL_PAGE_ZERO);
		rig_write_page(&rig, end - 2 - 2 * i, MODEL_PAGE_ZERO);
		rig_write_page(&rig, end + i, MODEL_PAGE_ZERO);
		rig_write_page(&rig, rig.nr_pages - 1 - i * 100,
			       MODEL_PAGE_ZERO);
	}
	assert_within_limit();
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* Those too whose word is 8 bytes that are not twice the same 4. */
START_TEST(pages_of_any_word_still_fit)
{
	uint64_t end = fill_from(0, MODEL_PAGE_RANDOM);

	for (uint64_t i = 0; i < 100; i++) {
		rig_write_page(&rig, end + i, MODEL_PAGE_SAME);
		rig_write_page(&rig, end - 1 - i, MODEL_PAGE_SAME);
	}
	assert_within_limit();
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

static const char *const algorithms[] = {"lz4", "zstd"};

START_TEST(the_reserve_is_a_small_part_of_the_limit)
{
	struct zstore_params params = rig_params("lz4");
	struct store_rig other;
	uint64_t pages;

	params.reserve_bytes = LIMIT_BYTES;
	params.mem_limit_bytes = LIMIT_BYTES;
	rig_open(&other, &params);
	pages = zstore_reserve_target_pages(other.store);
	ck_assert_uint_eq(pages * ZSD_PAGE_BYTES, LIMIT_BYTES / 8);
	ck_assert_uint_eq(zstore_reserve_pages(other.store), pages);
	rig_close(&other);
}
END_TEST

/*
 * What zsd accepts as the least limit is of use in the worst case: the longest
 * chains, checksums, and pages of all lengths.
 */
START_TEST(the_least_limit_is_of_use)
{
	struct zstore_params params = rig_params(algorithms[_i]);
	uint64_t nr_written = 0;

	params.disk_bytes = 64 * MIB;
	params.mem_limit_bytes = ZSTORE_MIN_LIMIT_BYTES;
	params.reserve_bytes = 4 * MIB;
	params.chain_size = ZS_CHAIN_SIZE_MAX;
	params.checksum = true;
	rig_open(&rig, &params);
	while (rig_try_write_page(&rig, nr_written,
				  model_page_kind(&rig.rng)) == 0)
		nr_written++;
	assert_within_limit();
	ck_assert_uint_ge(nr_written * ZSD_PAGE_BYTES, ZSTORE_MIN_LIMIT_BYTES);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	rig_close(&rig);
}
END_TEST

/* All pages of a full store, one after another, by what compresses. */
START_TEST(overwrites_that_shrink_still_fit)
{
	static const enum model_page kinds[] = {
		MODEL_PAGE_TEXT, MODEL_PAGE_POINTERS, MODEL_PAGE_SPARSE};
	uint64_t end;

	open_limited(algorithms[_i], LIMIT_BYTES);
	end = fill_from(0, MODEL_PAGE_RANDOM);
	for (uint64_t i = 0; i < end; i++) {
		rig_write_page(&rig, i, kinds[i % ARRAY_SIZE(kinds)]);
		assert_within_limit();
	}
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	rig_close(&rig);
}
END_TEST

/* The same with every length there is: each class may need a zspage. */
START_TEST(overwrites_that_shrink_to_any_size_still_fit)
{
	uint64_t end;

	open_limited(algorithms[_i], 16 * MIB);
	end = fill_from(0, MODEL_PAGE_RANDOM);
	for (uint64_t i = 0; i < end; i++) {
		rig_write_page(&rig, i, MODEL_PAGE_MIXED);
		assert_within_limit();
	}
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	rig_close(&rig);
}
END_TEST

/* By something of the same length: new and old are there at once. */
START_TEST(overwrites_of_the_same_length_still_fit)
{
	uint64_t end = fill_from(0, MODEL_PAGE_RANDOM);

	for (uint64_t i = 0; i < 3 * end; i++) {
		rig_write_page(&rig, i % end, MODEL_PAGE_RANDOM);
		assert_within_limit();
	}
	rig_assert_sound(&rig);
}
END_TEST

/* Write page @index anew. Return: whether there was room, which there must be
 * unless it takes a larger class than before. */
static bool overwrite_alike(uint64_t index)
{
	unsigned char old[ZSD_PAGE_BYTES], *home;
	unsigned old_class = rig_class_of(&rig, index);
	int err;

	home = rig.flat + index * ZSD_PAGE_BYTES;
	memcpy(old, home, sizeof(old));
	model_page_fill(&rig.rng, MODEL_PAGE_TEXT, home);
	err = zstore_write(rig.ctx, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES,
			   home);
	if (!err)
		return true;
	quiet_assert(err == -ENOSPC);
	quiet_assert(rig_class_of(&rig, index) > old_class);
	memcpy(home, old, sizeof(old));
	return false;
}

/*
 * By pages that compress alike, not to the byte: an object a few bytes longer
 * takes no more room if its class is the same.
 */
START_TEST(overwrites_of_the_same_class_still_fit)
{
	uint64_t end = fill_from(0, MODEL_PAGE_TEXT);
	unsigned nr_written = 0;

	for (uint64_t i = 0; i < 2000; i++) {
		nr_written += overwrite_alike(i * 7 % end);
		assert_within_limit();
	}
	ck_assert_uint_ge(nr_written, 1000);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* A disk with many groups of slots, of which the first pages are written. */
static uint64_t open_large(void)
{
	struct zstore_params params = rig_params("lz4");

	params.disk_bytes = GIB;
	params.mem_limit_bytes = LIMIT_BYTES;
	rig_open(&rig, &params);
	return fill_from(0, MODEL_PAGE_TEXT);
}

/* Write zeros in groups of slots where nothing ever was, from the last one
 * down. Return: how many had room for their slots, of @max at most. */
static unsigned write_to_fresh_groups(unsigned max)
{
	const uint64_t group_pages = 2 * MIB / ZSD_PAGE_BYTES;
	unsigned nr = 0;

	while (nr < max &&
	       rig_try_write_page(&rig, rig.nr_pages - 1 - nr * group_pages,
				  MODEL_PAGE_ZERO) == 0) {
		assert_within_limit();
		nr++;
	}
	return nr;
}

/* Pages of slots take room like any others: compaction makes some. */
START_TEST(holes_are_compacted_for_slots)
{
	uint64_t end = open_large();
	struct zs_compacted done;

	for (uint64_t i = 0; i < end; i++) {
		if (i % 2)
			rig_trim(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	}
	ck_assert_uint_eq(write_to_fresh_groups(100), 100);
	zstore_compact(rig.store, &done);
	ck_assert_uint_gt(done.freed_pages, 0); /* there was room to be had */
	assert_within_limit();
	rig_close(&rig);
}
END_TEST

/* Slots free nothing: the headroom is not for them. */
START_TEST(slots_leave_the_headroom_alone)
{
	uint64_t end = open_large();
	unsigned nr_written = 0;

	ck_assert_uint_lt(write_to_fresh_groups(500), 500);
	for (uint64_t i = 0; i < 2000; i++)
		nr_written += overwrite_alike(i * 7 % end);
	ck_assert_uint_ge(nr_written, 1000);
	assert_within_limit();
	rig_close(&rig);
}
END_TEST

START_TEST(reads_and_trims_still_work)
{
	uint64_t end = fill_from(0, MODEL_PAGE_RANDOM);

	for (uint64_t i = 0; i < end; i++)
		rig_assert_range(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	rig_trim(&rig, 0, rig.params.disk_bytes);
	ck_assert_uint_eq(rig_stats(&rig).mem_used_total, 0);
	rig_assert_stats(&rig);
}
END_TEST

/* --- room comes back ----------------------------------------------------- */

START_TEST(room_comes_back_after_a_trim)
{
	uint64_t end = fill_from(0, MODEL_PAGE_RANDOM);

	for (int round = 0; round < 5; round++) {
		rig_trim(&rig, 0, 100 * (uint64_t)ZSD_PAGE_BYTES);
		for (uint64_t i = 0; i < 100; i++)
			rig_write_page(&rig, i, MODEL_PAGE_RANDOM);
		ck_assert_int_eq(rig_try_write_page(&rig, end,
						    MODEL_PAGE_RANDOM),
				 -ENOSPC);
	}
	rig_assert_sound(&rig);
}
END_TEST

/*
 * One page in four is left, all over the zspages: without compaction hardly a
 * zspage would be empty.
 */
START_TEST(holes_are_compacted_for_what_needs_room)
{
	uint64_t end = fill_from(0, MODEL_PAGE_TEXT), used, first = end;

	for (uint64_t i = 0; i < end; i++) {
		if (i % 4)
			rig_trim(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	}
	used = rig_stats(&rig).mem_used_total;
	ck_assert_uint_gt(used, LIMIT_BYTES / 2);
	end = fill_from(first, MODEL_PAGE_RANDOM);
	ck_assert_uint_ge((end - first) * ZSD_PAGE_BYTES, LIMIT_BYTES / 2);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* Whatever is written, in whatever order, at and below the limit. */
START_TEST(a_store_at_its_limit_keeps_order)
{
	unsigned nr_full = 0;

	for (int i = 0; i < 20000; i++) {
		uint64_t index = model_rng_below(&rig.rng, 1500);

		if (model_rng_one_in(&rig.rng, 3))
			rig_trim(&rig, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
		else
			nr_full +=
				rig_try_write_page(&rig, index,
						   model_page_kind(&rig.rng)) !=
				0;
		if (i % 8 == 0)
			zstore_housekeep(rig.store, UINT64_MAX);
		assert_within_limit();
	}
	ck_assert_uint_gt(nr_full, 20);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
}
END_TEST

/* --- threads ------------------------------------------------------------- */

static void *fill_own_part(void *arg)
{
	const uint64_t *first = arg;
	unsigned char page[ZSD_PAGE_BYTES];
	struct zstore_ctx *ctx;
	struct model_rng rng;

	model_rng_init(&rng, *first);
	if (own_ctx_create(rig.store, &ctx))
		return NULL;
	for (uint64_t i = *first; i < *first + 512; i++) {
		model_page_fill(&rng, MODEL_PAGE_RANDOM, page);
		if (zstore_write(ctx, i * ZSD_PAGE_BYTES, sizeof(page), page))
			break;
	}
	own_ctx_destroy(ctx);
	return NULL;
}

START_TEST(threads_together_keep_to_the_limit)
{
	enum {
		NR_THREADS = 8
	};
	pthread_t threads[NR_THREADS];
	uint64_t firsts[NR_THREADS];
	struct zstore_verify_report report;

	for (uint64_t i = 0; i < NR_THREADS; i++) {
		firsts[i] = i * 512;
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						fill_own_part, &firsts[i]),
				 0);
	}
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_within_limit();
	ck_assert_uint_gt(rig_stats(&rig).failed_writes, 0);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/limit");
	TCase *full = tcase_create("full"), *alone = tcase_create("alone");

	tcase_set_timeout(full, 60);
	tcase_add_checked_fixture(full, setup, teardown);
	tcase_add_test(full, the_limit_holds_and_is_used);
	tcase_add_test(full, a_write_that_fails_changes_nothing);
	tcase_add_test(full, a_long_write_fails_at_a_page);
	tcase_add_test(full, a_patch_that_fails_changes_nothing);
	tcase_add_test(full, writes_that_fail_do_not_look_for_room_in_vain);
	tcase_add_test(full, same_filled_pages_still_fit);
	tcase_add_test(full, pages_of_any_word_still_fit);
	tcase_add_test(full, overwrites_of_the_same_length_still_fit);
	tcase_add_test(full, overwrites_of_the_same_class_still_fit);
	tcase_add_test(full, reads_and_trims_still_work);
	tcase_add_test(full, room_comes_back_after_a_trim);
	tcase_add_test(full, holes_are_compacted_for_what_needs_room);
	tcase_add_test(full, a_store_at_its_limit_keeps_order);
	tcase_add_loop_test(full, threads_together_keep_to_the_limit, 0, 10);
	suite_add_tcase(suite, full);

	tcase_set_timeout(alone, 60);
	tcase_add_test(alone, the_reserve_is_a_small_part_of_the_limit);
	tcase_add_test(alone, holes_are_compacted_for_slots);
	tcase_add_test(alone, slots_leave_the_headroom_alone);
	tcase_add_loop_test(alone, the_least_limit_is_of_use, 0,
			    (int)ARRAY_SIZE(algorithms));
	tcase_add_loop_test(alone, overwrites_that_shrink_still_fit, 0,
			    (int)ARRAY_SIZE(algorithms));
	tcase_add_loop_test(alone, overwrites_that_shrink_to_any_size_still_fit,
			    0, (int)ARRAY_SIZE(algorithms));
	suite_add_tcase(suite, alone);
	return suite_run(suite);
}

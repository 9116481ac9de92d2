/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory: the limit with its headroom, charges, the reserve and who keeps it.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/bits.h"
#include "model/model.h"
#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"

/* Reserve of the tests that have one, pages. */
#define RESERVE UINT64_C(64)

/*
 * The limit is kept in steps: metadata is committed some KiB at a time. That
 * much may be left unused at the end, bytes.
 */
#define SLACK_BYTES (96 * KIB)

#define MAX_HANDLES (1u << 16)

static struct pool_rig rig;

static struct {
	zs_handle handles[MAX_HANDLES];
	uint32_t nr;
} stored;

static void open_with_reserve(uint64_t reserve_pages)
{
	struct zs_pool_params params = RIG_PARAMS;

	params.reserve_pages = reserve_pages;
	rig_open(&rig, &params);
	stored.nr = 0;
}

static void setup(void)
{
	open_with_reserve(RESERVE);
}

static void setup_without_reserve(void)
{
	open_with_reserve(0);
}

static void teardown(void)
{
	rig_close(&rig);
}

static int store_one(size_t bytes, enum zs_alloc how)
{
	int err = rig_try_put(&rig, bytes, how, stored.nr,
			      &stored.handles[stored.nr]);

	if (!err)
		stored.nr++;
	return err;
}

static void store_many(size_t bytes, uint32_t nr)
{
	while (nr--)
		quiet_assert(store_one(bytes, ZS_NORMAL) == 0);
}

static void free_many(uint32_t nr)
{
	while (nr--)
		zs_free(rig.pool, stored.handles[--stored.nr]);
}

/* Store until there is no room. Return: how many there was room for. */
static uint32_t store_until_full(size_t bytes, enum zs_alloc how)
{
	uint64_t limit = rig_stats(&rig).limit_bytes;
	uint32_t before = stored.nr;
	int err;

	do {
		quiet_assert(stored.nr < MAX_HANDLES);
		err = store_one(bytes, how);
		quiet_assert(rig_accounted_bytes(&rig) <= limit);
	} while (!err);
	quiet_assert(err == -ENOSPC);
	return stored.nr - before;
}

/* What is used whether or not there is a reserve, bytes. */
static uint64_t used_bytes(void)
{
	return rig_accounted_bytes(&rig) -
	       rig_stats(&rig).pages_reserve * ZSD_PAGE_BYTES;
}

static void housekeep(void)
{
	unsigned nr = 0;

	while (zs_pool_housekeep(rig.pool, UINT64_MAX))
		quiet_assert(++nr < 10000);
}

/* --- the limit ----------------------------------------------------------- */

START_TEST(without_a_limit_there_is_none)
{
	ck_assert_uint_eq(rig_stats(&rig).limit_bytes, 0);
	zs_pool_set_limit(rig.pool, 5 * MIB);
	ck_assert_uint_eq(rig_stats(&rig).limit_bytes, 5 * MIB);
	zs_pool_set_limit(rig.pool, 0);
	store_many(4096, 3000);
	rig_assert_sound(&rig);
}
END_TEST

static const struct {
	uint64_t limit_bytes;
	size_t bytes;
} limits[] = {
	{MIB, 4096},	    {MIB, 1000},      {3 * MIB, 3628},	{5 * MIB, 4096},
	{4 * MIB + 1, 100}, {17 * MIB, 2000}, {40 * MIB, 4096},
};

START_TEST(the_limit_is_used_up_and_never_passed)
{
	const uint64_t limit = limits[_i].limit_bytes;

	zs_pool_set_limit(rig.pool, limit);
	store_until_full(limits[_i].bytes, ZS_NORMAL);
	store_until_full(limits[_i].bytes, ZS_SHRINKING);
	ck_assert_uint_ge(rig_accounted_bytes(&rig) + SLACK_BYTES, limit);
	rig_assert_sound(&rig);
	housekeep();
	ck_assert_uint_le(rig_accounted_bytes(&rig), limit);
	for (uint32_t i = 0; i < stored.nr; i++)
		rig_assert_holds(&rig, stored.handles[i], limits[_i].bytes, i);
}
END_TEST

/*
 * Limits all around the point where the pool has to commit more metadata,
 * wherever that is, to go on.
 */
START_TEST(metadata_does_not_pass_the_limit)
{
	zs_pool_set_limit(rig.pool, 4 * MIB + (uint64_t)_i * 20 * KIB);
	store_until_full(4096, ZS_NORMAL);
	store_until_full(4096, ZS_SHRINKING);
	housekeep();
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(the_reserve_never_passes_the_limit)
{
	const uint64_t limit = 2 * MIB;

	zs_pool_set_limit(rig.pool, limit);
	for (int i = 0; i < 3000; i++) {
		if (store_one(3000, ZS_NORMAL))
			free_many(stored.nr / 2);
		if (i % 3 == 0)
			zs_pool_housekeep(rig.pool, UINT64_MAX);
		quiet_assert(rig_accounted_bytes(&rig) <= limit);
	}
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(freeing_makes_room)
{
	zs_pool_set_limit(rig.pool, 2 * MIB);
	for (int i = 0; i < 20; i++) {
		uint32_t nr = store_until_full(4096, ZS_NORMAL);

		ck_assert_uint_gt(nr, 0);
		free_many(min_u32(nr, 20));
	}
	free_many(stored.nr);
	ck_assert_uint_gt(store_until_full(1000, ZS_NORMAL), 1000);
}
END_TEST

START_TEST(a_lower_limit_keeps_what_is_stored)
{
	store_many(4096, 1000);
	zs_pool_set_limit(rig.pool, MIB);
	ck_assert_int_eq(store_one(4096, ZS_NORMAL), -ENOSPC);
	ck_assert_int_eq(store_one(4096, ZS_SHRINKING), -ENOSPC);
	ck_assert_uint_eq(rig_stats(&rig).pages_used, 1000);
	for (uint32_t i = 0; i < stored.nr; i++)
		rig_assert_holds(&rig, stored.handles[i], 4096, i);
	rig_assert_sound(&rig);
	zs_pool_set_limit(rig.pool, 0);
	ck_assert_int_eq(store_one(4096, ZS_NORMAL), 0);
}
END_TEST

static void *store_huge_ones(void *arg)
{
	static const unsigned char page[ZSD_PAGE_BYTES];
	uint64_t *nr = arg;
	zs_handle handle;

	while (rig_store(&rig, page, sizeof(page), 0, ZS_NORMAL, &handle) == 0)
		++*nr;
	return NULL;
}

/* Threads that all find room at the same time must not all take it. */
START_TEST(threads_together_keep_to_the_limit)
{
	enum {
		NR_THREADS = 8
	};
	pthread_t threads[NR_THREADS];
	uint64_t nr[NR_THREADS] = {0}, sum = 0;
	const uint64_t limit = 16 * MIB + (uint64_t)_i * 37 * ZSD_PAGE_BYTES;

	zs_pool_set_limit(rig.pool, limit);
	for (int i = 0; i < NR_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						store_huge_ones, &nr[i]),
				 0);
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += nr[i];
	}
	ck_assert_uint_eq(rig_stats(&rig).pages_used, sum);
	ck_assert_uint_le(rig_accounted_bytes(&rig), limit);
	rig_assert_sound(&rig);
}
END_TEST

/* --- headroom ------------------------------------------------------------ */

static const uint64_t headroom_limits[] = {MIB, 3 * MIB, 8 * MIB, 30 * MIB};

/* A 16th of the limit, at most the reserve, is for what shrinks alone. */
START_TEST(headroom_is_left_to_what_shrinks)
{
	const uint64_t limit = headroom_limits[_i];
	const uint64_t headroom = min_u64(limit / 16, RESERVE * ZSD_PAGE_BYTES);
	uint32_t nr;

	zs_pool_set_limit(rig.pool, limit);
	store_until_full(4096, ZS_NORMAL);
	ck_assert_uint_le(used_bytes(), limit - headroom);
	ck_assert_uint_ge(used_bytes() + SLACK_BYTES, limit - headroom);
	nr = store_until_full(4096, ZS_SHRINKING);
	ck_assert_uint_ge(nr * (uint64_t)ZSD_PAGE_BYTES + SLACK_BYTES,
			  headroom);
	ck_assert_uint_ge(nr, headroom / ZSD_PAGE_BYTES / 2);
	ck_assert_int_eq(store_one(4096, ZS_NORMAL), -ENOSPC);
	rig_assert_sound(&rig);
}
END_TEST

/* --- charges ------------------------------------------------------------- */

START_TEST(charges_count_like_pages)
{
	const uint64_t limit = 4 * MIB;
	uint32_t without, with;

	zs_pool_set_limit(rig.pool, limit);
	without = store_until_full(4096, ZS_NORMAL);
	free_many(stored.nr);
	ck_assert_int_eq(zs_pool_charge(rig.pool, MIB, ZS_SHRINKING), 0);
	ck_assert_uint_eq(rig_stats(&rig).charged_bytes, MIB);
	with = store_until_full(4096, ZS_NORMAL);
	ck_assert_uint_eq(without - with, MIB / ZSD_PAGE_BYTES);
	zs_pool_uncharge(rig.pool, MIB);
	ck_assert_uint_eq(rig_stats(&rig).charged_bytes, 0);
	ck_assert_uint_eq(store_until_full(4096, ZS_NORMAL), without - with);
}
END_TEST

START_TEST(a_charge_beyond_the_limit_is_refused)
{
	zs_pool_set_limit(rig.pool, 4 * MIB);
	ck_assert_int_eq(zs_pool_charge(rig.pool, 5 * MIB, ZS_SHRINKING),
			 -ENOSPC);
	ck_assert_uint_eq(rig_stats(&rig).charged_bytes, 0);
	ck_assert_int_eq(zs_pool_charge(rig.pool, 3 * MIB, ZS_SHRINKING), 0);
	ck_assert_int_eq(zs_pool_charge(rig.pool, 2 * MIB, ZS_SHRINKING),
			 -ENOSPC);
	ck_assert_uint_eq(rig_stats(&rig).charged_bytes, 3 * MIB);
	ck_assert_uint_le(rig_accounted_bytes(&rig), 4 * MIB);
	zs_pool_set_limit(rig.pool, 0);
	ck_assert_int_eq(zs_pool_charge(rig.pool, 100 * MIB, ZS_SHRINKING), 0);
	rig_assert_sound(&rig);
}
END_TEST

/* --- the reserve --------------------------------------------------------- */

START_TEST(the_reserve_is_there_from_the_start)
{
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, RESERVE);
	ck_assert_uint_ge(rig_resident_bytes(&rig), RESERVE * ZSD_PAGE_BYTES);
	ck_assert_uint_eq(rig.nr_wakes, 0);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(the_reserve_serves_without_the_system)
{
	store_many(4096, (uint32_t)RESERVE);
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, 0);
	ck_assert_uint_eq(rig_stats(&rig).direct_grows, 0);
	store_many(4096, 1);
	ck_assert_uint_eq(rig_stats(&rig).direct_grows, 1);
	rig_assert_sound(&rig);
}
END_TEST

/* What the limit refuses is not for want of a free page. */
START_TEST(refusals_do_not_count_as_growth)
{
	uint64_t before;

	zs_pool_set_limit(rig.pool, 4 * MIB);
	store_until_full(4096, ZS_SHRINKING);
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, 0);
	before = rig_stats(&rig).direct_grows;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(store_one(4096, ZS_NORMAL), -ENOSPC);
	ck_assert_uint_eq(rig_stats(&rig).direct_grows, before);
}
END_TEST

START_TEST(housekeeping_is_asked_for_once)
{
	store_many(4096, (uint32_t)RESERVE);
	ck_assert_uint_eq(rig.nr_wakes, 1);
	store_many(4096, 3 * (uint32_t)RESERVE);
	ck_assert_uint_eq(rig.nr_wakes, 1);
	housekeep();
	ck_assert_uint_ge(rig_stats(&rig).pages_reserve, RESERVE);
	ck_assert_uint_eq(rig.nr_wakes, 1);
	store_many(4096, (uint32_t)rig_stats(&rig).pages_reserve);
	ck_assert_uint_eq(rig.nr_wakes, 2);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(with_the_reserve_kept_no_write_waits_for_the_system)
{
	for (int i = 0; i < 5000; i++) {
		store_many(4096, 1);
		if (rig.nr_wakes) {
			rig.nr_wakes = 0;
			housekeep();
		}
	}
	ck_assert_uint_eq(rig_stats(&rig).direct_grows, 0);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(surplus_goes_back_to_the_system)
{
	uint64_t before;

	store_many(4096, 3000);
	housekeep();
	rig.nr_wakes = 0;
	before = rig_resident_bytes(&rig);
	free_many(2990);
	ck_assert_uint_eq(rig.nr_wakes, 1);
	ck_assert_uint_ge(rig_stats(&rig).pages_reserve, 2990);
	housekeep();
	ck_assert_uint_le(rig_stats(&rig).pages_reserve, 2 * RESERVE);
	ck_assert_uint_ge(rig_stats(&rig).pages_reserve, RESERVE);
	ck_assert_uint_le(rig_resident_bytes(&rig),
			  before - (2990 - 2 * RESERVE) * ZSD_PAGE_BYTES);
	rig_assert_sound(&rig);
	for (uint32_t i = 0; i < stored.nr; i++)
		rig_assert_holds(&rig, stored.handles[i], 4096, i);
	store_many(4096, 3000);
	rig_assert_sound(&rig);
	for (uint32_t i = 0; i < stored.nr; i++)
		rig_assert_holds(&rig, stored.handles[i], 4096, i);
}
END_TEST

START_TEST(a_step_of_housekeeping_is_bounded)
{
	uint64_t free_before, resident;

	store_many(4096, 10000);
	free_many(10000);
	do {
		free_before = rig_stats(&rig).pages_reserve;
		resident = rig_resident_bytes(&rig);
		if (!zs_pool_housekeep(rig.pool, UINT64_MAX))
			break;
		ck_assert_uint_lt(rig_stats(&rig).pages_reserve, free_before);
		/* 1 MiB a step: far below what a request would notice. */
		ck_assert_uint_le(resident - rig_resident_bytes(&rig), MIB);
	} while (true);
	ck_assert_uint_le(rig_stats(&rig).pages_reserve, 2 * RESERVE);
}
END_TEST

START_TEST(shrinking_leaves_the_reserve)
{
	uint64_t before, resident;

	store_many(1000, 4000);
	free_many(stored.nr - 10);
	before = rig_stats(&rig).pages_reserve;
	resident = rig_resident_bytes(&rig);
	ck_assert_uint_gt(before, RESERVE);
	ck_assert_uint_eq(zs_pool_shrink(rig.pool), before - RESERVE);
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, RESERVE);
	ck_assert_uint_eq(rig_resident_bytes(&rig),
			  resident - (before - RESERVE) * ZSD_PAGE_BYTES);
	ck_assert_uint_eq(zs_pool_shrink(rig.pool), 0);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(housekeeping_of_a_full_pool_ends)
{
	zs_pool_set_limit(rig.pool, MIB);
	store_until_full(4096, ZS_NORMAL);
	store_until_full(4096, ZS_SHRINKING);
	housekeep();
	ck_assert(!zs_pool_housekeep(rig.pool, UINT64_MAX));
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(a_pool_works_without_a_reserve)
{
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, 0);
	store_many(1000, 1000);
	free_many(1000);
	housekeep();
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, 0);
	ck_assert_uint_eq(zs_pool_shrink(rig.pool), 0);
	zs_pool_set_limit(rig.pool, MIB);
	store_until_full(4096, ZS_NORMAL);
	ck_assert_uint_ge(rig_accounted_bytes(&rig) + SLACK_BYTES, MIB);
	rig_assert_sound(&rig);
}
END_TEST

/* --- who may grow --------------------------------------------------------- */

/* What the starve callback found, and is to do. */
static struct {
	unsigned nr_calls;
	uint64_t brings_pages; /* by housekeeping; 0: it fails */
} starving;

static int starve(void *arg)
{
	ck_assert_ptr_eq(arg, &rig);
	quiet_assert(rig_stats(&rig).pages_reserve == 0);
	starving.nr_calls++;
	if (!starving.brings_pages)
		return -ENOSPC;
	zs_pool_housekeep(rig.pool, starving.brings_pages);
	return 0;
}

static void setup_starving(void)
{
	struct zs_pool_params params = RIG_PARAMS;

	params.reserve_pages = RESERVE;
	params.starve = starve;
	rig_open(&rig, &params);
	stored.nr = 0;
	starving.nr_calls = 0;
	starving.brings_pages = 0;
}

START_TEST(who_may_not_grow_asks_and_is_refused)
{
	store_many(ZSD_PAGE_BYTES, RESERVE);
	ck_assert_uint_eq(starving.nr_calls, 0);
	ck_assert_int_eq(store_one(ZSD_PAGE_BYTES, ZS_NORMAL), -ENOSPC);
	ck_assert_uint_eq(starving.nr_calls, 1);
	rig_assert_sound(&rig);

	zs_pool_housekeep(rig.pool, UINT64_MAX);
	ck_assert_int_eq(store_one(ZSD_PAGE_BYTES, ZS_NORMAL), 0);
	ck_assert_uint_eq(starving.nr_calls, 1);
}
END_TEST

START_TEST(who_may_not_grow_goes_on_with_what_others_bring)
{
	starving.brings_pages = 3;
	store_many(ZSD_PAGE_BYTES, RESERVE + 7);
	ck_assert_uint_eq(starving.nr_calls, 3);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(a_limit_is_told_without_asking)
{
	zs_pool_set_limit(rig.pool, 3 * MIB);
	starving.brings_pages = 64;
	store_until_full(ZSD_PAGE_BYTES, ZS_SHRINKING);
	starving.nr_calls = 0;
	ck_assert_int_eq(store_one(ZSD_PAGE_BYTES, ZS_SHRINKING), -ENOSPC);
	ck_assert_uint_eq(starving.nr_calls, 0);
}
END_TEST

START_TEST(housekeeping_keeps_within_what_it_is_given)
{
	store_many(ZSD_PAGE_BYTES, 20);
	ck_assert(zs_pool_housekeep(rig.pool, 7));
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, RESERVE - 13);
	ck_assert(zs_pool_housekeep(rig.pool, 0));
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, RESERVE - 13);
	ck_assert(!zs_pool_housekeep(rig.pool, 100));
	ck_assert_uint_eq(rig_stats(&rig).pages_reserve, RESERVE);
}
END_TEST

START_TEST(with_nothing_to_give_it_still_shrinks)
{
	starving.brings_pages = 64;
	store_many(ZSD_PAGE_BYTES, 4 * RESERVE);
	free_many(4 * RESERVE);
	while (zs_pool_housekeep(rig.pool, 0))
		;
	ck_assert_uint_le(rig_stats(&rig).pages_reserve, 2 * RESERVE);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(populated_handles_cost_no_memory_later)
{
	uint64_t metadata;

	ck_assert_int_eq(zs_pool_populate_handles(rig.pool), 0);
	metadata = rig_stats(&rig).metadata_bytes;
	ck_assert_uint_ge(metadata, rig.params.nr_handles * sizeof(uint64_t));
	/* In few pages, for which there are descriptors by now. */
	store_many(24, 20000);
	ck_assert_uint_eq(rig_stats(&rig).metadata_bytes, metadata);
	ck_assert_int_eq(zs_pool_populate_handles(rig.pool), 0);
	ck_assert_uint_eq(rig_stats(&rig).metadata_bytes, metadata);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(handles_are_not_populated_beyond_the_limit)
{
	zs_pool_set_limit(rig.pool, rig_accounted_bytes(&rig) + 300 * KIB);
	ck_assert_int_eq(zs_pool_populate_handles(rig.pool), -ENOSPC);
	rig_assert_sound(&rig);
}
END_TEST

static TCase *starving_case(void)
{
	TCase *tc = tcase_create("starving");

	tcase_add_checked_fixture(tc, setup_starving, teardown);
	tcase_add_test(tc, who_may_not_grow_asks_and_is_refused);
	tcase_add_test(tc, who_may_not_grow_goes_on_with_what_others_bring);
	tcase_add_test(tc, a_limit_is_told_without_asking);
	tcase_add_test(tc, housekeeping_keeps_within_what_it_is_given);
	tcase_add_test(tc, with_nothing_to_give_it_still_shrinks);
	return tc;
}

static TCase *populate_case(void)
{
	TCase *tc = tcase_create("populate");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, populated_handles_cost_no_memory_later);
	tcase_add_test(tc, handles_are_not_populated_beyond_the_limit);
	return tc;
}

static TCase *limit_case(void)
{
	TCase *tc = tcase_create("limit");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_a_limit_there_is_none);
	tcase_add_loop_test(tc, the_limit_is_used_up_and_never_passed, 0,
			    (int)ARRAY_SIZE(limits));
	tcase_add_loop_test(tc, metadata_does_not_pass_the_limit, 0, 32);
	tcase_add_test(tc, the_reserve_never_passes_the_limit);
	tcase_add_test(tc, freeing_makes_room);
	tcase_add_test(tc, a_lower_limit_keeps_what_is_stored);
	tcase_add_loop_test(tc, threads_together_keep_to_the_limit, 0, 20);
	tcase_add_loop_test(tc, headroom_is_left_to_what_shrinks, 0,
			    (int)ARRAY_SIZE(headroom_limits));
	tcase_add_test(tc, charges_count_like_pages);
	tcase_add_test(tc, a_charge_beyond_the_limit_is_refused);
	return tc;
}

static TCase *reserve_case(void)
{
	TCase *tc = tcase_create("reserve");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_reserve_is_there_from_the_start);
	tcase_add_test(tc, the_reserve_serves_without_the_system);
	tcase_add_test(tc, refusals_do_not_count_as_growth);
	tcase_add_test(tc, housekeeping_is_asked_for_once);
	tcase_add_test(tc, with_the_reserve_kept_no_write_waits_for_the_system);
	tcase_add_test(tc, surplus_goes_back_to_the_system);
	tcase_add_test(tc, a_step_of_housekeeping_is_bounded);
	tcase_add_test(tc, shrinking_leaves_the_reserve);
	tcase_add_test(tc, housekeeping_of_a_full_pool_ends);
	return tc;
}

static TCase *no_reserve_case(void)
{
	TCase *tc = tcase_create("no_reserve");

	tcase_add_checked_fixture(tc, setup_without_reserve, teardown);
	tcase_add_test(tc, a_pool_works_without_a_reserve);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("zsmalloc/limit");

	suite_add_tcase(suite, limit_case());
	suite_add_tcase(suite, reserve_case());
	suite_add_tcase(suite, no_reserve_case());
	suite_add_tcase(suite, starving_case());
	suite_add_tcase(suite, populate_case());
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers of classes and pool: fullness by its definition, columns that
 * agree, peaks.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"

/* More objects than a zspage of any class has. */
#define MAX_OBJS 512u

static struct pool_rig rig;

static void setup(void)
{
	const struct zs_pool_params params = RIG_PARAMS;

	rig_open(&rig, &params);
}

static void teardown(void)
{
	rig_close(&rig);
}

/* The class of index @i if it is one of its own, that is not huge. */
static bool shared_class(unsigned i, struct zs_class_stats *stats)
{
	return zs_class_stats(rig.pool, i, stats) &&
	       stats->geometry.size_bytes < ZS_MAX_OBJ_BYTES;
}

/* What the definition says of one zspage with @n of @nr_objs in use. */
static void assert_fullness(const struct zs_class_stats *stats, unsigned n)
{
	const unsigned nr_objs = stats->geometry.objs_per_zspage;
	const bool is_full = n == nr_objs;
	const bool is_almost_empty = n && !is_full && 4 * n <= nr_objs;
	const bool is_almost_full = n && !is_full && 4 * n > nr_objs;

	quiet_assert(stats->full == is_full);
	quiet_assert(stats->almost_empty == is_almost_empty);
	quiet_assert(stats->almost_full == is_almost_full);
}

START_TEST(fullness_follows_its_definition)
{
	zs_handle handles[MAX_OBJS];
	struct zs_class_stats stats;
	uint32_t nr_objs, n;
	size_t bytes;

	if (!shared_class((unsigned)_i, &stats))
		return;
	nr_objs = stats.geometry.objs_per_zspage;
	bytes = rig_payload_bytes(&stats.geometry);
	assert_fullness(&stats, 0);
	for (n = 0; n < nr_objs;) {
		handles[n] = rig_put(&rig, bytes, n);
		n++;
		stats = rig_class_stats(&rig, bytes);
		quiet_assert(stats.obj_used == n);
		assert_fullness(&stats, n);
	}
	quiet_assert(stats.pages_used == stats.geometry.pages_per_zspage);
	quiet_assert(stats.obj_allocated == nr_objs);
	while (n) {
		zs_free(rig.pool, handles[--n]);
		stats = rig_class_stats(&rig, bytes);
		quiet_assert(stats.obj_used == n);
		assert_fullness(&stats, n);
	}
}
END_TEST

/* The last object of a zspage, whichever it is, gives the pages back. */
START_TEST(an_empty_zspage_is_given_back_at_once)
{
	zs_handle handles[3 * MAX_OBJS] = {ZS_HANDLE_NONE};
	struct zs_class_stats stats;
	uint64_t pages_each;
	uint32_t nr_objs;
	size_t bytes;

	if (!shared_class((unsigned)_i, &stats))
		return;
	nr_objs = stats.geometry.objs_per_zspage;
	pages_each = stats.geometry.pages_per_zspage;
	bytes = rig_payload_bytes(&stats.geometry);
	for (uint32_t i = 0; i < 3 * nr_objs; i++)
		handles[i] = rig_put(&rig, bytes, i);
	/* Objects of a new zspage are neighbours, so these empty the second. */
	for (uint32_t i = nr_objs; i < 2 * nr_objs; i++) {
		quiet_assert(rig_stats(&rig).pages_used == 3 * pages_each);
		zs_free(rig.pool, handles[i]);
	}
	quiet_assert(rig_stats(&rig).pages_used == 2 * pages_each);
	rig_assert_sound(&rig);
	for (uint32_t i = 0; i < nr_objs; i++) {
		rig_assert_holds(&rig, handles[i], bytes, i);
		zs_free(rig.pool, handles[i]);
		zs_free(rig.pool, handles[3 * nr_objs - 1 - i]);
	}
	quiet_assert(rig_stats(&rig).pages_used == 0);
	rig_assert_sound(&rig);
}
END_TEST

/*
 * A class has no more pages than its objects need: a page is added when an
 * object does not fit those there are.
 */
START_TEST(a_zspage_grows_by_the_page)
{
	struct zs_class_stats stats;
	size_t bytes;

	if (!shared_class((unsigned)_i, &stats))
		return;
	bytes = rig_payload_bytes(&stats.geometry);
	for (uint32_t n = 1; n <= stats.geometry.objs_per_zspage; n++) {
		uint64_t end = (uint64_t)n * stats.geometry.size_bytes;
		uint64_t pages = (end + ZSD_PAGE_BYTES - 1) / ZSD_PAGE_BYTES;

		rig_put(&rig, bytes, n);
		stats = rig_class_stats(&rig, bytes);
		quiet_assert(stats.pages_used == pages);
		quiet_assert(stats.obj_allocated ==
			     pages * ZSD_PAGE_BYTES /
				     stats.geometry.size_bytes);
	}
	quiet_assert(rig_stats(&rig).pages_used == stats.pages_used);
}
END_TEST

START_TEST(merged_classes_have_no_numbers)
{
	struct zs_geometry table[ZS_NR_CLASSES];
	struct zs_class_stats stats;

	zs_geometry_table(rig.params.chain_size, table);
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		bool exists = zs_class_stats(rig.pool, i, &stats);

		ck_assert_int_eq(exists, table[i].class_idx == i);
		if (exists)
			ck_assert_mem_eq(&stats.geometry, &table[i],
					 sizeof(table[i]));
	}
}
END_TEST

/* Holes are filled before a page is added, fullest zspage first. */
START_TEST(the_fullest_zspage_is_filled_first)
{
	const size_t bytes = 1632 - ZS_HEADER_BYTES; /* 5 objects in 2 pages */
	struct zs_class_stats stats = rig_class_stats(&rig, bytes);
	const uint32_t n = stats.geometry.objs_per_zspage;
	zs_handle handles[3 * 8];

	ck_assert_uint_eq(n, 5);
	for (uint32_t i = 0; i < 3 * n; i++)
		handles[i] = rig_put(&rig, bytes, i);
	zs_free(rig.pool, handles[0]); /* 4 of 5 */
	for (uint32_t i = n; i < 2 * n - 1; i++)
		zs_free(rig.pool, handles[i]); /* 1 of 5 */
	stats = rig_class_stats(&rig, bytes);
	ck_assert_uint_eq(stats.almost_full, 1);
	ck_assert_uint_eq(stats.almost_empty, 1);
	rig_put(&rig, bytes, 100);
	stats = rig_class_stats(&rig, bytes);
	ck_assert_uint_eq(stats.full, 2);
	ck_assert_uint_eq(stats.almost_empty, 1);
	ck_assert_uint_eq(stats.pages_used, 6);
}
END_TEST

START_TEST(columns_agree_whatever_happens)
{
	enum {
		NR = 2000
	};
	static struct {
		zs_handle handle;
		size_t bytes;
	} objects[NR];
	uint64_t used[ZS_NR_CLASSES] = {0};
	struct model_rng rng;

	model_rng_init(&rng, 3);
	for (uint32_t i = 0; i < 20 * NR; i++) {
		uint32_t at = (uint32_t)model_rng_below(&rng, NR);

		if (objects[at].handle) {
			zs_free(rig.pool, objects[at].handle);
			used[zs_lookup_class_index(rig.pool,
						   objects[at].bytes)]--;
			objects[at].handle = ZS_HANDLE_NONE;
		} else {
			objects[at].bytes = model_rng_range(&rng, 1, 4096);
			objects[at].handle =
				rig_put(&rig, objects[at].bytes, i);
			used[zs_lookup_class_index(rig.pool,
						   objects[at].bytes)]++;
		}
		if (i % 1000 == 0)
			rig_assert_sound(&rig);
	}
	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		struct zs_class_stats stats;

		if (zs_class_stats(rig.pool, i, &stats))
			ck_assert_uint_eq(stats.obj_used, used[i]);
		else
			ck_assert_uint_eq(used[i], 0);
	}
}
END_TEST

START_TEST(the_peak_stays_until_it_is_reset)
{
	zs_handle handles[10];

	for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++)
		handles[i] = rig_put(&rig, 4096, i);
	for (uint32_t i = 0; i < 7; i++)
		zs_free(rig.pool, handles[i]);
	ck_assert_uint_eq(rig_stats(&rig).pages_used, 3);
	ck_assert_uint_eq(rig_stats(&rig).pages_used_max, 10);
	rig_put(&rig, 4096, 1);
	ck_assert_uint_eq(rig_stats(&rig).pages_used, 4);
	ck_assert_uint_eq(rig_stats(&rig).pages_used_max, 10);
	zs_pool_reset_peak(rig.pool);
	ck_assert_uint_eq(rig_stats(&rig).pages_used_max, 4);
	rig_put(&rig, 4096, 1);
	ck_assert_uint_eq(rig_stats(&rig).pages_used_max, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsmalloc/stats");
	TCase *tc = tcase_create("stats");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, fullness_follows_its_definition, 0,
			    ZS_NR_CLASSES);
	tcase_add_loop_test(tc, an_empty_zspage_is_given_back_at_once, 0,
			    ZS_NR_CLASSES);
	tcase_add_loop_test(tc, a_zspage_grows_by_the_page, 0, ZS_NR_CLASSES);
	tcase_add_test(tc, merged_classes_have_no_numbers);
	tcase_add_test(tc, the_fullest_zspage_is_filled_first);
	tcase_add_test(tc, columns_agree_whatever_happens);
	tcase_add_test(tc, the_peak_stays_until_it_is_reset);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A compaction beside requests, of a store that counts the slices. */
#include "config.h"

#include <check.h>
#include <string.h>
#include <time.h>

#include "flat_store.h"
#include "policy/compact.h"
#include "suite.h"

#define NR_SLICES 10u

static struct export_table exports;
static struct export_view *view;
static unsigned nr_slices, nr_rests;
static bool asks; /* a client, beside each slice */

bool zstore_compact_slice(struct zstore *store,
			  struct zs_compact_cursor *cursor,
			  unsigned max_objects, uint64_t *freed_pages)
{
	ck_assert_ptr_eq(store, exports.all[0]->store);
	ck_assert_uint_eq(max_objects, COMPACT_SLICE_OBJECTS);
	*freed_pages = 2;
	cursor->moved_objs += max_objects;
	export_count(view, COUNT_write, asks);
	return ++nr_slices < NR_SLICES;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	ck_assert_int_eq(time->tv_sec, 0);
	ck_assert_int_eq(time->tv_nsec, COMPACT_REST_US * 1000L);
	nr_rests++;
	return 0;
}

static void add_export(const char *name)
{
	const struct export_params params = {.name = name, .description = ""};
	struct export *export;

	ck_assert_int_eq(export_create(&params, flat_store(), &export), 0);
	ck_assert_int_eq(export_table_add(&exports, export), 0);
}

static void setup(void)
{
	flat_store_reset();
	memset(&exports, 0, sizeof(exports));
	add_export("");
	add_export("other");
	nr_slices = nr_rests = 0;
	asks = true;
}

static void run_beside(unsigned export_index)
{
	struct zs_compacted done;

	ck_assert_int_eq(
		export_view_create(exports.all[export_index], NULL, &view), 0);
	compact_run(exports.all[0], &exports, &done);
	ck_assert_uint_eq(nr_slices, NR_SLICES);
	ck_assert_uint_eq(done.freed_pages, 2 * NR_SLICES);
	ck_assert_uint_eq(done.moved_objs, NR_SLICES * COMPACT_SLICE_OBJECTS);
	export_view_destroy(view);
	export_table_fini(&exports);
}

START_TEST(without_requests_it_goes_on)
{
	asks = false;
	run_beside(0);
	ck_assert_uint_eq(nr_rests, 0);
}
END_TEST

/* Of this disk or of another one: they share the cores. */
START_TEST(beside_requests_it_rests_after_each_slice)
{
	run_beside((unsigned)_i);
	ck_assert_uint_eq(nr_rests, NR_SLICES - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compact");
	TCase *tc = tcase_create("compact");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, without_requests_it_goes_on);
	tcase_add_loop_test(tc, beside_requests_it_rests_after_each_slice, 0, 2);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compaction: it frees what was promised, loses nothing, keeps to its bounds,
 * and lets alone what is being read. zs_internal.h is there to feign a thread
 * that waits.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "model/model.h"
#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"
#include "zsmalloc/zs_internal.h"

#define NR_ZSPAGES 6u
#define MAX_OBJS   (NR_ZSPAGES * UINT64_C(512))

static struct pool_rig rig;

/* Objects of one class; those freed have no handle. */
static struct {
	size_t bytes;
	uint32_t nr;
	struct zs_geometry geometry;
	zs_handle handles[MAX_OBJS];
} objects;

static void setup(void)
{
	const struct zs_pool_params params = RIG_PARAMS;

	rig_open(&rig, &params);
	rig_shuffle_pages(&rig);
}

static void teardown(void)
{
	rig_close(&rig);
}

static void fill(size_t bytes, uint32_t nr)
{
	objects.bytes = bytes;
	objects.nr = nr;
	objects.geometry = rig_class_stats(&rig, bytes).geometry;
	ck_assert_uint_le(nr, MAX_OBJS);
	for (uint32_t i = 0; i < nr; i++)
		objects.handles[i] = rig_put(&rig, bytes, i);
}

/* Zspages of one class, and some objects of one that still grows. */
static bool fill_class(unsigned class_idx)
{
	struct zs_class_stats stats;
	uint32_t nr;

	if (!zs_class_stats(rig.pool, class_idx, &stats))
		return false;
	nr = stats.geometry.objs_per_zspage * (NR_ZSPAGES - 1u) +
	     stats.geometry.objs_per_zspage / 2;
	fill(rig_payload_bytes(&stats.geometry), nr);
	return true;
}

/* Keep one in @n, at random. */
static void thin_out(unsigned n, uint64_t seed)
{
	struct model_rng rng;

	model_rng_init(&rng, seed);
	for (uint32_t i = 0; i < objects.nr; i++) {
		if (!objects.handles[i] || model_rng_one_in(&rng, n))
			continue;
		zs_free(rig.pool, objects.handles[i]);
		objects.handles[i] = ZS_HANDLE_NONE;
	}
}

static void assert_all_there(void)
{
	for (uint32_t i = 0; i < objects.nr; i++) {
		if (objects.handles[i])
			rig_assert_holds(&rig, objects.handles[i],
					 objects.bytes, i);
	}
}

/* Compact all and hold it against what was promised. Return: pages freed. */
static uint64_t compact_as_promised(void)
{
	struct zs_pool_stats before = rig_stats(&rig), after;
	uint64_t promised = rig_freeable(&rig);
	struct zs_compacted done;

	zs_compact(rig.pool, &done);
	quiet_assert(done.freed_pages == promised);
	after = rig_stats(&rig);
	quiet_assert(after.objs_moved - before.objs_moved == done.moved_objs);
	quiet_assert(before.pages_used - after.pages_used == promised);
	quiet_assert(after.pages_reserve - before.pages_reserve == promised);
	quiet_assert(after.pages_compacted - before.pages_compacted ==
		     promised);
	quiet_assert(rig_freeable(&rig) == 0);
	return promised;
}

static const unsigned thinnings[] = {1, 2, 3, 5, 10, 1000000};

START_TEST(every_class_is_compacted_as_promised)
{
	for (size_t i = 0; i < ARRAY_SIZE(thinnings); i++) {
		if (!fill_class((unsigned)_i))
			return;
		thin_out(thinnings[i], i);
		compact_as_promised();
		rig_assert_sound(&rig);
		assert_all_there();
		thin_out(1000000000, 0); /* what is left */
		quiet_assert(rig_stats(&rig).pages_used == 0);
	}
}
END_TEST

START_TEST(compaction_makes_room)
{
	struct zs_pool_stats stats;
	uint64_t before;

	fill(1000, 3000);
	thin_out(5, 1);
	before = rig_stats(&rig).pages_used;
	ck_assert_uint_gt(compact_as_promised(), before / 2);
	stats = rig_stats(&rig);
	ck_assert_uint_lt(stats.pages_used, before / 2);
	ck_assert_uint_gt(stats.objs_moved, 0);
	assert_all_there();
}
END_TEST

START_TEST(nothing_to_free_means_nothing_is_moved)
{
	struct zs_compacted done;

	fill(1000, 3000);
	zs_compact(rig.pool, &done);
	ck_assert_uint_eq(done.freed_pages, 0);
	ck_assert_uint_eq(done.moved_objs, 0);
	thin_out(5, 1);
	compact_as_promised();
	zs_compact(rig.pool, &done);
	ck_assert_uint_eq(done.freed_pages, 0);
	ck_assert_uint_eq(done.moved_objs, 0);
}
END_TEST

/* Classes that were looked at since @before. */
static uint64_t searched_since(uint64_t before)
{
	return rig_stats(&rig).classes_searched - before;
}

START_TEST(what_is_compact_is_not_searched_again)
{
	uint64_t before;

	fill(1000, 3000);
	thin_out(5, 1);
	compact_as_promised();
	before = rig_stats(&rig).classes_searched;
	ck_assert_uint_gt(before, 0);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(compact_as_promised(), 0);
	ck_assert_uint_eq(searched_since(before), 0);

	/* What is freed is looked at at once, and nothing else. */
	thin_out(2, 2);
	ck_assert_uint_gt(compact_as_promised(), 0);
	ck_assert_uint_ge(searched_since(before), 1);
	ck_assert_uint_le(searched_since(before), 1 + objects.nr / 64);
	assert_all_there();
}
END_TEST

/* The least that has to be moved is what the emptied zspages hold. */
START_TEST(no_object_is_moved_twice)
{
	fill(1000, 3000);
	thin_out(4, 1);
	compact_as_promised();
	ck_assert_uint_le(rig_stats(&rig).objs_moved,
			  rig_class_stats(&rig, 1000).obj_used);
}
END_TEST

START_TEST(many_sizes_at_once)
{
	struct model_rng rng;
	static struct {
		zs_handle handle;
		size_t bytes;
	} all[6000];

	model_rng_init(&rng, 9);
	for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
		all[i].bytes = model_rng_range(&rng, 1, 4096);
		all[i].handle = rig_put(&rig, all[i].bytes, i);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!model_rng_one_in(&rng, 4)) {
			zs_free(rig.pool, all[i].handle);
			all[i].handle = ZS_HANDLE_NONE;
		}
	}
	ck_assert_uint_gt(compact_as_promised(), 0);
	rig_assert_sound(&rig);
	for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i].handle)
			rig_assert_holds(&rig, all[i].handle, all[i].bytes, i);
	}
}
END_TEST

/* --- packing ------------------------------------------------------------- */

/* Pages that so many objects take where nothing is wasted. */
static uint64_t pages_needed(uint32_t nr)
{
	const struct zs_geometry *g = &objects.geometry;
	uint64_t left_over = nr % g->objs_per_zspage;

	return (uint64_t)(nr / g->objs_per_zspage) * g->pages_per_zspage +
	       (left_over * g->size_bytes + ZSD_PAGE_BYTES - 1) /
		       ZSD_PAGE_BYTES;
}

static uint64_t class_pages(void)
{
	return rig_class_stats(&rig, objects.bytes).pages_used;
}

static uint32_t count_objects(void)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < objects.nr; i++)
		nr += objects.handles[i] != ZS_HANDLE_NONE;
	return nr;
}

/* Put back what is missing: no page is added before it must be. */
static void grow_again(void)
{
	const uint64_t nr_pages = class_pages();
	uint32_t nr = count_objects();

	for (uint32_t i = 0; i < objects.nr; i++) {
		if (objects.handles[i])
			continue;
		objects.handles[i] = rig_put(&rig, objects.bytes, i);
		quiet_assert(class_pages() ==
			     max_u64(nr_pages, pages_needed(++nr)));
	}
}

/* From no hole to a single object left. */
static const unsigned packings[] = {1, 2, 3, 5, 17, 1000000};

START_TEST(what_is_left_of_a_class_is_packed)
{
	for (size_t i = 0; i < ARRAY_SIZE(packings); i++) {
		if (!fill_class((unsigned)_i))
			return;
		thin_out(packings[i], i);
		compact_as_promised();
		quiet_assert(class_pages() == pages_needed(count_objects()));
		rig_assert_sound(&rig);
		grow_again();
		rig_assert_sound(&rig);
		assert_all_there();
		thin_out(1000000000, 0);
		quiet_assert(rig_stats(&rig).pages_used == 0);
	}
}
END_TEST

/* One zspage, whole, which no other can take objects of. */
START_TEST(a_single_zspage_is_packed)
{
	struct zs_class_stats stats;
	uint32_t n;

	if (!zs_class_stats(rig.pool, (unsigned)_i, &stats))
		return;
	n = stats.geometry.objs_per_zspage;
	fill(rig_payload_bytes(&stats.geometry), n);
	for (uint32_t i = 0; i < n / 2; i++) {
		zs_free(rig.pool, objects.handles[i]);
		objects.handles[i] = ZS_HANDLE_NONE;
	}
	compact_as_promised();
	quiet_assert(class_pages() == pages_needed(n - n / 2));
	/* Each of the last pages' objects once, and no other. */
	quiet_assert(rig_stats(&rig).objs_moved <= n - n / 2);
	rig_assert_sound(&rig);
	assert_all_there();
	grow_again();
	rig_assert_sound(&rig);
	assert_all_there();
}
END_TEST

/* Objects come and go after each single object that is moved. */
START_TEST(packing_goes_on_where_it_was_interrupted)
{
	struct zs_compact_cursor cursor = {0};
	struct model_rng rng;
	uint64_t freed;

	model_rng_init(&rng, 5);
	fill(1500, 200);
	thin_out(3, 4);
	while (zs_compact_slice(rig.pool, &cursor, 1, &freed)) {
		uint32_t i = (uint32_t)model_rng_below(&rng, objects.nr);

		if (objects.handles[i]) {
			zs_free(rig.pool, objects.handles[i]);
			objects.handles[i] = ZS_HANDLE_NONE;
		} else if (model_rng_one_in(&rng, 4)) {
			objects.handles[i] = rig_put(&rig, objects.bytes, i);
		}
		rig_assert_sound(&rig);
		assert_all_there();
	}
	ck_assert_uint_eq(class_pages(), pages_needed(count_objects()));
}
END_TEST

/* --- slices -------------------------------------------------------------- */

static const unsigned slice_sizes[] = {1, 2, 7, 64, 100000};

/* Where an object that does not straddle is. */
static const void *address_of(zs_handle handle)
{
	unsigned char local[1];
	const void *found;

	quiet_assert(zs_obj_read_begin(rig.pool, handle, 1, local, &found) ==
		     0);
	zs_obj_read_end(rig.pool, handle);
	return found;
}

/* How many objects are elsewhere than before. */
static uint64_t count_moved(void)
{
	static const void *addresses[MAX_OBJS];
	uint64_t nr = 0;

	for (uint32_t i = 0; i < objects.nr; i++) {
		const void *now = NULL;

		if (objects.handles[i])
			now = address_of(objects.handles[i]);
		nr += now != addresses[i];
		addresses[i] = now;
	}
	return nr;
}

START_TEST(slices_are_bounded_and_add_up)
{
	const unsigned max_objects = slice_sizes[_i];
	struct zs_compact_cursor cursor = {0};
	uint64_t promised, freed, moved, sum_freed = 0, sum_moved = 0;
	unsigned nr_slices = 0;
	bool more;

	fill(1000, MAX_OBJS);
	thin_out(5, 2);
	promised = rig_freeable(&rig);
	count_moved();
	do {
		freed = UINT64_MAX;
		more = zs_compact_slice(rig.pool, &cursor, max_objects, &freed);
		moved = count_moved();
		quiet_assert(moved <= max_objects);
		sum_moved += moved;
		sum_freed += freed;
		quiet_assert(++nr_slices < 10000);
	} while (more);
	ck_assert_uint_gt(sum_moved, 100);
	/* In a large slice one may be moved again, to be packed. */
	ck_assert_uint_ge(rig_stats(&rig).objs_moved, sum_moved);
	if (max_objects == 1)
		ck_assert_uint_eq(rig_stats(&rig).objs_moved, sum_moved);
	ck_assert_uint_eq(sum_freed, promised);
	ck_assert_uint_eq(rig_stats(&rig).pages_compacted, promised);
	rig_assert_sound(&rig);
	assert_all_there();
}
END_TEST

/* The pool is in order between any two slices, and may be used. */
START_TEST(objects_come_and_go_between_slices)
{
	struct zs_compact_cursor cursor = {0};
	zs_handle in_between[64];
	uint64_t freed;
	uint32_t n = 0;

	fill(700, 3000);
	thin_out(4, 3);
	while (zs_compact_slice(rig.pool, &cursor, 3, &freed)) {
		if (n == ARRAY_SIZE(in_between)) {
			for (uint32_t i = 0; i < n; i++) {
				rig_assert_holds(&rig, in_between[i], 700,
						 1000000 + i);
				zs_free(rig.pool, in_between[i]);
			}
			n = 0;
		}
		in_between[n] = rig_put(&rig, 700, 1000000 + n);
		n++;
		rig_assert_sound(&rig);
	}
	assert_all_there();
}
END_TEST

START_TEST(a_slice_of_an_empty_pool_is_the_last)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed = 4711;

	while (zs_compact_slice(rig.pool, &cursor, 1, &freed))
		ck_assert_uint_eq(freed, 0);
	ck_assert_uint_eq(freed, 0);
}
END_TEST

/* --- who waits ------------------------------------------------------------ */

/*
 * The class is let go of after each object where somebody waits for it, and
 * compaction comes to its end even if nobody ever takes it.
 */
START_TEST(who_waits_for_a_class_has_it_soon)
{
	const bool is_wanted = _i;
	struct zs_class *class;
	struct zs_compacted done;
	uint64_t searched;

	fill(300, 3000);
	thin_out(3, 1);
	class = &rig.pool->classes[objects.geometry.class_idx];
	atomic_store(&class->nr_waiting, is_wanted);
	searched = rig_stats(&rig).classes_searched;
	zs_compact(rig.pool, &done);
	searched = rig_stats(&rig).classes_searched - searched;
	atomic_store(&class->nr_waiting, 0);
	ck_assert_uint_gt(done.moved_objs, 100);
	if (is_wanted)
		ck_assert_uint_ge(searched, done.moved_objs);
	else
		ck_assert_uint_lt(searched, done.moved_objs);
	ck_assert_uint_eq(rig_freeable(&rig), 0);
	rig_assert_sound(&rig);
	assert_all_there();
}
END_TEST

/* --- pins ---------------------------------------------------------------- */

static void *compact_thread(void *arg)
{
	zs_compact(rig.pool, arg);
	return NULL;
}

/*
 * Compact beside a reader of object @pinned, which must not notice.
 * Return: pages freed.
 */
static uint64_t compact_beside_reader(uint32_t pinned)
{
	unsigned char local[ZS_MAX_OBJ_BYTES], expected[ZS_MAX_OBJ_BYTES];
	const zs_handle handle = objects.handles[pinned];
	const void *found;
	struct zs_compacted done;
	pthread_t thread;

	rig_content(expected, objects.bytes, pinned);
	quiet_assert(zs_obj_read_begin(rig.pool, handle, objects.bytes, local,
				       &found) == 0);
	quiet_assert(pthread_create(&thread, NULL, compact_thread, &done) == 0);
	pthread_join(thread, NULL);
	quiet_assert(memcmp(found, expected, objects.bytes) == 0);
	zs_obj_read_end(rig.pool, handle);
	return done.freed_pages;
}

/* Objects of one class with holes, but the one to be pinned is there. */
static void fill_around(size_t bytes, uint32_t nr, uint32_t pinned)
{
	fill(bytes, nr);
	for (uint32_t i = 0; i < nr; i++) {
		if (i % 4 && i != pinned) {
			zs_free(rig.pool, objects.handles[i]);
			objects.handles[i] = ZS_HANDLE_NONE;
		}
	}
}

/*
 * A zspage whose every fourth object is left, object @pinned being read: it is
 * packed behind that one, and stays as it is before it.
 */
static void pack_beside_reader(size_t bytes, uint32_t pinned)
{
	const uint32_t n =
		rig_class_stats(&rig, bytes).geometry.objs_per_zspage;
	uint64_t needed;

	fill_around(bytes, n, pinned);
	needed = pages_needed(count_objects());
	compact_beside_reader(pinned);
	quiet_assert(class_pages() >= needed);
	quiet_assert(class_pages() <= pages_needed(pinned + 1) ||
		     class_pages() == needed);
	rig_assert_sound(&rig);
	assert_all_there();
	grow_again();
	thin_out(4, pinned);
	compact_as_promised();
	rig_assert_sound(&rig);
	assert_all_there();
	thin_out(1000000000, 0);
}

static const size_t pinned_sizes[] = {100, 204, 700, 1000, 1700, 3000, 3600};

/*
 * Objects all over the class are pinned in turn, those of the zspage that
 * still grows among them. Bits of objects long gone lie in the pages, which
 * must not be taken for objects.
 */
static void compact_beside_each_reader(size_t bytes, bool all_others_move)
{
	const uint32_t n =
		rig_class_stats(&rig, bytes).geometry.objs_per_zspage;
	const uint32_t nr = 4 * n + (n + 1) / 2;
	const uint32_t step = nr / 50 + 1;

	for (uint32_t pinned = 0; pinned < nr; pinned += step) {
		uint64_t promised, freed;

		fill_around(bytes, nr, pinned);
		promised = rig_freeable(&rig);
		freed = compact_beside_reader(pinned);
		quiet_assert(freed <= promised);
		if (all_others_move)
			quiet_assert(
				freed + objects.geometry.pages_per_zspage >=
				promised);
		rig_assert_sound(&rig);
		assert_all_there();
		compact_as_promised();
		rig_assert_sound(&rig);
		assert_all_there();
		thin_out(1000000000, 0);
		quiet_assert(rig_stats(&rig).pages_used == 0);
	}
}

START_TEST(a_reader_notices_nothing)
{
	compact_beside_each_reader(pinned_sizes[_i], false);
}
END_TEST

START_TEST(what_is_pinned_is_packed_around)
{
	const size_t bytes = pinned_sizes[_i];
	const uint32_t n =
		rig_class_stats(&rig, bytes).geometry.objs_per_zspage;

	for (uint32_t pinned = 0; pinned < n; pinned += n / 20 + 1)
		pack_beside_reader(bytes, pinned);
	pack_beside_reader(bytes, n - 1);
}
END_TEST

/* Not more than the zspage of the pinned object is left uncompacted. */
START_TEST(what_is_pinned_is_passed_over)
{
	compact_beside_each_reader(pinned_sizes[_i], true);
}
END_TEST

/*
 * Two whole zspages with @nr_growing holes, and @nr_growing objects in one
 * that still grows, which compaction would free if it could.
 */
static uint64_t fill_growing(unsigned class_idx, uint32_t nr_growing)
{
	struct zs_class_stats stats;
	uint32_t n;

	quiet_assert(zs_class_stats(rig.pool, class_idx, &stats));
	n = stats.geometry.objs_per_zspage;
	fill(rig_payload_bytes(&stats.geometry), 2 * n + nr_growing);
	for (uint32_t i = 0; i < 2 * nr_growing; i += 2) {
		zs_free(rig.pool, objects.handles[i]);
		objects.handles[i] = ZS_HANDLE_NONE;
	}
	return rig_freeable(&rig);
}

/*
 * Its pages have room for fewer objects than a zspage has; what lies beyond
 * must not be taken for objects.
 */
START_TEST(a_pinned_object_keeps_the_growing_zspage)
{
	struct zs_geometry table[ZS_NR_CLASSES];
	const struct zs_geometry *g = &table[_i];
	uint32_t nr_growing[2], n;

	zs_geometry_table(rig.params.chain_size, table);
	n = g->objs_per_zspage;
	if (g->class_idx != _i || g->pages_per_zspage == 1)
		return;
	nr_growing[0] = 1;
	nr_growing[1] = n / 2;
	for (size_t i = 0; i < ARRAY_SIZE(nr_growing); i++) {
		uint64_t freeable = fill_growing(g->class_idx, nr_growing[i]);

		quiet_assert(freeable && freeable < g->pages_per_zspage);
		quiet_assert(compact_beside_reader(objects.nr - 1) == 0);
		rig_assert_sound(&rig);
		assert_all_there();
		quiet_assert(compact_as_promised() == freeable);
		rig_assert_sound(&rig);
		assert_all_there();
		thin_out(1000000000, 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsmalloc/compact");
	TCase *tc = tcase_create("compact");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_class_is_compacted_as_promised, 0,
			    ZS_NR_CLASSES);
	tcase_add_test(tc, compaction_makes_room);
	tcase_add_test(tc, nothing_to_free_means_nothing_is_moved);
	tcase_add_test(tc, what_is_compact_is_not_searched_again);
	tcase_add_test(tc, no_object_is_moved_twice);
	tcase_add_test(tc, many_sizes_at_once);
	tcase_add_loop_test(tc, what_is_left_of_a_class_is_packed, 0,
			    ZS_NR_CLASSES);
	tcase_add_loop_test(tc, a_single_zspage_is_packed, 0, ZS_NR_CLASSES);
	tcase_add_test(tc, packing_goes_on_where_it_was_interrupted);
	tcase_add_loop_test(tc, slices_are_bounded_and_add_up, 0,
			    (int)ARRAY_SIZE(slice_sizes));
	tcase_add_test(tc, objects_come_and_go_between_slices);
	tcase_add_test(tc, a_slice_of_an_empty_pool_is_the_last);
	tcase_add_loop_test(tc, who_waits_for_a_class_has_it_soon, 0, 2);
	tcase_add_loop_test(tc, a_reader_notices_nothing, 0,
			    (int)ARRAY_SIZE(pinned_sizes));
	tcase_add_loop_test(tc, what_is_pinned_is_packed_around, 0,
			    (int)ARRAY_SIZE(pinned_sizes));
	tcase_add_loop_test(tc, what_is_pinned_is_passed_over, 0,
			    (int)ARRAY_SIZE(pinned_sizes));
	tcase_add_loop_test(tc, a_pinned_object_keeps_the_growing_zspage, 0,
			    ZS_NR_CLASSES);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects: every size, where they end up, what they hold, when they die.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"

static struct pool_rig rig;

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

/* --- creating ------------------------------------------------------------ */

static const struct zs_pool_params wrong_params[] = {
	{.chain_size = 0, .nr_handles = 8, .nr_pages = 8},
	{.chain_size = ZS_CHAIN_SIZE_MIN - 1, .nr_handles = 8, .nr_pages = 8},
	{.chain_size = ZS_CHAIN_SIZE_MAX + 1, .nr_handles = 8, .nr_pages = 8},
	{.chain_size = 8, .nr_handles = ZS_MAX_HANDLES + 1, .nr_pages = 8},
	{.chain_size = 8, .nr_handles = 8, .nr_pages = ZS_MAX_PAGES + 1},
};

START_TEST(params_out_of_range_are_refused)
{
	struct zs_pool *const untouched = (struct zs_pool *)(void *)&rig;
	struct zs_pool *pool = untouched;
	struct mapping map;

	ck_assert_int_eq(mapping_create("zsd-test", MIB, &map), 0);
	ck_assert_int_eq(zs_pool_create(&wrong_params[_i], &map, 0, &pool),
			 -EINVAL);
	ck_assert_ptr_eq(pool, untouched);
	mapping_destroy(&map);
}
END_TEST

START_TEST(an_image_is_whole_pages)
{
	struct zs_pool_params params = RIG_PARAMS;

	for (params.nr_handles = 1; params.nr_handles < 100000;
	     params.nr_handles = params.nr_handles * 3 + 1) {
		for (params.nr_pages = 1; params.nr_pages < 100000;
		     params.nr_pages = params.nr_pages * 3 + 1) {
			uint64_t bytes = zs_pool_image_bytes(&params);

			quiet_assert(bytes % ZSD_PAGE_BYTES == 0);
			quiet_assert(bytes >= params.nr_pages * ZSD_PAGE_BYTES);
		}
	}
}
END_TEST

/* Two pools in one mapping: each keeps to its part. */
START_TEST(a_pool_starts_anywhere_in_a_mapping)
{
	struct zs_pool_params params = RIG_PARAMS;
	uint64_t bytes = zs_pool_image_bytes(&params);
	struct pool_rig first, second;

	ck_assert_int_eq(mapping_create("zsd-test", 2 * bytes + ZSD_PAGE_BYTES,
					&first.map),
			 0);
	second.map = first.map;
	ck_assert_int_eq(zs_pool_create(&params, &first.map, ZSD_PAGE_BYTES,
					&first.pool),
			 0);
	ck_assert_int_eq(zs_pool_create(&params, &second.map,
					bytes + ZSD_PAGE_BYTES, &second.pool),
			 0);
	for (uint32_t i = 0; i < 300; i++) {
		zs_handle a = rig_put(&first, 1 + i * 13, i);
		zs_handle b = rig_put(&second, 1 + i * 13, i + 1000);

		rig_assert_holds(&first, a, 1 + i * 13, i);
		rig_assert_holds(&second, b, 1 + i * 13, i + 1000);
	}
	zs_pool_destroy(first.pool);
	zs_pool_destroy(second.pool);
	mapping_destroy(&first.map);
}
END_TEST

START_TEST(destroying_nothing_is_allowed)
{
	zs_pool_destroy(NULL);
}
END_TEST

/* --- sizes --------------------------------------------------------------- */

START_TEST(sizes_out_of_range_are_refused)
{
	zs_handle handle = 4711;

	ck_assert_int_eq(zs_store(rig.pool, "", 0, 0, ZS_NORMAL, &handle),
			 -EINVAL);
	ck_assert_int_eq(zs_store(rig.pool, "", ZS_MAX_OBJ_BYTES + 1, 0,
				  ZS_NORMAL, &handle),
			 -E2BIG);
	ck_assert_int_eq(zs_store(rig.pool, "", SIZE_MAX, 0, ZS_SHRINKING,
				  &handle),
			 -E2BIG);
	ck_assert_uint_eq(handle, 4711);
	rig_assert_sound(&rig);
}
END_TEST

/* The class of a size: the table's, headers included, or the huge one. */
START_TEST(every_size_is_served_by_its_class)
{
	struct zs_geometry table[ZS_NR_CLASSES];

	zs_geometry_table(rig.params.chain_size, table);
	for (size_t bytes = 1; bytes <= ZS_MAX_OBJ_BYTES; bytes++) {
		size_t need = bytes + ZS_HEADER_BYTES;
		size_t i = need <= 32 ? 0 : (need - 32 + 15) / 16;

		if (bytes >= zs_huge_class_size(rig.pool))
			i = ZS_NR_CLASSES - 1;
		quiet_assert(zs_lookup_class_index(rig.pool, bytes) ==
			     table[i].class_idx);
	}
}
END_TEST

static const struct {
	unsigned chain_size;
	size_t huge_class_size;
} watermarks[] = {
	{4, 3261}, {5, 3405}, {6, 3501}, {7, 3581}, {8, 3629}, {16, 3837},
};

/* Largest class that is not huge, less the header, and one more. */
START_TEST(the_watermark_follows_the_chain_size)
{
	struct zs_pool_params params = RIG_PARAMS;
	struct pool_rig other;

	params.chain_size = watermarks[_i].chain_size;
	rig_open(&other, &params);
	ck_assert_uint_eq(zs_huge_class_size(other.pool),
			  watermarks[_i].huge_class_size);
	rig_close(&other);
}
END_TEST

/*
 * Sizes 16 * _i + 1 .. 16 * _i + 16, enough of each that objects lie at every
 * place of a zspage and in a second one.
 */
START_TEST(objects_of_every_size_hold_their_bytes)
{
	static zs_handle handles[600];

	for (size_t bytes = 16 * (size_t)_i + 1; bytes <= 16 * (size_t)_i + 16;
	     bytes++) {
		struct zs_class_stats stats = rig_class_stats(&rig, bytes);
		uint32_t nr = stats.geometry.objs_per_zspage * 2u + 1;

		ck_assert_uint_le(nr, ARRAY_SIZE(handles));
		for (uint32_t i = 0; i < nr; i++)
			handles[i] = rig_put(&rig, bytes, i);
		for (uint32_t i = 0; i < nr; i++)
			rig_assert_holds(&rig, handles[i], bytes, i);
		stats = rig_class_stats(&rig, bytes);
		ck_assert_uint_eq(stats.obj_used, nr);
		rig_assert_sound(&rig);
		for (uint32_t i = 0; i < nr; i++)
			zs_free(rig.pool, handles[i]);
		ck_assert_uint_eq(rig_stats(&rig).pages_used, 0);
	}
	rig_assert_sound(&rig);
}
END_TEST

/* --- reading and writing ------------------------------------------------- */

/* Read the first @n bytes. Return: whether that took the local copy. */
static bool read_first(zs_handle handle, size_t n,
		       const unsigned char *expected)
{
	const unsigned char *end = rig.map.base + rig.map.bytes, *p;
	unsigned char local[ZS_MAX_OBJ_BYTES];
	const void *found;

	memset(local, 0xa5, sizeof(local));
	quiet_assert(zs_obj_read_begin(rig.pool, handle, n, local, &found) ==
		     0);
	p = found;
	quiet_assert(p == local || (p >= rig.map.base && p + n <= end));
	quiet_assert(memcmp(p, expected, n) == 0);
	quiet_assert(local[n] == 0xa5);
	zs_obj_read_end(rig.pool, handle);
	return p == local;
}

/*
 * Class 208 of chain 8 (3 pages, 59 objects): some straddle. A read of any
 * length must see the right bytes, in the arena or in the local copy, and
 * write no more of the local copy than it was given.
 */
START_TEST(reads_of_any_length_see_the_first_bytes)
{
	const size_t bytes = 208 - ZS_HEADER_BYTES;
	unsigned char expected[ZS_MAX_OBJ_BYTES];
	unsigned nr_copied = 0;

	for (uint32_t i = 0; i < 59; i++) {
		zs_handle handle = rig_put(&rig, bytes, i);

		rig_content(expected, bytes, i);
		for (size_t n = 0; n <= bytes; n++)
			nr_copied += read_first(handle, n, expected);
	}
	ck_assert_uint_gt(nr_copied, 0);
}
END_TEST

START_TEST(a_huge_object_takes_exactly_a_page)
{
	size_t sizes[] = {zs_huge_class_size(rig.pool), 4000, 4095, 4096};
	zs_handle handles[ARRAY_SIZE(sizes)];
	struct zs_class_stats stats;

	for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++)
		handles[i] = rig_put(&rig, sizes[i], i);
	stats = rig_class_stats(&rig, 4096);
	ck_assert_uint_eq(stats.geometry.class_idx, ZS_NR_CLASSES - 1);
	ck_assert_uint_eq(stats.obj_used, ARRAY_SIZE(sizes));
	ck_assert_uint_eq(stats.obj_allocated, ARRAY_SIZE(sizes));
	ck_assert_uint_eq(stats.pages_used, ARRAY_SIZE(sizes));
	ck_assert_uint_eq(stats.full, ARRAY_SIZE(sizes));
	ck_assert_uint_eq(stats.freeable, 0);
	rig_assert_sound(&rig);
	for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		rig_assert_holds(&rig, handles[i], sizes[i], i);
		zs_free(rig.pool, handles[i]);
	}
	ck_assert_uint_eq(rig_stats(&rig).pages_used, 0);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(one_byte_less_than_huge_shares_its_page)
{
	size_t bytes = zs_huge_class_size(rig.pool) - 1;
	struct zs_class_stats stats;

	rig_put(&rig, bytes, 1);
	stats = rig_class_stats(&rig, bytes);
	ck_assert_uint_eq(stats.geometry.size_bytes, bytes + ZS_HEADER_BYTES);
	ck_assert_uint_gt(stats.geometry.pages_per_zspage, 1);
}
END_TEST

/* --- handles ------------------------------------------------------------- */

START_TEST(no_live_handle_is_given_out_again)
{
	enum {
		NR = 3000
	};
	static zs_handle handles[NR];
	static unsigned char seen[1 << 20];

	for (uint32_t round = 0; round < 5; round++) {
		memset(seen, 0, sizeof(seen));
		for (uint32_t i = 0; i < NR; i++) {
			if (!round || i % 3 == round % 3)
				handles[i] = rig_put(&rig, 1 + i % 4096, i);
			quiet_assert(handles[i] < sizeof(seen));
			quiet_assert(!seen[handles[i]]++);
		}
		for (uint32_t i = 0; i < NR; i++) {
			if (i % 3 == (round + 1) % 3)
				zs_free(rig.pool, handles[i]);
		}
	}
}
END_TEST

static int read_one_byte(zs_handle handle, size_t bytes)
{
	unsigned char local[ZS_MAX_OBJ_BYTES];
	const void *found;
	int err = zs_obj_read_begin(rig.pool, handle, bytes, local, &found);

	if (!err)
		zs_obj_read_end(rig.pool, handle);
	return err;
}

START_TEST(reading_a_freed_handle_is_estale)
{
	zs_handle kept = rig_put(&rig, 500, 1), freed = rig_put(&rig, 500, 2);

	zs_free(rig.pool, freed);
	ck_assert_int_eq(read_one_byte(freed, 1), -ESTALE);
	ck_assert_int_eq(read_one_byte(freed, 0), -ESTALE);
	rig_assert_holds(&rig, kept, 500, 1);
	zs_free(rig.pool, kept);
	ck_assert_int_eq(read_one_byte(kept, 500), -ESTALE);
}
END_TEST

/* A handle lives again, of an object too short for what is asked. */
START_TEST(reading_more_than_there_is_now_is_estale)
{
	enum {
		NR = 500
	};
	static zs_handle old[NR];
	static unsigned char was_old[1 << 20];
	unsigned nr_again = 0;

	for (uint32_t i = 0; i < NR; i++) {
		old[i] = rig_put(&rig, 2000, i);
		quiet_assert(old[i] < sizeof(was_old));
		was_old[old[i]] = 1;
	}
	for (uint32_t i = 0; i < NR; i++)
		zs_free(rig.pool, old[i]);
	for (uint32_t i = 0; i < NR; i++) {
		zs_handle handle = rig_put(&rig, 20, i);

		if (handle >= sizeof(was_old) || !was_old[handle])
			continue;
		nr_again++;
		quiet_assert(read_one_byte(handle, 2000) == -ESTALE);
		quiet_assert(read_one_byte(handle, 20) == 0);
		rig_assert_holds(&rig, handle, 20, i);
	}
	ck_assert_msg(nr_again, "no handle came again");
}
END_TEST

/* --- the end of the room ------------------------------------------------- */

START_TEST(a_full_arena_is_enospc)
{
	struct zs_pool_params params = RIG_PARAMS;
	static zs_handle handles[100];
	zs_handle handle = 4711;
	struct pool_rig small;

	params.nr_pages = ARRAY_SIZE(handles);
	rig_open(&small, &params);
	for (uint32_t i = 0; i < params.nr_pages; i++)
		handles[i] = rig_put(&small, 4096, i);
	ck_assert_int_eq(rig_try_put(&small, 4096, ZS_NORMAL, 0, &handle),
			 -ENOSPC);
	ck_assert_int_eq(rig_try_put(&small, 1, ZS_SHRINKING, 0, &handle),
			 -ENOSPC);
	ck_assert_uint_eq(handle, 4711);
	rig_assert_sound(&small);
	for (uint32_t i = 0; i < params.nr_pages; i++)
		rig_assert_holds(&small, handles[i], 4096, i);
	zs_free(small.pool, handles[42]);
	rig_put(&small, 1, 1);
	rig_assert_sound(&small);
	rig_close(&small);
}
END_TEST

/* At least as many as promised; and there is an end, which costs nothing. */
START_TEST(a_full_handle_table_is_enospc)
{
	struct zs_pool_params params = RIG_PARAMS;
	zs_handle handle = 4711, last = ZS_HANDLE_NONE;
	struct pool_rig small;
	uint32_t nr = 0;
	int err;

	params.nr_handles = 1000;
	rig_open(&small, &params);
	do {
		err = rig_try_put(&small, 20, ZS_NORMAL, nr, &handle);
		if (!err)
			last = handle;
		ck_assert(nr < 200 * params.nr_handles);
	} while (!err && ++nr);
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_uint_eq(handle, last);
	ck_assert_uint_ge(nr, params.nr_handles);
	rig_assert_sound(&small);
	zs_free(small.pool, last);
	rig_assert_holds(&small, rig_put(&small, 20, 5), 20, 5);
	rig_close(&small);
}
END_TEST

/* Handles must not run out because other sizes had them before. */
START_TEST(handles_go_to_whichever_class_needs_them)
{
	enum {
		NR = 1000
	};
	static zs_handle handles[NR];
	struct zs_pool_params params = RIG_PARAMS;
	struct pool_rig small;

	params.nr_handles = NR;
	rig_open(&small, &params);
	for (size_t bytes = 20; bytes < 4096; bytes += 500) {
		for (uint32_t i = 0; i < NR; i++)
			handles[i] = rig_put(&small, bytes, i);
		for (uint32_t i = 0; i < NR; i++)
			zs_free(small.pool, handles[i]);
	}
	for (uint32_t i = 0; i < NR; i++)
		handles[i] = rig_put(&small, 1 + i * 4, i);
	rig_assert_sound(&small);
	rig_close(&small);
}
END_TEST

/*
 * Handles that were given back are all given out again, however often they go
 * round: if some got lost, the table would have to grow.
 */
START_TEST(no_handle_is_lost)
{
	enum {
		NR = 1000,
		NR_ROUNDS = 1000
	};
	static zs_handle handles[NR];
	struct zs_pool_params params = RIG_PARAMS;
	struct pool_rig small;
	uint64_t metadata = 0;

	params.nr_handles = NR;
	rig_open(&small, &params);
	for (uint32_t round = 0; round < NR_ROUNDS; round++) {
		for (uint32_t i = 0; i < NR; i++)
			handles[i] = rig_put(&small, 2000, i);
		for (uint32_t i = 0; i < NR; i++)
			zs_free(small.pool, handles[i]);
		if (!round)
			metadata = rig_stats(&small).metadata_bytes;
	}
	ck_assert_uint_eq(rig_stats(&small).metadata_bytes, metadata);
	rig_close(&small);
}
END_TEST

/* --- objects being filled ------------------------------------------------- */

#define NR_COMPLETE 200u

/* The source of an object, which faults when it is read for the first time:
 * then the object is there, and its bytes are not. */
static struct {
	unsigned char *bytes;
	zs_handle complete[NR_COMPLETE];
	unsigned nr_looks;
} filling;

static bool is_complete(zs_handle handle)
{
	for (size_t i = 0; i < NR_COMPLETE; i++) {
		if (filling.complete[i] == handle)
			return true;
	}
	return false;
}

/* No handle leads to it, and nothing that happens beside it minds. */
static void look_at_filling(int signal, siginfo_t *info, void *context)
{
	struct zs_compacted done;

	(void)signal;
	(void)context;
	if (info->si_addr < (void *)filling.bytes ||
	    info->si_addr >= (void *)(filling.bytes + ZSD_PAGE_BYTES))
		abort();
	filling.nr_looks++;
	for (zs_handle handle = 1; handle < 1000; handle++)
		quiet_assert(is_complete(handle) ||
			     read_one_byte(handle, 1) != 0);
	zs_compact(rig.pool, &done);
	rig_assert_sound(&rig);
	if (mprotect(filling.bytes, ZSD_PAGE_BYTES, PROT_READ))
		abort();
}

START_TEST(an_object_is_nobody_s_until_it_is_complete)
{
	struct sigaction action = {.sa_sigaction = look_at_filling,
				   .sa_flags = SA_SIGINFO};
	zs_handle handle;

	filling.bytes = mmap(NULL, ZSD_PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(filling.bytes, MAP_FAILED);
	rig_content(filling.bytes, 1000, 4711);
	/* Holes for it, and others that compaction moves. */
	for (uint32_t i = 0; i < NR_COMPLETE; i++)
		filling.complete[i] = rig_put(&rig, 1000, i);
	for (uint32_t i = 0; i < NR_COMPLETE; i++) {
		if (i % 3) {
			zs_free(rig.pool, filling.complete[i]);
			filling.complete[i] = ZS_HANDLE_NONE;
		}
	}
	ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
	ck_assert_int_eq(mprotect(filling.bytes, ZSD_PAGE_BYTES, PROT_NONE), 0);
	ck_assert_int_eq(
		rig_store(&rig, filling.bytes, 1000, 0, ZS_NORMAL, &handle), 0);
	ck_assert_int_eq(signal(SIGSEGV, SIG_DFL) == SIG_ERR, 0);
	ck_assert_uint_eq(filling.nr_looks, 1);
	rig_assert_holds(&rig, handle, 1000, 4711);
	for (uint32_t i = 0; i < NR_COMPLETE; i += 3)
		rig_assert_holds(&rig, filling.complete[i], 1000, i);
	rig_assert_sound(&rig);
	munmap(filling.bytes, ZSD_PAGE_BYTES);
}
END_TEST

/* --- pins ---------------------------------------------------------------- */

struct freer {
	zs_handle handle;
	_Atomic bool started;
	_Atomic bool done;
};

static void *free_pinned(void *arg)
{
	struct freer *freer = arg;

	atomic_store(&freer->started, true);
	zs_free(rig.pool, freer->handle);
	atomic_store(&freer->done, true);
	return NULL;
}

START_TEST(freeing_waits_for_the_reader)
{
	struct freer freer = {.handle = rig_put(&rig, 4096, 7)};
	unsigned char local[4096], expected[4096];
	const void *found;
	pthread_t thread;

	rig_content(expected, sizeof(expected), 7);
	ck_assert_int_eq(zs_obj_read_begin(rig.pool, freer.handle, 4096, local,
					   &found),
			 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, free_pinned, &freer), 0);
	while (!atomic_load(&freer.started))
		sched_yield();
	/* Time enough to go wrong in; nothing hangs on how much it is. */
	for (int i = 0; i < 1000; i++) {
		sched_yield();
		quiet_assert(!atomic_load(&freer.done));
		quiet_assert(memcmp(found, expected, sizeof(expected)) == 0);
	}
	zs_obj_read_end(rig.pool, freer.handle);
	pthread_join(thread, NULL);
	ck_assert(atomic_load(&freer.done));
	ck_assert_int_eq(read_one_byte(freer.handle, 1), -ESTALE);
	rig_assert_sound(&rig);
}
END_TEST

static TCase *create_case(void)
{
	TCase *tc = tcase_create("create");

	tcase_add_loop_test(tc, params_out_of_range_are_refused, 0,
			    (int)ARRAY_SIZE(wrong_params));
	tcase_add_test(tc, an_image_is_whole_pages);
	tcase_add_test(tc, a_pool_starts_anywhere_in_a_mapping);
	tcase_add_test(tc, destroying_nothing_is_allowed);
	tcase_add_loop_test(tc, the_watermark_follows_the_chain_size, 0,
			    (int)ARRAY_SIZE(watermarks));
	tcase_add_test(tc, a_full_arena_is_enospc);
	tcase_add_test(tc, a_full_handle_table_is_enospc);
	tcase_add_test(tc, handles_go_to_whichever_class_needs_them);
	tcase_add_test(tc, no_handle_is_lost);
	return tc;
}

static TCase *objects_case(void)
{
	TCase *tc = tcase_create("objects");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sizes_out_of_range_are_refused);
	tcase_add_test(tc, every_size_is_served_by_its_class);
	tcase_add_loop_test(tc, objects_of_every_size_hold_their_bytes, 0, 256);
	tcase_add_test(tc, reads_of_any_length_see_the_first_bytes);
	tcase_add_test(tc, a_huge_object_takes_exactly_a_page);
	tcase_add_test(tc, one_byte_less_than_huge_shares_its_page);
	tcase_add_test(tc, no_live_handle_is_given_out_again);
	tcase_add_test(tc, an_object_is_nobody_s_until_it_is_complete);
	tcase_add_test(tc, reading_a_freed_handle_is_estale);
	tcase_add_test(tc, reading_more_than_there_is_now_is_estale);
	tcase_add_test(tc, freeing_waits_for_the_reader);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("zsmalloc");

	suite_add_tcase(suite, create_case());
	suite_add_tcase(suite, objects_case());
	return suite_run(suite);
}

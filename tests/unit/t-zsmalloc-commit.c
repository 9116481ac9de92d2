/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens while the kernel looks for memory: other threads go on
 * meanwhile, and it may have only a part of what was asked for. Both are
 * played by the test itself, at the call that commits memory.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mapping.h"
#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"
#include "zsmalloc/zs_internal.h"

#define MAX_HANDLES (1u << 15)

static struct pool_rig rig;
static zs_handle handles[MAX_HANDLES];

/* Called in the middle of a commit, as another thread might be. */
static void (*meanwhile)(void);
static unsigned nr_before; /* commits before that one */
static unsigned nr_commits;

/* The linker's names: what is called instead, and what would have been. */
int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);
int __real_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);

int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes)
{
	if (nr_commits++ == nr_before && meanwhile)
		meanwhile();
	return __real_mapping_commit(map, offset, bytes, done_bytes);
}

static void open_pool(bool has_tags)
{
	struct zs_pool_params params = RIG_PARAMS;

	params.has_tags = has_tags;
	meanwhile = NULL;
	nr_commits = 0;
	rig_open(&rig, &params);
}

static void setup(void)
{
	open_pool(false);
}

static void teardown(void)
{
	meanwhile = NULL;
	rig_close(&rig);
}

/* --- others take what room there is --------------------------------------- */

/*
 * As many bytes as the limit allows for, the largest pieces first. While pages
 * are on their way it would wait for them, and they for us.
 */
static void charge_all(void)
{
	if (rig.pool->arena.nr_moving)
		return;
	for (uint64_t bytes = MIB; bytes >= ZSD_PAGE_BYTES; bytes /= 2) {
		while (zs_pool_charge(rig.pool, bytes, ZS_SHRINKING) == 0)
			;
	}
}

/*
 * Whatever the commit is for, what is about to get memory is counted before it
 * has it: nobody else finds room there.
 */
START_TEST(what_is_being_committed_is_counted)
{
	const uint64_t limit = 16 * MIB + 8 * KIB;
	uint32_t nr = 0;
	int err;

	zs_pool_set_limit(rig.pool, limit);
	nr_before = (unsigned)_i;
	meanwhile = charge_all;
	do {
		quiet_assert(nr < MAX_HANDLES);
		err = rig_try_put(&rig, 4096, ZS_NORMAL, nr, &handles[nr]);
		quiet_assert(rig_accounted_bytes(&rig) <= limit);
		nr += !err;
	} while (!err);
	quiet_assert(err == -ENOSPC);
	quiet_assert(nr_commits > nr_before);
	rig_assert_sound(&rig);
}
END_TEST

/* --- others take what was described --------------------------------------- */

static uint32_t nr_taken;

static void take_all_described(void)
{
	const struct zs_arena *arena = &rig.pool->arena;

	do {
		handles[nr_taken] = rig_put(&rig, 4096, nr_taken);
		nr_taken++;
	} while (arena->nr_top < zs_nr_described(arena) || arena->free.nr);
}

/* Two need descriptors at once: one gets them, and uses them up before the other
 * comes to run again. */
START_TEST(who_comes_late_describes_more)
{
	nr_taken = 0;
	nr_before = 1; /* the handles come first */
	meanwhile = take_all_described;
	ck_assert_int_eq(rig_try_put(&rig, 4096, ZS_NORMAL, 1 << 20,
				     &handles[MAX_HANDLES - 1]),
			 0);
	ck_assert_uint_gt(nr_taken, 1000);
	rig_assert_sound(&rig);
}
END_TEST

/* --- the kernel has a part ------------------------------------------------ */

/* Take a page of the arena's addresses away: the kernel has none for it. */
static void make_hole(uint32_t page)
{
	ck_assert_int_eq(munmap(zs_page_address(&rig.pool->arena, page),
				ZSD_PAGE_BYTES),
			 0);
}

static void mend_hole(uint32_t page)
{
	unsigned char *at = zs_page_address(&rig.pool->arena, page);

	ck_assert_ptr_eq(mmap(at, ZSD_PAGE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, rig.map.fd,
			      at - rig.map.base),
			 at);
}

/* Of the first 64 pages that are asked for, 60 come: they are used. */
START_TEST(a_part_of_what_was_asked_for_is_used)
{
	uint32_t nr = 0;
	int err;

	make_hole(60);
	while ((err = rig_try_put(&rig, 4096, ZS_NORMAL, nr, &handles[nr])) ==
	       0)
		quiet_assert(++nr < 100);
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_uint_eq(nr, 60);
	ck_assert_uint_eq(rig_accounted_bytes(&rig), rig_resident_bytes(&rig));
	mend_hole(60);
	for (; nr < 200; nr++)
		handles[nr] = rig_put(&rig, 4096, nr);
	rig_assert_sound(&rig);
	for (uint32_t i = 0; i < nr; i++)
		rig_assert_holds(&rig, handles[i], 4096, i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsmalloc/commit");
	TCase *tc = tcase_create("commit");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, who_comes_late_describes_more);
	tcase_add_loop_test(tc, what_is_being_committed_is_counted, 0, 40);
	tcase_add_test(tc, a_part_of_what_was_asked_for_is_used);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

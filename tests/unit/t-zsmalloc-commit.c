/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens where the kernel has only a part of the memory that it is asked
 * for.
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

static void open_pool(bool has_tags)
{
	struct zs_pool_params params = RIG_PARAMS;

	params.has_tags = has_tags;
	rig_open(&rig, &params);
}

static void setup(void)
{
	open_pool(false);
}

static void teardown(void)
{
	rig_close(&rig);
}

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
	tcase_add_test(tc, a_part_of_what_was_asked_for_is_used);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

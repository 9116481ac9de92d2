/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must stop the process: going on would give one page's bytes to
 * another. Each case dies in a process of its own, so that this program does
 * not work with CK_FORK=no.
 */
#include "config.h"

#include <signal.h>

#include "base/check.h"
#include "pool_rig.h"
#include "suite.h"

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

START_TEST(freeing_twice)
{
	zs_handle handle = rig_put(&rig, 100, 1);

	rig_put(&rig, 100, 2); /* the zspage stays */
	zs_free(rig.pool, handle);
	zs_free(rig.pool, handle);
}
END_TEST

START_TEST(freeing_twice_with_the_zspage_gone)
{
	zs_handle handle = rig_put(&rig, 100, 1);

	zs_free(rig.pool, handle);
	zs_free(rig.pool, handle);
}
END_TEST

START_TEST(freeing_a_huge_object_twice)
{
	zs_handle handle = rig_put(&rig, 4096, 1);

	zs_free(rig.pool, handle);
	zs_free(rig.pool, handle);
}
END_TEST

START_TEST(freeing_no_handle)
{
	rig_put(&rig, 100, 1);
	zs_free(rig.pool, ZS_HANDLE_NONE);
}
END_TEST

/* Handles of which there are none, nor can be for now. */
static const zs_handle strange_handles[] = {
	(1 << 16) + 40000,
	1 << 24,
	UINT32_MAX / 2,
	UINT32_MAX,
};

START_TEST(freeing_a_strange_handle)
{
	rig_put(&rig, 100, 1);
	zs_free(rig.pool, strange_handles[_i]);
}
END_TEST

START_TEST(ending_a_read_that_did_not_begin)
{
	zs_handle handle = rig_put(&rig, 100, 1);

	zs_obj_read_end(rig.pool, handle);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsmalloc/death");
	TCase *tc = tcase_create("death");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test_raise_signal(tc, freeing_twice, SIGABRT);
	tcase_add_test_raise_signal(tc, freeing_twice_with_the_zspage_gone,
				    SIGABRT);
	tcase_add_test_raise_signal(tc, freeing_a_huge_object_twice, SIGABRT);
	tcase_add_test_raise_signal(tc, freeing_no_handle, SIGABRT);
	tcase_add_loop_test_raise_signal(tc, freeing_a_strange_handle, SIGABRT,
					 0, (int)ARRAY_SIZE(strange_handles));
	if (ZSD_CHECKS >= 1)
		tcase_add_test_raise_signal(
			tc, ending_a_read_that_did_not_begin, SIGABRT);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

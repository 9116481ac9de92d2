/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tags: 32 bits that stay with an object however it moves, and cost nothing
 * where nobody wants them.
 */
#include "config.h"

#include <stdlib.h>

#include "pool_rig.h"
#include "quiet.h"
#include "suite.h"

/* More than one piece of the table is committed for. */
#define NR_OBJECTS 20000u

static struct pool_rig rig;
static zs_handle handles[NR_OBJECTS];

static void open_pool(bool has_tags)
{
	struct zs_pool_params params = RIG_PARAMS;

	params.has_tags = has_tags;
	rig_open(&rig, &params);
}

/* Of any class, huge ones among them. */
static size_t object_bytes(unsigned i)
{
	return 1 + i * 37u % ZS_MAX_OBJ_BYTES;
}

static void put_all(void)
{
	for (unsigned i = 0; i < NR_OBJECTS; i++)
		handles[i] = rig_put(&rig, object_bytes(i), i);
}

START_TEST(each_object_keeps_its_own)
{
	open_pool(true);
	put_all();
	for (unsigned i = 0; i < NR_OBJECTS; i++)
		quiet_assert(zs_obj_tag(rig.pool, handles[i]) == rig_tag(i));
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

START_TEST(they_stay_when_objects_move)
{
	struct zs_compacted done;

	open_pool(true);
	put_all();
	for (unsigned i = 0; i < NR_OBJECTS; i++) {
		if (i % 4)
			zs_free(rig.pool, handles[i]);
	}
	zs_compact(rig.pool, &done);
	ck_assert_uint_gt(done.moved_objs, 0);
	for (unsigned i = 0; i < NR_OBJECTS; i += 4) {
		quiet_assert(zs_obj_tag(rig.pool, handles[i]) == rig_tag(i));
		rig_assert_holds(&rig, handles[i], object_bytes(i), i);
	}
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* 4 bytes a handle, in the pieces that handles are committed in. */
START_TEST(they_cost_what_they_must)
{
	uint64_t plain, tagged;

	open_pool(false);
	put_all();
	plain = rig_stats(&rig).metadata_bytes;
	ck_assert_uint_eq(rig_accounted_bytes(&rig), rig_resident_bytes(&rig));
	rig_close(&rig);

	open_pool(true);
	put_all();
	tagged = rig_stats(&rig).metadata_bytes;
	ck_assert_uint_eq(rig_accounted_bytes(&rig), rig_resident_bytes(&rig));
	ck_assert_uint_ge(tagged - plain, 4 * (uint64_t)NR_OBJECTS);
	ck_assert_uint_le(tagged - plain, 4 * (uint64_t)NR_OBJECTS + 16 * KIB);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zsmalloc/tags");
	TCase *tc = tcase_create("tags");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_object_keeps_its_own);
	tcase_add_test(tc, they_stay_when_objects_move);
	tcase_add_test(tc, they_cost_what_they_must);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

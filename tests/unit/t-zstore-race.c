/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Races, step by step: what another thread might do between two steps of a
 * read is done there, at the call by which the read pins its object.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "model/own_ctx.h"
#include "quiet.h"
#include "store_rig.h"
#include "suite.h"

static struct store_rig rig;
static struct zstore_ctx *other; /* the other thread's */

static struct {
	void (*before)(void); /* the object is pinned */
	void (*after)(void); /* it was, or was found dead */
	int result; /* of the pinning that they surround */
} script;

/* The linker's names: what is called instead, and what would have been. */
int __wrap_zs_obj_read_begin(struct zs_pool *pool, zs_handle handle,
			     size_t bytes, void *local_copy, const void **out);
int __real_zs_obj_read_begin(struct zs_pool *pool, zs_handle handle,
			     size_t bytes, void *local_copy, const void **out);

int __wrap_zs_obj_read_begin(struct zs_pool *pool, zs_handle handle,
			     size_t bytes, void *local_copy, const void **out)
{
	void (*before)(void) = script.before;
	void (*after)(void) = script.after;
	int err;

	script.before = NULL; /* once */
	script.after = NULL;
	if (before)
		before();
	err = __real_zs_obj_read_begin(pool, handle, bytes, local_copy, out);
	if (after) {
		script.result = err;
		after();
	}
	return err;
}

static void setup(void)
{
	struct zstore_params params = rig_params("lz4");

	rig_open(&rig, &params);
	ck_assert_int_eq(own_ctx_create(rig.store, &other), 0);
	script.before = NULL;
	script.after = NULL;
	script.result = 1;
}

static void teardown(void)
{
	own_ctx_destroy(other);
	rig_close(&rig);
}

/* By the other thread: page 0 anew, of the same kind and length as ever. */
static void overwrite(void)
{
	unsigned char page[ZSD_PAGE_BYTES];

	model_page_fill(&rig.rng, MODEL_PAGE_RANDOM, page);
	quiet_assert(zstore_write(other, 0, sizeof(page), page) == 0);
	memcpy(rig.flat, page, sizeof(page));
}

static void trim(void)
{
	zstore_trim(other, 0, ZSD_PAGE_BYTES);
	memset(rig.flat, 0, ZSD_PAGE_BYTES);
	rig.is_stored[0] = false;
}

/*
 * The page is written twice while it is read: its object is dead when it is
 * to be pinned, and when the reader looks again the slot says what it said,
 * since the second write got the handle that the first one freed. The page is
 * not lost, and it is what the last write made it.
 */
START_TEST(a_slot_that_is_the_same_again)
{
	rig_write_page(&rig, 0, MODEL_PAGE_RANDOM);
	script.before = overwrite;
	script.after = overwrite;
	rig_assert_range(&rig, 0, ZSD_PAGE_BYTES);
	ck_assert_int_lt(script.result, 0); /* it was dead */
	rig_assert_sound(&rig);
}
END_TEST

/* Written once: the reader starts over. */
START_TEST(a_slot_that_changed)
{
	rig_write_page(&rig, 0, MODEL_PAGE_RANDOM);
	script.before = overwrite;
	rig_assert_range(&rig, 0, ZSD_PAGE_BYTES);
	rig_assert_sound(&rig);
}
END_TEST

START_TEST(a_page_that_went_away)
{
	rig_write_page(&rig, 0, MODEL_PAGE_RANDOM);
	script.before = trim;
	rig_assert_range(&rig, 0, ZSD_PAGE_BYTES);
	rig_assert_sound(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/race");
	TCase *tc = tcase_create("reads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_slot_that_is_the_same_again);
	tcase_add_test(tc, a_slot_that_changed);
	tcase_add_test(tc, a_page_that_went_away);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

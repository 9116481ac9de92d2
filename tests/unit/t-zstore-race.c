/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Races, step by step: what another thread might do between two steps of a
 * read is done there, at the call by which the read pins its object, or at the
 * one by which it decompresses what it has.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "dict_rig.h"
#include "model/behind.h"
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
	void (*unpacking)(void); /* the page is about to be decompressed */
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

int __wrap_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes);
int __real_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes);

int __wrap_zcomp_decompress(struct zcomp_ctx *ctx,
			    const struct zcomp_dict *dict, const void *src,
			    size_t src_bytes, void *dst, size_t dst_bytes)
{
	void (*unpacking)(void) = script.unpacking;

	script.unpacking = NULL;
	if (unpacking)
		unpacking();
	return __real_zcomp_decompress(ctx, dict, src, src_bytes, dst,
				       dst_bytes);
}

static void open_rig(const struct zstore_params *params)
{
	rig_open(&rig, params);
	ck_assert_int_eq(own_ctx_create(rig.store, &other), 0);
	memset(&script, 0, sizeof(script));
	script.result = 1;
}

static void setup(void)
{
	struct zstore_params params = rig_params("lz4");

	open_rig(&params);
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

/* --- pages in a backing ---------------------------------------------------- */

#define NR_DICTS 3u

static struct behind behind;
static unsigned char dicts[NR_DICTS][ZCOMP_DICT_MIN_BYTES * 8];
static size_t dict_bytes[NR_DICTS];

static void setup_behind(void)
{
	struct zstore_params params = rig_params("zstd:1");

	behind_init(&behind, 10);
	params.backing = behind_backing(&behind);
	for (unsigned i = 0; i < NR_DICTS; i++)
		dict_bytes[i] = rig_train(&params.zcomp, i + 1, dicts[i],
					  sizeof(dicts[i]));
	open_rig(&params);
}

static void teardown_behind(void)
{
	teardown();
	behind_fini(&behind);
}

static unsigned add_dict(unsigned which)
{
	unsigned number = 0;

	quiet_assert(zstore_dict_add(rig.store, ZSTORE_PRIMARY, dicts[which],
				     dict_bytes[which], &number) == 0);
	return number;
}

static void write_out(void)
{
	const struct zstore_writeback how = {.since_s = UINT32_MAX};
	struct zstore_writing at = {0};

	ck_assert_int_eq(behind_write_out(&behind, rig.ctx, &how, &at, 100), 0);
	ck_assert_uint_gt(at.nr_done, 0);
}

static unsigned in_use; /* number of the dictionary that is being read with */

/* The last page that needs it goes, and another one is to take its place. */
static void let_go_of_dict(void)
{
	overwrite();
	quiet_assert(add_dict(2) != in_use);
}

/* A dictionary stays as long as somebody reads a page with it, though the page
 * is no object that could be pinned. */
START_TEST(a_dictionary_that_nothing_needs_any_more)
{
	in_use = add_dict(0);
	rig_write_page(&rig, 0, MODEL_PAGE_TEXT);
	write_out();
	(void)add_dict(1);
	rig_write_page(&rig, 1, MODEL_PAGE_TEXT);
	script.unpacking = let_go_of_dict;
	rig_assert_range(&rig, 0, ZSD_PAGE_BYTES);
	ck_assert_ptr_null(script.unpacking);
	/* And no longer. */
	ck_assert_uint_eq(add_dict(0), in_use);
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
	tc = tcase_create("backing");
	tcase_add_checked_fixture(tc, setup_behind, teardown_behind);
	tcase_add_test(tc, a_dictionary_that_nothing_needs_any_more);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

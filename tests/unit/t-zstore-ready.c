/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a store takes to recompress is there while somebody does, and no longer.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "dict_rig.h"
#include "image_rig.h"
#include "model/own_ctx.h"
#include "store_rig.h"
#include "suite.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"

#define NR_PAGES 40u

/* Of the models, tables and all. */
#define TABLES_BYTES (200 * KIB)

static struct store_rig rig;
static struct zstore_recompressing at;

/* What the codec says when it is to get ready; the linker has this called. */
static int refusal;

int __wrap_zcomp_dict_ready(struct zcomp_dict *dict);
int __real_zcomp_dict_ready(struct zcomp_dict *dict);

int __wrap_zcomp_dict_ready(struct zcomp_dict *dict)
{
	return refusal ? refusal : __real_zcomp_dict_ready(dict);
}

/* --- rig ------------------------------------------------------------------- */

/* Train on the pages of @seed. Return: the number. */
static unsigned add(enum zstore_codec codec, uint64_t seed)
{
	static unsigned char bytes[ZCOMP_DICT_MAX_BYTES];
	size_t n = rig_train(zstore_codec(rig.store, codec), seed, bytes,
			     sizeof(bytes));
	unsigned number;

	ck_assert_int_eq(zstore_dict_add(rig.store, codec, bytes, n, &number),
			 0);
	return number;
}

static void setup_with(const char *algorithm, const char *recompress,
		       uint64_t limit)
{
	struct zstore_params params = rig_params(algorithm);

	ck_assert_int_eq(zcomp_parse(recompress, &params.recomp), 0);
	params.mem_limit_bytes = limit;
	rig_open(&rig, &params);
	at = (struct zstore_recompressing){0};
	refusal = 0;
	for (unsigned i = 0; i < NR_PAGES; i++)
		rig_write_page(&rig, i, MODEL_PAGE_TEXT);
	ck_assert_uint_eq(add(ZSTORE_SECONDARY, 1), 1);
}

static void setup(void)
{
	setup_with("lz4", "plz", 0);
}

static void teardown(void)
{
	rig_assert_sound(&rig);
	rig_close(&rig);
}

static uint64_t metadata(void)
{
	return rig_stats(&rig).metadata_bytes;
}

static uint64_t memory_of(unsigned number)
{
	struct zstore_dict_info info = {0};

	ck_assert(zstore_dict_info(rig.store, number, &info));
	return info.memory_bytes;
}

/* Go on up to the next page. */
static int step(struct zstore_ctx *ctx)
{
	const struct zstore_recompress how = {.since_s = UINT32_MAX,
					      .again = true};
	const uint64_t before = at.nr_tried;
	int more;

	do {
		more = zstore_recompress(ctx, &how, &at, 100);
	} while (more == 1 && at.nr_tried == before);
	return more;
}

/* --- tests ----------------------------------------------------------------- */

START_TEST(tables_are_there_only_meanwhile)
{
	const uint64_t before = metadata();

	ck_assert_int_eq(step(rig.ctx), 1);
	ck_assert_uint_gt(metadata(), before + TABLES_BYTES);
	ck_assert_uint_gt(memory_of(1), TABLES_BYTES);
	ck_assert_int_eq(step(rig.ctx), 1); /* with the same */
	zstore_recompress_end(rig.ctx);
	zstore_recompress_end(rig.ctx);
	ck_assert_uint_eq(metadata(), before);
	rig_assert_sound(&rig);
	ck_assert_int_eq(step(rig.ctx), 1); /* and anew */
	ck_assert_uint_gt(metadata(), before + TABLES_BYTES);
	zstore_recompress_end(rig.ctx);
	ck_assert_uint_eq(metadata(), before);
	ck_assert_uint_eq(at.nr_tried, 3);
	ck_assert_uint_eq(at.nr_done, 3);
}
END_TEST

START_TEST(zstds_too)
{
	uint64_t before;

	rig_close(&rig);
	setup_with("lz4", "zstd", 0);
	before = metadata();
	ck_assert_int_eq(step(rig.ctx), 1);
	ck_assert_uint_gt(metadata(), before);
	zstore_recompress_end(rig.ctx);
	ck_assert_uint_eq(metadata(), before);
}
END_TEST

START_TEST(who_still_recompresses_keeps_them)
{
	const uint64_t before = metadata();
	struct zstore_ctx *other;

	ck_assert_int_eq(own_ctx_create(rig.store, &other), 0);
	ck_assert_int_eq(step(rig.ctx), 1);
	ck_assert_int_eq(step(other), 1);
	zstore_recompress_end(rig.ctx);
	ck_assert_uint_gt(metadata(), before + TABLES_BYTES);
	ck_assert_int_eq(step(other), 1);
	own_ctx_destroy(other); /* without an end */
	ck_assert_uint_eq(metadata(), before);
	ck_assert_uint_eq(at.nr_done, 3);
}
END_TEST

/* A context goes on with the new one, and lets go of the old one's then. */
START_TEST(a_new_dictionary_takes_the_place_of_the_old_one)
{
	ck_assert_int_eq(step(rig.ctx), 1);
	ck_assert_uint_eq(add(ZSTORE_SECONDARY, 2), 2);
	ck_assert_uint_gt(memory_of(1), TABLES_BYTES);
	ck_assert_uint_lt(memory_of(2), TABLES_BYTES);
	ck_assert_int_eq(step(rig.ctx), 1);
	ck_assert_uint_lt(memory_of(1), TABLES_BYTES);
	ck_assert_uint_gt(memory_of(2), TABLES_BYTES);
	zstore_recompress_end(rig.ctx);
	ck_assert_uint_lt(memory_of(2), TABLES_BYTES);
}
END_TEST

/* Nobody stored with it, but it is ready: its number is not used again. */
START_TEST(one_that_is_ready_does_not_go)
{
	ck_assert_int_eq(zstore_ctx_ready(rig.ctx), 0);
	ck_assert_uint_eq(add(ZSTORE_SECONDARY, 2), 2);
	ck_assert_uint_eq(zstore_ctx_dict(rig.ctx, ZSTORE_SECONDARY), 2);
	ck_assert_uint_eq(add(ZSTORE_SECONDARY, 3), 3);
	zstore_recompress_end(rig.ctx);
	ck_assert_int_eq(zstore_ctx_ready(rig.ctx), 0);
	ck_assert_uint_eq(add(ZSTORE_SECONDARY, 4), 1);
}
END_TEST

START_TEST(no_memory_for_them_is_told)
{
	const uint64_t before = metadata();

	refusal = -ENOMEM;
	ck_assert_int_eq(step(rig.ctx), -ENOMEM);
	ck_assert_int_eq(step(rig.ctx), -ENOMEM);
	ck_assert_uint_eq(metadata(), before);
	refusal = 0;
	while (step(rig.ctx) == 1)
		;
	ck_assert_uint_eq(at.nr_done, NR_PAGES);
	zstore_recompress_end(rig.ctx);
}
END_TEST

/* As much is free as a model takes, less than its tables do. */
START_TEST(no_room_for_them_is_told)
{
	uint64_t used;

	rig_close(&rig);
	setup_with("lz4", "plz", 64 * MIB);
	used = rig_stats(&rig).mem_used_total + metadata();
	zs_pool_set_limit(rig.store->pool, used + 64 * KIB);
	ck_assert_int_eq(step(rig.ctx), -ENOSPC);
	zs_pool_set_limit(rig.store->pool, used + MIB);
	while (step(rig.ctx) == 1)
		;
	ck_assert_uint_eq(at.nr_done, NR_PAGES);
	zstore_recompress_end(rig.ctx);
}
END_TEST

START_TEST(a_damaged_one_is_told)
{
	unsigned char row[30] = {0}, sound[30];
	const void *bytes;
	size_t n;
	off_t home;

	bytes = zstore_dict_bytes(rig.store, ZSTORE_SECONDARY, &n);
	home = rig_find_in_image(bytes, n) + 32;
	rig_get_from_image(home, sound, sizeof(sound));
	rig_put_in_image(home, row, sizeof(row));
	ck_assert_int_eq(step(rig.ctx), -EIO);
	ck_assert_uint_eq(at.nr_tried, 0);
	rig_put_in_image(home, sound, sizeof(sound));
	ck_assert_int_eq(step(rig.ctx), 1);
	zstore_recompress_end(rig.ctx);
}
END_TEST

/* Who writes cannot wait for them. */
START_TEST(the_primary_codecs_are_always_there)
{
	uint64_t before;

	rig_close(&rig);
	setup_with("plz", "zstd", 0);
	before = metadata();
	ck_assert_uint_eq(add(ZSTORE_PRIMARY, 2), 2);
	ck_assert_uint_gt(memory_of(2), TABLES_BYTES);
	ck_assert_uint_eq(metadata(), before + memory_of(2));
	rig_write_page(&rig, NR_PAGES, MODEL_PAGE_TEXT);
	ck_assert_int_eq(step(rig.ctx), 1);
	zstore_recompress_end(rig.ctx);
	rig_write_page(&rig, NR_PAGES + 1, MODEL_PAGE_TEXT);
	ck_assert_uint_gt(memory_of(2), TABLES_BYTES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/ready");
	TCase *tc = tcase_create("recompression");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, tables_are_there_only_meanwhile);
	tcase_add_test(tc, zstds_too);
	tcase_add_test(tc, who_still_recompresses_keeps_them);
	tcase_add_test(tc, a_new_dictionary_takes_the_place_of_the_old_one);
	tcase_add_test(tc, one_that_is_ready_does_not_go);
	tcase_add_test(tc, no_memory_for_them_is_told);
	tcase_add_test(tc, no_room_for_them_is_told);
	tcase_add_test(tc, a_damaged_one_is_told);
	tcase_add_test(tc, the_primary_codecs_are_always_there);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

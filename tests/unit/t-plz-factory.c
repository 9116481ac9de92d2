/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model that comes with zsd: it is one, and is of use.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "model/model.h"
#include "plz_factory/plz_factory.h"
#include "plz_rig.h"
#include "quiet.h"
#include "suite.h"
#include "zcomp/zcomp.h"

static struct plz_model *factory;
static struct plz_workspace *work;

static void setup(void)
{
	size_t bytes;
	const void *model = plz_factory_model(&bytes);

	ck_assert_int_eq(plz_model_load(model, bytes, &factory), 0);
	ck_assert_int_eq(plz_model_ready(factory), 0);
	work = rig_workspace(PLZ_TO_STORE);
}

static void teardown(void)
{
	free(work);
	plz_model_free(factory);
}

START_TEST(pages_of_all_kinds_come_back)
{
	unsigned char *pages = rig_pages(7, 20 * MODEL_NR_PAGE_KINDS);

	for (unsigned i = 0; i < 20 * MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;

		rig_round_trip(factory, PLZ_FAST, work, page);
		rig_round_trip(factory, PLZ_OPTIMAL, work, page);
	}
	free(pages);
}
END_TEST

/* Words of memory: pointers into one heap, small numbers, a name. */
static void fill_records(uint64_t seed, unsigned char *page)
{
	struct model_rng rng;

	model_rng_init(&rng, seed);
	memset(page, 0, ZSD_PAGE_BYTES);
	for (size_t at = 0; at < ZSD_PAGE_BYTES; at += 32) {
		uint64_t pointer = 0x55d0c0000000 + at * 32;
		uint32_t number;

		model_rng_fill(&rng, (unsigned char *)&number, sizeof(number));
		number %= 4096;
		pointer += number * (uint64_t)16;
		memcpy(page + at, &pointer, sizeof(pointer));
		memcpy(page + at + 8, &number, sizeof(number));
		memcpy(page + at + 16, "name", 4);
	}
}

static size_t zcomp_bytes(const char *name, const void *model,
			  size_t model_bytes, const unsigned char *page)
{
	unsigned char packed[2 * ZSD_PAGE_BYTES], back[ZSD_PAGE_BYTES];
	struct zcomp_dict *dict = NULL;
	struct zcomp_params params;
	struct zcomp_ctx *ctx;
	size_t bytes = 0;

	ck_assert_int_eq(zcomp_parse(name, &params), 0);
	ck_assert_int_eq(zcomp_ctx_create(&params, ZSD_PAGE_BYTES, &ctx), 0);
	if (model)
		ck_assert_int_eq(zcomp_dict_create(&params, ZSD_PAGE_BYTES,
						   model, model_bytes, &dict),
				 0);
	ck_assert_int_eq(zcomp_compress(ctx, dict, page, ZSD_PAGE_BYTES, packed,
					sizeof(packed), &bytes),
			 0);
	ck_assert_int_eq(zcomp_decompress(ctx, dict, packed, bytes, back,
					  sizeof(back)),
			 0);
	ck_assert_mem_eq(back, page, sizeof(back));
	zcomp_dict_destroy(dict);
	zcomp_ctx_destroy(ctx);
	return bytes;
}

START_TEST(a_store_may_have_it_and_becomes_denser)
{
	size_t model_bytes, with = 0, without = 0;
	const void *model = plz_factory_model(&model_bytes);
	unsigned char page[ZSD_PAGE_BYTES];

	ck_assert_uint_ge(model_bytes, ZCOMP_DICT_MIN_BYTES);
	ck_assert_uint_le(model_bytes, ZCOMP_DICT_MAX_BYTES);
	for (uint64_t seed = 0; seed < 16; seed++) {
		fill_records(seed, page);
		with += zcomp_bytes("plz", model, model_bytes, page);
		without += zcomp_bytes("plz", NULL, 0, page);
	}
	ck_assert_uint_lt(with, without);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plz-factory");
	TCase *tcase = tcase_create("model");

	tcase_set_timeout(tcase, 300);
	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, pages_of_all_kinds_come_back);
	tcase_add_test(tcase, a_store_may_have_it_and_becomes_denser);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

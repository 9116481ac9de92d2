/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "dict_rig.h"
#include "model/model.h"
#include "quiet.h"
#include "suite.h"
#include "zcomp/zcomp.h"

#define DICT_BYTES (8 * (size_t)KIB)
#define NR_SAMPLES 256u

/* Room that no page grows out of, bytes. */
#define ROOM_BYTES (2 * (size_t)ZSD_PAGE_BYTES)

/* Where zstd changes its strategy for pages, with dictionaries and without. */
static const char *const levels[] = {
	"zstd:-7", "zstd:-1", "zstd:1",	 "zstd:2",  "zstd:3",  "zstd:4",
	"zstd:5",  "zstd:6",  "zstd:7",	 "zstd:8",  "zstd:9",  "zstd:10",
	"zstd:11", "zstd:12", "zstd:13", "zstd:15", "zstd:18", "zstd:22",
};

static const size_t dict_sizes[] = {ZCOMP_DICT_MIN_BYTES, 1000, 8 * KIB,
				    32 * KIB, ZCOMP_DICT_MAX_BYTES};

static struct zcomp_params params_of(const char *name)
{
	struct zcomp_params params;

	ck_assert_int_eq(zcomp_parse(name, &params), 0);
	return params;
}

static struct zcomp_ctx *ctx_of(const struct zcomp_params *params)
{
	struct zcomp_ctx *ctx;

	ck_assert_int_eq(zcomp_ctx_create(params, ZSD_PAGE_BYTES, &ctx), 0);
	return ctx;
}

static struct zcomp_dict *dict_of(const struct zcomp_params *params,
				  const void *bytes, size_t nr_bytes)
{
	struct zcomp_dict *dict;

	ck_assert_int_eq(zcomp_dict_create(params, ZSD_PAGE_BYTES, bytes,
					   nr_bytes, &dict),
			 0);
	return dict;
}

/* Return: the compressed length. */
static size_t round_trip(struct zcomp_ctx *ctx, const struct zcomp_dict *dict,
			 const unsigned char *page)
{
	unsigned char packed[ROOM_BYTES], back[ZSD_PAGE_BYTES];
	size_t bytes = 0;

	quiet_assert(zcomp_compress(ctx, dict, page, ZSD_PAGE_BYTES, packed,
				    sizeof(packed), &bytes) == 0);
	quiet_assert(zcomp_decompress(ctx, dict, packed, bytes, back,
				      sizeof(back)) == 0);
	quiet_assert(memcmp(back, page, sizeof(back)) == 0);
	return bytes;
}

/* --- round trips ---------------------------------------------------------- */

/* At each level the contexts' fixed memory must do, whatever the dictionary. */
START_TEST(every_level_takes_every_dictionary)
{
	const struct zcomp_params params = params_of(levels[_i]);
	static unsigned char bytes[ZCOMP_DICT_MAX_BYTES];
	struct zcomp_ctx *ctx = ctx_of(&params);
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;

	model_rng_init(&rng, (uint64_t)_i);
	for (size_t i = 0; i < ARRAY_SIZE(dict_sizes); i++) {
		size_t n = rig_train(&params, 1, bytes, dict_sizes[i]);
		struct zcomp_dict *dict = dict_of(&params, bytes, n);

		for (unsigned j = 0; j < 4 * MODEL_NR_PAGE_KINDS; j++) {
			model_page_fill(&rng, (enum model_page)(j / 4), page);
			round_trip(ctx, dict, page);
		}
		zcomp_dict_destroy(dict);
	}
	zcomp_ctx_destroy(ctx);
}
END_TEST

/* Two dictionaries and none, in any order, after failures too. */
START_TEST(one_context_uses_several)
{
	const struct zcomp_params params = params_of("zstd");
	static unsigned char bytes[2][DICT_BYTES];
	unsigned char page[ZSD_PAGE_BYTES], packed[ZSD_PAGE_BYTES];
	struct zcomp_ctx *ctx = ctx_of(&params);
	struct zcomp_dict *dicts[3] = {NULL};
	unsigned nr_failed = 0;
	struct model_rng rng;

	for (unsigned i = 0; i < 2; i++)
		dicts[i] = dict_of(&params, bytes[i],
				   rig_train(&params, i, bytes[i], DICT_BYTES));
	model_rng_init(&rng, 3);
	for (unsigned i = 0; i < 2000; i++) {
		const struct zcomp_dict *dict = dicts[model_rng_below(&rng, 3)];
		size_t n;

		model_page_fill(&rng, model_page_kind(&rng), page);
		if (zcomp_compress(ctx, dict, page, sizeof(page), packed, 100,
				   &n))
			nr_failed++;
		if (model_rng_one_in(&rng, 2))
			round_trip(ctx, dict, page);
	}
	ck_assert_uint_gt(nr_failed, 0);
	zcomp_dict_destroy(dicts[0]);
	zcomp_dict_destroy(dicts[1]);
	zcomp_ctx_destroy(ctx);
}
END_TEST

static const char *const resting[] = {"zstd", "plz"};

/* One that rests decompresses, and made ready it compresses as before; also for
 * a context that last used it before it rested. */
START_TEST(one_that_rests_decompresses)
{
	const struct zcomp_params params = params_of(resting[_i]);
	static unsigned char bytes[ZCOMP_DICT_MAX_BYTES];
	struct zcomp_dict *dict = dict_of(
		&params, bytes, rig_train(&params, 1, bytes, sizeof(bytes)));
	unsigned char packed[2][ZSD_PAGE_BYTES], back[ZSD_PAGE_BYTES];
	unsigned char *page = rig_sample_pages(98, 1);
	struct zcomp_ctx *ctx = ctx_of(&params);
	size_t n[2];

	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(zcomp_dict_ready(dict), 0);
		ck_assert_int_eq(zcomp_compress(ctx, dict, page, sizeof(back),
						packed[i], sizeof(packed[i]),
						&n[i]),
				 0);
		zcomp_dict_rest(dict);
		zcomp_dict_rest(dict);
		ck_assert_int_eq(zcomp_decompress(ctx, dict, packed[i], n[i],
						  back, sizeof(back)),
				 0);
		ck_assert_mem_eq(back, page, sizeof(back));
		round_trip(ctx, NULL, page);
	}
	ck_assert_uint_eq(n[0], n[1]);
	ck_assert_mem_eq(packed[0], packed[1], n[0]);
	zcomp_ctx_destroy(ctx);
	zcomp_dict_destroy(dict);
	free(page);
}
END_TEST

START_TEST(pages_not_trained_on_become_shorter)
{
	const struct zcomp_params params = params_of("zstd");
	unsigned char *pages = rig_sample_pages(99, NR_SAMPLES);
	static unsigned char bytes[DICT_BYTES];
	struct zcomp_dict *dict = dict_of(
		&params, bytes, rig_train(&params, 1, bytes, sizeof(bytes)));
	struct zcomp_ctx *ctx = ctx_of(&params);
	size_t with = 0, without = 0;

	for (unsigned i = 0; i < NR_SAMPLES; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;

		with += round_trip(ctx, dict, page);
		without += round_trip(ctx, NULL, page);
	}
	ck_assert_uint_lt(with, without);
	ck_assert_uint_gt(zcomp_dict_memory(&params, ZCOMP_TO_COMPRESS,
					    ZSD_PAGE_BYTES, sizeof(bytes)),
			  0);
	zcomp_ctx_destroy(ctx);
	zcomp_dict_destroy(dict);
	free(pages);
}
END_TEST

START_TEST(training_twice_gives_the_same)
{
	const struct zcomp_params params = params_of("zstd");
	static unsigned char a[DICT_BYTES], b[DICT_BYTES];
	size_t n = rig_train(&params, 1, a, sizeof(a));

	ck_assert_uint_eq(rig_train(&params, 1, b, sizeof(b)), n);
	ck_assert_mem_eq(a, b, n);
}
END_TEST

/* --- what is refused ------------------------------------------------------ */

START_TEST(lz4_has_none)
{
	const struct zcomp_params params = params_of("lz4");
	static unsigned char bytes[DICT_BYTES];
	struct zcomp_dict *dict = NULL;
	size_t n;

	ck_assert(!zcomp_has_dicts(&params));
	ck_assert_int_eq(zcomp_dict_create(&params, ZSD_PAGE_BYTES, bytes,
					   sizeof(bytes), &dict),
			 -EOPNOTSUPP);
	ck_assert_ptr_null(dict);
	ck_assert_int_eq(zcomp_train(&params, bytes, 2, ZSD_PAGE_BYTES, bytes,
				     sizeof(bytes), &n),
			 -EOPNOTSUPP);
}
END_TEST

START_TEST(lengths_have_bounds)
{
	const struct zcomp_params params = params_of("zstd");
	static unsigned char bytes[ZCOMP_DICT_MAX_BYTES + 1];
	const size_t bad[] = {0, ZCOMP_DICT_MIN_BYTES - 1,
			      ZCOMP_DICT_MAX_BYTES + 1};
	struct zcomp_dict *dict;
	size_t n;

	ck_assert(zcomp_has_dicts(&params));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(zcomp_dict_create(&params, ZSD_PAGE_BYTES,
						   bytes, bad[i], &dict),
				 -EMSGSIZE);
		ck_assert_int_eq(zcomp_train(&params, bytes, 16, ZSD_PAGE_BYTES,
					     bytes, bad[i], &n),
				 -EMSGSIZE);
	}
}
END_TEST

START_TEST(too_little_to_learn_is_einval)
{
	const struct zcomp_params params = params_of("zstd");
	static unsigned char bytes[DICT_BYTES];
	unsigned char page[ZSD_PAGE_BYTES] = {0};
	size_t n;

	ck_assert_int_eq(zcomp_train(&params, page, 1, sizeof(page), bytes,
				     sizeof(bytes), &n),
			 -EINVAL);
	ck_assert_int_eq(zcomp_train(&params, page, 0, sizeof(page), bytes,
				     sizeof(bytes), &n),
			 -EINVAL);
}
END_TEST

/* No dictionary at all: text, zeros, noise, and one cut short at its head. */
START_TEST(other_bytes_are_einval)
{
	const struct zcomp_params params = params_of("zstd");
	static unsigned char bytes[DICT_BYTES], good[DICT_BYTES];
	struct zcomp_dict *dict = NULL;
	struct model_rng rng;

	ck_assert_int_eq(zcomp_dict_create(&params, ZSD_PAGE_BYTES, bytes,
					   sizeof(bytes), &dict),
			 -EINVAL);
	model_rng_init(&rng, 1);
	model_rng_fill(&rng, bytes, sizeof(bytes));
	ck_assert_int_eq(zcomp_dict_create(&params, ZSD_PAGE_BYTES, bytes,
					   sizeof(bytes), &dict),
			 -EINVAL);
	rig_train(&params, 1, good, sizeof(good));
	memcpy(bytes, good, 8); /* magic number and id; then noise */
	ck_assert_int_eq(zcomp_dict_create(&params, ZSD_PAGE_BYTES, bytes,
					   sizeof(bytes), &dict),
			 -EINVAL);
	ck_assert_ptr_null(dict);
}
END_TEST

/* --- damage --------------------------------------------------------------- */

/* Flip bits in a dictionary: it is refused, or it still gives back what was
 * compressed with it. */
START_TEST(damaged_dictionaries_do_no_harm)
{
	const struct zcomp_params params = params_of("zstd");
	static unsigned char good[DICT_BYTES], bytes[DICT_BYTES];
	size_t n = rig_train(&params, 1, good, sizeof(good));
	unsigned char *pages = rig_sample_pages(2, 8);
	struct zcomp_ctx *ctx = ctx_of(&params);
	unsigned nr_refused = 0;
	struct model_rng rng;

	model_rng_init(&rng, 5);
	for (unsigned i = 0; i < 1000; i++) {
		struct zcomp_dict *dict;

		memcpy(bytes, good, n);
		/* Its tables are the first 200 bytes or so. */
		bytes[model_rng_below(&rng, 256)] ^=
			(unsigned char)(1u << model_rng_below(&rng, 8));
		if (zcomp_dict_create(&params, ZSD_PAGE_BYTES, bytes, n,
				      &dict)) {
			nr_refused++;
			continue;
		}
		for (size_t j = 0; j < 8; j++)
			round_trip(ctx, dict, pages + j * ZSD_PAGE_BYTES);
		zcomp_dict_destroy(dict);
	}
	ck_assert_uint_gt(nr_refused, 0);
	zcomp_ctx_destroy(ctx);
	free(pages);
}
END_TEST

/* Damaged pages, and pages given another dictionary or none. */
START_TEST(damaged_pages_stay_inside)
{
	const struct zcomp_params params = params_of("zstd");
	static unsigned char bytes[2][DICT_BYTES];
	struct zcomp_dict *dicts[3] = {NULL};
	unsigned char *pages = rig_sample_pages(7, 16);
	struct zcomp_ctx *ctx = ctx_of(&params);
	unsigned nr_eio = 0;
	struct model_rng rng;

	for (unsigned i = 0; i < 2; i++)
		dicts[i] = dict_of(&params, bytes[i],
				   rig_train(&params, i, bytes[i], DICT_BYTES));
	model_rng_init(&rng, 11);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned char *packed = malloc(ZSD_PAGE_BYTES), *exact;
		unsigned char *back = malloc(ZSD_PAGE_BYTES);
		size_t n;

		quiet_assert(
			zcomp_compress(ctx, dicts[0],
				       pages + i % 16 * (size_t)ZSD_PAGE_BYTES,
				       ZSD_PAGE_BYTES, packed, ZSD_PAGE_BYTES,
				       &n) == 0);
		exact = malloc(n); /* for a sanitizer to see its end */
		memcpy(exact, packed, n);
		exact[model_rng_below(&rng, n)] ^=
			(unsigned char)model_rng_range(&rng, 0, 255);
		nr_eio += zcomp_decompress(ctx, dicts[model_rng_below(&rng, 3)],
					   exact, n, back,
					   ZSD_PAGE_BYTES) == -EIO;
		free(exact);
		free(packed);
		free(back);
	}
	ck_assert_uint_gt(nr_eio, 0);
	zcomp_dict_destroy(dicts[0]);
	zcomp_dict_destroy(dicts[1]);
	zcomp_ctx_destroy(ctx);
	free(pages);
}
END_TEST

START_TEST(destroying_nothing_is_allowed)
{
	zcomp_dict_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zcomp-dict");
	TCase *tc = tcase_create("dict");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_level_takes_every_dictionary, 0,
			    (int)ARRAY_SIZE(levels));
	tcase_add_test(tc, one_context_uses_several);
	tcase_add_loop_test(tc, one_that_rests_decompresses, 0,
			    (int)ARRAY_SIZE(resting));
	tcase_add_test(tc, pages_not_trained_on_become_shorter);
	tcase_add_test(tc, training_twice_gives_the_same);
	tcase_add_test(tc, lz4_has_none);
	tcase_add_test(tc, lengths_have_bounds);
	tcase_add_test(tc, too_little_to_learn_is_einval);
	tcase_add_test(tc, other_bytes_are_einval);
	tcase_add_test(tc, damaged_dictionaries_do_no_harm);
	tcase_add_test(tc, damaged_pages_stay_inside);
	tcase_add_test(tc, destroying_nothing_is_allowed);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

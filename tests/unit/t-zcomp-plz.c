/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plz behind zcomp: what it is before and after it was trained. What plz itself
 * does with pages and models is tested in t-plz.c and t-plz-model.c.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "dict_rig.h"
#include "model/model.h"
#include "quiet.h"
#include "suite.h"
#include "zcomp/zcomp.h"

#define CANARY 0xa5

/* Room that no page grows out of, bytes. */
#define ROOM_BYTES (2 * (size_t)ZSD_PAGE_BYTES)

static struct zcomp_params plz;
static struct zcomp_ctx *ctx;
static unsigned char model[ZCOMP_DICT_MAX_BYTES];
static size_t model_bytes;
static struct zcomp_dict *dict;

static struct zcomp_ctx *ctx_of(const char *name, struct zcomp_params *params)
{
	struct zcomp_ctx *out;

	ck_assert_int_eq(zcomp_parse(name, params), 0);
	ck_assert_int_eq(zcomp_ctx_create(params, ZSD_PAGE_BYTES, &out), 0);
	return out;
}

static void setup(void)
{
	ctx = ctx_of("plz", &plz);
	model_bytes = rig_train(&plz, 1, model, sizeof(model));
	ck_assert_int_eq(zcomp_dict_create(&plz, ZSD_PAGE_BYTES, model,
					   model_bytes, &dict),
			 0);
}

static void teardown(void)
{
	zcomp_dict_destroy(dict);
	zcomp_ctx_destroy(ctx);
}

static void make_page(uint64_t seed, enum model_page kind, unsigned char *page)
{
	struct model_rng rng;

	model_rng_init(&rng, seed);
	model_page_fill(&rng, kind, page);
}

/* Return: the compressed length, of the first @bytes of @page. */
static size_t round_trip(struct zcomp_ctx *with, const struct zcomp_dict *by,
			 const unsigned char *page, size_t bytes)
{
	unsigned char packed[ROOM_BYTES], back[ZSD_PAGE_BYTES];
	size_t n = 0;

	quiet_assert(zcomp_compress(with, by, page, bytes, packed,
				    sizeof(packed), &n) == 0);
	quiet_assert(zcomp_decompress(with, by, packed, n, back, bytes) == 0);
	quiet_assert(memcmp(back, page, bytes) == 0);
	return n;
}

START_TEST(until_it_is_trained_it_is_zstd)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct zcomp_params params;
	struct zcomp_ctx *zstd = ctx_of("zstd:1", &params);

	for (unsigned kind = 0; kind < MODEL_NR_PAGE_KINDS; kind++) {
		make_page(kind, (enum model_page)kind, page);
		ck_assert_uint_eq(round_trip(ctx, NULL, page, sizeof(page)),
				  round_trip(zstd, NULL, page, sizeof(page)));
	}
	zcomp_ctx_destroy(zstd);
}
END_TEST

START_TEST(trained_it_is_denser)
{
	unsigned char page[ZSD_PAGE_BYTES];
	size_t before = 0, after = 0;

	for (uint64_t seed = 100; seed < 164; seed++) {
		make_page(seed, MODEL_PAGE_TEXT, page);
		before += round_trip(ctx, NULL, page, sizeof(page));
		after += round_trip(ctx, dict, page, sizeof(page));
	}
	ck_assert_uint_lt(after, before);
}
END_TEST

START_TEST(trained_it_takes_every_page_and_what_is_none)
{
	unsigned char page[ZSD_PAGE_BYTES];

	for (unsigned kind = 0; kind < MODEL_NR_PAGE_KINDS; kind++) {
		make_page(kind, (enum model_page)kind, page);
		round_trip(ctx, dict, page, sizeof(page));
		round_trip(ctx, dict, page, 1);
		round_trip(ctx, dict, page, sizeof(page) - 1);
	}
}
END_TEST

START_TEST(more_effort_is_read_by_all)
{
	unsigned char page[ZSD_PAGE_BYTES], packed[ROOM_BYTES];
	unsigned char back[ZSD_PAGE_BYTES];
	size_t fast = 0, optimal = 0, n;
	struct zcomp_params params;
	struct zcomp_ctx *best = ctx_of("plz:2", &params);

	for (uint64_t seed = 200; seed < 216; seed++) {
		make_page(seed, MODEL_PAGE_TEXT, page);
		fast += round_trip(ctx, dict, page, sizeof(page));
		ck_assert_int_eq(zcomp_compress(best, dict, page, sizeof(page),
						packed, sizeof(packed), &n),
				 0);
		optimal += n;
		ck_assert_int_eq(zcomp_decompress(ctx, dict, packed, n, back,
						  sizeof(back)),
				 0);
		ck_assert_mem_eq(back, page, sizeof(page));
	}
	ck_assert_uint_lt(optimal, fast);
	zcomp_ctx_destroy(best);
}
END_TEST

START_TEST(room_that_is_too_small_stays_as_it_is_beyond)
{
	unsigned char page[ZSD_PAGE_BYTES], packed[ROOM_BYTES];
	size_t n, bytes;

	make_page(7, MODEL_PAGE_TEXT, page);
	n = round_trip(ctx, dict, page, sizeof(page));
	for (size_t room = 0; room < n; room += 1 + n / 50) {
		memset(packed, CANARY, sizeof(packed));
		ck_assert_int_eq(zcomp_compress(ctx, dict, page, sizeof(page),
						packed, room, &bytes),
				 -ENOSPC);
		for (size_t i = room; i < sizeof(packed); i++)
			quiet_assert(packed[i] == CANARY);
	}
}
END_TEST

START_TEST(damage_and_another_model_are_found)
{
	unsigned char page[ZSD_PAGE_BYTES], packed[ROOM_BYTES];
	static unsigned char other_model[ZCOMP_DICT_MAX_BYTES];
	size_t other_bytes =
		rig_train(&plz, 2, other_model, sizeof(other_model));
	struct zcomp_dict *other;
	size_t n;

	ck_assert_int_eq(zcomp_dict_create(&plz, ZSD_PAGE_BYTES, other_model,
					   other_bytes, &other),
			 0);
	make_page(8, MODEL_PAGE_TEXT, page);
	ck_assert_int_eq(zcomp_compress(ctx, dict, page, sizeof(page), packed,
					sizeof(packed), &n),
			 0);
	ck_assert_int_eq(zcomp_decompress(ctx, other, packed, n, page,
					  sizeof(page)),
			 -EIO);
	for (size_t i = 0; i < n; i += 1 + n / 50) {
		packed[i] ^= 0x10;
		ck_assert_int_eq(zcomp_decompress(ctx, dict, packed, n, page,
						  sizeof(page)),
				 -EIO);
		packed[i] ^= 0x10;
	}
	zcomp_dict_destroy(other);
}
END_TEST

START_TEST(what_is_no_model_is_refused)
{
	struct zcomp_dict *none = NULL;

	ck_assert_int_eq(zcomp_dict_create(&plz, ZSD_PAGE_BYTES, model,
					   model_bytes - 1, &none),
			 -EINVAL);
	model[model_bytes / 2] ^= 1;
	ck_assert_int_eq(zcomp_dict_create(&plz, ZSD_PAGE_BYTES, model,
					   model_bytes, &none),
			 -EINVAL);
	ck_assert_ptr_null(none);
}
END_TEST

/* A model of nothing in common is one, too: that each byte is any. */
START_TEST(a_model_has_the_room_that_it_was_given)
{
	const size_t besides = zcomp_dict_bytes_besides(&plz);
	unsigned char *noise = malloc(64 * (size_t)ZSD_PAGE_BYTES);
	static unsigned char dst[ZCOMP_DICT_MAX_BYTES + 1];
	size_t n;

	ck_assert_ptr_nonnull(noise);
	for (unsigned i = 0; i < 64; i++)
		make_page(i, MODEL_PAGE_RANDOM, noise + i * ZSD_PAGE_BYTES);
	dst[sizeof(dst) - 1] = CANARY;
	ck_assert_int_eq(zcomp_train(&plz, noise, 64, ZSD_PAGE_BYTES, dst,
				     sizeof(dst) - 1, &n),
			 0);
	ck_assert_uint_ge(n, besides);
	ck_assert_uint_eq(dst[sizeof(dst) - 1], CANARY);
	ck_assert_int_eq(zcomp_train(&plz, noise, 64, ZSD_PAGE_BYTES, dst,
				     besides, &n),
			 0);
	ck_assert_uint_eq(n, besides);
	ck_assert_int_eq(zcomp_train(&plz, noise, 64, ZSD_PAGE_BYTES, dst,
				     besides - 1, &n),
			 -EINVAL);
	ck_assert_int_eq(zcomp_train(&plz, noise, 128, ZSD_PAGE_BYTES / 2, dst,
				     sizeof(dst) - 1, &n),
			 -EINVAL);
	free(noise);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zcomp/plz");
	TCase *tc = tcase_create("plz");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, until_it_is_trained_it_is_zstd);
	tcase_add_test(tc, trained_it_is_denser);
	tcase_add_test(tc, trained_it_takes_every_page_and_what_is_none);
	tcase_add_test(tc, more_effort_is_read_by_all);
	tcase_add_test(tc, room_that_is_too_small_stays_as_it_is_beyond);
	tcase_add_test(tc, damage_and_another_model_are_found);
	tcase_add_test(tc, what_is_no_model_is_refused);
	tcase_add_test(tc, a_model_has_the_room_that_it_was_given);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums: whatever bit of a stored object changes, no reader gets wrong
 * data, and the page is named to whoever wants to know.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dict_rig.h"
#include "image_rig.h"
#include "quiet.h"
#include "suite.h"
#include "zstore/zstore_dict.h"
#include "zstore/zstore_recompress.h"

#define NR_STORED 100u

/* One of each kind of object there is. */
static const struct kind {
	const char *algorithm;
	enum model_page page;
	bool learns; /* its codec, or the one that all is recompressed with */
	const char *recomp;
} kinds[] = {
	{"lz4", MODEL_PAGE_TEXT, false, NULL},
	{"zstd", MODEL_PAGE_TEXT, false, NULL},
	{"plz", MODEL_PAGE_TEXT, true, NULL},
	{"plz", MODEL_PAGE_POINTERS, true, NULL},
	{"lz4", MODEL_PAGE_TEXT, true, "plz"},
	{"lz4", MODEL_PAGE_RANDOM, false, NULL}, /* huge: stored raw */
	{"lz4", MODEL_PAGE_SAME, false, NULL}, /* a word of 8 bytes */
};

static const struct kind huge = {"lz4", MODEL_PAGE_RANDOM, false, NULL};

static struct store_rig rig;

/* What the store told of damage. */
static struct {
	unsigned nr_calls;
	uint64_t index; /* of the last page */
} told;

static void note_damaged(void *arg, uint64_t index)
{
	quiet_assert(arg == &told);
	told.nr_calls++;
	told.index = index;
}

/* plz without a model is zstd. */
static void teach(enum zstore_codec codec)
{
	static unsigned char model[ZCOMP_DICT_MAX_BYTES];
	size_t bytes = rig_train(zstore_codec(rig.store, codec), 1, model,
				 sizeof(model));
	unsigned number;

	ck_assert_int_eq(
		zstore_dict_add(rig.store, codec, model, bytes, &number), 0);
}

static void recompress_all(void)
{
	const struct zstore_recompress how = {.since_s = UINT32_MAX};
	struct zstore_recompressing at = {0};

	while (zstore_recompress(rig.ctx, &how, &at, NR_STORED) == 1)
		;
	ck_assert_uint_eq(at.nr_done, NR_STORED);
}

/* Of what is compressed without a model alone, the rig knows the lengths. */
static void assert_sound(const struct kind *kind)
{
	rig_assert_sound(&rig);
	if (!kind->learns)
		rig_assert_stats(&rig);
}

static void open_filled(const struct kind *kind, bool checksum)
{
	struct zstore_params params = rig_params(kind->algorithm);

	memset(&told, 0, sizeof(told));
	if (kind->recomp)
		ck_assert_int_eq(zcomp_parse(kind->recomp, &params.recomp), 0);
	params.checksum = checksum;
	params.damaged = note_damaged;
	params.damaged_arg = &told;
	rig_open(&rig, &params);
	if (kind->learns)
		teach(kind->recomp ? ZSTORE_SECONDARY : ZSTORE_PRIMARY);
	for (uint64_t i = 0; i < NR_STORED; i++)
		rig_write_page(&rig, i, kind->page);
	if (kind->recomp)
		recompress_all();
	assert_sound(kind);
}

static int read_page(uint64_t index)
{
	unsigned char page[ZSD_PAGE_BYTES];

	return zstore_read(rig.ctx, index * ZSD_PAGE_BYTES, sizeof(page), page);
}

START_TEST(each_bit_counts)
{
	struct rig_object object;
	unsigned nr_flips = 0;

	open_filled(&kinds[_i], true);
	rig_any_object(&rig, NR_STORED, &object);
	for (size_t bit = 0; bit < 8 * object.bytes; bit++) {
		rig_flip_bit(&object, bit);
		quiet_assert(read_page(object.index) == -EIO);
		quiet_assert(++nr_flips == told.nr_calls);
		quiet_assert(told.index == object.index);
		rig_repair(&object);
	}
	ck_assert_uint_eq(rig_stats(&rig).failed_reads, nr_flips);
	ck_assert_uint_eq(rig_stats(&rig).corrupt_reads, nr_flips);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* What checksums are for: nothing else could tell. */
START_TEST(without_them_a_huge_page_reads_wrong)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct rig_object object;

	open_filled(&huge, false);
	rig_any_object(&rig, NR_STORED, &object);
	rig_flip_bit(&object, 1234);
	ck_assert_int_eq(zstore_read(rig.ctx, object.index * ZSD_PAGE_BYTES,
				     sizeof(page), page),
			 0);
	ck_assert_int_ne(memcmp(page, object.content, sizeof(page)), 0);
	ck_assert_uint_eq(told.nr_calls, 0);
	rig_repair(&object);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* Everything but the damaged page is served, and that is when it is whole. */
START_TEST(damage_is_the_page_s_alone)
{
	struct rig_object object;
	uint64_t at;

	open_filled(&kinds[_i], true);
	rig_any_object(&rig, NR_STORED, &object);
	at = object.index * ZSD_PAGE_BYTES;
	rig_flip_bit(&object, 3);
	for (uint64_t i = 0; i < NR_STORED; i++) {
		if (i != object.index)
			rig_assert_range(&rig, i * ZSD_PAGE_BYTES,
					 ZSD_PAGE_BYTES);
	}
	ck_assert_uint_eq(told.nr_calls, 0);
	ck_assert_int_eq(zstore_write(rig.ctx, at + 7, 3, "abc"), -EIO);
	ck_assert_int_eq(zstore_write_zeroes(rig.ctx, at + 7, 3), -EIO);
	ck_assert_uint_eq(rig_stats(&rig).failed_writes, 2);
	ck_assert_uint_eq(rig_stats(&rig).failed_reads, 0);
	ck_assert_uint_eq(rig_stats(&rig).corrupt_reads, 2);
	ck_assert_uint_eq(told.nr_calls, 2);
	ck_assert_uint_eq(told.index, object.index);
	rig_write_page(&rig, object.index, MODEL_PAGE_MIXED);
	assert_sound(&kinds[_i]);
	rig_close(&rig);
}
END_TEST

START_TEST(the_verifier_counts_what_is_damaged)
{
	struct zstore_verify_report report;
	struct rig_object first, second;
	char name[32];

	open_filled(&huge, true);
	rig_any_object(&rig, NR_STORED, &first);
	rig_damage(&first);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	ck_assert_uint_eq(report.pages_damaged, 1);
	ck_assert_uint_eq(report.pages_checked, NR_STORED - 1);
	snprintf(name, sizeof(name), "page %u ", (unsigned)first.index);
	ck_assert_ptr_nonnull(strstr(report.text, name));
	ck_assert_uint_eq(rig_stats(&rig).corrupt_reads, 1);

	rig_any_object(&rig, NR_STORED, &second); /* the first is not found */
	rig_damage(&second);
	ck_assert_int_eq(zstore_verify(rig.ctx, &report), -EUCLEAN);
	ck_assert_uint_eq(report.pages_damaged, 2);
	rig_repair(&first);
	rig_repair(&second);
	rig_assert_sound(&rig);
	rig_close(&rig);
}
END_TEST

/* The sum of each page follows it through overwrites and compaction. */
START_TEST(sums_follow_their_objects)
{
	struct zs_compacted done;

	open_filled(&kinds[0], true);
	for (uint64_t i = 0; i < NR_STORED; i++) {
		if (i % 3 == 0)
			rig_write_page(&rig, i, model_page_kind(&rig.rng));
		else if (i % 3 == 1)
			rig_trim(&rig, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	}
	zstore_compact(rig.store, &done);
	ck_assert_uint_gt(done.moved_objs, 0);
	rig_assert_sound(&rig);
	rig_assert_stats(&rig);
	ck_assert_uint_eq(told.nr_calls, 0);
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/checksum");
	TCase *tc = tcase_create("damage");
	const int nr = (int)ARRAY_SIZE(kinds);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, each_bit_counts, 0, nr);
	tcase_add_test(tc, without_them_a_huge_page_reads_wrong);
	tcase_add_loop_test(tc, damage_is_the_page_s_alone, 0, nr);
	tcase_add_test(tc, the_verifier_counts_what_is_damaged);
	tcase_add_test(tc, sums_follow_their_objects);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

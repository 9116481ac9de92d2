/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "model/model.h"
#include "plz_rig.h"
#include "quiet.h"
#include "suite.h"

#define CANARY 0xa5

static struct plz_model *with_dict, *without_dict;
static struct plz_workspace *work;

static void setup(void)
{
	with_dict = rig_model(1, RIG_DICT_BYTES);
	without_dict = rig_model(1, 0);
	work = rig_workspace(PLZ_TO_STORE);
}

static void teardown(void)
{
	free(work);
	plz_model_free(with_dict);
	plz_model_free(without_dict);
}

/* --- pages --------------------------------------------------------------- */

static void all_round_trips(const unsigned char *page)
{
	rig_round_trip(with_dict, PLZ_FAST, work, page);
	rig_round_trip(with_dict, PLZ_OPTIMAL, work, page);
	rig_round_trip(without_dict, PLZ_FAST, work, page);
	rig_round_trip(without_dict, PLZ_OPTIMAL, work, page);
}

START_TEST(pages_of_all_kinds_come_back)
{
	unsigned char *pages = rig_pages(7, 20 * MODEL_NR_PAGE_KINDS);

	for (unsigned i = 0; i < 20 * MODEL_NR_PAGE_KINDS; i++)
		all_round_trips(pages + (size_t)i * ZSD_PAGE_BYTES);
	free(pages);
}
END_TEST

START_TEST(one_byte_all_over_comes_back)
{
	unsigned char page[ZSD_PAGE_BYTES];

	memset(page, _i, sizeof(page));
	all_round_trips(page);
	ck_assert_uint_le(rig_round_trip(with_dict, PLZ_FAST, work, page), 32);
}
END_TEST

/* Matches of each length, up to and short of the end of the page. */
START_TEST(matches_of_all_lengths_come_back)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;

	model_rng_init(&rng, 3);
	for (unsigned tail = 0; tail < 2; tail++) {
		for (unsigned length = 0; length + 64 < ZSD_PAGE_BYTES;
		     length += length < 600 ? 1 : 97) {
			model_rng_fill(&rng, page, sizeof(page));
			memset(page + ZSD_PAGE_BYTES - tail - length, 0x55,
			       length);
			rig_round_trip(with_dict, PLZ_FAST, work, page);
		}
	}
}
END_TEST

/* What stands at each distance, in each lane. */
START_TEST(matches_of_all_distances_come_back)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;

	model_rng_init(&rng, 4);
	for (unsigned distance = 1; distance < 4090; distance += 3) {
		unsigned length = 2 + distance % 12, at;

		model_rng_fill(&rng, page, sizeof(page));
		at = distance + distance % 7;
		if (at + length > ZSD_PAGE_BYTES)
			at = ZSD_PAGE_BYTES - length;
		for (unsigned i = 0; i < length; i++)
			page[at + i] = page[at + i - distance];
		rig_round_trip(with_dict, PLZ_FAST, work, page);
		rig_round_trip(with_dict, PLZ_OPTIMAL, work, page);
	}
}
END_TEST

/* Pieces of the dictionary, its ends among them. */
START_TEST(matches_in_the_dictionary_come_back)
{
	static unsigned char pages[4 * ZSD_PAGE_BYTES];
	static unsigned char dict[PLZ_DICT_MAX_BYTES];
	unsigned char page[ZSD_PAGE_BYTES];
	struct plz_model *model;
	struct model_rng rng;

	model_rng_init(&rng, 5);
	model_rng_fill(&rng, dict, sizeof(dict));
	model_rng_fill(&rng, pages, sizeof(pages));
	ck_assert_int_eq(plz_train(pages, 4, dict, sizeof(dict), &model), 0);
	for (unsigned i = 0; i < 300; i++) {
		size_t length = model_rng_range(&rng, 1024, 2048);
		size_t from = model_rng_below(&rng, sizeof(dict) - length);

		if (i % 3)
			from = i % 3 == 1 ? 0 : sizeof(dict) - length;
		model_rng_fill(&rng, page, sizeof(page));
		memcpy(page + i % 40, dict + from, length);
		/* The rest takes an eighth more than it has, at most. */
		quiet_assert(rig_round_trip(model,
					    i % 2 ? PLZ_FAST : PLZ_OPTIMAL,
					    work, page) <
			     (ZSD_PAGE_BYTES - length) / 8 * 9 + 64);
	}
	plz_model_free(model);
}
END_TEST

START_TEST(optimal_is_denser)
{
	unsigned char *pages = rig_pages(9, 4 * MODEL_NR_PAGE_KINDS);
	size_t fast = 0, optimal = 0;

	for (unsigned i = 0; i < 4 * MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;

		fast += rig_round_trip(with_dict, PLZ_FAST, work, page);
		optimal += rig_round_trip(with_dict, PLZ_OPTIMAL, work, page);
	}
	ck_assert_uint_lt(optimal, fast);
	free(pages);
}
END_TEST

/* Recorded memory of programs, where it is there: see tests/func/lib.sh. */
START_TEST(recorded_pages_come_back)
{
	static const char *const names[] = {"clang",  "gcc",	"node",
					    "pandas", "python", "sqlite"};
	const char *top = getenv("top_srcdir");
	unsigned char page[ZSD_PAGE_BYTES];
	char command[4096];
	uint64_t nr = 0, bytes = 0;
	FILE *pages;

	snprintf(command, sizeof(command),
		 "zstd -qdc '%s/../shared/corpus/%s.pages.zst' 2>/dev/null",
		 top ? top : "..", names[_i]);
	pages = popen(command, "r");
	ck_assert_ptr_nonnull(pages);
	for (; fread(page, sizeof(page), 1, pages) == 1; nr++) {
		size_t n = rig_round_trip(with_dict, PLZ_FAST, work, page);

		bytes += n ? n : ZSD_PAGE_BYTES;
		if (nr % 256 == 0)
			rig_round_trip(with_dict, PLZ_OPTIMAL, work, page);
	}
	pclose(pages);
	/* With a model that is not made for them at all. */
	ck_assert_uint_le(bytes, nr * ZSD_PAGE_BYTES * 2 / 3);
	printf("%s: %ju pages\n", names[_i], (uintmax_t)nr);
}
END_TEST

/* --- room ---------------------------------------------------------------- */

START_TEST(less_room_than_needed_is_an_error)
{
	unsigned char *pages = rig_pages(11, MODEL_NR_PAGE_KINDS);

	for (unsigned i = 0; i < MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;
		size_t bytes = rig_round_trip(with_dict, PLZ_FAST, work, page);

		for (size_t room = 0; bytes && room <= bytes + 1; room++) {
			unsigned char *dst = malloc(room + 1);
			size_t n = 12345;
			int err;

			quiet_assert(dst);
			memset(dst, CANARY, room + 1);
			err = plz_compress(with_dict, PLZ_FAST, work, page, dst,
					   room, &n);
			quiet_assert(err == (room < bytes ? -ENOSPC : 0));
			quiet_assert(n == (err ? 12345 : bytes));
			for (size_t k = err ? 0 : bytes; k <= room; k++)
				quiet_assert(dst[k] == CANARY);
			free(dst);
			if (room + 64 < bytes)
				room += bytes / 16;
		}
	}
	free(pages);
}
END_TEST

START_TEST(reading_takes_the_small_workspace)
{
	struct plz_workspace *small = rig_workspace(PLZ_TO_READ);
	unsigned char packed[PLZ_MAX_BYTES], back[ZSD_PAGE_BYTES];
	unsigned char *page = rig_pages(13, MODEL_PAGE_TEXT + 1);
	const unsigned char *text =
		page + MODEL_PAGE_TEXT * (size_t)ZSD_PAGE_BYTES;
	size_t bytes;

	ck_assert_int_eq(plz_compress(with_dict, PLZ_FAST, work, text, packed,
				      sizeof(packed), &bytes),
			 0);
	ck_assert_int_eq(plz_decompress(with_dict, small, packed, bytes, back),
			 0);
	ck_assert_mem_eq(back, text, ZSD_PAGE_BYTES);
	free(page);
	free(small);
}
END_TEST

/* --- damage -------------------------------------------------------------- */

static unsigned char *packed_page(enum model_page kind, size_t *bytes)
{
	unsigned char *pages = rig_pages(17, MODEL_NR_PAGE_KINDS);
	unsigned char *packed = malloc(PLZ_MAX_BYTES);

	ck_assert_ptr_nonnull(packed);
	ck_assert_int_eq(plz_compress(with_dict, PLZ_FAST, work,
				      pages + (size_t)kind * ZSD_PAGE_BYTES,
				      packed, PLZ_MAX_BYTES, bytes),
			 0);
	free(pages);
	return packed;
}

static int decompress_exactly(const struct plz_model *model,
			      const unsigned char *src, size_t bytes)
{
	unsigned char *exact = malloc(bytes + !bytes);
	unsigned char *page = malloc(ZSD_PAGE_BYTES);
	int err;

	quiet_assert(exact && page);
	memcpy(exact, src, bytes);
	err = plz_decompress(model, work, exact, bytes, page);
	free(exact);
	free(page);
	return err;
}

START_TEST(each_changed_byte_is_found)
{
	size_t bytes;
	unsigned char *packed = packed_page((enum model_page)_i, &bytes);

	for (size_t i = 0; i < bytes; i++) {
		static const unsigned char flips[] = {0x01, 0x80, 0xff};

		for (size_t k = 0; k < ARRAY_SIZE(flips); k++) {
			packed[i] ^= flips[k];
			quiet_assert(decompress_exactly(with_dict, packed,
							bytes) == -EBADMSG);
			packed[i] ^= flips[k];
		}
	}
	quiet_assert(decompress_exactly(with_dict, packed, bytes) == 0);
	free(packed);
}
END_TEST

START_TEST(each_other_length_is_found)
{
	size_t bytes;
	unsigned char *packed = packed_page((enum model_page)_i, &bytes);

	for (size_t n = 0; n <= PLZ_MAX_BYTES; n++)
		quiet_assert(decompress_exactly(with_dict, packed, n) ==
			     (n == bytes ? 0 : -EBADMSG));
	free(packed);
}
END_TEST

START_TEST(what_is_longer_than_any_page_is_refused)
{
	static const unsigned char zeros[2 * PLZ_MAX_BYTES];

	ck_assert_int_eq(decompress_exactly(with_dict, zeros, sizeof(zeros)),
			 -EBADMSG);
}
END_TEST

START_TEST(random_bytes_are_refused)
{
	unsigned char bytes[600];
	struct model_rng rng;

	model_rng_init(&rng, 19);
	for (unsigned i = 0; i < 4000; i++) {
		size_t n = model_rng_below(&rng, sizeof(bytes) + 1);

		model_rng_fill(&rng, bytes, n);
		quiet_assert(decompress_exactly(with_dict, bytes, n) ==
			     -EBADMSG);
		quiet_assert(decompress_exactly(without_dict, bytes, n) ==
			     -EBADMSG);
	}
}
END_TEST

START_TEST(another_model_is_found)
{
	struct plz_model *other = rig_model(2, RIG_DICT_BYTES);
	size_t bytes;
	unsigned char *packed = packed_page(MODEL_PAGE_TEXT, &bytes);

	ck_assert_int_eq(decompress_exactly(other, packed, bytes), -EBADMSG);
	ck_assert_int_eq(decompress_exactly(without_dict, packed, bytes),
			 -EBADMSG);
	free(packed);
	plz_model_free(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plz");
	TCase *tcase = tcase_create("pages");

	tcase_set_timeout(tcase, 300);
	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, pages_of_all_kinds_come_back);
	tcase_add_loop_test(tcase, one_byte_all_over_comes_back, 0, 256);
	tcase_add_test(tcase, matches_of_all_lengths_come_back);
	tcase_add_test(tcase, matches_of_all_distances_come_back);
	tcase_add_test(tcase, matches_in_the_dictionary_come_back);
	tcase_add_test(tcase, optimal_is_denser);
	tcase_add_loop_test(tcase, recorded_pages_come_back, 0, 6);
	tcase_add_test(tcase, less_room_than_needed_is_an_error);
	tcase_add_test(tcase, reading_takes_the_small_workspace);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("damage");
	tcase_set_timeout(tcase, 300);
	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_changed_byte_is_found, 0,
			    MODEL_PAGE_MIXED);
	tcase_add_loop_test(tcase, each_other_length_is_found, 0,
			    MODEL_PAGE_MIXED);
	tcase_add_test(tcase, what_is_longer_than_any_page_is_refused);
	tcase_add_test(tcase, random_bytes_are_refused);
	tcase_add_test(tcase, another_model_is_found);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

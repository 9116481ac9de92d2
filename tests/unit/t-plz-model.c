/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/units.h"
#include "model/model.h"
#include "plz_rig.h"
#include "quiet.h"
#include "suite.h"

/* As docs/plz.md has them. */
#define OFFSET_VERSION 8u
#define OFFSET_ROWS    12u
#define OFFSET_DICT    16u
#define OFFSET_SUM     24u
#define OFFSET_REST    32u
#define ROW_BYTES      30u

static struct plz_model *model;
static struct plz_workspace *work;

static void setup(void)
{
	model = rig_model(1, RIG_DICT_BYTES);
	work = rig_workspace(PLZ_TO_STORE);
}

static void teardown(void)
{
	free(work);
	plz_model_free(model);
}

static unsigned char *saved(const struct plz_model *m, size_t *bytes)
{
	unsigned char *p;

	*bytes = plz_model_bytes(m);
	p = malloc(*bytes);
	ck_assert_ptr_nonnull(p);
	plz_model_save(m, p);
	return p;
}

static void sum_up(unsigned char *bytes, size_t nr)
{
	uint64_t sum =
		XXH3_64bits_withSeed(bytes + OFFSET_REST, nr - OFFSET_REST,
				     XXH3_64bits(bytes, OFFSET_SUM));

	sum = htole64(sum);
	memcpy(bytes + OFFSET_SUM, &sum, sizeof(sum));
}

static int load(const unsigned char *bytes, size_t nr)
{
	struct plz_model *untouched = model, *m = untouched;
	unsigned char *exact = malloc(nr + !nr);
	int err;

	quiet_assert(exact);
	memcpy(exact, bytes, nr);
	err = plz_model_load(exact, nr, &m);
	free(exact);
	quiet_assert(!err == (m != untouched));
	if (!err)
		plz_model_free(m);
	return err;
}

/* --- bytes --------------------------------------------------------------- */

START_TEST(what_is_saved_loads_and_codes_the_same)
{
	unsigned char *pages = rig_pages(41, MODEL_NR_PAGE_KINDS);
	unsigned char a[PLZ_MAX_BYTES], b[PLZ_MAX_BYTES];
	struct plz_model *again;
	size_t bytes, twice;
	unsigned char *first = saved(model, &bytes), *second;

	ck_assert_int_eq(plz_model_load(first, bytes, &again), 0);
	ck_assert_int_eq(plz_model_ready(again), 0);
	second = saved(again, &twice);
	ck_assert_uint_eq(bytes, twice);
	ck_assert_mem_eq(first, second, bytes);
	for (unsigned i = 0; i < MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;
		size_t n = 0, m = 0;

		ck_assert_int_eq(plz_compress(model, PLZ_FAST, work, page, a,
					      sizeof(a), &n),
				 0);
		ck_assert_int_eq(plz_compress(again, PLZ_FAST, work, page, b,
					      sizeof(b), &m),
				 0);
		ck_assert_uint_eq(n, m);
		ck_assert_mem_eq(a, b, n);
	}
	plz_model_free(again);
	free(first);
	free(second);
	free(pages);
}
END_TEST

START_TEST(each_changed_byte_is_found)
{
	size_t bytes;
	unsigned char *p = saved(model, &bytes);

	for (size_t i = 0; i < bytes; i += i < 200 ? 1 : 131) {
		int expected = i >= OFFSET_VERSION && i < OFFSET_ROWS
				       ? -EPROTO
				       : -EBADMSG;

		p[i] ^= 0x40;
		quiet_assert(load(p, bytes) == expected);
		p[i] ^= 0x40;
	}
	quiet_assert(load(p, bytes) == 0);
	free(p);
}
END_TEST

START_TEST(each_other_length_is_found)
{
	size_t bytes;
	unsigned char *p = saved(model, &bytes);
	unsigned char *longer = calloc(1, bytes + 1);

	for (size_t n = 0; n < bytes; n += n < 200 ? 1 : 997)
		quiet_assert(load(p, n) == -EBADMSG);
	quiet_assert(longer);
	memcpy(longer, p, bytes);
	quiet_assert(load(longer, bytes + 1) == -EBADMSG);
	sum_up(longer, bytes + 1);
	quiet_assert(load(longer, bytes + 1) == -EBADMSG);
	free(longer);
	free(p);
}
END_TEST

/* Rows that are none, with a checksum that is right. */
static const struct {
	unsigned symbol;
	uint16_t start;
} bad_starts[] = {
	{1, 0},	     {1, 8},	 {15, 32768}, {15, 32760},
	{15, 65535}, {8, 65535}, {8, 0},
};

START_TEST(rows_that_are_none_are_refused)
{
	size_t bytes;
	unsigned char *p = saved(model, &bytes);
	unsigned char *row = p + OFFSET_REST + ROW_BYTES * 77;
	uint16_t start = htole16(bad_starts[_i].start);

	memcpy(row + 2 * (bad_starts[_i].symbol - 1), &start, sizeof(start));
	sum_up(p, bytes);
	ck_assert_int_eq(load(p, bytes), -EBADMSG);
	free(p);
}
END_TEST

/* Whatever rows pass can be coded by. */
START_TEST(strange_rows_that_pass_are_good_enough)
{
	unsigned char *pages = rig_pages(43, 2 * MODEL_NR_PAGE_KINDS);
	struct plz_model *strange;
	struct model_rng rng;
	size_t bytes;
	unsigned char *p = saved(model, &bytes);
	size_t nr_rows = (bytes - OFFSET_REST - RIG_DICT_BYTES) / ROW_BYTES;

	model_rng_init(&rng, 47);
	for (size_t r = 0; r < nr_rows; r++) {
		/* One symbol has all that the others can do without. */
		unsigned rich = (unsigned)model_rng_below(&rng, 16);

		for (unsigned s = 1; s < 16; s++) {
			uint16_t start = htole16(
				(uint16_t)(s <= rich ? s * 9
						     : 32768 - (16 - s) * 9));

			memcpy(p + OFFSET_REST + r * ROW_BYTES + 2 * (s - 1),
			       &start, sizeof(start));
		}
	}
	sum_up(p, bytes);
	ck_assert_int_eq(plz_model_load(p, bytes, &strange), 0);
	ck_assert_int_eq(plz_model_ready(strange), 0);
	for (unsigned i = 0; i < 2 * MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;

		rig_round_trip(strange, PLZ_FAST, work, page);
		rig_round_trip(strange, PLZ_OPTIMAL, work, page);
	}
	plz_model_free(strange);
	free(p);
	free(pages);
}
END_TEST

START_TEST(a_dictionary_of_any_length_will_do)
{
	static const size_t lengths[] = {0,  1,	 3,  4,	   5,
					 15, 16, 17, 4095, PLZ_DICT_MAX_BYTES};
	struct plz_model *m = rig_model(5, lengths[_i]);
	unsigned char *pages = rig_pages(5, RIG_NR_SAMPLES);

	for (unsigned i = 0; i < RIG_NR_SAMPLES; i++)
		rig_round_trip(m, i % 2 ? PLZ_FAST : PLZ_OPTIMAL, work,
			       pages + (size_t)i * ZSD_PAGE_BYTES);
	free(pages);
	plz_model_free(m);
}
END_TEST

/* --- tables -------------------------------------------------------------- */

START_TEST(a_model_that_rests_reads_and_is_made_ready_again)
{
	unsigned char *page = rig_pages(59, 1), back[ZSD_PAGE_BYTES];
	unsigned char before[PLZ_MAX_BYTES], after[PLZ_MAX_BYTES];
	size_t n = 0, m = 0;

	ck_assert_int_eq(plz_compress(model, PLZ_OPTIMAL, work, page, before,
				      sizeof(before), &n),
			 0);
	plz_model_rest(model);
	plz_model_rest(model); /* twice is no harm */
	ck_assert_int_eq(plz_decompress(model, work, before, n, back), 0);
	ck_assert_mem_eq(back, page, sizeof(back));
	ck_assert_int_eq(plz_model_ready(model), 0);
	ck_assert_int_eq(plz_model_ready(model), 0);
	ck_assert_int_eq(plz_compress(model, PLZ_OPTIMAL, work, page, after,
				      sizeof(after), &m),
			 0);
	ck_assert_uint_eq(n, m);
	ck_assert_mem_eq(before, after, n);
	free(page);
}
END_TEST

/* Its bytes are where others may damage them. */
START_TEST(bytes_that_change_under_a_model_do_no_harm)
{
	unsigned char *pages = rig_pages(61, MODEL_NR_PAGE_KINDS);
	unsigned char packed[PLZ_MAX_BYTES], back[ZSD_PAGE_BYTES];
	struct plz_model *changed;
	struct model_rng rng;
	size_t bytes, n, nr_refused = 0;
	unsigned char *p = saved(model, &bytes), *sound = saved(model, &bytes);

	model_rng_init(&rng, 61);
	ck_assert_int_eq(plz_model_load(p, bytes, &changed), 0);
	for (unsigned i = 0; i < MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;

		memcpy(p, sound, bytes);
		quiet_assert(plz_model_ready(changed) == 0);
		quiet_assert(plz_compress(changed, PLZ_FAST, work, page, packed,
					  sizeof(packed), &n) == 0);
		plz_model_rest(changed);
		for (unsigned k = 0; k < 200; k++) {
			size_t at = OFFSET_REST +
				    model_rng_below(&rng,
						    bytes - OFFSET_REST - 100);
			int err;

			model_rng_fill(&rng, p + at, 100);
			err = plz_decompress(changed, work, packed, n, back);
			quiet_assert(
				err == -EBADMSG ||
				(!err && !memcmp(back, page, sizeof(back))));
			nr_refused += err == -EBADMSG;
		}
		quiet_assert(plz_model_ready(changed) == -EBADMSG);
	}
	ck_assert_uint_gt(nr_refused, 0);
	plz_model_free(changed);
	free(sound);
	free(p);
	free(pages);
}
END_TEST

/* What was made ready before stores as the bytes were then. */
START_TEST(rows_that_change_while_a_model_is_ready_do_no_harm)
{
	unsigned char *page = rig_pages(67, 1);
	unsigned char first[PLZ_MAX_BYTES], second[PLZ_MAX_BYTES];
	struct plz_model *changed;
	size_t bytes, n = 0, m = 0;
	unsigned char *p = saved(model, &bytes);

	ck_assert_int_eq(plz_model_load(p, bytes, &changed), 0);
	ck_assert_int_eq(plz_model_ready(changed), 0);
	ck_assert_int_eq(plz_compress(changed, PLZ_FAST, work, page, first,
				      sizeof(first), &n),
			 0);
	memset(p + OFFSET_REST, 0, bytes - OFFSET_REST - RIG_DICT_BYTES);
	ck_assert_int_eq(plz_compress(changed, PLZ_FAST, work, page, second,
				      sizeof(second), &m),
			 0);
	ck_assert_uint_eq(n, m);
	ck_assert_mem_eq(first, second, n);
	plz_model_free(changed);
	free(p);
	free(page);
}
END_TEST

START_TEST(a_model_says_what_it_takes)
{
	ck_assert_uint_le(plz_model_memory(), KIB);
	ck_assert_uint_ge(plz_tables_memory(0), 200 * KIB);
	ck_assert_uint_le(plz_tables_memory(PLZ_DICT_MAX_BYTES), 384 * KIB);
	ck_assert_uint_lt(plz_workspace_bytes(PLZ_TO_READ), 128 * KIB);
	ck_assert_uint_lt(plz_workspace_bytes(PLZ_TO_STORE), 400 * KIB);
	ck_assert_ptr_nonnull(plz_model_coder(model));
}
END_TEST

/* --- training ------------------------------------------------------------ */

START_TEST(training_is_repeatable)
{
	struct plz_model *again = rig_model(1, RIG_DICT_BYTES);
	struct plz_model *other = rig_model(2, RIG_DICT_BYTES);
	size_t bytes, n, m;
	unsigned char *a = saved(model, &bytes), *b = saved(again, &n);
	unsigned char *c = saved(other, &m);

	ck_assert_uint_eq(bytes, n);
	ck_assert_mem_eq(a, b, bytes);
	ck_assert_mem_ne(a, c, bytes);
	free(a);
	free(b);
	free(c);
	plz_model_free(again);
	plz_model_free(other);
}
END_TEST

START_TEST(training_on_like_pages_makes_denser)
{
	unsigned char *pages = rig_pages(53, 4 * MODEL_NR_PAGE_KINDS);
	static unsigned char zeros[ZSD_PAGE_BYTES];
	struct plz_model *untrained;
	size_t with = 0, without = 0;

	ck_assert_int_eq(plz_train(zeros, 1, NULL, 0, &untrained), 0);
	for (unsigned i = 0; i < 4 * MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;

		if (i % MODEL_NR_PAGE_KINDS != MODEL_PAGE_TEXT &&
		    i % MODEL_NR_PAGE_KINDS != MODEL_PAGE_POINTERS)
			continue;
		with += rig_round_trip(model, PLZ_FAST, work, page);
		without += rig_round_trip(untrained, PLZ_FAST, work, page);
	}
	ck_assert_uint_lt(with, without * 9 / 10);
	plz_model_free(untrained);
	free(pages);
}
END_TEST

START_TEST(what_cannot_be_trained_on_is_refused)
{
	static unsigned char page[ZSD_PAGE_BYTES];
	struct plz_model *m = model;

	ck_assert_int_eq(plz_train(page, 0, NULL, 0, &m), -EMSGSIZE);
	ck_assert_int_eq(plz_train(page, PLZ_TRAIN_MAX_PAGES + 1, NULL, 0, &m),
			 -EMSGSIZE);
	ck_assert_int_eq(plz_train(page, 1, page, PLZ_DICT_MAX_BYTES + 1, &m),
			 -EMSGSIZE);
	ck_assert_ptr_eq(m, model);
}
END_TEST

/* --- files --------------------------------------------------------------- */

static char folder[] = "/tmp/t-plz-model-XXXXXX";
static char path[sizeof(folder) + 16], temp[sizeof(path) + 8];

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/model", folder);
	snprintf(temp, sizeof(temp), "%s.new", path);
}

static void remove_folder(void)
{
	unlink(path);
	unlink(temp);
	ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(a_file_is_the_owners_and_whole)
{
	struct plz_model *again;
	struct stat st;

	umask(0);
	ck_assert_int_eq(plz_model_write(model, path), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, (off_t)plz_model_bytes(model));
	ck_assert_int_eq(access(temp, F_OK), -1);
	ck_assert_int_eq(plz_model_read(path, &again), 0);
	/* Over one that is there, and what another left behind. */
	ck_assert_int_eq(link(path, temp), 0);
	ck_assert_int_eq(plz_model_write(again, path), 0);
	ck_assert_int_eq(access(temp, F_OK), -1);
	plz_model_free(again);
	ck_assert_int_eq(plz_model_read(path, &again), 0);
	plz_model_free(again);
}
END_TEST

START_TEST(a_file_that_is_none_is_refused)
{
	struct plz_model *m = model;
	FILE *file;

	ck_assert_int_eq(plz_model_read(path, &m), -ENOENT);
	ck_assert_int_eq(plz_model_read(folder, &m), -EISDIR);
	ck_assert_int_eq(plz_model_read("/dev/null", &m), -EBADMSG);
	ck_assert_int_eq(plz_model_read("/dev/zero", &m), -EBADMSG);
	ck_assert_int_eq(plz_model_write(model, folder), -EISDIR);
	ck_assert_int_eq(plz_model_write(model, "/dev/null/model"), -ENOTDIR);
	ck_assert_int_eq(plz_model_write(model, path), 0);
	file = fopen(path, "ab");
	ck_assert_ptr_nonnull(file);
	fputc(0, file);
	fclose(file);
	ck_assert_int_eq(plz_model_read(path, &m), -EBADMSG);
	ck_assert_ptr_eq(m, model);
	ck_assert_int_eq(truncate(path, 100), 0);
	ck_assert_int_eq(plz_model_read(path, &m), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plz-model");
	TCase *tcase = tcase_create("bytes");

	tcase_set_timeout(tcase, 300);
	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_saved_loads_and_codes_the_same);
	tcase_add_test(tcase, each_changed_byte_is_found);
	tcase_add_test(tcase, each_other_length_is_found);
	tcase_add_loop_test(tcase, rows_that_are_none_are_refused, 0,
			    (int)ARRAY_SIZE(bad_starts));
	tcase_add_test(tcase, strange_rows_that_pass_are_good_enough);
	tcase_add_loop_test(tcase, a_dictionary_of_any_length_will_do, 0, 10);
	tcase_add_test(tcase, a_model_that_rests_reads_and_is_made_ready_again);
	tcase_add_test(tcase, bytes_that_change_under_a_model_do_no_harm);
	tcase_add_test(tcase,
		       rows_that_change_while_a_model_is_ready_do_no_harm);
	tcase_add_test(tcase, a_model_says_what_it_takes);
	tcase_add_test(tcase, training_is_repeatable);
	tcase_add_test(tcase, training_on_like_pages_makes_denser);
	tcase_add_test(tcase, what_cannot_be_trained_on_is_refused);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("files");
	tcase_add_unchecked_fixture(tcase, setup, teardown);
	tcase_add_checked_fixture(tcase, make_folder, remove_folder);
	tcase_add_test(tcase, a_file_is_the_owners_and_whole);
	tcase_add_test(tcase, a_file_that_is_none_is_refused);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The coders of this machine against each other, and against rows as they are
 * defined, written down once more.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "plz/plz_internal.h"
#include "plz_rig.h"
#include "quiet.h"
#include "suite.h"

/* Frequencies that are far apart, some of them the least that there may be. */
static void random_row(struct model_rng *rng, struct plz_row *row)
{
	unsigned freq[PLZ_NR_SYMBOLS], start = 0;
	unsigned left = PLZ_TOTAL - PLZ_NR_SYMBOLS * PLZ_LEAST;

	for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++)
		freq[s] = PLZ_LEAST;
	while (left) {
		unsigned n = (unsigned)model_rng_range(
			rng, 1, model_rng_one_in(rng, 2) ? left : 1 + left / 8);

		freq[model_rng_below(rng, PLZ_NR_SYMBOLS)] += n;
		left -= n;
	}
	for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++) {
		row->start[s] = (uint16_t)start;
		start += freq[s];
	}
}

static void random_steps(struct model_rng *rng, struct plz_step *steps,
			 unsigned nr)
{
	/* Few rows, so that each adapts far, in one direction or another. */
	unsigned nr_rows = (unsigned)model_rng_range(rng, 1, 64);
	unsigned symbols = (unsigned)model_rng_range(rng, 1, PLZ_NR_SYMBOLS);

	for (unsigned i = 0; i < nr; i++) {
		steps[i].nr_rows = model_rng_one_in(rng, 2) ? 1 : 4;
		steps[i].symbol = (uint8_t)(PLZ_NR_SYMBOLS - 1 -
					    model_rng_below(rng, symbols));
		for (unsigned k = 0; k < 4; k++)
			steps[i].row[k] =
				(uint16_t)(model_rng_below(rng, nr_rows) *
					   (PLZ_NR_ROWS / 64));
	}
}

/* --- the definition ------------------------------------------------------- */

static unsigned average(unsigned a, unsigned b)
{
	return (a + b + 1) / 2;
}

static unsigned start_of(const struct plz_row *rows,
			 const struct plz_step *step, unsigned s)
{
	unsigned c[4] = {0};

	if (s == PLZ_NR_SYMBOLS)
		return PLZ_TOTAL;
	for (unsigned k = 0; k < step->nr_rows; k++)
		c[k] = rows[step->row[k]].start[s];
	return step->nr_rows == 1
		       ? c[0]
		       : average(average(c[0], c[1]), average(c[2], c[3]));
}

static void adapt(struct plz_row *row, unsigned symbol)
{
	for (unsigned i = 1; i < PLZ_NR_SYMBOLS; i++) {
		int goal = (int)(i <= symbol ? i * 24 : 32768 - (16 - i) * 24);
		int way = goal - row->start[i];
		int step = way >= 0 ? way / 16 : -((-way + 15) / 16);

		row->start[i] = (uint16_t)(row->start[i] + step);
	}
}

/* Rows that are used twice in a step are what the last store leaves. */
static void encode_by_definition(struct plz_row *rows,
				 const struct plz_step *steps, unsigned nr,
				 struct plz_coded *coded)
{
	for (unsigned i = 0; i < nr; i++) {
		const struct plz_step *step = &steps[i];
		unsigned start = start_of(rows, step, step->symbol);
		unsigned end = start_of(rows, step, step->symbol + 1u);
		struct plz_row before[4];

		coded[i].start = (uint16_t)start;
		coded[i].freq = (uint16_t)(end - start);
		quiet_assert(end - start >= PLZ_LEAST);
		quiet_assert(end - start <
			     PLZ_TOTAL - (PLZ_NR_SYMBOLS - 2) * PLZ_LEAST);
		for (unsigned k = 0; k < step->nr_rows; k++)
			before[k] = rows[step->row[k]];
		for (unsigned k = 0; k < step->nr_rows; k++) {
			adapt(&before[k], step->symbol);
			rows[step->row[k]] = before[k];
		}
	}
}

/* --- coders --------------------------------------------------------------- */

START_TEST(rows_adapt_as_they_are_defined)
{
	const struct plz_coder *coder = plz_coder_at((unsigned)_i);
	struct plz_model *model = rig_model(1, 0);
	struct plz_workspace *work = rig_workspace(PLZ_TO_STORE);
	static struct plz_row rows[PLZ_NR_ROWS + 1];
	static struct plz_coded coded[PLZ_MAX_STEPS];
	struct model_rng rng;

	model_rng_init(&rng, 23);
	for (unsigned round = 0; coder && round < 60; round++) {
		unsigned nr = round % 10 ? 500 : PLZ_MAX_STEPS;

		for (unsigned r = 0; r < PLZ_NR_ROWS; r++)
			random_row(&rng, &rows[r]);
		random_steps(&rng, work->steps, nr);
		memcpy(work->rows, rows, sizeof(rows));
		encode_by_definition(rows, work->steps, nr, coded);
		coder->encode(model, work, nr);
		ck_assert_mem_eq(work->coded, coded, nr * sizeof(*coded));
		ck_assert_mem_eq(work->rows, rows, sizeof(rows));
	}
	free(work);
	plz_model_free(model);
}
END_TEST

/* Bytes that are no page, too: all coders fail alike, and at the same place. */
START_TEST(coders_read_the_same)
{
	struct plz_model *model = rig_model(3, RIG_DICT_BYTES);
	struct plz_workspace *work = rig_workspace(PLZ_TO_STORE);
	unsigned char *pages = rig_pages(29, 8 * MODEL_NR_PAGE_KINDS);
	struct model_rng rng;

	model_rng_init(&rng, 31);
	for (unsigned i = 0; i < 8 * MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;
		unsigned char packed[PLZ_MAX_BYTES], first[ZSD_PAGE_BYTES];
		size_t bytes;

		if (plz_compress(model, PLZ_FAST, work, page, packed,
				 sizeof(packed), &bytes))
			continue;
		if (i % 2)
			packed[model_rng_below(&rng, bytes)] ^= 0x10;
		for (unsigned k = 0; plz_coder_at(k); k++) {
			unsigned char back[ZSD_PAGE_BYTES] = {0};
			int err;

			model->coder = plz_coder_at(k);
			err = plz_decompress(model, work, packed, bytes, back);
			quiet_assert(!err == !(i % 2));
			if (!k)
				memcpy(first, back, sizeof(first));
			/* The bytes past the end of a copy differ for none:
			 * all copy alike. */
			quiet_assert(!memcmp(first, back, sizeof(first)));
		}
		model->coder = plz_coder_at(0);
	}
	free(pages);
	free(work);
	plz_model_free(model);
}
END_TEST

START_TEST(coders_write_the_same)
{
	struct plz_model *model = rig_model(3, RIG_DICT_BYTES);
	struct plz_workspace *work = rig_workspace(PLZ_TO_STORE);
	unsigned char *pages = rig_pages(37, 8 * MODEL_NR_PAGE_KINDS);

	for (unsigned i = 0; i < 8 * MODEL_NR_PAGE_KINDS; i++) {
		const unsigned char *page = pages + (size_t)i * ZSD_PAGE_BYTES;
		unsigned char first[PLZ_MAX_BYTES], packed[PLZ_MAX_BYTES];
		size_t first_bytes = 0, bytes = 0;

		for (unsigned k = 0; plz_coder_at(k); k++) {
			model->coder = plz_coder_at(k);
			if (plz_compress(model, i % 2 ? PLZ_FAST : PLZ_OPTIMAL,
					 work, page, packed, sizeof(packed),
					 &bytes))
				bytes = 0;
			if (!k) {
				memcpy(first, packed, bytes);
				first_bytes = bytes;
			}
			quiet_assert(bytes == first_bytes &&
				     !memcmp(packed, first, bytes));
		}
	}
	free(pages);
	free(work);
	plz_model_free(model);
}
END_TEST

START_TEST(the_portable_coder_is_always_there)
{
	const struct plz_coder *last = NULL;

	for (unsigned k = 0; plz_coder_at(k); k++)
		last = plz_coder_at(k);
	ck_assert_ptr_nonnull(last);
	ck_assert_str_eq(last->name, "portable");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plz-coders");
	TCase *tcase = tcase_create("coders");

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, rows_adapt_as_they_are_defined, 0, 3);
	tcase_add_test(tcase, coders_read_the_same);
	tcase_add_test(tcase, coders_write_the_same);
	tcase_add_test(tcase, the_portable_coder_is_always_there);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds of coding the samples and counting the symbols of each row; the next
 * round's prices follow from the counts of this one.
 *
 * A literal's rows adapt fast, so that how a page begins counts most: symbols
 * that a row has met in this page before weigh less and less, as they do in the
 * row. Rows of tokens, lengths and places are also what prices are made of,
 * which stand for a whole page: there all count alike.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "plz/plz_internal.h"

/* The last two make a few thousandths of difference. */
#define NR_ROUNDS 4u

/* Of the first symbol that a row meets in a page; and how much less each later
 * one weighs, as a power of two: half as much after twenty. */
#define WEIGHT	     4096u
#define WEIGHT_SHIFT 5u

/* Each symbol of each row is counted this often before there are samples. */
#define PRIOR (WEIGHT / 10)

struct trainer {
	struct plz_workspace work;
	uint16_t weight[PLZ_NR_ROWS]; /* of the next symbol in this page */
	uint64_t count[PLZ_NR_ROWS][PLZ_NR_SYMBOLS];
};

static void count_page(struct trainer *t, const struct plz_model *model,
		       const uint8_t *page)
{
	struct plz_workspace *work = &t->work;
	unsigned nr_tokens = plz_parse_fast(model, work, page);
	unsigned nr_steps = plz_make_steps(model, page, work->tokens, nr_tokens,
					   work->steps);

	for (unsigned r = 0; r < PLZ_NR_ROWS; r++)
		t->weight[r] = WEIGHT;
	for (unsigned i = 0; i < nr_steps; i++) {
		const struct plz_step *step = &work->steps[i];

		for (unsigned k = 0; k < step->nr_rows; k++) {
			uint16_t *weight = &t->weight[step->row[k]];

			t->count[step->row[k]][step->symbol] += *weight;
			if (step->nr_rows > 1)
				*weight = (uint16_t)(*weight -
						     (*weight >> WEIGHT_SHIFT));
		}
	}
}

/* PLZ_FLOOR for each symbol, the rest by the counts; what rounding leaves over
 * goes to the most frequent one. */
static void make_row(const uint64_t *count, struct plz_row *row)
{
	const uint64_t rest = PLZ_TOTAL - PLZ_NR_SYMBOLS * PLZ_FLOOR;
	unsigned freq[PLZ_NR_SYMBOLS], most = 0, start = 0, left = PLZ_TOTAL;
	uint64_t sum = 0;

	for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++) {
		sum += count[s] + PRIOR;
		most = count[s] > count[most] ? s : most;
	}
	for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++) {
		freq[s] =
			PLZ_FLOOR + (unsigned)(rest * (count[s] + PRIOR) / sum);
		left -= freq[s];
	}
	freq[most] += left;
	for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++) {
		row->start[s] = (uint16_t)start;
		start += freq[s];
	}
}

static void make_rows(struct trainer *t, struct plz_model *model)
{
	for (unsigned r = 0; r < PLZ_NR_ROWS; r++)
		make_row(t->count[r], &model->tables->rows[r]);
	plz_tables_finish(model->tables, model);
	memset(t->count, 0, sizeof(t->count));
}

/* A model with bytes of its own, which has no rows yet, and tables. Or NULL. */
static struct plz_model *begin(const void *dict, size_t dict_bytes)
{
	uint8_t *bytes = malloc(plz_model_room(dict_bytes));
	struct plz_model *model;

	if (!bytes)
		return NULL;
	plz_bytes_begin(bytes, dict, dict_bytes);
	model = plz_model_new(bytes);
	if (!model) {
		free(bytes);
		return NULL;
	}
	model->own_bytes = bytes;
	model->tables = plz_tables_new(dict_bytes);
	if (!model->tables) {
		plz_model_free(model);
		return NULL;
	}
	return model;
}

int plz_train(const void *pages, size_t nr_pages, const void *dict,
	      size_t dict_bytes, struct plz_model **out)
{
	struct plz_model *model;
	struct trainer *t;

	if (!nr_pages || nr_pages > PLZ_TRAIN_MAX_PAGES ||
	    dict_bytes > PLZ_DICT_MAX_BYTES)
		return -EMSGSIZE;
	model = begin(dict, dict_bytes);
	t = aligned_alloc(PLZ_WORKSPACE_ALIGN,
			  (sizeof(*t) + PLZ_WORKSPACE_ALIGN - 1) &
				  ~(size_t)(PLZ_WORKSPACE_ALIGN - 1));
	if (!model || !t) {
		plz_model_free(model);
		free(t);
		return -ENOMEM;
	}
	memset(t->count, 0, sizeof(t->count));
	make_rows(t, model); /* all alike */
	for (unsigned round = 0; round < NR_ROUNDS; round++) {
		for (size_t i = 0; i < nr_pages; i++)
			count_page(t, model,
				   (const uint8_t *)pages + i * ZSD_PAGE_BYTES);
		make_rows(t, model);
	}
	free(t);
	plz_bytes_finish(model->own_bytes, model->tables->rows);
	*out = model;
	return 0;
}

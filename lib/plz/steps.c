/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/check.h"
#include "plz/plz_internal.h"

struct writer {
	const struct plz_model *model;
	const uint8_t *page;
	struct plz_step *next; /* where the next step is put */
	unsigned at; /* in the page */
	struct plz_state state;
};

static void put(struct writer *w, unsigned row, unsigned symbol)
{
	*w->next++ = (struct plz_step){
		.row = {(uint16_t)row},
		.symbol = (uint8_t)symbol,
		.nr_rows = 1,
	};
}

static void put_literal(struct writer *w)
{
	struct plz_literal_context c = plz_literal_context(
		w->at, plz_window(w->page, w->at),
		plz_repeat_byte(w->model, w->page, w->at, w->state.repeat[0]),
		w->state.before);
	unsigned byte = w->page[w->at];

	plz_rows_high(w->next->row, &c);
	w->next->symbol = (uint8_t)(byte / 16);
	w->next->nr_rows = 4;
	w->next++;
	plz_rows_low(w->next->row, &c, byte / 16);
	w->next->symbol = byte % 16;
	w->next->nr_rows = 4;
	w->next++;
}

static void put_length(struct writer *w, const struct plz_token *token)
{
	unsigned rest = token->length - plz_least_length(token->kind);
	unsigned row = plz_row_length(token->kind, w->at), nr = 1;

	if (rest < PLZ_SHORT_LENGTHS) {
		put(w, row, rest);
		return;
	}
	if (w->at + token->length == ZSD_PAGE_BYTES) {
		put(w, row, PLZ_LENGTH_TO_END);
		return;
	}
	while (nr < 3 && rest >= plz_length_from(nr + 1))
		nr++;
	put(w, row, PLZ_LENGTH_4_BITS + nr - 1);
	rest -= plz_length_from(nr);
	row = plz_row_length_more(token->kind, nr);
	for (unsigned i = 0; i < nr; i++)
		put(w, row + i, rest >> 4 * (nr - 1 - i) & 15);
}

static void put_distance(struct writer *w, const struct plz_token *token)
{
	unsigned bits = 31 - (unsigned)__builtin_clz(token->where);
	unsigned rest = token->where - (1u << bits);

	put(w, plz_row_bits(token->length, w->at), bits);
	if (bits > 8)
		put(w, PLZ_ROW_DIST_HIGH + bits, rest >> 8);
	if (bits > 4)
		put(w, plz_row_dist_mid(bits, rest >> 8), rest >> 4 & 15);
	if (bits > 0)
		put(w, plz_row_dist_low(bits, token->length), rest & 15);
}

static void put_place(struct writer *w, const struct plz_token *token)
{
	unsigned place = token->where;

	put(w, PLZ_ROW_PLACE_HIGH, place >> 12);
	put(w, PLZ_ROW_PLACE_MID + (place >> 12), place >> 8 & 15);
	put(w, PLZ_ROW_PLACE_LOW + (place >> 8), place >> 4 & 15);
	put(w, PLZ_ROW_PLACE_LANE + w->at % 8, (place - w->at) & 15);
}

unsigned plz_make_steps(const struct plz_model *model, const uint8_t *page,
			const struct plz_token *tokens, unsigned nr_tokens,
			struct plz_step *steps)
{
	struct writer w = {
		.model = model,
		.page = page,
		.next = steps,
		.state = plz_first_state(),
	};
	unsigned nr_steps;

	for (unsigned i = 0; i < nr_tokens; i++) {
		const struct plz_token *token = &tokens[i];

		put(&w, plz_row_token(w.state.before, w.at), token->kind);
		if (token->kind == PLZ_LITERAL)
			put_literal(&w);
		else
			put_length(&w, token);
		if (token->kind == PLZ_PAGE)
			put_distance(&w, token);
		else if (token->kind == PLZ_DICT)
			put_place(&w, token);
		plz_state_after(&w.state, model, w.at, token);
		w.at += token->length;
	}
	nr_steps = (unsigned)(w.next - steps);
	CHECK(w.at == ZSD_PAGE_BYTES && nr_steps <= PLZ_MAX_STEPS);
	return nr_steps;
}

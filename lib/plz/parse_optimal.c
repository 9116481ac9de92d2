/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cheapest way through a page, as far as prices are known: from each
 * position, in order, all tokens lead on to later ones, which keep the cheapest
 * way to them. The last distances and what came before are those of that way,
 * so that a dearer one which would have been of use later is lost.
 */
#include "config.h"

#include "plz/prices.h"

/* A match of so many bytes is taken whole, and nothing else from there on. */
#define GOOD_LENGTH 128u

struct search {
	const struct plz_model *model;
	struct plz_workspace *work;
	const uint8_t *page;
	unsigned at;
	const uint16_t *token_price; /* at this position, by kind */
	/* The longest match from here, and the price of the way behind it. */
	struct plz_token longest;
	uint32_t longest_price;
};

static void lead_on(struct search *s, unsigned kind, unsigned length,
		    unsigned where, unsigned price)
{
	struct plz_node *to = &s->work->nodes[s->at + length];
	uint32_t sum =
		s->work->nodes[s->at].price + s->token_price[kind] + price;
	struct plz_token token = {
		.kind = (uint8_t)kind,
		.length = (uint16_t)length,
		.where = (uint16_t)where,
	};

	if (sum < to->price) {
		to->price = sum;
		to->token = token;
	}
	if (length > s->longest.length) {
		s->longest = token;
		s->longest_price = sum;
	}
}

/* A match in the page, or a repeat, of all lengths that it can have. */
static void lead_on_by_lengths(struct search *s, unsigned kind, unsigned least,
			       unsigned most, unsigned where)
{
	unsigned length = most > GOOD_LENGTH ? most : least;

	for (; length <= most; length++) {
		unsigned price =
			plz_length_price(s->model->tables, kind, s->at, length);

		if (kind == PLZ_PAGE)
			price += plz_distance_price(s->model->tables, length,
						    s->at, where);
		if (kind == PLZ_DICT)
			price +=
				plz_place_price(s->model->tables, s->at, where);
		lead_on(s, kind, length, where, price);
	}
}

static void try_literal(struct search *s, const struct plz_state *state)
{
	struct plz_literal_context c = plz_literal_context(
		s->at, plz_window(s->page, s->at),
		plz_repeat_byte(s->model, s->page, s->at, state->repeat[0]),
		state->before);

	lead_on(s, PLZ_LITERAL, 1, 0,
		plz_literal_price(s->model->tables, s->page[s->at], &c));
}

static void try_matches(struct search *s, const struct plz_state *state)
{
	struct plz_candidates found;
	unsigned least = plz_least_length(PLZ_PAGE);

	for (unsigned i = 0; i < PLZ_NR_REPEATS; i++)
		lead_on_by_lengths(s, PLZ_REPEAT + i,
				   plz_least_length(PLZ_REPEAT + i),
				   plz_repeat_length(s->model, s->page, s->at,
						     state->repeat[i]),
				   0);
	plz_find(s->model, &s->work->finder, s->page, s->at, 1, &found);
	for (unsigned i = 0; i < found.nr_page; i++) {
		lead_on_by_lengths(s, PLZ_PAGE, least, found.page[i].length,
				   found.page[i].where);
		least = found.page[i].length + 1u;
	}
	for (unsigned i = 0; i < found.nr_dict; i++)
		lead_on_by_lengths(s, PLZ_DICT, plz_least_length(PLZ_DICT),
				   found.dict[i].length, found.dict[i].where);
}

/* Settle how things stand at a position: no cheaper way to it will come. */
static const struct plz_state *arrive(struct search *s)
{
	struct plz_node *node = &s->work->nodes[s->at];

	if (s->at) {
		unsigned from = s->at - node->token.length;

		node->state = s->work->nodes[from].state;
		plz_state_after(&node->state, s->model, from, &node->token);
	}
	s->token_price =
		s->model->tables
			->price[plz_row_token(node->state.before, s->at)];
	s->longest.length = 0;
	return &node->state;
}

/* The tokens of the way, which is known from its end. */
static unsigned collect(struct plz_workspace *work)
{
	unsigned nr = 0, i;

	for (i = ZSD_PAGE_BYTES; i; i -= work->nodes[i].token.length)
		nr++;
	i = ZSD_PAGE_BYTES;
	for (unsigned k = nr; k-- > 0; i -= work->nodes[i].token.length)
		work->tokens[k] = work->nodes[i].token;
	return nr;
}

unsigned plz_parse_optimal(const struct plz_model *model,
			   struct plz_workspace *work, const uint8_t *page)
{
	struct search s = {.model = model, .work = work, .page = page};

	for (unsigned i = 1; i <= ZSD_PAGE_BYTES; i++)
		work->nodes[i].price = UINT32_MAX;
	work->nodes[0].price = 0;
	work->nodes[0].state = plz_first_state();
	plz_finder_start(&work->finder);
	while (s.at < ZSD_PAGE_BYTES) {
		const struct plz_state *state = arrive(&s);
		unsigned length = 1;

		try_literal(&s, state);
		try_matches(&s, state);
		if (s.longest.length >= GOOD_LENGTH) {
			length = s.longest.length;
			work->nodes[s.at + length].price = s.longest_price;
			work->nodes[s.at + length].token = s.longest;
		}
		for (unsigned end = s.at + length; s.at < end; s.at++)
			plz_finder_add(&work->finder, page, s.at);
	}
	return collect(work);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "plz/prices.h"

/* A match of so many bytes is taken without a look for a better one. */
#define GOOD_LENGTH 32u

struct parser {
	const struct plz_model *model;
	struct plz_workspace *work;
	const uint8_t *page;
	struct plz_state state;
};

/* What to do at a place, and what it gains over literals, 1/64 bit; 0: take a
 * literal. */
struct choice {
	struct plz_token token;
	int gain;
};

/* @price: of the kind, and of where it is. */
static void consider(const struct parser *p, unsigned at, unsigned kind,
		     unsigned length, uint16_t where, unsigned price,
		     struct choice *best)
{
	const uint32_t *sum = p->work->literal_sum + at;
	int gain = (int)(sum[length] - sum[0]) -
		   (int)(price +
			 plz_length_price(p->model->tables, kind, at, length));

	if (gain <= best->gain)
		return;
	*best = (struct choice){
		.token = {.kind = (uint8_t)kind,
			  .length = (uint16_t)length,
			  .where = where},
		.gain = gain,
	};
}

/* Return: the longest. */
static unsigned consider_repeats(const struct parser *p, unsigned at,
				 const uint16_t *price, struct choice *best)
{
	unsigned longest = 0;

	for (unsigned i = 0; i < PLZ_NR_REPEATS; i++) {
		unsigned length = plz_repeat_length(p->model, p->page, at,
						    p->state.repeat[i]);

		if (length < plz_least_length(PLZ_REPEAT + i))
			continue;
		consider(p, at, PLZ_REPEAT + i, length, 0,
			 price[PLZ_REPEAT + i], best);
		longest = length > longest ? length : longest;
	}
	return longest;
}

/* New matches are looked for above @longer_than bytes alone. */
static struct choice choose(const struct parser *p, unsigned at,
			    unsigned before, unsigned longer_than)
{
	const uint16_t *price =
		p->model->tables->price[plz_row_token(before, at)];
	struct choice best = {.gain = 0};
	struct plz_candidates found;

	if (consider_repeats(p, at, price, &best) >= GOOD_LENGTH)
		return best;
	plz_find(p->model, &p->work->finder, p->page, at, longer_than, &found);
	for (unsigned i = 0; i < found.nr_page; i++) {
		const struct plz_found *f = &found.page[i];

		consider(p, at, PLZ_PAGE, f->length, f->where,
			 price[PLZ_PAGE] + plz_distance_price(p->model->tables,
							      f->length, at,
							      f->where),
			 &best);
	}
	for (unsigned i = 0; i < found.nr_dict; i++) {
		const struct plz_found *f = &found.dict[i];

		consider(p, at, PLZ_DICT, f->length, f->where,
			 price[PLZ_DICT] + plz_place_price(p->model->tables, at,
							   f->where),
			 &best);
	}
	return best;
}

/* The bytes of a token can be found from now on; of a long one, which repeats
 * what can be found anyway, those near its end. */
static void add_rest(struct parser *p, unsigned at, unsigned length)
{
	unsigned end = at + length;

	if (length > GOOD_LENGTH)
		at = end - GOOD_LENGTH;
	while (++at < end)
		plz_finder_add(&p->work->finder, p->page, at);
}

unsigned plz_parse_fast(const struct plz_model *model,
			struct plz_workspace *work, const uint8_t *page)
{
	struct parser p = {
		.model = model,
		.work = work,
		.page = page,
		.state = plz_first_state(),
	};
	unsigned nr = 0, at = 0, longer_than;
	struct choice now, next;
	bool has_next = false;

	plz_sum_literals(model->tables, page, work->literal_sum);
	plz_finder_start(&work->finder);
	while (at < ZSD_PAGE_BYTES) {
		now = has_next ? next : choose(&p, at, p.state.before, 1);
		has_next = false;
		/* A shorter one from there is hardly worth the literal. */
		longer_than = now.token.length > 2 ? now.token.length - 2u : 1;
		plz_finder_add(&work->finder, page, at);
		if (now.gain && now.token.length < GOOD_LENGTH &&
		    at + 1 < ZSD_PAGE_BYTES) {
			next = choose(&p, at + 1,
				      plz_before_after(p.state.before,
						       PLZ_LITERAL),
				      longer_than);
			has_next = next.gain > now.gain;
		}
		if (!now.gain || has_next)
			now.token = (struct plz_token){.kind = PLZ_LITERAL,
						       .length = 1};
		work->tokens[nr++] = now.token;
		plz_state_after(&p.state, model, at, &now.token);
		add_rest(&p, at, now.token.length);
		at += now.token.length;
	}
	return nr;
}

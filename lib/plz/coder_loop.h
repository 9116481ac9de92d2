/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * coder_loop - what runs for each symbol of a page, in one of the ways of
 * rows.h
 *
 * A file for each way includes this, and makes a struct plz_coder of it.
 * Nothing that is decoded is trusted: each index stays in the rows, each copy
 * in the page and the dictionary, whatever the words are.
 */
#ifndef ZSD_PLZ_CODER_LOOP_H
#define ZSD_PLZ_CODER_LOOP_H

#include <errno.h>

#include "plz/plz_internal.h"
#include "plz/rows.h"

#define PLZ_HOT PLZ_TARGET __attribute__((always_inline)) static inline

/* The row that foretells a step whose four rows are averaged. */
PLZ_HOT plz_vec row_average_4(plz_vec a, plz_vec b, plz_vec c, plz_vec d)
{
	return row_average(row_average(a, b), row_average(c, d));
}

/* --- encoding ------------------------------------------------------------ */

PLZ_HOT struct plz_coded coded_by(const uint16_t *start, unsigned symbol)
{
	return (struct plz_coded){
		.start = start[symbol],
		.freq = (uint16_t)plz_freq(start, symbol),
	};
}

PLZ_HOT struct plz_coded encode_plain(struct plz_row *row, plz_vec goal,
				      unsigned symbol)
{
	struct plz_coded coded = coded_by(row->start, symbol);

	row_store(row, row_adapt(row_load(row), goal));
	return coded;
}

PLZ_HOT struct plz_coded encode_mixed(struct plz_row *rows,
				      const uint16_t index[4], plz_vec goal,
				      unsigned symbol)
{
	struct plz_row *r0 = &rows[index[0]], *r1 = &rows[index[1]];
	struct plz_row *r2 = &rows[index[2]], *r3 = &rows[index[3]];
	plz_vec v0 = row_load(r0), v1 = row_load(r1);
	plz_vec v2 = row_load(r2), v3 = row_load(r3);
	struct plz_row mean[2];

	row_store(&mean[0], row_average_4(v0, v1, v2, v3));
	mean[1].start[0] = 0;
	row_store(r0, row_adapt(v0, goal));
	row_store(r1, row_adapt(v1, goal));
	row_store(r2, row_adapt(v2, goal));
	row_store(r3, row_adapt(v3, goal));
	return coded_by(mean[0].start, symbol);
}

PLZ_TARGET static void coder_encode(const struct plz_model *model,
				    struct plz_workspace *work,
				    unsigned nr_steps)
{
	for (unsigned i = 0; i < nr_steps; i++) {
		const struct plz_step *step = &work->steps[i];
		plz_vec goal = row_load(&model->goals[step->symbol]);

		work->coded[i] =
			step->nr_rows == 1
				? encode_plain(&work->rows[step->row[0]], goal,
					       step->symbol)
				: encode_mixed(work->rows, step->row, goal,
					       step->symbol);
	}
}

/* --- decoding ------------------------------------------------------------ */

/* Where the decoder is. Small, and handed to functions that become part of the
 * loop, so that it stays in registers. */
struct reader {
	uint32_t x, other; /* the two states; x is whose turn it is */
	const uint8_t *next; /* word; more can be read than there are */
	const uint8_t *end; /* of the words */
	struct plz_row *rows;
	const struct plz_row *goals;
};

/* The state whose turn it is takes a symbol away; then it is the other's turn. */
PLZ_HOT void advance(struct reader *r, unsigned slot, unsigned start,
		     unsigned freq)
{
	uint32_t x = freq * (r->x >> PLZ_TOTAL_BITS) + slot - start;
	bool is_low = x < PLZ_STATE_LEAST && r->next != r->end;
	uint16_t word;

	memcpy(&word, r->next, sizeof(word));
	r->next += is_low ? sizeof(word) : 0;
	r->x = r->other;
	r->other = is_low ? x << 16 | le16toh(word) : x;
}

PLZ_HOT unsigned take(struct reader *r, unsigned index)
{
	struct plz_row *row = &r->rows[index];
	plz_vec v = row_load(row);
	unsigned slot = r->x & (PLZ_TOTAL - 1), symbol = row_find(v, slot);

	advance(r, slot, row->start[symbol], plz_freq(row->start, symbol));
	row_store(row, row_adapt(v, row_load(&r->goals[symbol])));
	return symbol;
}

PLZ_HOT unsigned take_mixed(struct reader *r, const uint16_t index[4])
{
	struct plz_row *r0 = &r->rows[index[0]], *r1 = &r->rows[index[1]];
	struct plz_row *r2 = &r->rows[index[2]], *r3 = &r->rows[index[3]];
	plz_vec v0 = row_load(r0), v1 = row_load(r1);
	plz_vec v2 = row_load(r2), v3 = row_load(r3);
	plz_vec v = row_average_4(v0, v1, v2, v3), goal;
	unsigned slot = r->x & (PLZ_TOTAL - 1), symbol = row_find(v, slot);
	struct plz_row mean[2];

	row_store(&mean[0], v);
	mean[1].start[0] = 0;
	advance(r, slot, mean[0].start[symbol],
		plz_freq(mean[0].start, symbol));
	goal = row_load(&r->goals[symbol]);
	row_store(r0, row_adapt(v0, goal));
	row_store(r1, row_adapt(v1, goal));
	row_store(r2, row_adapt(v2, goal));
	row_store(r3, row_adapt(v3, goal));
	return symbol;
}

PLZ_HOT unsigned take_literal(struct reader *r,
			      const struct plz_literal_context *c)
{
	uint16_t index[4];
	unsigned high;

	plz_rows_high(index, c);
	high = take_mixed(r, index);
	plz_rows_low(index, c, high);
	return high * 16 + take_mixed(r, index);
}

PLZ_HOT unsigned take_length(struct reader *r, unsigned kind, unsigned at)
{
	unsigned symbol = take(r, plz_row_length(kind, at));
	unsigned nr, rest = 0, row;

	if (likely(symbol < PLZ_SHORT_LENGTHS))
		return plz_least_length(kind) + symbol;
	if (symbol == PLZ_LENGTH_TO_END)
		return ZSD_PAGE_BYTES - at;
	nr = symbol - PLZ_LENGTH_4_BITS + 1;
	row = plz_row_length_more(kind, nr);
	for (unsigned i = 0; i < nr; i++)
		rest = rest * 16 + take(r, row + i);
	return plz_least_length(kind) + plz_length_from(nr) + rest;
}

PLZ_HOT unsigned take_distance(struct reader *r, unsigned length, unsigned at)
{
	unsigned bits = take(r, plz_row_bits(length, at)), rest = 0;

	if (unlikely(bits >= PLZ_NR_BITS))
		return 0;
	if (bits > 8)
		rest = take(r, PLZ_ROW_DIST_HIGH + bits) & 7;
	if (bits > 4)
		rest = rest * 16 + take(r, plz_row_dist_mid(bits, rest));
	if (bits > 0)
		rest = rest * 16 + take(r, plz_row_dist_low(bits, length));
	return (1u << bits) + rest;
}

PLZ_HOT unsigned take_place(struct reader *r, unsigned at)
{
	unsigned place = take(r, PLZ_ROW_PLACE_HIGH);

	place = place * 16 + take(r, PLZ_ROW_PLACE_MID + place);
	place = place * 16 + take(r, PLZ_ROW_PLACE_LOW + place);
	return place * 16 + ((take(r, PLZ_ROW_PLACE_LANE + at % 8) + at) & 15);
}

/* Eight bytes at a time, and up to seven too many. */
PLZ_HOT void copy_eights(uint8_t *to, const uint8_t *from, unsigned length)
{
	for (unsigned i = 0; i < length; i += 8)
		memcpy(to + i, from + i, 8);
}

PLZ_HOT int copy(const struct plz_model *model, uint8_t *page, unsigned at,
		 uint32_t distance, unsigned length)
{
	bool has_room = at + length + 8 <= ZSD_PAGE_BYTES;
	uint32_t place = at + model->dict_bytes - distance;
	uint8_t *to = page + at;

	if (unlikely(length > ZSD_PAGE_BYTES - at))
		return -EBADMSG;
	if (distance <= at) {
		const uint8_t *from = to - distance;

		if (has_room && distance >= 8)
			copy_eights(to, from, length);
		else
			for (unsigned i = 0; i < length; i++)
				to[i] = from[i];
		return 0;
	}
	if (unlikely(distance > at + model->dict_bytes ||
		     length > model->dict_bytes - place))
		return -EBADMSG;
	if (has_room && place + length + 8 <= model->dict_bytes)
		copy_eights(to, model->dict + place, length);
	else
		memcpy(to, model->dict + place, length);
	return 0;
}

/* The distance of a match, which becomes the last one; 0: there is none such. */
PLZ_HOT uint32_t take_source(struct reader *r, uint32_t *repeat, unsigned kind,
			     unsigned length, unsigned at, uint32_t dict_bytes)
{
	unsigned from = 3;
	uint32_t distance;

	if (kind == PLZ_PAGE) {
		distance = take_distance(r, length, at);
		distance = distance <= at ? distance : 0;
	} else if (kind == PLZ_DICT) {
		uint32_t place = take_place(r, at);

		distance = place < dict_bytes ? at + dict_bytes - place : 0;
	} else {
		from = kind - PLZ_REPEAT;
		distance = repeat[from];
	}
	plz_push_repeat(repeat, from, distance);
	return distance;
}

PLZ_TARGET static int coder_decode(const struct plz_model *model,
				   struct plz_workspace *work, size_t src_bytes,
				   uint8_t *page, uint32_t end_state[2])
{
	struct plz_state state = plz_first_state();
	struct reader r = {
		.x = end_state[0],
		.other = end_state[1],
		.next = work->words,
		.end = work->words + src_bytes,
		.rows = work->rows,
		.goals = model->goals,
	};
	uint64_t window = 0; /* the eight bytes before */
	unsigned at = 0;

	while (at < ZSD_PAGE_BYTES) {
		unsigned kind = take(&r, plz_row_token(state.before, at));
		unsigned length;
		uint32_t distance;

		if (kind == PLZ_LITERAL) {
			struct plz_literal_context c = plz_literal_context(
				at, window,
				plz_repeat_byte(model, page, at,
						state.repeat[0]),
				state.before);
			unsigned byte = take_literal(&r, &c);

			window = window >> 8 | (uint64_t)byte << 56;
			page[at++] = (uint8_t)byte;
			state.before = plz_before_after(state.before, kind);
			continue;
		}
		if (unlikely(kind >= PLZ_NR_KINDS))
			return -EBADMSG;
		length = take_length(&r, kind, at);
		distance = take_source(&r, state.repeat, kind, length, at,
				       model->dict_bytes);
		if (unlikely(!distance) ||
		    copy(model, page, at, distance, length))
			return -EBADMSG;
		at += length;
		window = plz_window(page, at);
		state.before = plz_before_after(state.before, kind);
	}
	end_state[0] = r.x;
	end_state[1] = r.other;
	return r.next == r.end ? 0 : -EBADMSG;
}

#endif

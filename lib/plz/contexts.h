/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * contexts - rows, tokens, and which rows foretell what of a token
 *
 * A row is a distribution of 16 symbols. A context is a row's index: which one
 * is used follows from what has been coded before. The encoder, the decoder,
 * the prices and the training all ask the functions below, so that they agree;
 * docs/plz.md lists them for those who write a decoder of their own.
 */
#ifndef ZSD_PLZ_CONTEXTS_H
#define ZSD_PLZ_CONTEXTS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"

/* --- rows ---------------------------------------------------------------- */

#define PLZ_NR_SYMBOLS 16u
#define PLZ_TOTAL_BITS 15u
#define PLZ_TOTAL      (1u << PLZ_TOTAL_BITS)

/*
 * Where each symbol starts in 0 .. PLZ_TOTAL. The first starts at 0; each ends
 * where the next one starts, the last at PLZ_TOTAL, which is not written down.
 * A symbol's frequency is its length.
 */
struct plz_row {
	uint16_t start[PLZ_NR_SYMBOLS];
} __attribute__((aligned(32)));

/*
 * Adapting: a row that has met symbol s moves towards goal s by a sixteenth
 * (2^-PLZ_RATE), each start rounded down. A goal gives PLZ_FLOOR to each symbol
 * and the rest to s. So a frequency d, whose goal is g, becomes
 *
 *     d + floor(a + (g - d) / 16) - floor(a) >= d + floor((g - d) / 16)
 *
 * where a is what its start moves by. Where d <= g, that is d at least; where
 * d > g, it is g at least. A frequency that is PLZ_LEAST at least, as a model's
 * all are, never falls below; by itself it comes down to this.
 */
#define PLZ_RATE  4u
#define PLZ_FLOOR 24u
#define PLZ_LEAST (PLZ_FLOOR - (1u << PLZ_RATE) + 1)

/*
 * The frequency of symbol @s of the row at @start. What follows the row must be
 * another one, or 0: that is PLZ_TOTAL, where the last symbol ends, but for the
 * bit that is masked. No symbol has all or nothing.
 */
static inline unsigned plz_freq(const uint16_t *start, unsigned s)
{
	return (unsigned)(start[s + 1] - start[s]) & (PLZ_TOTAL - 1);
}

/* --- tokens -------------------------------------------------------------- */

enum plz_kind {
	PLZ_LITERAL,
	PLZ_PAGE, /* a match with what stands before, in the page */
	PLZ_DICT, /* a match with a place of the dictionary */
	PLZ_REPEAT, /* this and the next three: with the distance of one of
		     * the last matches */
	PLZ_NR_KINDS = PLZ_REPEAT + 4,
};

#define PLZ_NR_REPEATS 4u

struct plz_token {
	uint8_t kind;
	uint16_t length; /* bytes; 1 of a literal */
	uint16_t where; /* distance in the page, or place in the dictionary */
};

static inline unsigned plz_least_length(unsigned kind)
{
	return kind == PLZ_REPEAT ? 1 : kind == PLZ_DICT ? 3 : 2;
}

/* What came before a token. */
enum plz_before {
	PLZ_AFTER_LITERALS,
	PLZ_AFTER_ONE_LITERAL, /* which came after a match */
	PLZ_AFTER_MATCH,
	PLZ_AFTER_REPEAT,
	PLZ_NR_BEFORE,
};

/* What tokens leave behind. A distance beyond the start of the page is one into
 * the dictionary, which ends there. */
struct plz_state {
	uint32_t repeat[PLZ_NR_REPEATS]; /* distances, the last one first */
	unsigned before; /* enum plz_before */
};

/* The distances of words, pairs and triples of them, and of halves. */
static inline struct plz_state plz_first_state(void)
{
	return (struct plz_state){.repeat = {8, 16, 24, 4}};
}

/* @distance to the front, from number @from; a new one from the last. */
static inline void plz_push_repeat(uint32_t *repeat, unsigned from,
				   uint32_t distance)
{
	repeat[3] = from >= 3 ? repeat[2] : repeat[3];
	repeat[2] = from >= 2 ? repeat[1] : repeat[2];
	repeat[1] = from >= 1 ? repeat[0] : repeat[1];
	repeat[0] = distance;
}

static inline unsigned plz_before_after(unsigned before, unsigned kind)
{
	if (kind == PLZ_LITERAL)
		return before >= PLZ_AFTER_MATCH ? PLZ_AFTER_ONE_LITERAL
						 : PLZ_AFTER_LITERALS;
	return kind < PLZ_REPEAT ? PLZ_AFTER_MATCH : PLZ_AFTER_REPEAT;
}

/* --- contexts ------------------------------------------------------------ */

/*
 * The index of the first row of each group, and how many there are. Lanes are
 * places in a word: the position in the page, modulo 8.
 */
enum {
	PLZ_ROW_TOKEN = 0, /* before x lane */
	PLZ_ROW_LENGTH = PLZ_ROW_TOKEN + PLZ_NR_BEFORE * 8, /* class x lane */
	PLZ_ROW_LENGTH_16 = PLZ_ROW_LENGTH + 4 * 8, /* class */
	PLZ_ROW_LENGTH_256 = PLZ_ROW_LENGTH_16 + 4, /* high and low nibble */
	PLZ_ROW_LENGTH_4096 = PLZ_ROW_LENGTH_256 + 2, /* three nibbles */
	/* A distance: how many bits, and those below the highest. */
	PLZ_ROW_BITS = PLZ_ROW_LENGTH_4096 + 3, /* group of length x lane */
	PLZ_ROW_DIST_HIGH = PLZ_ROW_BITS + 4 * 8, /* bits */
	PLZ_ROW_DIST_MID = PLZ_ROW_DIST_HIGH + 12, /* bits x high */
	PLZ_ROW_DIST_LOW = PLZ_ROW_DIST_MID + 12 * 8, /* bits x group */
	/* A place: four nibbles, the last relative to the position. */
	PLZ_ROW_PLACE_HIGH = PLZ_ROW_DIST_LOW + 12 * 4,
	PLZ_ROW_PLACE_MID = PLZ_ROW_PLACE_HIGH + 1, /* high */
	PLZ_ROW_PLACE_LOW = PLZ_ROW_PLACE_MID + 16, /* high x mid */
	PLZ_ROW_PLACE_LANE = PLZ_ROW_PLACE_LOW + 256, /* lane */
	/* A literal's high nibble: the mean of four. */
	PLZ_ROW_HIGH_1 = PLZ_ROW_PLACE_LANE + 8, /* lane x nibble before */
	PLZ_ROW_HIGH_8 = PLZ_ROW_HIGH_1 + 8 * 16, /* lane x 8 before */
	PLZ_ROW_HIGH_REPEAT = PLZ_ROW_HIGH_8 + 8 * 16, /* lane x repeat's */
	PLZ_ROW_HIGH_BYTE = PLZ_ROW_HIGH_REPEAT + 8 * 16, /* byte before */
	PLZ_ROW_HIGH_MATCH = PLZ_ROW_HIGH_BYTE + 256, /* match's next byte */
	/* Its low nibble: of four likewise. 17: 16 is "another high nibble". */
	PLZ_ROW_LOW_1 = PLZ_ROW_HIGH_MATCH + 256, /* high x low before */
	PLZ_ROW_LOW_8 = PLZ_ROW_LOW_1 + 16 * 17,
	PLZ_ROW_LOW_REPEAT = PLZ_ROW_LOW_8 + 16 * 17,
	PLZ_ROW_LOW_MATCH = PLZ_ROW_LOW_REPEAT + 16 * 17,
	PLZ_ROW_LOW_LANE = PLZ_ROW_LOW_MATCH + 16 * 17, /* lane x high */
	PLZ_NR_ROWS = PLZ_ROW_LOW_LANE + 8 * 16,

	PLZ_NR_PLAIN_ROWS = PLZ_ROW_HIGH_1, /* those that are not averaged */
	PLZ_NR_LITERAL_ROWS = PLZ_NR_ROWS - PLZ_NR_PLAIN_ROWS,
};

static inline unsigned plz_row_token(unsigned before, unsigned at)
{
	return PLZ_ROW_TOKEN + before * 8 + at % 8;
}

/* Lengths above the least of a kind: so many are a symbol of their own; then
 * come symbols for 4, 8 and 12 bits more, and one for "to the page's end". */
#define PLZ_SHORT_LENGTHS  12u
#define PLZ_LENGTH_4_BITS  12u
#define PLZ_LENGTH_8_BITS  13u
#define PLZ_LENGTH_12_BITS 14u
#define PLZ_LENGTH_TO_END  15u

/* 0 page, 1 dictionary, 2 the first repeat, 3 the others */
static inline unsigned plz_length_class(unsigned kind)
{
	return kind <= PLZ_REPEAT ? kind - 1 : 3;
}

static inline unsigned plz_row_length(unsigned kind, unsigned at)
{
	return PLZ_ROW_LENGTH + plz_length_class(kind) * 8 + at % 8;
}

/* The first row of the @nr nibbles, 1 .. 3, of a long length. */
static inline unsigned plz_row_length_more(unsigned kind, unsigned nr)
{
	return nr == 1	 ? PLZ_ROW_LENGTH_16 + plz_length_class(kind)
	       : nr == 2 ? PLZ_ROW_LENGTH_256
			 : PLZ_ROW_LENGTH_4096;
}

/* The least length above a kind's least that takes @nr nibbles more. */
static inline unsigned plz_length_from(unsigned nr)
{
	return PLZ_SHORT_LENGTHS + (nr > 1 ? 16 : 0) + (nr > 2 ? 256 : 0);
}

/* Distances are 1 .. 4095: so many values for how many bits follow the highest.
 */
#define PLZ_NR_BITS 12u

/* Up to 2, 3, 4 and more bytes: short matches are near ones. */
static inline unsigned plz_length_group(unsigned length)
{
	return length >= 5 ? 3 : length <= 2 ? 0 : length - 2;
}

static inline unsigned plz_row_bits(unsigned length, unsigned at)
{
	return PLZ_ROW_BITS + plz_length_group(length) * 8 + at % 8;
}

static inline unsigned plz_row_dist_mid(unsigned bits, unsigned high)
{
	return PLZ_ROW_DIST_MID + bits * 8 + high;
}

static inline unsigned plz_row_dist_low(unsigned bits, unsigned length)
{
	return PLZ_ROW_DIST_LOW + bits * 4 + plz_length_group(length);
}

/* What a literal's rows are chosen by. */
struct plz_literal_context {
	unsigned lane;
	unsigned before; /* the byte before; 0 where the page has none */
	unsigned before_8; /* the one 8 bytes before, likewise */
	unsigned repeat; /* the one at the last distance; 0 where there is none */
	bool is_after_match; /* which went on with another byte than repeat */
};

/* @window: the eight bytes before, the last one highest. */
static inline struct plz_literal_context plz_literal_context(unsigned at,
							     uint64_t window,
							     unsigned repeat,
							     unsigned before)
{
	return (struct plz_literal_context){
		.lane = at % 8,
		.before = (unsigned)(window >> 56),
		.before_8 = window & 255,
		.repeat = repeat,
		.is_after_match = before >= PLZ_AFTER_MATCH,
	};
}

static inline void plz_rows_high(uint16_t row[4],
				 const struct plz_literal_context *c)
{
	unsigned lane = c->lane * 16;

	row[0] = (uint16_t)(PLZ_ROW_HIGH_1 + lane + c->before / 16);
	row[1] = (uint16_t)(PLZ_ROW_HIGH_8 + lane + c->before_8 / 16);
	row[2] = (uint16_t)(PLZ_ROW_HIGH_REPEAT + lane + c->repeat / 16);
	row[3] = (uint16_t)(c->is_after_match ? PLZ_ROW_HIGH_MATCH + c->repeat
					      : PLZ_ROW_HIGH_BYTE + c->before);
}

/* Given a high nibble, what another byte's low one is worth knowing for. */
static inline unsigned plz_low_of(unsigned byte, unsigned high)
{
	return high * 17 + (byte / 16 == high ? byte % 16 : 16);
}

static inline void plz_rows_low(uint16_t row[4],
				const struct plz_literal_context *c,
				unsigned high)
{
	unsigned repeat = plz_low_of(c->repeat, high);

	row[0] = (uint16_t)(PLZ_ROW_LOW_1 + plz_low_of(c->before, high));
	row[1] = (uint16_t)(PLZ_ROW_LOW_8 + plz_low_of(c->before_8, high));
	row[2] = (uint16_t)(PLZ_ROW_LOW_REPEAT + repeat);
	row[3] = (uint16_t)(c->is_after_match
				    ? PLZ_ROW_LOW_MATCH + repeat
				    : PLZ_ROW_LOW_LANE + c->lane * 16 + high);
}

/* The eight bytes before a place; zeros before the page. */
static inline uint64_t plz_window(const uint8_t *page, unsigned at)
{
	uint64_t window = 0;

	if (likely(at >= 8)) {
		memcpy(&window, page + at - 8, 8);
		return le64toh(window);
	}
	for (unsigned i = 0; i < at; i++)
		window = window >> 8 | (uint64_t)page[i] << 56;
	return window;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a token costs, from the rows as a page begins: how they adapt on the way
 * is not known to who looks for tokens. Integers alone, so that all machines
 * find the same tokens.
 */
#include "config.h"

#include "plz/plz_internal.h"

/* log2 in 1/64 bit: the integer part, and a bit more for each squaring. */
static unsigned log2_of(uint32_t n)
{
	unsigned log = 31 - (unsigned)__builtin_clz(n);
	uint64_t x = (uint64_t)n << (31 - log); /* 2^31 .. 2^32 */

	for (unsigned i = 0; i < PLZ_PRICE_BITS; i++) {
		x = x * x >> 31;
		log = log << 1 | (x >> 32 != 0);
		x >>= x >> 32;
	}
	return log;
}

/* What a symbol costs that comes @freq times of @total. */
static uint16_t price_of(uint32_t freq, uint32_t total)
{
	return (uint16_t)(log2_of(total) - log2_of(freq));
}

void plz_make_prices(struct plz_tables *tables)
{
	for (unsigned r = 0; r < PLZ_NR_PLAIN_ROWS; r++)
		for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++)
			tables->price[r][s] = price_of(
				plz_freq(tables->rows[r].start, s), PLZ_TOTAL);
	for (unsigned r = 0; r < PLZ_NR_LITERAL_ROWS; r++) {
		const uint16_t *start =
			tables->rows[PLZ_NR_PLAIN_ROWS + r].start;

		for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++)
			tables->freq[r][s] = (uint16_t)plz_freq(start, s);
	}
	for (unsigned i = 0; i < PLZ_NR_SUMS; i++)
		tables->sum_price[i] = price_of(
			(2 * i + 1) << (PLZ_SUM_SHIFT - 1), 3 * PLZ_TOTAL);
}

/* --- literals ------------------------------------------------------------ */

/* The three rows that are known before there are tokens: all but the one that
 * goes by a distance. */
static inline unsigned mixed_price(const struct plz_tables *tables,
				   const uint16_t row[4], unsigned symbol)
{
	const uint16_t(*freq)[PLZ_NR_SYMBOLS] = tables->freq;
	uint32_t sum = freq[row[0] - PLZ_NR_PLAIN_ROWS][symbol];

	sum += freq[row[1] - PLZ_NR_PLAIN_ROWS][symbol];
	sum += freq[row[3] - PLZ_NR_PLAIN_ROWS][symbol];
	return tables->sum_price[sum >> PLZ_SUM_SHIFT];
}

static inline unsigned literal_price(const struct plz_tables *tables,
				     unsigned byte,
				     const struct plz_literal_context *c)
{
	unsigned price;
	uint16_t row[4];

	plz_rows_high(row, c);
	price = mixed_price(tables, row, byte / 16);
	plz_rows_low(row, c, byte / 16);
	return price + mixed_price(tables, row, byte % 16);
}

unsigned plz_literal_price(const struct plz_tables *tables, unsigned byte,
			   const struct plz_literal_context *c)
{
	return literal_price(tables, byte, c);
}

static void sum_word(const struct plz_tables *tables, uint64_t word,
		     uint64_t window, uint32_t *sum)
{
	for (unsigned i = 0; i < 8; i++) {
		struct plz_literal_context c =
			plz_literal_context(i, window, 0, PLZ_AFTER_LITERALS);
		unsigned row = plz_row_token(PLZ_AFTER_LITERALS, i);

		sum[i + 1] = sum[i] + tables->price[row][PLZ_LITERAL] +
			     literal_price(tables, word & 255, &c);
		window = window >> 8 | word << 56;
		word >>= 8;
	}
}

void plz_sum_literals(const struct plz_tables *tables, const uint8_t *page,
		      uint32_t *sum)
{
	uint64_t word, before = 0, before_that = 0;

	sum[0] = 0;
	for (unsigned at = 0; at < ZSD_PAGE_BYTES; at += 8) {
		memcpy(&word, page + at, 8);
		word = le64toh(word);
		if (at < 24 || word != before || before != before_that)
			sum_word(tables, word, before, sum + at);
		else /* the third of one kind costs what the second did */
			for (unsigned i = 1; i <= 8; i++)
				sum[at + i] =
					sum[at] + sum[at + i - 8] - sum[at - 8];
		before_that = before;
		before = word;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prices - what the parts of a token cost, 1/64 bit
 *
 * Small, and asked thousands of times for a page: part of whoever asks.
 */
#ifndef ZSD_PLZ_PRICES_H
#define ZSD_PLZ_PRICES_H

#include "plz/plz_internal.h"

static inline unsigned plz_length_price(const struct plz_tables *tables,
					unsigned kind, unsigned at,
					unsigned length)
{
	const uint16_t *price = tables->price[plz_row_length(kind, at)];
	unsigned rest = length - plz_least_length(kind), nr = 1, row, sum;

	if (rest < PLZ_SHORT_LENGTHS)
		return price[rest];
	if (at + length == ZSD_PAGE_BYTES)
		return price[PLZ_LENGTH_TO_END];
	while (nr < 3 && rest >= plz_length_from(nr + 1))
		nr++;
	sum = price[PLZ_LENGTH_4_BITS + nr - 1];
	rest -= plz_length_from(nr);
	row = plz_row_length_more(kind, nr);
	for (unsigned i = 0; i < nr; i++)
		sum += tables->price[row + i][rest >> 4 * (nr - 1 - i) & 15];
	return sum;
}

static inline unsigned plz_distance_price(const struct plz_tables *tables,
					  unsigned length, unsigned at,
					  unsigned distance)
{
	unsigned bits = 31 - (unsigned)__builtin_clz(distance);
	unsigned rest = distance - (1u << bits);
	unsigned sum = tables->price[plz_row_bits(length, at)][bits];

	if (bits > 8)
		sum += tables->price[PLZ_ROW_DIST_HIGH + bits][rest >> 8];
	if (bits > 4)
		sum += tables->price[plz_row_dist_mid(bits, rest >> 8)]
				    [rest >> 4 & 15];
	if (bits > 0)
		sum += tables->price[plz_row_dist_low(bits, length)][rest & 15];
	return sum;
}

static inline unsigned plz_place_price(const struct plz_tables *tables,
				       unsigned at, unsigned place)
{
	const uint16_t(*price)[PLZ_NR_SYMBOLS] = tables->price;
	unsigned sum = price[PLZ_ROW_PLACE_HIGH][place >> 12];

	sum += price[PLZ_ROW_PLACE_MID + (place >> 12)][place >> 8 & 15];
	sum += price[PLZ_ROW_PLACE_LOW + (place >> 8)][place >> 4 & 15];
	return sum + price[PLZ_ROW_PLACE_LANE + at % 8][(place - at) & 15];
}

#endif

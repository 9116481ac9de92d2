/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/bits.h"
#include "plz/prices.h"

/* --- strings ------------------------------------------------------------- */

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

/* A multiplier with bits all over: the golden ratio's. */
static uint32_t hash(uint32_t string, unsigned bits)
{
	return (string * 2654435761u) >> (32 - bits);
}

/* --- the dictionary ------------------------------------------------------ */

/* Places that have all but their last nibble in common. */
#define BLOCK_BYTES 16u

/* Whole bits that a block costs at most: three symbols of PLZ_LEAST, and the
 * last nibble, which is the same for all blocks. */
#define MAX_BLOCK_BITS (4u * 12)

static unsigned block_bits(const struct plz_tables *tables, uint32_t block)
{
	return plz_place_price(tables, 0, block) >> PLZ_PRICE_BITS;
}

/* Put the places of a block behind those of the same hash that came before. */
static void index_block(struct plz_tables *tables, const uint8_t *dict,
			uint32_t block, uint32_t end)
{
	end = min_u32(end, block + BLOCK_BYTES);
	for (uint32_t i = block; i < end; i++) {
		uint32_t h = hash(load32(dict + i), PLZ_DICT_HASH_BITS);

		tables->dict_place[tables->dict_end[h]++] = (uint16_t)i;
	}
}

/*
 * A counting sort by hash. The places of a hash come in the order of their
 * price, the cheapest first, since few of them are looked at.
 */
void plz_index_dict(struct plz_tables *tables, const uint8_t *dict,
		    uint32_t dict_bytes)
{
	uint32_t end = dict_bytes < 4 ? 0 : dict_bytes - 3;
	uint16_t *dict_end = tables->dict_end;
	uint32_t first = 0;

	memset(dict_end, 0, sizeof(tables->dict_end));
	for (uint32_t i = 0; i < end; i++)
		dict_end[hash(load32(dict + i), PLZ_DICT_HASH_BITS)]++;
	for (uint32_t h = 0; h < ARRAY_SIZE(tables->dict_end); h++) {
		uint16_t nr = dict_end[h];

		dict_end[h] = (uint16_t)first; /* and moves on as they come */
		first += nr;
	}
	for (unsigned bits = 0; bits <= MAX_BLOCK_BITS; bits++)
		for (uint32_t i = 0; i < end; i += BLOCK_BYTES)
			if (block_bits(tables, i) == bits)
				index_block(tables, dict, i, end);
}

/* --- a page -------------------------------------------------------------- */

void plz_finder_start(struct plz_finder *finder)
{
	memset(finder->head, 0, sizeof(finder->head));
	memset(finder->pair, 0, sizeof(finder->pair));
}

void plz_finder_add(struct plz_finder *finder, const uint8_t *page, unsigned at)
{
	uint32_t string, h;

	if (at + 4 > ZSD_PAGE_BYTES)
		return;
	string = load32(page + at);
	h = hash(string, PLZ_HASH_BITS);
	finder->next[at] = finder->head[h];
	finder->head[h] = (uint16_t)(at + 1);
	finder->pair[hash(string & 0xffff, PLZ_PAIR_BITS)] = (uint16_t)(at + 1);
}

/* Whether what is there goes on for more than @longest bytes, as far as one
 * look tells. */
static bool may_be_longer(const uint8_t *there, const uint8_t *here,
			  unsigned longest)
{
	return load16(there + longest - 1) == load16(here + longest - 1);
}

/* One more, if it is longer than all before. */
static void note_if_longer(struct plz_found *found, unsigned *nr,
			   unsigned *longest, unsigned length, unsigned where)
{
	if (length <= *longest)
		return;
	*longest = length;
	found[(*nr)++] = (struct plz_found){
		.length = (uint16_t)length,
		.where = (uint16_t)where,
	};
}

static unsigned find_in_page(const struct plz_finder *finder,
			     const uint8_t *page, unsigned at, unsigned longest,
			     struct plz_found *found)
{
	const uint8_t *here = page + at, *there;
	unsigned most = ZSD_PAGE_BYTES - at, nr = 0;
	unsigned place = finder->pair[hash(load16(here), PLZ_PAIR_BITS)];

	if (place && longest < most) {
		there = page + place - 1;
		if (load16(there) == load16(here))
			note_if_longer(found, &nr, &longest,
				       plz_common(there, here, most),
				       at - place + 1);
	}
	place = finder->head[hash(load32(here), PLZ_HASH_BITS)];
	for (unsigned i = 0; place && i < PLZ_PAGE_DEPTH && longest < most;
	     i++) {
		there = page + place - 1;
		if (may_be_longer(there, here, longest))
			note_if_longer(found, &nr, &longest,
				       plz_common(there, here, most),
				       at - place + 1);
		place = finder->next[place - 1];
	}
	return nr;
}

/* Those of 4 bytes at least. */
static unsigned find_in_dict(const struct plz_model *model, const uint8_t *page,
			     unsigned at, unsigned longest,
			     struct plz_found *found)
{
	const struct plz_tables *tables = model->tables;
	const uint8_t *here = page + at;
	uint32_t string = load32(here), h = hash(string, PLZ_DICT_HASH_BITS);
	unsigned first = h ? tables->dict_end[h - 1] : 0;
	unsigned end = min_u32(tables->dict_end[h], first + PLZ_DICT_DEPTH);
	unsigned nr = 0;

	longest = longest > 3 ? longest : 3;
	for (unsigned i = first; i < end; i++) {
		uint32_t place = tables->dict_place[i];
		uint32_t most =
			min_u32(ZSD_PAGE_BYTES - at, model->dict_bytes - place);
		const uint8_t *there = model->dict + place;

		if (longest < most && load32(there) == string &&
		    may_be_longer(there, here, longest))
			note_if_longer(found, &nr, &longest,
				       plz_common(there, here, most), place);
	}
	return nr;
}

void plz_find(const struct plz_model *model, const struct plz_finder *finder,
	      const uint8_t *page, unsigned at, unsigned longer_than,
	      struct plz_candidates *out)
{
	out->nr_page = 0;
	out->nr_dict = 0;
	if (at + 4 > ZSD_PAGE_BYTES || longer_than >= ZSD_PAGE_BYTES - at)
		return;
	out->nr_page = find_in_page(finder, page, at, longer_than, out->page);
	out->nr_dict = find_in_dict(model, page, at, longer_than, out->dict);
}

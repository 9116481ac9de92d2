/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bits.h"
#include "plz/plz_internal.h"

/*
 * A model's bytes: this, the rows, the dictionary. All numbers are
 * little-endian. Of a row, the starts of symbols 1 .. 15: the first is 0.
 */
#define FORMAT_VERSION 1u
#define OFFSET_VERSION 8u /* 4 bytes */
#define OFFSET_ROWS    12u /* 4 bytes: how many */
#define OFFSET_DICT    16u /* 4 bytes: the dictionary's length */
#define OFFSET_ZERO    20u /* 4 bytes */
#define OFFSET_SUM     24u /* 8 bytes: see sum_of() */
#define OFFSET_REST    32u
#define ROW_BYTES      ((size_t)2 * (PLZ_NR_SYMBOLS - 1))
#define ROWS_BYTES     (PLZ_NR_ROWS * ROW_BYTES)

static const uint8_t magic[OFFSET_VERSION] = {'p', 'l', 'z', 'm',
					      'o', 'd', 'e', 'l'};

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static void store32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

/* XXH3 of all behind the sum, with that of all before it as seed. */
static uint64_t sum_of(const uint8_t *bytes, size_t nr_bytes)
{
	return XXH3_64bits_withSeed(bytes + OFFSET_REST, nr_bytes - OFFSET_REST,
				    XXH3_64bits(bytes, OFFSET_SUM));
}

/* --- in memory ----------------------------------------------------------- */

size_t plz_model_memory(void)
{
	return align_up(sizeof(struct plz_model), PLZ_WORKSPACE_ALIGN);
}

struct plz_model *plz_model_new(const uint8_t *bytes)
{
	struct plz_model *model =
		aligned_alloc(PLZ_WORKSPACE_ALIGN, plz_model_memory());

	if (!model)
		return NULL;
	*model = (struct plz_model){
		.coder = plz_coder_at(0),
		.bytes = bytes,
		.dict = bytes + OFFSET_REST + ROWS_BYTES,
		.dict_bytes = load32(bytes + OFFSET_DICT),
	};
	for (unsigned s = 0; s < PLZ_NR_SYMBOLS; s++)
		for (unsigned i = 0; i < PLZ_NR_SYMBOLS; i++)
			model->goals[s].start[i] =
				(uint16_t)(i <= s ? i * PLZ_FLOOR
						  : PLZ_TOTAL -
							    (PLZ_NR_SYMBOLS -
							     i) * PLZ_FLOOR);
	return model;
}

void plz_model_free(struct plz_model *model)
{
	if (!model)
		return;
	plz_model_rest(model);
	free(model->own_bytes);
	free(model);
}

const char *plz_model_coder(const struct plz_model *model)
{
	return model->coder->name;
}

/* --- as bytes ------------------------------------------------------------ */

size_t plz_model_room(size_t dict_bytes)
{
	return OFFSET_REST + ROWS_BYTES + dict_bytes;
}

size_t plz_model_bytes(const struct plz_model *model)
{
	return plz_model_room(model->dict_bytes);
}

void plz_model_save(const struct plz_model *model, void *dst)
{
	memcpy(dst, model->bytes, plz_model_bytes(model));
}

void plz_bytes_begin(uint8_t *bytes, const void *dict, size_t dict_bytes)
{
	memcpy(bytes, magic, sizeof(magic));
	store32(bytes + OFFSET_VERSION, FORMAT_VERSION);
	store32(bytes + OFFSET_ROWS, PLZ_NR_ROWS);
	store32(bytes + OFFSET_DICT, (uint32_t)dict_bytes);
	store32(bytes + OFFSET_ZERO, 0);
	if (dict_bytes)
		memcpy(bytes + OFFSET_REST + ROWS_BYTES, dict, dict_bytes);
}

void plz_bytes_finish(uint8_t *bytes, const struct plz_row *rows)
{
	uint8_t *p = bytes + OFFSET_REST;
	uint64_t sum;

	for (unsigned r = 0; r < PLZ_NR_ROWS; r++) {
		for (unsigned s = 1; s < PLZ_NR_SYMBOLS; s++, p += 2) {
			uint16_t start = htole16(rows[r].start[s]);

			memcpy(p, &start, sizeof(start));
		}
	}
	sum = htole64(
		sum_of(bytes, plz_model_room(load32(bytes + OFFSET_DICT))));
	memcpy(bytes + OFFSET_SUM, &sum, sizeof(sum));
}

/* The row at @p, before which there are two bytes of something else. */
static inline void load_row(const uint8_t *p, struct plz_row *row)
{
	memcpy(row->start, p - sizeof(row->start[0]), sizeof(row->start));
	row->start[0] = 0;
	for (unsigned s = 1; s < PLZ_NR_SYMBOLS; s++)
		row->start[s] = le16toh(row->start[s]);
}

void plz_model_rows(const struct plz_model *model, struct plz_row *rows)
{
	const uint8_t *p = model->bytes + OFFSET_REST;

	for (unsigned r = 0; r < PLZ_NR_ROWS; r++)
		load_row(p + r * ROW_BYTES, &rows[r]);
	memset(&rows[PLZ_NR_ROWS], 0, sizeof(rows[PLZ_NR_ROWS]));
}

/* Return: 0, -EPROTO or -EBADMSG. */
static int check_frame(const uint8_t *bytes, size_t nr_bytes)
{
	uint64_t sum;

	if (nr_bytes < OFFSET_REST + ROWS_BYTES ||
	    memcmp(bytes, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (load32(bytes + OFFSET_VERSION) != FORMAT_VERSION)
		return -EPROTO;
	if (load32(bytes + OFFSET_ROWS) != PLZ_NR_ROWS ||
	    load32(bytes + OFFSET_DICT) > PLZ_DICT_MAX_BYTES ||
	    load32(bytes + OFFSET_ZERO) != 0 ||
	    nr_bytes != OFFSET_REST + ROWS_BYTES + load32(bytes + OFFSET_DICT))
		return -EBADMSG;
	memcpy(&sum, bytes + OFFSET_SUM, sizeof(sum));
	return le64toh(sum) == sum_of(bytes, nr_bytes) ? 0 : -EBADMSG;
}

bool plz_row_is_sound(const struct plz_row *row)
{
	unsigned end = PLZ_TOTAL;

	for (unsigned s = PLZ_NR_SYMBOLS - 1; s > 0; s--) {
		if (row->start[s] + PLZ_LEAST > end)
			return false;
		end = row->start[s];
	}
	return end >= PLZ_LEAST;
}

int plz_model_load(const void *src, size_t src_bytes, struct plz_model **out)
{
	const uint8_t *bytes = src, *rows = bytes + OFFSET_REST;
	struct plz_model *model;
	int err = check_frame(bytes, src_bytes);

	if (err)
		return err;
	for (unsigned r = 0; r < PLZ_NR_ROWS; r++) {
		struct plz_row row;

		load_row(rows + r * ROW_BYTES, &row);
		if (!plz_row_is_sound(&row))
			return -EBADMSG;
	}
	model = plz_model_new(bytes);
	if (!model)
		return -ENOMEM;
	*out = model;
	return 0;
}

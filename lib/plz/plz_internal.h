/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plz_internal - a model and a workspace from inside, and the parts of plz
 *
 *     page --parse_*.c--> tokens --steps.c--> steps --coder_*.c--> frequencies
 *          --compress.c--> words
 *
 * A step is a symbol and the rows that foretell it. Decoding is one loop
 * (coder_loop.h), since which rows come next is known only then.
 */
#ifndef ZSD_PLZ_PLZ_INTERNAL_H
#define ZSD_PLZ_PLZ_INTERNAL_H

#include "base/bits.h"
#include "plz/contexts.h"
#include "plz/plz.h"

/* --- a model ------------------------------------------------------------- */

/* Prices are in 1/64 bit. */
#define PLZ_PRICE_BITS 6u

/* Table of prices by the sum of three frequencies, one for each 32. */
#define PLZ_SUM_SHIFT 5u
#define PLZ_NR_SUMS   (3 * PLZ_TOTAL >> PLZ_SUM_SHIFT)

#define PLZ_DICT_HASH_BITS 15u

/*
 * What storing takes besides: all that can be made of a model's bytes. The rows
 * are here once more, so that an encoder has rows that are some, whatever
 * happens to those bytes: a decoder can do with any, an encoder divides by them.
 */
struct plz_tables {
	struct plz_row rows[PLZ_NR_ROWS + 1]; /* how a page begins; zeros */

	/* For the parsers: what a symbol costs, or how often it comes. */
	uint16_t price[PLZ_NR_PLAIN_ROWS][PLZ_NR_SYMBOLS];
	uint16_t freq[PLZ_NR_LITERAL_ROWS][PLZ_NR_SYMBOLS];
	uint16_t sum_price[PLZ_NR_SUMS];
	/* Places of the dictionary by hash of 4 bytes; where those of a hash
	 * end, and the next one's start. */
	uint16_t dict_end[1u << PLZ_DICT_HASH_BITS];
	uint16_t dict_place[]; /* as many as it has bytes */
};

/* But for the tables, made once, then read-only. */
struct plz_model {
	struct plz_row goals[PLZ_NR_SYMBOLS]; /* see PLZ_RATE */
	const struct plz_coder *coder;
	const uint8_t *bytes; /* all of them, as docs/plz.md has them */
	const uint8_t *dict; /* in these */
	uint32_t dict_bytes;
	struct plz_tables *tables; /* NULL: it is to be read with alone */
	uint8_t *own_bytes; /* where bytes are not the caller's; or NULL */
};

/* --- model.c */

/* Of bytes that are sound, but for the rows maybe. Or NULL. */
struct plz_model *plz_model_new(const uint8_t *bytes);
/* Bytes of such a model, with no rows yet; sum_up() is still to come. */
void plz_bytes_begin(uint8_t *bytes, const void *dict, size_t dict_bytes);
/* Put rows into a model's bytes. */
void plz_bytes_finish(uint8_t *bytes, const struct plz_row *rows);
/* All rows, and the zeros behind them. */
void plz_model_rows(const struct plz_model *model, struct plz_row *rows);
bool plz_row_is_sound(const struct plz_row *row);

/* --- tables.c */

/* Memory for them; PLZ_WORKSPACE_ALIGN. Or NULL. */
struct plz_tables *plz_tables_new(size_t dict_bytes);
/* All that follows from their rows and the model's dictionary. */
void plz_tables_finish(struct plz_tables *tables,
		       const struct plz_model *model);
/* Prices, and the order of places, which is theirs. prices.c, match.c */
void plz_make_prices(struct plz_tables *tables);
void plz_index_dict(struct plz_tables *tables, const uint8_t *dict,
		    uint32_t dict_bytes);

/* A literal and its token, where @c says what is around it. */
unsigned plz_literal_price(const struct plz_tables *tables, unsigned byte,
			   const struct plz_literal_context *c);
/* @sum: of the first 0 .. ZSD_PAGE_BYTES bytes as literals, nearly. */
void plz_sum_literals(const struct plz_tables *tables, const uint8_t *page,
		      uint32_t *sum);

/* The byte at @distance before @at, which must be no longer than up to the
 * start of the dictionary. */
static inline const uint8_t *plz_source(const struct plz_model *model,
					const uint8_t *page, unsigned at,
					uint32_t distance)
{
	return distance <= at ? page + at - distance
			      : model->dict + model->dict_bytes + at - distance;
}

static inline bool plz_has_source(const struct plz_model *model, unsigned at,
				  uint32_t distance)
{
	return distance <= at + model->dict_bytes;
}

/* That byte, or 0 where there is none. */
static inline unsigned plz_repeat_byte(const struct plz_model *model,
				       const uint8_t *page, unsigned at,
				       uint32_t distance)
{
	return plz_has_source(model, at, distance)
		       ? *plz_source(model, page, at, distance)
		       : 0;
}

/* --- matches ------------------------------------------------------------- */

#define PLZ_HASH_BITS 12u
#define PLZ_PAIR_BITS 12u

/* Places that are looked at for each position. Twice as many give 0.2 %. */
#define PLZ_PAGE_DEPTH 8u
#define PLZ_DICT_DEPTH 12u

/* Where the strings of a page so far are: places + 1. */
struct plz_finder {
	uint16_t head[1u << PLZ_HASH_BITS]; /* by hash of 4 bytes */
	uint16_t pair[1u << PLZ_PAIR_BITS]; /* by hash of 2 */
	uint16_t next[ZSD_PAGE_BYTES]; /* the one before, of the same hash */
};

struct plz_found {
	uint16_t length;
	uint16_t where; /* as in a token */
};

/* Each is longer than those before. */
struct plz_candidates {
	unsigned nr_page, nr_dict;
	struct plz_found page[PLZ_PAGE_DEPTH + 1];
	struct plz_found dict[PLZ_DICT_DEPTH];
};

/* How many bytes are equal, up to @most. */
static inline unsigned plz_common(const uint8_t *a, const uint8_t *b,
				  unsigned most)
{
	unsigned n = 0;

	for (; n + 8 <= most; n += 8) {
		uint64_t x, y;

		memcpy(&x, a + n, 8);
		memcpy(&y, b + n, 8);
		if (x != y)
			return n +
			       (unsigned)__builtin_ctzll(le64toh(x ^ y)) / 8;
	}
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* How long the match at a repeat distance is; 0: there is none. */
static inline unsigned plz_repeat_length(const struct plz_model *model,
					 const uint8_t *page, unsigned at,
					 uint32_t distance)
{
	unsigned most = ZSD_PAGE_BYTES - at;
	const uint8_t *source;

	if (!plz_has_source(model, at, distance))
		return 0;
	if (distance > at)
		most = min_u32(most, distance - at);
	source = plz_source(model, page, at, distance);
	return *source == page[at] ? plz_common(source, page + at, most) : 0;
}

/* match.c */
void plz_finder_start(struct plz_finder *finder);
/* All places before @at have been added, or are not to be found. */
void plz_finder_add(struct plz_finder *finder, const uint8_t *page,
		    unsigned at);
/* Matches of more than @longer_than bytes, 1 at least. */
void plz_find(const struct plz_model *model, const struct plz_finder *finder,
	      const uint8_t *page, unsigned at, unsigned longer_than,
	      struct plz_candidates *out);
/* --- steps --------------------------------------------------------------- */

struct plz_step {
	uint16_t row[4];
	uint8_t symbol;
	uint8_t nr_rows; /* 1, or 4 that are averaged */
};

/*
 * The most for a page: 3 for each byte. A literal is a token and two nibbles; a
 * match of 2 bytes a token, a length and up to 4 for its distance; one of 3 in
 * the dictionary 6; a repeat of one byte 2. Longer lengths take fewer a byte.
 */
#define PLZ_MAX_STEPS (3 * ZSD_PAGE_BYTES)

/* What the entropy coder needs of a step. */
struct plz_coded {
	uint16_t start;
	uint16_t freq;
};

/* steps.c: how many there are. */
unsigned plz_make_steps(const struct plz_model *model, const uint8_t *page,
			const struct plz_token *tokens, unsigned nr_tokens,
			struct plz_step *steps);

/* How things stand after a token at @at. */
static inline void plz_state_after(struct plz_state *state,
				   const struct plz_model *model, unsigned at,
				   const struct plz_token *token)
{
	state->before = plz_before_after(state->before, token->kind);
	if (token->kind == PLZ_PAGE)
		plz_push_repeat(state->repeat, 3, token->where);
	else if (token->kind == PLZ_DICT)
		plz_push_repeat(state->repeat, 3,
				at + model->dict_bytes - token->where);
	else if (token->kind >= PLZ_REPEAT)
		plz_push_repeat(state->repeat, token->kind - PLZ_REPEAT,
				state->repeat[token->kind - PLZ_REPEAT]);
}

/* --- a workspace --------------------------------------------------------- */

/* A way to a position of the page: the cheapest so far. */
struct plz_node {
	uint32_t price;
	struct plz_token token; /* the last one of it */
	struct plz_state state; /* after it */
};

struct plz_workspace {
	struct plz_row rows[PLZ_NR_ROWS + 1];
	/* Words of a page, and some bytes that may be read but mean nothing. */
	uint8_t words[PLZ_MAX_BYTES + 8];

	/* What follows is for storing alone. */
	struct plz_token tokens[ZSD_PAGE_BYTES];
	uint32_t literal_sum[ZSD_PAGE_BYTES + 1];
	struct plz_finder finder;
	union { /* one after the other */
		struct plz_node nodes[ZSD_PAGE_BYTES + 1];
		struct {
			struct plz_step steps[PLZ_MAX_STEPS];
			struct plz_coded coded[PLZ_MAX_STEPS];
		};
	};
};

/* Fill work->tokens. Return: how many there are. */
unsigned plz_parse_fast(const struct plz_model *model,
			struct plz_workspace *work, const uint8_t *page);
unsigned plz_parse_optimal(const struct plz_model *model,
			   struct plz_workspace *work, const uint8_t *page);

/* --- coders -------------------------------------------------------------- */

/* Words of 16 bits go in and out where a state is below this. */
#define PLZ_STATE_LEAST (1u << 16)

/* The two states as the encoder starts and the decoder ends: that, and half of
 * a page's checksum. */
static inline void plz_check_states(uint32_t sum, uint32_t state[2])
{
	state[0] = PLZ_STATE_LEAST | (sum & 0xffff);
	state[1] = PLZ_STATE_LEAST | sum >> 16;
}

/* What is done with rows, in one of the ways of rows.h. */
struct plz_coder {
	const char *name;
	/* work->steps to work->coded, by work->rows, which adapt. */
	void (*encode)(const struct plz_model *model,
		       struct plz_workspace *work, unsigned nr_steps);
	/* work->words to @page, by work->rows; @state: as it is at the end.
	 * Return: 0 or -EBADMSG. */
	int (*decode)(const struct plz_model *model, struct plz_workspace *work,
		      size_t src_bytes, uint8_t *page, uint32_t state[2]);
};

/* All coders that this machine has, by index from 0 on, the fastest first; NULL
 * past the last one, which is the portable one. */
const struct plz_coder *plz_coder_at(unsigned index);

extern const struct plz_coder plz_coder_avx2;
extern const struct plz_coder plz_coder_sse2;
extern const struct plz_coder plz_coder_neon;
extern const struct plz_coder plz_coder_portable;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bits.h"
#include "base/check.h"
#include "plz/plz_internal.h"

/* The two states stand before the words, 4 bytes each. */
#define STATES_BYTES 8u

size_t plz_workspace_bytes(enum plz_use use)
{
	return use == PLZ_TO_READ ? offsetof(struct plz_workspace, tokens)
				  : sizeof(struct plz_workspace);
}

static uint32_t sum_of(const void *page)
{
	return (uint32_t)XXH3_64bits(page, ZSD_PAGE_BYTES);
}

/* --- entropy ------------------------------------------------------------- */

/*
 * work->coded to the end of work->words, from the last step to the first: the
 * decoder meets them the other way round. Step i goes by state i % 2.
 * Return: bytes, or 0 where they are more than @room.
 */
static size_t put_words(struct plz_workspace *work, unsigned nr_steps,
			uint32_t check, size_t room)
{
	uint8_t *end = work->words + PLZ_MAX_BYTES, *next = end;
	uint32_t state[2], first[2];

	plz_check_states(check, first);
	state[nr_steps % 2] = first[0];
	state[1 - nr_steps % 2] = first[1];
	room = min_u64(room, PLZ_MAX_BYTES);
	if (room < STATES_BYTES)
		return 0;
	for (unsigned i = nr_steps; i-- > 0;) {
		uint32_t *x = &state[i % 2], freq = work->coded[i].freq;

		/* No frequency is PLZ_TOTAL: this has 32 bits at most. */
		if (*x >= freq << (32 - PLZ_TOTAL_BITS)) {
			uint16_t word = htole16((uint16_t)*x);

			if ((size_t)(end - next) + 2 + STATES_BYTES > room)
				return 0;
			next -= sizeof(word);
			memcpy(next, &word, sizeof(word));
			*x >>= 16;
		}
		*x = (*x / freq << PLZ_TOTAL_BITS) + *x % freq +
		     work->coded[i].start;
	}
	for (unsigned i = 2; i-- > 0;) {
		uint32_t x = htole32(state[i]);

		next -= sizeof(x);
		memcpy(next, &x, sizeof(x));
	}
	return (size_t)(end - next);
}

/* --- pages --------------------------------------------------------------- */

int plz_compress(const struct plz_model *model, enum plz_effort effort,
		 struct plz_workspace *work, const void *page, void *dst,
		 size_t dst_bytes, size_t *out_bytes)
{
	unsigned nr_tokens, nr_steps;
	size_t bytes;

	BUG_ON(!model->tables);
	nr_tokens = effort == PLZ_FAST ? plz_parse_fast(model, work, page)
				       : plz_parse_optimal(model, work, page);
	nr_steps = plz_make_steps(model, page, work->tokens, nr_tokens,
				  work->steps);
	memcpy(work->rows, model->tables->rows, sizeof(work->rows));
	model->coder->encode(model, work, nr_steps);
	bytes = put_words(work, nr_steps, sum_of(page), dst_bytes);
	if (!bytes)
		return -ENOSPC;
	memcpy(dst, work->words + PLZ_MAX_BYTES - bytes, bytes);
	*out_bytes = bytes;
	return 0;
}

int plz_decompress(const struct plz_model *model, struct plz_workspace *work,
		   const void *src, size_t src_bytes, void *page)
{
	uint32_t state[2], check[2];
	int err;

	if (src_bytes < STATES_BYTES || src_bytes > PLZ_MAX_BYTES ||
	    src_bytes % 2)
		return -EBADMSG;
	memcpy(state, src, STATES_BYTES);
	state[0] = le32toh(state[0]);
	state[1] = le32toh(state[1]);
	memcpy(work->words, (const uint8_t *)src + STATES_BYTES,
	       src_bytes - STATES_BYTES);
	memset(work->words + src_bytes - STATES_BYTES, 0, sizeof(uint16_t));
	plz_model_rows(model, work->rows);
	err = model->coder->decode(model, work, src_bytes - STATES_BYTES, page,
				   state);
	if (err)
		return err;
	plz_check_states(sum_of(page), check);
	return state[0] == check[0] && state[1] == check[1] ? 0 : -EBADMSG;
}

/* --- coders -------------------------------------------------------------- */

const struct plz_coder *plz_coder_at(unsigned index)
{
#if defined(__x86_64__)
	if (!__builtin_cpu_supports("avx2"))
		index++;
	return index == 0   ? &plz_coder_avx2
	       : index == 1 ? &plz_coder_sse2
	       : index == 2 ? &plz_coder_portable
			    : NULL;
#elif defined(__aarch64__)
	return index == 0   ? &plz_coder_neon
	       : index == 1 ? &plz_coder_portable
			    : NULL;
#else
	return index == 0 ? &plz_coder_portable : NULL;
#endif
}

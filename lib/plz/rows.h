/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rows - what is done to a row: find a symbol, adapt, average
 *
 * Four ways that give the same bits. The file that includes this has chosen one
 * by defining PLZ_ROWS_AVX2, PLZ_ROWS_SSE2 or PLZ_ROWS_NEON, or none.
 *
 *   row_find()     the symbol that @slot, 0 .. PLZ_TOTAL - 1, belongs to: the
 *                  last one that does not start above it
 *   row_adapt()    see PLZ_RATE, contexts.h
 *   row_average()  (a + b + 1) / 2 of each start, rounded down. Where symbols
 *                  have m at least in both rows, they have so in the average:
 *                  (a + m + b + m + 1) / 2 = (a + b + 1) / 2 + m
 */
#ifndef ZSD_PLZ_ROWS_H
#define ZSD_PLZ_ROWS_H

#include "plz/contexts.h"

#if defined(PLZ_ROWS_AVX2)
#include <immintrin.h>

#define PLZ_TARGET __attribute__((target("avx2,bmi,bmi2")))

typedef __m256i plz_vec;

PLZ_TARGET static inline plz_vec row_load(const struct plz_row *row)
{
	return _mm256_load_si256((const __m256i *)row->start);
}

PLZ_TARGET static inline void row_store(struct plz_row *row, plz_vec v)
{
	_mm256_store_si256((__m256i *)row->start, v);
}

PLZ_TARGET static inline plz_vec row_average(plz_vec a, plz_vec b)
{
	return _mm256_avg_epu16(a, b);
}

PLZ_TARGET static inline plz_vec row_adapt(plz_vec v, plz_vec goal)
{
	return _mm256_add_epi16(v, _mm256_srai_epi16(_mm256_sub_epi16(goal, v),
						     PLZ_RATE));
}

PLZ_TARGET static inline unsigned row_find(plz_vec v, unsigned slot)
{
	__m256i above = _mm256_cmpgt_epi16(v, _mm256_set1_epi16((short)slot));
	uint64_t mask = (uint32_t)_mm256_movemask_epi8(above) | UINT64_C(1)
									<< 32;

	return ((unsigned)__builtin_ctzll(mask) >> 1) - 1;
}

#elif defined(PLZ_ROWS_SSE2)
#include <emmintrin.h>

#define PLZ_TARGET

typedef struct {
	__m128i low, high;
} plz_vec;

static inline plz_vec row_load(const struct plz_row *row)
{
	const __m128i *p = (const __m128i *)row->start;

	return (plz_vec){_mm_load_si128(p), _mm_load_si128(p + 1)};
}

static inline void row_store(struct plz_row *row, plz_vec v)
{
	__m128i *p = (__m128i *)row->start;

	_mm_store_si128(p, v.low);
	_mm_store_si128(p + 1, v.high);
}

static inline plz_vec row_average(plz_vec a, plz_vec b)
{
	return (plz_vec){_mm_avg_epu16(a.low, b.low),
			 _mm_avg_epu16(a.high, b.high)};
}

static inline __m128i half_adapt(__m128i v, __m128i goal)
{
	return _mm_add_epi16(v,
			     _mm_srai_epi16(_mm_sub_epi16(goal, v), PLZ_RATE));
}

static inline plz_vec row_adapt(plz_vec v, plz_vec goal)
{
	return (plz_vec){half_adapt(v.low, goal.low),
			 half_adapt(v.high, goal.high)};
}

static inline unsigned row_find(plz_vec v, unsigned slot)
{
	__m128i key = _mm_set1_epi16((short)slot);
	__m128i above = _mm_packs_epi16(_mm_cmpgt_epi16(v.low, key),
					_mm_cmpgt_epi16(v.high, key));
	unsigned mask = (unsigned)_mm_movemask_epi8(above) | 1u << 16;

	return (unsigned)__builtin_ctz(mask) - 1;
}

#elif defined(PLZ_ROWS_NEON)
#include <arm_neon.h>

#define PLZ_TARGET

typedef uint16x8x2_t plz_vec;

static inline plz_vec row_load(const struct plz_row *row)
{
	return (plz_vec){{vld1q_u16(row->start), vld1q_u16(row->start + 8)}};
}

static inline void row_store(struct plz_row *row, plz_vec v)
{
	vst1q_u16(row->start, v.val[0]);
	vst1q_u16(row->start + 8, v.val[1]);
}

static inline plz_vec row_average(plz_vec a, plz_vec b)
{
	return (plz_vec){{vrhaddq_u16(a.val[0], b.val[0]),
			  vrhaddq_u16(a.val[1], b.val[1])}};
}

static inline uint16x8_t half_adapt(uint16x8_t v, uint16x8_t goal)
{
	int16x8_t way = vreinterpretq_s16_u16(vsubq_u16(goal, v));

	return vaddq_u16(v, vreinterpretq_u16_s16(vshrq_n_s16(way, PLZ_RATE)));
}

static inline plz_vec row_adapt(plz_vec v, plz_vec goal)
{
	return (plz_vec){{half_adapt(v.val[0], goal.val[0]),
			  half_adapt(v.val[1], goal.val[1])}};
}

static inline unsigned row_find(plz_vec v, unsigned slot)
{
	uint16x8_t key = vdupq_n_u16((uint16_t)slot);
	uint8x16_t up_to = vcombine_u8(vmovn_u16(vcleq_u16(v.val[0], key)),
				       vmovn_u16(vcleq_u16(v.val[1], key)));

	/* Each that is not above gives 255, that is -1. */
	return (uint8_t)-vaddvq_u8(up_to) - 1u;
}

#else

#define PLZ_TARGET

typedef struct {
	uint16_t start[PLZ_NR_SYMBOLS];
} plz_vec;

static inline plz_vec row_load(const struct plz_row *row)
{
	plz_vec v;

	memcpy(v.start, row->start, sizeof(v.start));
	return v;
}

static inline void row_store(struct plz_row *row, plz_vec v)
{
	memcpy(row->start, v.start, sizeof(v.start));
}

static inline plz_vec row_average(plz_vec a, plz_vec b)
{
	for (unsigned i = 0; i < PLZ_NR_SYMBOLS; i++)
		a.start[i] = (uint16_t)((a.start[i] + b.start[i] + 1) / 2);
	return a;
}

static inline plz_vec row_adapt(plz_vec v, plz_vec goal)
{
	for (unsigned i = 0; i < PLZ_NR_SYMBOLS; i++) {
		int way = goal.start[i] - v.start[i];

		/* Of negative numbers too, this rounds down: gcc and clang
		 * promise so. */
		v.start[i] = (uint16_t)(v.start[i] + (way >> PLZ_RATE));
	}
	return v;
}

static inline unsigned row_find(plz_vec v, unsigned slot)
{
	unsigned s = 0;

	for (unsigned i = 1; i < PLZ_NR_SYMBOLS; i++)
		s += v.start[i] <= slot;
	return s;
}

#endif

#endif

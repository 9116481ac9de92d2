/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bits - arithmetic on sizes and bit positions
 *
 * No function checks for overflow: arguments are sizes that were bounded
 * before (a disk is at most 2^43 bytes).
 */
#ifndef ZSD_BASE_BITS_H
#define ZSD_BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool is_pow2(uint64_t n)
{
	return n && !(n & (n - 1));
}

static inline uint64_t div_round_up(uint64_t n, uint64_t d)
{
	return (n + d - 1) / d;
}

/* @align must be a power of two. */
static inline uint64_t align_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static inline uint64_t align_down(uint64_t n, uint64_t align)
{
	return n & ~(align - 1);
}

/* All bytes of @n, exclusive-ored: each bit of it changes one bit of that. */
static inline uint8_t xor_bytes(uint64_t n)
{
	n ^= n >> 32;
	n ^= n >> 16;
	n ^= n >> 8;
	return (uint8_t)n;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rng - a small, fast, seeded sequence of numbers
 *
 * Two runs with one seed do the same, on any machine. Not for secrets.
 * Source: the SplitMix64 generator (Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014).
 */
#ifndef ZSD_BENCH_RNG_H
#define ZSD_BENCH_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state; /* any value: the seed */
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Uniform in 0 .. @n - 1 (the bias is below @n / 2^64); @n is not 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rng_next(rng) * n) >> 64);
}

#endif

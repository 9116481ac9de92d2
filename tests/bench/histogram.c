/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <math.h>

#include "base/bits.h"
#include "histogram.h"

/*
 * Values below HISTOGRAM_STEPS have a bucket each; above, the bucket is made
 * of the position of the top bit and the STEP_BITS bits after it.
 */
static unsigned bucket_of(uint64_t ns)
{
	unsigned shift;

	ns = min_u64(ns, ((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1);
	if (ns < HISTOGRAM_STEPS)
		return (unsigned)ns;
	shift = 63 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
	return (shift << HISTOGRAM_STEP_BITS) + (unsigned)(ns >> shift);
}

/* Largest value that falls into @bucket. */
static uint64_t bucket_end(unsigned bucket)
{
	unsigned shift;
	uint64_t start;

	if (bucket < 2 * HISTOGRAM_STEPS)
		return bucket;
	shift = (bucket >> HISTOGRAM_STEP_BITS) - 1;
	start = HISTOGRAM_STEPS + (bucket & (HISTOGRAM_STEPS - 1));
	return ((start + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->count[bucket_of(ns)]++;
	histogram->total++;
	histogram->sum_ns += ns;
	histogram->max_ns = max_u64(histogram->max_ns, ns);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->count[i] += from->count[i];
	into->total += from->total;
	into->sum_ns += from->sum_ns;
	into->max_ns = max_u64(into->max_ns, from->max_ns);
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
	uint64_t rank = (uint64_t)ceil(quantile * (double)histogram->total);
	uint64_t seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->count[i];
		if (seen && seen >= rank)
			return min_u64(bucket_end(i), histogram->max_ns);
	}
	return 0;
}

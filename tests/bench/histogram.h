/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * histogram - counts of latencies, for percentiles without keeping them all
 *
 * Log-linear: every power of two is split into HISTOGRAM_STEPS equal steps,
 * so a percentile is at most 1/64 (1.6 %) above the true value, whatever its
 * size. Adding is a shift, an increment and no memory.
 */
#ifndef ZSD_BENCH_HISTOGRAM_H
#define ZSD_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6
#define HISTOGRAM_STEPS	    (1u << HISTOGRAM_STEP_BITS)

/* Powers of two that are told apart: 2^40 ns is 18 minutes. */
#define HISTOGRAM_VALUE_BITS 40
#define HISTOGRAM_BUCKETS \
	((HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t total; /* values added */
	uint64_t max_ns; /* exact */
	uint64_t sum_ns; /* exact: sum_ns / total is the mean */
	uint64_t count[HISTOGRAM_BUCKETS];
};

/* Adds one value; what is above 2^40 ns counts as that. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/* Adds all that @from holds to @into. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/**
 * histogram_quantile() - the value that a share of all values do not exceed
 * @quantile: 0.0 .. 1.0; 0.5 is the median
 *
 * Return: the upper end of the value's bucket, never above max_ns; 0 where
 * nothing was added.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

#endif

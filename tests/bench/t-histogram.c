/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "histogram.h"
#include "rng.h"

/* 1/64 above the true value at most, as the header promises. */
static void expect_close(uint64_t value, uint64_t truth)
{
	ck_assert_uint_ge(value, truth);
	ck_assert_uint_le(value, truth + truth / HISTOGRAM_STEPS);
}

START_TEST(nothing_has_quantile_zero)
{
	struct histogram histogram = {0};

	ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
	ck_assert_uint_eq(histogram_quantile(&histogram, 1.0), 0);
}
END_TEST

/* One value of every size is found again, with its neighbours. */
START_TEST(single_values_are_found)
{
	uint64_t power = (uint64_t)1 << _i;

	for (uint64_t value = power - 1; value <= power + 1; value++) {
		struct histogram histogram = {0};

		histogram_add(&histogram, value);
		ck_assert_uint_eq(histogram.max_ns, value);
		ck_assert_uint_eq(histogram_quantile(&histogram, 1.0), value);
		histogram_add(&histogram, UINT32_MAX * (uint64_t)200);
		expect_close(histogram_quantile(&histogram, 0.5), value);
	}
}
END_TEST

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(quantiles_are_those_of_the_sorted_values)
{
	static const double quantile[] = {0.5, 0.9, 0.99, 0.999};
	static uint64_t value[10000];
	uint64_t sum = 0;
	struct histogram half[2] = {0};
	struct rng rng = {7};

	for (size_t i = 0; i < 10000; i++) {
		value[i] = rng_next(&rng) >> (30 + rng_below(&rng, 30));
		histogram_add(&half[i % 2], value[i]);
		sum += value[i];
	}
	qsort(value, 10000, sizeof(value[0]), compare_u64);
	histogram_merge(&half[0], &half[1]);
	ck_assert_uint_eq(half[0].total, 10000);
	ck_assert_uint_eq(half[0].max_ns, value[9999]);
	ck_assert_uint_eq(half[0].sum_ns, sum);
	for (size_t i = 0; i < 4; i++)
		expect_close(histogram_quantile(&half[0], quantile[i]),
			     value[(size_t)(quantile[i] * 10000 + 0.5) - 1]);
}
END_TEST

/* What is too large for the last bucket is still counted. */
START_TEST(huge_values_count)
{
	struct histogram histogram = {0};

	histogram_add(&histogram, UINT64_MAX);
	ck_assert_uint_eq(histogram.total, 1);
	ck_assert_uint_eq(histogram.max_ns, UINT64_MAX);
	ck_assert_uint_eq(histogram_quantile(&histogram, 0.5),
			  ((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench/histogram");
	TCase *tcase = tcase_create("histogram");
	SRunner *runner;
	int nr_failed;

	tcase_add_test(tcase, nothing_has_quantile_zero);
	tcase_add_loop_test(tcase, single_values_are_found, 1,
			    HISTOGRAM_VALUE_BITS - 4);
	tcase_add_test(tcase, quantiles_are_those_of_the_sorted_values);
	tcase_add_test(tcase, huge_values_count);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	nr_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

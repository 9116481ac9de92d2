/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>

#include "base/bits.h"
#include "suite.h"

START_TEST(a_power_of_two_has_one_bit)
{
	uint64_t bit = (uint64_t)1 << _i;

	ck_assert(is_pow2(bit));
	if (_i > 0)
		ck_assert(!is_pow2(bit | 1));
	if (_i > 1)
		ck_assert(!is_pow2(bit - 1));
}
END_TEST

START_TEST(zero_is_no_power_of_two)
{
	ck_assert(!is_pow2(0));
}
END_TEST

START_TEST(division_rounds_up)
{
	ck_assert_uint_eq(div_round_up(0, 7), 0);
	ck_assert_uint_eq(div_round_up(1, 7), 1);
	ck_assert_uint_eq(div_round_up(7, 7), 1);
	ck_assert_uint_eq(div_round_up(8, 7), 2);
	ck_assert_uint_eq(div_round_up((uint64_t)1 << 43, 4096),
			  (uint64_t)1 << 31);
}
END_TEST

static const struct {
	uint64_t n, align, up, down;
} alignments[] = {
	{0, 4096, 0, 0},
	{1, 4096, 4096, 0},
	{4095, 4096, 4096, 0},
	{4096, 4096, 4096, 4096},
	{4097, 4096, 8192, 4096},
	{5, 1, 5, 5},
	/* A mask of 32 bits would lose the upper half of these. */
	{0x100000001, 16, 0x100000010, 0x100000000},
	{0x7ffffffffff, 4096, 0x80000000000, 0x7fffffff000},
};

START_TEST(alignment_goes_both_ways)
{
	ck_assert_uint_eq(align_up(alignments[_i].n, alignments[_i].align),
			  alignments[_i].up);
	ck_assert_uint_eq(align_down(alignments[_i].n, alignments[_i].align),
			  alignments[_i].down);
}
END_TEST

START_TEST(minimum_and_maximum_are_unsigned)
{
	ck_assert_uint_eq(min_u64(0, UINT64_MAX), 0);
	ck_assert_uint_eq(min_u64(UINT64_MAX, 0), 0);
	ck_assert_uint_eq(max_u64(0, UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(max_u64(UINT64_MAX, 0), UINT64_MAX);
	ck_assert_uint_eq(min_u32(1, UINT32_MAX), 1);
	ck_assert_uint_eq(min_u32(UINT32_MAX, 1), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/bits");
	TCase *tcase = tcase_create("bits");

	tcase_add_loop_test(tcase, a_power_of_two_has_one_bit, 0, 64);
	tcase_add_test(tcase, zero_is_no_power_of_two);
	tcase_add_test(tcase, division_rounds_up);
	tcase_add_loop_test(tcase, alignment_goes_both_ways, 0,
			    sizeof(alignments) / sizeof(alignments[0]));
	tcase_add_test(tcase, minimum_and_maximum_are_unsigned);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

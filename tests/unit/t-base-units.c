/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "suite.h"

static const struct {
	const char *text;
	uint64_t bytes;
} sizes[] = {
	{"0", 0},
	{"1", 1},
	{"4096", 4096},
	{"0512", 512}, /* decimal, not octal */
	{"1B", 1},
	{"7b", 7},
	{"1K", KIB},
	{"1k", KIB},
	{"1KiB", KIB},
	{"3kib", 3 * KIB},
	{"512M", 512 * MIB},
	{"512MiB", 512 * MIB},
	{"4g", 4 * GIB},
	{"4T", 4 * TIB},
	{"16777215T", 16777215 * TIB},
	{"18014398509481983K", 18014398509481983 * KIB},
	{"18446744073709551615", UINT64_MAX},
	{"0T", 0},
	{"1.5K", 1536},
	{"1.5M", 1536 * KIB},
	{"0.25G", 256 * MIB},
	{"2.0", 2},
	{"1.500000000000T", 1536 * GIB},
	{"16777215.5T", 16777215 * TIB + 512 * GIB},
};

START_TEST(sizes_are_read)
{
	uint64_t bytes = 0xdead;

	ck_assert_int_eq(units_parse(sizes[_i].text, 0, &bytes), 0);
	ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

static const struct {
	const char *text;
	int err;
} errors[] = {
	{"", -EINVAL},
	{" ", -EINVAL},
	{"M", -EINVAL},
	{"-1", -EINVAL},
	{"+1", -EINVAL},
	{" 1", -EINVAL},
	{"1 ", -EINVAL},
	{"1 M", -EINVAL},
	{"\t1", -EINVAL},
	{"1.5", -EINVAL},
	{"1.5B", -EINVAL},
	{"1.", -EINVAL},
	{"1.M", -EINVAL},
	{".5M", -EINVAL},
	{"1..5M", -EINVAL},
	{"1.-5M", -EINVAL},
	{"1.0000000001G", -EINVAL},
	{"1KB", -EINVAL},
	{"1GB", -EINVAL},
	{"50%", -EINVAL},
	{"ram", -EINVAL},
	{"1,5M", -EINVAL},
	{"1e9", -EINVAL},
	{"0x10", -EINVAL},
	{"12P", -EINVAL},
	{"12E", -EINVAL},
	{"1KK", -EINVAL},
	{"1Ki", -EINVAL},
	{"1KiBs", -EINVAL},
	{"1BB", -EINVAL},
	{"1BK", -EINVAL},
	{"1iB", -EINVAL},
	{"512M\n", -EINVAL},
	{"512M;reboot", -EINVAL},
	{"%s%s%n", -EINVAL},
	{"\xff\xfe", -EINVAL},
	{"1\xc2\xb5", -EINVAL},
	{"1\xff", -EINVAL},
	{"nan", -EINVAL},
	{"99999999999999999999x", -EINVAL}, /* no size, however large */
	{"18446744073709551616", -ERANGE},
	{"18014398509481984K", -ERANGE},
	{"17592186044416M", -ERANGE},
	{"17179869184G", -ERANGE},
	{"16777216T", -ERANGE},
	{"18446744073709551616.5K", -ERANGE},
	{"99999999999999999999999999999999999999T", -ERANGE},
};

START_TEST(what_is_no_size_is_refused)
{
	uint64_t bytes = 0xdead;

	ck_assert_int_eq(units_parse(errors[_i].text, 0, &bytes),
			 errors[_i].err);
	ck_assert_uint_eq(bytes, 0xdead);
}
END_TEST

#define RAM (3 * GIB + 5 * ZSD_PAGE_BYTES)

static const struct {
	const char *text;
	uint64_t bytes; /* of RAM */
} shares[] = {
	{"100%", RAM},
	{"50%", 3 * GIB / 2 + 2 * ZSD_PAGE_BYTES},
	{"0%", 0},
	{"200%", 2 * RAM},
	{"12.5%", 3 * GIB / 8},
	{"ram", RAM},
	{"RAM", RAM},
	{"ram/1", RAM},
	{"ram/2", 3 * GIB / 2 + 2 * ZSD_PAGE_BYTES},
	{"ram/4", 3 * GIB / 4 + 1 * ZSD_PAGE_BYTES},
	{"1.5G", 3 * GIB / 2}, /* what is none is taken, too */
};

START_TEST(shares_are_read)
{
	uint64_t bytes = 0xdead;

	ck_assert_int_eq(units_parse(shares[_i].text, RAM, &bytes), 0);
	ck_assert_uint_eq(bytes, shares[_i].bytes);
}
END_TEST

static const struct {
	const char *text;
	int err;
} wrong_shares[] = {
	{"1001%", -ERANGE},   {"99999999999999999999%", -ERANGE},
	{"50%%", -EINVAL},    {"50 %", -EINVAL},
	{"-50%", -EINVAL},    {"%", -EINVAL},
	{"ram/", -EINVAL},    {"ram/0", -EINVAL},
	{"ram/1.5", -EINVAL}, {"ram/-1", -EINVAL},
	{"ram/2G", -EINVAL},  {"ram / 2", -EINVAL},
	{"rams", -EINVAL},    {"ram*2", -EINVAL},
};

START_TEST(what_is_no_share_is_refused)
{
	uint64_t bytes = 0xdead;

	ck_assert_int_eq(units_parse(wrong_shares[_i].text, RAM, &bytes),
			 wrong_shares[_i].err);
	ck_assert_uint_eq(bytes, 0xdead);
}
END_TEST

START_TEST(a_million_digits_are_only_too_many)
{
	static char text[1000001];
	uint64_t bytes = 0xdead;

	memset(text, '9', sizeof(text) - 1);
	ck_assert_int_eq(units_parse(text, 0, &bytes), -ERANGE);
	memset(text, 'K', sizeof(text) - 1);
	ck_assert_int_eq(units_parse(text, 0, &bytes), -EINVAL);
	ck_assert_uint_eq(bytes, 0xdead);
}
END_TEST

START_TEST(only_digits_and_suffixes_follow_a_digit)
{
	const char text[] = {'1', (char)_i, '\0'};
	uint64_t bytes;
	int err = units_parse(text, 0, &bytes);

	if (_i == 0 || strchr("0123456789BKMGTbkmgt", _i))
		ck_assert_int_eq(err, 0);
	else
		ck_assert_int_eq(err, -EINVAL);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} texts[] = {
	{0, "0 B"},
	{1, "1 B"},
	{1023, "1023 B"},
	{KIB, "1.0 KiB"},
	{KIB + 51, "1.0 KiB"},
	{KIB + 52, "1.1 KiB"},
	{1536, "1.5 KiB"},
	{4096, "4.0 KiB"},
	{1023 * KIB, "1023.0 KiB"},
	/* Just below and above 1023.95 KiB, which would print as 1024.0. */
	{MIB - 52, "1023.9 KiB"},
	{MIB - 51, "1.0 MiB"},
	{MIB - 1, "1.0 MiB"},
	{MIB, "1.0 MiB"},
	{512 * MIB, "512.0 MiB"},
	{GIB - 1, "1.0 GiB"},
	{GIB + GIB / 2, "1.5 GiB"},
	{TIB, "1.0 TiB"},
	{1024 * TIB, "1024.0 TiB"},
	{UINT64_MAX, "16777216.0 TiB"},
};

START_TEST(sizes_are_written)
{
	char text[UNITS_TEXT_BYTES];

	ck_assert_ptr_eq(units_format(texts[_i].bytes, text), text);
	ck_assert_str_eq(text, texts[_i].text);
}
END_TEST

#define NR(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *suite = suite_create("base/units");
	TCase *tcase = tcase_create("units");

	tcase_add_loop_test(tcase, sizes_are_read, 0, NR(sizes));
	tcase_add_loop_test(tcase, what_is_no_size_is_refused, 0, NR(errors));
	tcase_add_loop_test(tcase, shares_are_read, 0, ARRAY_SIZE(shares));
	tcase_add_loop_test(tcase, what_is_no_share_is_refused, 0,
			    ARRAY_SIZE(wrong_shares));
	tcase_add_test(tcase, a_million_digits_are_only_too_many);
	tcase_add_loop_test(tcase, only_digits_and_suffixes_follow_a_digit, 0,
			    256);
	tcase_add_loop_test(tcase, sizes_are_written, 0, NR(texts));
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

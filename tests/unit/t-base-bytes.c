/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>

#include "base/bytes.h"
#include "suite.h"

static const unsigned char wire[] = {0x80, 0x01, 0x02, 0x03, 0x04,
				     0x05, 0x06, 0xf7, 0x18};

/* Every offset from aligned to odd: the loop index is the misalignment. */
#define MAX_SHIFT 8

START_TEST(loads_are_big_endian)
{
	unsigned char buf[MAX_SHIFT + sizeof(wire)];
	unsigned char *p = buf + _i;

	memcpy(p, wire, sizeof(wire));
	ck_assert_uint_eq(load_be16(p), 0x8001);
	ck_assert_uint_eq(load_be32(p), 0x80010203);
	ck_assert_uint_eq(load_be64(p), 0x80010203040506f7);
	ck_assert_uint_eq(load_be64(p + 1), 0x010203040506f718);
}
END_TEST

static void assert_untouched(const unsigned char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		ck_assert_uint_eq(p[i], 0xee);
}

START_TEST(stores_are_big_endian_and_write_no_more)
{
	unsigned char buf[MAX_SHIFT + 16];
	unsigned char *p = buf + _i;

	memset(buf, 0xee, sizeof(buf));
	store_be16(p, 0x8001);
	ck_assert_mem_eq(p, wire, 2);
	assert_untouched(p + 2, 6);
	store_be32(p, 0x80010203);
	ck_assert_mem_eq(p, wire, 4);
	assert_untouched(p + 4, 4);
	store_be64(p, 0x80010203040506f7);
	ck_assert_mem_eq(p, wire, 8);
	assert_untouched(p + 8, 8);
	assert_untouched(buf, (size_t)_i);
}
END_TEST

START_TEST(little_endian_is_the_other_order)
{
	unsigned char buf[MAX_SHIFT + 16];
	unsigned char *p = buf + _i;

	memcpy(p, wire, sizeof(wire));
	ck_assert_uint_eq(load_le16(p), 0x0180);
	ck_assert_uint_eq(load_le32(p), 0x03020180);
	ck_assert_uint_eq(load_le64(p), 0xf706050403020180);
	memset(buf, 0xee, sizeof(buf));
	store_le16(p, 0x0180);
	ck_assert_mem_eq(p, wire, 2);
	assert_untouched(p + 2, 6);
	store_le32(p, 0x03020180);
	ck_assert_mem_eq(p, wire, 4);
	assert_untouched(p + 4, 4);
	store_le64(p, 0xf706050403020180);
	ck_assert_mem_eq(p, wire, 8);
	assert_untouched(p + 8, 1);
}
END_TEST

START_TEST(extremes_come_back)
{
	unsigned char buf[8];

	store_be16(buf, UINT16_MAX);
	ck_assert_uint_eq(load_be16(buf), UINT16_MAX);
	store_be32(buf, UINT32_MAX);
	ck_assert_uint_eq(load_be32(buf), UINT32_MAX);
	store_be64(buf, UINT64_MAX);
	ck_assert_uint_eq(load_be64(buf), UINT64_MAX);
	store_be64(buf, 0);
	ck_assert_uint_eq(load_be64(buf), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/bytes");
	TCase *tcase = tcase_create("bytes");

	tcase_add_loop_test(tcase, loads_are_big_endian, 0, MAX_SHIFT);
	tcase_add_loop_test(tcase, stores_are_big_endian_and_write_no_more, 0,
			    MAX_SHIFT);
	tcase_add_loop_test(tcase, little_endian_is_the_other_order, 0,
			    MAX_SHIFT);
	tcase_add_test(tcase, extremes_come_back);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

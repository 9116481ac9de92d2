/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must stop the process: a range outside the disk, which its caller
 * should have refused, and a store destroyed under its contexts. Each case
 * dies in a process of its own: not with CK_FORK=no.
 */
#include "config.h"

#include <signal.h>

#include "store_rig.h"
#include "suite.h"

static struct store_rig rig;

static void setup(void)
{
	struct zstore_params params = rig_params("lz4");

	rig_open(&rig, &params);
}

static void teardown(void)
{
	rig_close(&rig);
}

/* Offsets from the end of the disk. */
static const struct {
	int64_t from_end;
	size_t bytes;
} outside[] = {
	{0, 1}, {-1, 2}, {-4096, 4097}, {4096, 1}, {1, 0}, {-8, 16},
};

static uint64_t offset_of(int i)
{
	return rig.params.disk_bytes + (uint64_t)outside[i].from_end;
}

START_TEST(reading_outside)
{
	unsigned char bytes[8192];

	(void)!zstore_read(rig.ctx, offset_of(_i), outside[_i].bytes, bytes);
}
END_TEST

START_TEST(writing_outside)
{
	static const unsigned char bytes[8192];

	(void)!zstore_write(rig.ctx, offset_of(_i), outside[_i].bytes, bytes);
}
END_TEST

START_TEST(trimming_outside)
{
	zstore_trim(rig.ctx, offset_of(_i), outside[_i].bytes);
}
END_TEST

START_TEST(zeroing_outside)
{
	(void)!zstore_write_zeroes(rig.ctx, offset_of(_i), outside[_i].bytes);
}
END_TEST

START_TEST(trimming_more_than_there_are_numbers)
{
	zstore_trim(rig.ctx, 4096, UINT64_MAX);
}
END_TEST

START_TEST(zeroing_more_than_there_are_numbers)
{
	(void)!zstore_write_zeroes(rig.ctx, 4095, UINT64_MAX - 4094);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zstore/death");
	TCase *tc = tcase_create("death");
	const int nr = (int)ARRAY_SIZE(outside);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test_raise_signal(tc, reading_outside, SIGABRT, 0, nr);
	tcase_add_loop_test_raise_signal(tc, writing_outside, SIGABRT, 0, nr);
	tcase_add_loop_test_raise_signal(tc, trimming_outside, SIGABRT, 0, nr);
	tcase_add_loop_test_raise_signal(tc, zeroing_outside, SIGABRT, 0, nr);
	tcase_add_test_raise_signal(tc, trimming_more_than_there_are_numbers,
				    SIGABRT);
	tcase_add_test_raise_signal(tc, zeroing_more_than_there_are_numbers,
				    SIGABRT);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

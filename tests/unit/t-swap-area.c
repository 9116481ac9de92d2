/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of a swap area, beside the one that mkswap(8) writes. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "zsctl/swap/area.h"

static const uint8_t uuid[AREA_UUID_BYTES] = {
	0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4d, 0xef,
	0x80, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xff,
};

/* Loop: sizes of areas, bytes. */
static const uint64_t sizes[] = {40960, 1 << 20, (1 << 20) + 4095,
				 UINT64_C(3) << 30};

/* What mkswap makes of an empty file of that size. */
static void run_mkswap(uint64_t size_bytes, uint8_t page[AREA_PAGE_BYTES])
{
	char path[] = "/tmp/t-swap-area-XXXXXX", command[256];
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size_bytes), 0);
	(void)snprintf(command, sizeof(command),
		       "PATH=$PATH:/usr/sbin:/sbin mkswap "
		       "-U 01234567-89ab-4def-8011-2233445566ff -L zsd %s "
		       ">/dev/null 2>&1",
		       path);
	ck_assert_msg(system(command) == 0, /* NOLINT(cert-env33-c) */
		      "mkswap fails: apt-get install util-linux");
	ck_assert_int_eq(pread(fd, page, AREA_PAGE_BYTES, 0), AREA_PAGE_BYTES);
	close(fd);
	unlink(path);
}

START_TEST(it_is_what_mkswap_writes)
{
	uint8_t ours[AREA_PAGE_BYTES], theirs[AREA_PAGE_BYTES];

	run_mkswap(sizes[_i], theirs);
	ck_assert_int_eq(area_format(sizes[_i], uuid, "zsd", ours), 0);
	ck_assert_mem_eq(ours, theirs, AREA_PAGE_BYTES);
	ck_assert(area_is(theirs, sizes[_i]));
}
END_TEST

START_TEST(a_label_is_cut)
{
	uint8_t page[AREA_PAGE_BYTES];

	ck_assert_int_eq(
		area_format(1 << 20, uuid, "0123456789abcdefghi", page), 0);
	ck_assert_str_eq((const char *)page + 1024 + 28, "0123456789abcde");
}
END_TEST

START_TEST(a_size_may_be_none)
{
	uint8_t page[AREA_PAGE_BYTES];

	ck_assert_int_eq(area_format(0, uuid, "", page), -ERANGE);
	ck_assert_int_eq(area_format(9 * 4096, uuid, "", page), -ERANGE);
	ck_assert_int_eq(area_format(UINT64_C(1) << 45, uuid, "", page),
			 -ERANGE);
	ck_assert_int_eq(area_format(UINT64_MAX, uuid, "", page), -ERANGE);
}
END_TEST

START_TEST(another_page_is_none)
{
	const uint64_t size_bytes = 1 << 20;
	uint8_t page[AREA_PAGE_BYTES] = {0};
	/* Of the version, the size and the signature. */
	static const size_t places[] = {1024, 1028, 1031, 4086, 4095};

	ck_assert(!area_is(page, size_bytes));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		ck_assert_int_eq(area_format(size_bytes, uuid, "", page), 0);
		ck_assert(area_is(page, size_bytes));
		page[places[i]] ^= 4;
		ck_assert(!area_is(page, size_bytes));
	}
	ck_assert_int_eq(area_format(size_bytes, uuid, "", page), 0);
	ck_assert(!area_is(page, size_bytes + 4096));
	memset(page + 1028, 0xff, 4);
	ck_assert(!area_is(page, 0));
}
END_TEST

/* Not of this machine's: there is no such file, or no privilege. */
START_TEST(the_kernel_refuses)
{
	int err = area_on("/nonexistent", 100);

	ck_assert(err == -ENOENT || err == -EPERM);
	err = area_off("/nonexistent");
	ck_assert(err == -ENOENT || err == -EPERM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("swap-area");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, it_is_what_mkswap_writes, 0,
			    (int)ARRAY_SIZE(sizes));
	tcase_add_test(tc, a_label_is_cut);
	tcase_add_test(tc, a_size_may_be_none);
	tcase_add_test(tc, another_page_is_none);
	tcase_add_test(tc, the_kernel_refuses);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

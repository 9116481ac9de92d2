/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device as the kernel shows it, with a folder of the test's in place of
 * the root of this machine.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "zsctl/device/device.h"

static char root[64];
static struct device device;

/* --- the folder --------------------------------------------------------------
 */

static char *under_root(const char *path)
{
	static char text[DEVICE_PATH_BYTES];

	(void)snprintf(text, sizeof(text), "%s%s", root, path);
	return text;
}

static void make_folder(const char *path)
{
	ck_assert_int_eq(mkdir(under_root(path), 0700), 0);
}

static void make_file(const char *path, const char *content)
{
	FILE *file = fopen(under_root(path), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(content, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void expect_file(const char *path, const char *content)
{
	char text[FILES_TEXT_BYTES];

	ck_assert_int_eq(files_read(under_root(path), text), 0);
	ck_assert_str_eq(text, content);
}

static void setup(void)
{
	static const char *const folders[] = {
		"/proc",
		"/proc/self",
		"/sys",
		"/sys/block",
		"/sys/block/nbd1",
		"/sys/block/nbd1/queue",
		"/sys/block/nbd1/holders",
	};

	(void)snprintf(root, sizeof(root), "/tmp/t-device-sysfs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		make_folder(folders[i]);
	make_file("/sys/block/nbd1/size", "2048\n");
	make_file("/sys/block/nbd1/queue/io_timeout", "");
	make_file("/sys/block/nbd1/queue/wbt_lat_usec", "");
	make_file("/sys/block/nbd1/queue/scheduler", "");
	make_file("/proc/swaps",
		  "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	make_file("/proc/self/mounts", "proc /proc proc rw 0 0\n");
	ck_assert_int_eq(device_parse("/dev/nbd1", root, &device), 0);
}

static void teardown(void)
{
	char command[DEVICE_PATH_BYTES];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c) */
}

/* --- names
 * -------------------------------------------------------------------- */

START_TEST(a_device_has_a_name)
{
	struct device d;

	ck_assert_int_eq(device_parse("nbd15", "", &d), 0);
	ck_assert_uint_eq(d.index, 15);
	ck_assert_str_eq(d.path, "/dev/nbd15");
	ck_assert_int_eq(device_parse("/dev/nbd1048575", "", &d), 0);
	ck_assert_str_eq(d.name, "nbd1048575");
}
END_TEST

static const char *const no_names[] = {
	"",	      "/dev/nbd",	"/dev/sda",
	"nbd-1",      "nbd1p1",		"nbd 1",
	"/dev/nbd1/", "nbd01",		"nbd1048576",
	"nbd+1",      "/dev//dev/nbd1", "/sys/nbd1",
	"nbd1 ",      "nbd0x1",		"nbd18446744073709551616",
	"../nbd1",
};

START_TEST(other_names_are_none)
{
	struct device d;

	ck_assert_int_eq(device_parse(no_names[_i], "", &d), -EINVAL);
}
END_TEST

/* --- states
 * -------------------------------------------------------------------- */

START_TEST(a_device_is_attached)
{
	char text[FILES_TEXT_BYTES];
	struct device other;

	ck_assert_int_eq(device_parse("nbd2", root, &other), 0);
	ck_assert(device_exists(&device));
	ck_assert(!device_exists(&other));
	ck_assert(!device_is_attached(&device));
	ck_assert_uint_eq(device_size_bytes(&device), 1 << 20);
	ck_assert_uint_eq(device_size_bytes(&other), 0);
	ck_assert_str_eq(device_identifier(&device, text), "");
	make_file("/sys/block/nbd1/pid", "77\n");
	make_file("/sys/block/nbd1/backend", "a\x1b[2Jb\n");
	ck_assert(device_is_attached(&device));
	ck_assert_str_eq(device_identifier(&device, text), "a?[2Jb");
}
END_TEST

START_TEST(nobody_uses_it)
{
	char by[DEVICE_TEXT_BYTES] = "";

	make_file("/proc/swaps", "Filename\tType\n/dev/nbd10 partition 1 0 -2\n"
				 "/dev/nbd1part partition 1 0 -2\n");
	make_file("/proc/self/mounts", "/dev/nbd11 / ext4 rw 0 0\n"
				       "/dev/nbd1px /mnt ext4 rw 0 0\n");
	ck_assert_msg(!device_is_used(&device, by), "%s", by);
}
END_TEST

/* Loop: a line of a list, and what is said of it. */
static const struct {
	const char *file;
	const char *line;
	const char *by;
} uses[] = {
	{"/proc/swaps", "/dev/nbd1    partition 1048572 0 -2\n",
	 "swap is on it"},
	{"/proc/swaps", "/dev/nbd1p2\tpartition\t8\t0\t-2\n", "swap is on it"},
	{"/proc/self/mounts", "/dev/nbd1 /mnt\\040x ext4 rw 0 0\n",
	 "it is mounted on /mnt\\040x"},
	{"/proc/self/mounts", "/dev/nbd1p1 /a ext4 rw 0 0\n",
	 "it is mounted on /a"},
};

START_TEST(somebody_uses_it)
{
	char by[DEVICE_TEXT_BYTES] = "";

	make_file(uses[_i].file, uses[_i].line);
	ck_assert(device_is_used(&device, by));
	ck_assert_str_eq(by, uses[_i].by);
}
END_TEST

START_TEST(it_is_part_of_another_device)
{
	char by[DEVICE_TEXT_BYTES] = "";

	make_folder("/sys/block/nbd1/holders/dm-0");
	ck_assert(device_is_used(&device, by));
	ck_assert_str_eq(by, "it is part of dm-0");
}
END_TEST

START_TEST(a_kernel_without_swap_is_no_use)
{
	char by[DEVICE_TEXT_BYTES] = "";

	ck_assert_int_eq(unlink(under_root("/proc/swaps")), 0);
	ck_assert(!device_is_used(&device, by));
}
END_TEST

/* --- settings
 * -------------------------------------------------------------------- */

START_TEST(a_device_is_tuned)
{
	const char *failed = NULL;

	ck_assert_int_eq(device_tune(&device, 1, &failed), 0);
	expect_file("/sys/block/nbd1/queue/io_timeout", "2000");
	expect_file("/sys/block/nbd1/queue/wbt_lat_usec", "0");
	expect_file("/sys/block/nbd1/queue/scheduler", "none");
}
END_TEST

/* A kernel with several hangs up on the one that is late. */
START_TEST(several_connections_keep_their_time)
{
	const char *failed = NULL;

	ck_assert_int_eq(device_tune(&device, 2, &failed), 0);
	expect_file("/sys/block/nbd1/queue/io_timeout", "");
}
END_TEST

START_TEST(a_kernel_may_lack_a_setting)
{
	const char *failed = NULL;

	ck_assert_int_eq(unlink(under_root("/sys/block/nbd1/queue/"
					   "wbt_lat_usec")),
			 0);
	ck_assert_int_eq(device_tune(&device, 1, &failed), 0);
}
END_TEST

START_TEST(a_setting_that_fails_is_named)
{
	const char *failed = NULL;

	ck_assert_int_eq(unlink(under_root("/sys/block/nbd1/queue/io_timeout")),
			 0);
	make_folder("/sys/block/nbd1/queue/io_timeout");
	ck_assert_int_eq(device_tune(&device, 1, &failed), -EISDIR);
	ck_assert_str_eq(failed, "queue/io_timeout");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("device-sysfs");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_device_has_a_name);
	tcase_add_loop_test(tc, other_names_are_none, 0,
			    (int)ARRAY_SIZE(no_names));
	tcase_add_test(tc, a_device_is_attached);
	tcase_add_test(tc, nobody_uses_it);
	tcase_add_loop_test(tc, somebody_uses_it, 0, (int)ARRAY_SIZE(uses));
	tcase_add_test(tc, it_is_part_of_another_device);
	tcase_add_test(tc, a_kernel_without_swap_is_no_use);
	tcase_add_test(tc, a_device_is_tuned);
	tcase_add_test(tc, several_connections_keep_their_time);
	tcase_add_test(tc, a_kernel_may_lack_a_setting);
	tcase_add_test(tc, a_setting_that_fails_is_named);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `zsctl up` sets and `zsctl down` puts back, with a folder of the test's
 * in place of the root of this machine.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "zsctl/swap/swap.h"

#define CLUSTER	 "/proc/sys/vm/page-cluster"
#define MIN_FREE "/proc/sys/vm/min_free_kbytes"

static char root[64];
static json_t *note;

static char *under_root(const char *path)
{
	static char text[DEVICE_PATH_BYTES];

	(void)snprintf(text, sizeof(text), "%s%s", root, path);
	return text;
}

/* Numbers here have as many digits as what takes their place: a file that is no
 * file of the kernel's keeps what is not written over. */
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
	static const char *const folders[] = {"/proc", "/proc/sys",
					      "/proc/sys/vm"};

	(void)snprintf(root, sizeof(root), "/tmp/t-swap-sysctls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		ck_assert_int_eq(mkdir(under_root(folders[i]), 0700), 0);
	make_file("/proc/meminfo", "MemTotal: 2097152 kB\nMemFree: 4 kB\n");
	make_file(CLUSTER, "0\n");
	make_file(MIN_FREE, "11000\n");
	note = json_object();
}

static void teardown(void)
{
	char command[DEVICE_PATH_BYTES];

	json_decref(note);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c) */
}

static json_int_t noted(const char *name, const char *which)
{
	return json_integer_value(
		json_object_get(json_object_get(note, name), which));
}

START_TEST(they_are_set_and_put_back)
{
	ck_assert_int_eq(sysctls_apply(root, note), SWAP_DONE);
	expect_file(CLUSTER, "3");
	expect_file(MIN_FREE, "41943");
	ck_assert_int_eq(noted("vm.page-cluster", "old"), 0);
	ck_assert_int_eq(noted("vm.page-cluster", "new"), 3);
	ck_assert_int_eq(noted("vm.min_free_kbytes", "old"), 11000);
	ck_assert_int_eq(noted("vm.min_free_kbytes", "new"), 41943);
	ck_assert_int_eq(sysctls_take_back(root, note), SWAP_DONE);
	expect_file(CLUSTER, "0");
	expect_file(MIN_FREE, "11000");
}
END_TEST

START_TEST(what_is_right_stays)
{
	make_file(CLUSTER, "2\n");
	make_file(MIN_FREE, "41943\n");
	ck_assert_int_eq(sysctls_apply(root, note), SWAP_WAS_SO);
	make_file(MIN_FREE, "90000\n");
	ck_assert_int_eq(sysctls_apply(root, note), SWAP_WAS_SO);
	ck_assert_uint_eq(json_object_size(note), 0);
	expect_file(MIN_FREE, "90000");
}
END_TEST

START_TEST(what_somebody_else_has_set_stays)
{
	ck_assert_int_eq(sysctls_apply(root, note), SWAP_DONE);
	make_file(CLUSTER, "1\n");
	ck_assert_int_eq(sysctls_take_back(root, note), SWAP_DONE);
	expect_file(CLUSTER, "1");
	expect_file(MIN_FREE, "11000");
}
END_TEST

/* Of two, the second cannot be set: the first is put back. */
START_TEST(one_that_fails_undoes_the_other)
{
	ck_assert_int_eq(unlink(under_root(MIN_FREE)), 0);
	ck_assert_int_eq(sysctls_apply(root, note), SWAP_FAILED);
	expect_file(CLUSTER, "0");
}
END_TEST

/* Loop: what a file that was changed may say. */
static const char *const wrong_notes[] = {
	"{\"vm.page-cluster\": {\"old\": \"3\", \"new\": 0}}",
	"{\"vm.page-cluster\": {\"old\": 3}}",
	"{\"vm.page-cluster\": []}",
	"{\"vm.min_free_kbytes\": null}",
};

START_TEST(a_wrong_note_is_refused)
{
	json_decref(note);
	note = json_loads(wrong_notes[_i], 0, NULL);
	ck_assert_ptr_nonnull(note);
	ck_assert_int_eq(sysctls_take_back(root, note), SWAP_FAILED);
	expect_file(CLUSTER, "0");
	expect_file(MIN_FREE, "11000");
}
END_TEST

START_TEST(other_files_are_not_for_it)
{
	make_file("/proc/sys/other", "1\n");
	json_decref(note);
	note = json_loads("{\"other\": {\"old\": 2, \"new\": 1}}", 0, NULL);
	ck_assert_int_eq(sysctls_take_back(root, note), SWAP_DONE);
	ck_assert_int_eq(sysctls_take_back(root, NULL), SWAP_DONE);
	expect_file("/proc/sys/other", "1");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("swap-sysctls");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, they_are_set_and_put_back);
	tcase_add_test(tc, what_is_right_stays);
	tcase_add_test(tc, what_somebody_else_has_set_stays);
	tcase_add_test(tc, one_that_fails_undoes_the_other);
	tcase_add_loop_test(tc, a_wrong_note_is_refused, 0,
			    (int)ARRAY_SIZE(wrong_notes));
	tcase_add_test(tc, other_files_are_not_for_it);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The limits around zsd, as files say them: planted ones.
 */
#include "config.h"

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "guard/around.h"
#include "suite.h"

static char root[] = "/tmp/t-guard-around.XXXXXX";
static struct around around;

/* The folders of a path come before it. */
static void plant(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *at = strchr(full + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		(void)mkdir(full, 0755);
		*at = '/';
	}
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
	(void)snprintf(root, sizeof(root), "/tmp/t-guard-around.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	plant("/proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 1 kB\n");
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	around_close(&around);
	ck_assert_int_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

START_TEST(the_machine_is_a_limit)
{
	around_open(&around, root);
	ck_assert_uint_eq(around.memory_bytes, GIB);
	ck_assert_uint_eq(around.least_bytes, GIB);
	ck_assert_str_eq(around.least_name, "this machine");
	ck_assert_uint_eq(around_room_bytes(&around), UINT64_MAX);
}
END_TEST

START_TEST(nothing_that_can_be_read_is_no_limit)
{
	around_open(&around, "/nowhere");
	ck_assert_uint_eq(around.memory_bytes, 0);
	ck_assert_uint_eq(around.least_bytes, UINT64_MAX);
	ck_assert_uint_eq(around_room_bytes(&around), UINT64_MAX);
}
END_TEST

START_TEST(the_smallest_of_all_groups_holds)
{
	plant("/proc/self/cgroup", "0::/a.slice/b.slice/zsd.service\n");
	plant("/sys/fs/cgroup/a.slice/memory.max", "209715200\n");
	plant("/sys/fs/cgroup/a.slice/memory.current", "104857600\n");
	plant("/sys/fs/cgroup/a.slice/b.slice/memory.max", "max\n");
	plant("/sys/fs/cgroup/a.slice/b.slice/memory.high", "314572800\n");
	plant("/sys/fs/cgroup/a.slice/b.slice/memory.current", "262144000\n");
	plant("/sys/fs/cgroup/a.slice/b.slice/zsd.service/memory.max", "max\n");
	around_open(&around, root);
	ck_assert_uint_eq(around.least_bytes, 200 * MIB);
	ck_assert_str_eq(around.least_name, "/a.slice");
	/* The larger limit is the nearer one. */
	ck_assert_uint_eq(around_room_bytes(&around), 50 * MIB);
	plant("/sys/fs/cgroup/a.slice/memory.current", "209715300\n");
	ck_assert_uint_eq(around_room_bytes(&around), 0);
	/* Who sets a limit may take it away again. */
	plant("/sys/fs/cgroup/a.slice/memory.max", "max\n");
	ck_assert_uint_eq(around_room_bytes(&around), 50 * MIB);
}
END_TEST

START_TEST(version_1_has_the_limits_where_there_are_both)
{
	plant("/proc/self/cgroup",
	      "9:cpu:/other\n4:memory:/zsd\n0::/unified\n");
	plant("/sys/fs/cgroup/memory/zsd/memory.limit_in_bytes", "104857600\n");
	plant("/sys/fs/cgroup/memory/zsd/memory.usage_in_bytes", "1048576\n");
	plant("/sys/fs/cgroup/unified/memory.max", "4096\n");
	around_open(&around, root);
	ck_assert_uint_eq(around.least_bytes, 100 * MIB);
	ck_assert_str_eq(around.least_name, "/zsd");
	ck_assert_uint_eq(around_room_bytes(&around), 99 * MIB);
}
END_TEST

START_TEST(memory_may_stand_beside_other_controllers)
{
	plant("/proc/self/cgroup", "4:cpu,memory:/zsd\n3:memory2:/other\n");
	plant("/sys/fs/cgroup/memory/zsd/memory.limit_in_bytes", "104857600\n");
	plant("/sys/fs/cgroup/memory/zsd/memory.usage_in_bytes", "1048576\n");
	around_open(&around, root);
	ck_assert_uint_eq(around.least_bytes, 100 * MIB);
}
END_TEST

START_TEST(a_container_has_its_limits_at_its_root)
{
	plant("/proc/self/cgroup", "0::/\n");
	plant("/sys/fs/cgroup/memory.max", "104857600\n");
	plant("/sys/fs/cgroup/memory.current", "1048576\n");
	around_open(&around, root);
	ck_assert_uint_eq(around.least_bytes, 100 * MIB);
	ck_assert_uint_eq(around_room_bytes(&around), 99 * MIB);
}
END_TEST

START_TEST(version_1_says_no_limit_by_a_large_number)
{
	plant("/proc/self/cgroup", "4:memory:/zsd\n");
	plant("/sys/fs/cgroup/memory/zsd/memory.limit_in_bytes",
	      "9223372036854771712\n");
	plant("/sys/fs/cgroup/memory/zsd/memory.usage_in_bytes", "1\n");
	around_open(&around, root);
	ck_assert_uint_eq(around.least_bytes, GIB);
	ck_assert_uint_eq(around_room_bytes(&around), UINT64_MAX);
}
END_TEST

START_TEST(what_one_group_may_not_swap_out_stays)
{
	plant("/proc/self/cgroup", "0::/a.slice/zsd.service\n");
	around_open(&around, root);
	ck_assert(!around.is_never_swapped);
	around_close(&around);
	plant("/sys/fs/cgroup/a.slice/zsd.service/memory.swap.max", "max\n");
	plant("/sys/fs/cgroup/a.slice/memory.swap.max", "4096\n");
	around_open(&around, root);
	ck_assert(!around.is_never_swapped);
	around_close(&around);
	plant("/sys/fs/cgroup/a.slice/memory.swap.max", "0\n");
	around_open(&around, root);
	ck_assert(around.is_never_swapped);
	around_close(&around);
	/* Version 1 has no such limit. */
	plant("/proc/self/cgroup", "4:memory:/a.slice/zsd.service\n");
	around_open(&around, root);
	ck_assert(!around.is_never_swapped);
}
END_TEST

START_TEST(what_makes_no_sense_is_no_limit)
{
	char deep[4 * AROUND_PATH_BYTES] = "0::";

	for (unsigned i = 0; i < 150; i++)
		strcat(deep, "/deep/a");
	strcat(deep, "\n");
	plant("/proc/self/cgroup", deep);
	around_open(&around, root);
	around_close(&around);
	plant("/proc/self/cgroup", "0::/zsd\nnonsense\n::\n");
	plant("/sys/fs/cgroup/zsd/memory.max", "many\n");
	plant("/sys/fs/cgroup/zsd/memory.current", "");
	around_open(&around, root);
	ck_assert_uint_eq(around.least_bytes, GIB);
	ck_assert_uint_eq(around_room_bytes(&around), UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard/around");
	TCase *tc = tcase_create("around");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_machine_is_a_limit);
	tcase_add_test(tc, nothing_that_can_be_read_is_no_limit);
	tcase_add_test(tc, the_smallest_of_all_groups_holds);
	tcase_add_test(tc, version_1_has_the_limits_where_there_are_both);
	tcase_add_test(tc, memory_may_stand_beside_other_controllers);
	tcase_add_test(tc, a_container_has_its_limits_at_its_root);
	tcase_add_test(tc, version_1_says_no_limit_by_a_large_number);
	tcase_add_test(tc, what_one_group_may_not_swap_out_stays);
	tcase_add_test(tc, what_makes_no_sense_is_no_limit);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

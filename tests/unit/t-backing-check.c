/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be a backing and what may not, with what is said about it; and that
 * nobody else has it. File systems and devices that are not at hand are made
 * up.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backing_rig.h"
#include "suite.h"

#define BLOCK	  ((off_t)BACKING_BLOCK_BYTES)
#define RIG_BYTES ((off_t)RIG_BLOCKS * BLOCK)

/* --- a made-up kernel ------------------------------------------------------ */

static struct {
	uint32_t magic; /* of the file system; 0: as it is */
	const char *device; /* what a file or device is on; NULL: as it is */
	bool has_no_map; /* of extents */
	uint32_t extent_flags; /* that each extent has as well */
	bool is_nocow;
	bool is_swap; /* the system swaps on the file */
	bool has_no_direct; /* I/O */
} fake;

int __real_fstatfs(int fd, struct statfs *out);
int __wrap_fstatfs(int fd, struct statfs *out);
ssize_t __real_readlink(const char *path, char *buf, size_t bytes);
ssize_t __wrap_readlink(const char *path, char *buf, size_t bytes);
int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __real_fallocate(int fd, int mode, off_t at, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t at, off_t bytes);
ssize_t __real_pread(int fd, void *buf, size_t bytes, off_t at);
ssize_t __wrap_pread(int fd, void *buf, size_t bytes, off_t at);

int __wrap_fstatfs(int fd, struct statfs *out)
{
	int err = __real_fstatfs(fd, out);

	if (!err && fake.magic)
		out->f_type = (__fsword_t)fake.magic;
	return err;
}

ssize_t __wrap_readlink(const char *path, char *buf, size_t bytes)
{
	if (!fake.device)
		return __real_readlink(path, buf, bytes);
	return snprintf(buf, bytes, "../../devices/virtual/block/%s",
			fake.device);
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	struct fiemap *map = arg;
	int err;

	if (request == FS_IOC_FIEMAP && fake.has_no_map) {
		errno = EOPNOTSUPP;
		return -1;
	}
	err = __real_ioctl(fd, request, arg);
	if (request == FS_IOC_FIEMAP && !err)
		for (uint32_t i = 0; i < map->fm_mapped_extents; i++)
			map->fm_extents[i].fe_flags |= fake.extent_flags;
	if (request == FS_IOC_GETFLAGS && fake.is_nocow) {
		*(int *)arg = FS_NOCOW_FL;
		return 0;
	}
	return err;
}

int __wrap_fallocate(int fd, int mode, off_t at, off_t bytes)
{
	if (fake.is_swap) {
		errno = ETXTBSY;
		return -1;
	}
	return __real_fallocate(fd, mode, at, bytes);
}

ssize_t __wrap_pread(int fd, void *buf, size_t bytes, off_t at)
{
	if (fake.has_no_direct) {
		errno = EINVAL;
		return -1;
	}
	return __real_pread(fd, buf, bytes, at);
}

static void setup(void)
{
	rig_setup();
	memset(&fake, 0, sizeof(fake));
}

/* --- what is asked --------------------------------------------------------- */

/* NULL @said: nothing is. */
static void expect(bool is_swapped_on, bool encrypt, int err, const char *said)
{
	const struct backing_params params = rig_params(is_swapped_on, encrypt);
	struct backing *backing = NULL;

	rig_line[0] = 0;
	ck_assert_msg(backing_open(&params, &backing) == err, "%s", rig_line);
	ck_assert(!backing == (err != 0));
	if (said)
		ck_assert_msg(strstr(rig_line, said) != NULL, "%s", rig_line);
	else
		ck_assert_str_eq(rig_line, "");
	backing_close(backing);
}

enum answer {
	FINE,
	WARNED,
	REFUSED
};

static void expect_answer(bool is_swapped_on, enum answer answer,
			  const char *said)
{
	expect(is_swapped_on, true, answer == REFUSED ? -EINVAL : 0,
	       answer == FINE ? NULL : said);
	if (answer != FINE)
		ck_assert_int_eq(strncmp(rig_line, "warning: ", 9) == 0,
				 answer == WARNED);
}

/* Make the file anew. */
static void make_file(off_t bytes, off_t allocated)
{
	int fd = open(rig_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	if (allocated)
		ck_assert_int_eq(posix_fallocate(fd, 0, allocated), 0);
	ck_assert_int_eq(ftruncate(fd, bytes), 0);
	close(fd);
}

/* --- kinds of files -------------------------------------------------------- */

START_TEST(a_file_may_be_used)
{
	expect_answer(true, FINE, NULL);
	expect_answer(false, FINE, NULL);
}
END_TEST

START_TEST(a_link_is_followed)
{
	char link[RIG_PATH_BYTES + 8];

	(void)snprintf(link, sizeof(link), "%s-file", rig_path);
	ck_assert_int_eq(rename(rig_path, link), 0);
	ck_assert_int_eq(symlink(strrchr(link, '/') + 1, rig_path), 0);
	expect_answer(true, FINE, NULL);
	unlink(link);
}
END_TEST

static void expect_other(const char *said, int err)
{
	expect(false, true, err, said);
	expect(true, true, err, said);
}

START_TEST(what_is_no_file_is_refused)
{
	static const char neither[] = "neither a file nor a block device";
	char file[RIG_PATH_BYTES];

	unlink(rig_path);
	expect_other("cannot open it: No such file", -ENOENT);
	ck_assert_int_eq(mkdir(rig_path, 0700), 0);
	expect_other(neither, -EINVAL);
	ck_assert_int_eq(rmdir(rig_path), 0);
	/* One that is opened waits for another end. */
	ck_assert_int_eq(mkfifo(rig_path, 0600), 0);
	expect_other(neither, -EINVAL);

	memcpy(file, rig_path, sizeof(file));
	(void)snprintf(rig_path, sizeof(rig_path), "/dev/zero");
	expect_other(neither, -EINVAL);
	memcpy(rig_path, file, sizeof(file));
}
END_TEST

START_TEST(a_file_in_memory_is_refused)
{
	char file[RIG_PATH_BYTES];
	int fd;

	memcpy(file, rig_path, sizeof(file));
	(void)snprintf(rig_path, sizeof(rig_path), "/dev/shm/t-backing-XXXXXX");
	fd = mkstemp(rig_path);
	if (fd >= 0) {
		ck_assert_int_eq(ftruncate(fd, RIG_BYTES), 0);
		expect_other("it takes the memory that it is to save", -EINVAL);
		unlink(rig_path);
		close(fd);
	}
	memcpy(rig_path, file, sizeof(file));
}
END_TEST

START_TEST(a_small_one_is_refused)
{
	const off_t least = (off_t)BACKING_MIN_BLOCKS * BACKING_BLOCK_BYTES;

	make_file(least - 1, least);
	expect_answer(false, REFUSED, "it has less than 1 MiB");
	make_file(0, 0);
	expect_answer(true, REFUSED, "it has less than 1 MiB");
	make_file(least + 1, least + 1);
	expect_answer(true, FINE, NULL);
}
END_TEST

START_TEST(of_a_large_one_a_part_is_used)
{
	const struct backing_params params = rig_params(false, true);
	struct backing *backing;
	const uint64_t most =
		(uint64_t)BACKING_MAX_BLOCKS * BACKING_BLOCK_BYTES;

	make_file((off_t)(most + BACKING_BLOCK_BYTES), 0);
	ck_assert_int_eq(backing_open(&params, &backing), 0);
	ck_assert_uint_eq(backing_nr_blocks(backing), BACKING_MAX_BLOCKS);
	backing_close(backing);
}
END_TEST

START_TEST(holes_are_found)
{
	static const char holes[] = "it has holes";

	make_file(RIG_BYTES, 0);
	expect_answer(true, REFUSED, holes);
	ck_assert_ptr_nonnull(strstr(rig_line, "fallocate -l SIZE FILE"));
	expect_answer(false, WARNED, holes);
	/* At its end, and in its middle. */
	make_file(RIG_BYTES, RIG_BYTES - BACKING_BLOCK_BYTES);
	expect_answer(true, REFUSED, holes);
}
END_TEST

/* Its blocks behind its end are as many as it lacks. */
START_TEST(blocks_behind_the_end_fill_no_hole)
{
	int fd;

	make_file(RIG_BYTES, 0);
	fd = open(rig_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		fallocate(fd, FALLOC_FL_KEEP_SIZE, RIG_BYTES, RIG_BYTES), 0);
	close(fd);
	expect_answer(true, REFUSED, "it has holes");
}
END_TEST

/* More extents than one call tells of: every other block is written. */
START_TEST(many_extents_are_no_holes)
{
	static const unsigned char page[BACKING_BLOCK_BYTES] = {1};
	int fd = open(rig_path, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (off_t at = 0; at < RIG_BYTES; at += 2 * BLOCK)
		ck_assert_int_eq(pwrite(fd, page, sizeof(page), at),
				 (ssize_t)sizeof(page));
	expect_answer(true, FINE, NULL);
	ck_assert_int_eq(fallocate(fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   RIG_BYTES - 8 * BLOCK, BACKING_BLOCK_BYTES),
			 0);
	close(fd);
	expect_answer(true, REFUSED, "it has holes");
}
END_TEST

START_TEST(without_a_map_blocks_are_counted)
{
	fake.has_no_map = true;
	expect_answer(true, FINE, NULL);
	make_file(RIG_BYTES, RIG_BYTES / 2);
	expect_answer(true, REFUSED, "it has holes");
}
END_TEST

START_TEST(who_may_read_it_matters_where_nothing_is_encrypted)
{
	ck_assert_int_eq(chmod(rig_path, 0644), 0);
	expect(false, true, 0, NULL);
	expect(false, false, 0, "others may read or write it");
	ck_assert_int_eq(chmod(rig_path, 0600), 0);
	expect(true, false, 0, NULL);
}
END_TEST

/* --- made-up ones ---------------------------------------------------------- */

static const struct {
	uint32_t magic;
	enum answer swapped, other;
	const char *said;
} file_systems[] = {
	{TMPFS_MAGIC, REFUSED, REFUSED, "it takes the memory"},
	{RAMFS_MAGIC, REFUSED, REFUSED, "it takes the memory"},
	{HUGETLBFS_MAGIC, REFUSED, REFUSED, "it takes the memory"},
	{OVERLAYFS_SUPER_MAGIC, REFUSED, WARNED, "a layer over another"},
	{FUSE_SUPER_MAGIC, REFUSED, WARNED, "another process"},
	{NFS_SUPER_MAGIC, REFUSED, WARNED, "a network"},
	{CIFS_SUPER_MAGIC, REFUSED, WARNED, "a network"},
	{SMB2_SUPER_MAGIC, REFUSED, WARNED, "a network"},
	{CEPH_SUPER_MAGIC, REFUSED, WARNED, "a network"},
	{V9FS_MAGIC, REFUSED, WARNED, "a network"},
	{AFS_SUPER_MAGIC, REFUSED, WARNED, "a network"},
	{BTRFS_SUPER_MAGIC, REFUSED, FINE, "chattr +C"},
	{F2FS_SUPER_MAGIC, REFUSED, FINE, "writes elsewhere"},
	{EXT4_SUPER_MAGIC, FINE, FINE, ""},
	{XFS_SUPER_MAGIC, FINE, FINE, ""},
};

START_TEST(file_systems_are_known)
{
	fake.magic = file_systems[_i].magic;
	expect_answer(true, file_systems[_i].swapped, file_systems[_i].said);
	expect_answer(false, file_systems[_i].other, file_systems[_i].said);
}
END_TEST

START_TEST(a_file_that_stays_in_place_may_be_used)
{
	fake.magic = BTRFS_SUPER_MAGIC;
	fake.is_nocow = true;
	expect_answer(true, FINE, NULL);
	/* But for a snapshot of it, or a copy that has the same blocks. */
	fake.extent_flags = FIEMAP_EXTENT_SHARED;
	expect_answer(true, REFUSED, "writes elsewhere");
	fake.magic = 0;
	fake.extent_flags = FIEMAP_EXTENT_ENCODED;
	expect_answer(true, REFUSED, "writes elsewhere");
	expect_answer(false, FINE, NULL);
}
END_TEST

static const struct {
	const char *name;
	enum answer swapped, other;
	const char *said;
} devices[] = {
	{"zram0", REFUSED, REFUSED, "it takes the memory"},
	{"ram1", REFUSED, REFUSED, "it takes the memory"},
	{"nbd0", REFUSED, WARNED, "zsd itself may serve it"},
	{"nbd3/nbd3p1", REFUSED, WARNED, "zsd itself may serve it"},
	{"rbd0", REFUSED, WARNED, "a network"},
	{"loop7", REFUSED, FINE, "the file behind"},
	{"zd16", REFUSED, FINE, "writes elsewhere"},
	{"sda/sda1", FINE, FINE, ""},
	{"nvme0n1/nvme0n1p2", FINE, FINE, ""},
	{"ramona", FINE, FINE, ""},
};

START_TEST(devices_are_known)
{
	fake.device = devices[_i].name;
	expect_answer(true, devices[_i].swapped, devices[_i].said);
	expect_answer(false, devices[_i].other, devices[_i].said);
}
END_TEST

START_TEST(without_direct_io_it_is_refused)
{
	fake.has_no_direct = true;
	expect_answer(false, REFUSED, "no direct I/O (O_DIRECT)");
}
END_TEST

/* --- claims ---------------------------------------------------------------- */

START_TEST(one_has_it)
{
	const struct backing_params params = rig_params(false, true);
	struct backing *first, *second;

	ck_assert_int_eq(backing_open(&params, &first), 0);
	ck_assert_int_eq(backing_open(&params, &second), 0);
	ck_assert_int_eq(backing_claim(first), 0);
	ck_assert_str_eq(rig_line, "");
	ck_assert_int_eq(backing_claim(second), -EBUSY);
	ck_assert_ptr_nonnull(strstr(rig_line, "it is in use"));
	backing_close(first);
	ck_assert_int_eq(backing_claim(second), 0);
	backing_close(second);
}
END_TEST

START_TEST(a_file_that_is_swapped_on_is_in_use)
{
	const struct backing_params params = rig_params(false, true);
	struct backing *backing;

	ck_assert_int_eq(backing_open(&params, &backing), 0);
	fake.is_swap = true;
	ck_assert_int_eq(backing_claim(backing), -EBUSY);
	backing_close(backing);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backing/check");
	TCase *tc = tcase_create("check");

	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, a_file_may_be_used);
	tcase_add_test(tc, a_link_is_followed);
	tcase_add_test(tc, what_is_no_file_is_refused);
	tcase_add_test(tc, a_file_in_memory_is_refused);
	tcase_add_test(tc, a_small_one_is_refused);
	tcase_add_test(tc, of_a_large_one_a_part_is_used);
	tcase_add_test(tc, holes_are_found);
	tcase_add_test(tc, blocks_behind_the_end_fill_no_hole);
	tcase_add_test(tc, many_extents_are_no_holes);
	tcase_add_test(tc, without_a_map_blocks_are_counted);
	tcase_add_test(tc, who_may_read_it_matters_where_nothing_is_encrypted);
	tcase_add_loop_test(tc, file_systems_are_known, 0,
			    ARRAY_SIZE(file_systems));
	tcase_add_test(tc, a_file_that_stays_in_place_may_be_used);
	tcase_add_loop_test(tc, devices_are_known, 0, ARRAY_SIZE(devices));
	tcase_add_test(tc, without_direct_io_it_is_refused);
	tcase_add_test(tc, one_has_it);
	tcase_add_test(tc, a_file_that_is_swapped_on_is_in_use);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be used. A backing must take what is written out without needing
 * memory for it, or somebody who does: else a machine that swaps on the disk
 * waits for itself. Where nobody swaps on it much of that is only slow.
 *
 * A path is opened with O_PATH first, for to open a device may do something,
 * and to open a fifo waits.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backing/backing_internal.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/mapping.h"

/* Of network block devices; Linux Documentation/admin-guide/devices.txt. */
#define NBD_MAJOR 43u

/* --- what may be the matter ------------------------------------------------ */

enum refused {
	ALWAYS,
	IF_SWAPPED_ON, /* else it is warned of */
	IF_SWAPPED_ON_ONLY, /* else it does not matter */
	NEVER, /* it is warned of */
};

struct fault {
	enum refused refused;
	const char *what;
	const char *mend;
};

#define NAME_ANOTHER "name a file or a block device on a disk of this machine"

static const struct fault is_other = {
	ALWAYS, "it is neither a file nor a block device", NAME_ANOTHER};
static const struct fault is_small = {ALWAYS, "it has less than 1 MiB",
				      "fallocate -l SIZE FILE, or name "
				      "another"};
static const struct fault is_large = {NEVER, "it has more than 1 TiB",
				      "the rest of it is not used"};
static const struct fault is_memory = {
	ALWAYS, "it takes the memory that it is to save", NAME_ANOTHER};
static const struct fault is_far = {
	IF_SWAPPED_ON,
	"it is behind a network or another process, which need memory to write",
	NAME_ANOTHER};
static const struct fault is_nbd = {
	IF_SWAPPED_ON,
	"it is a network block device or on one, and zsd itself may serve it",
	NAME_ANOTHER};
static const struct fault is_layered = {
	IF_SWAPPED_ON,
	"its file system is a layer over another, which it may copy it to",
	"name a file below that"};
static const struct fault is_loop = {
	IF_SWAPPED_ON_ONLY,
	"it is a loop device or on one, and a process needs memory to write it",
	"name the file behind that"};
static const struct fault is_moving = {
	IF_SWAPPED_ON_ONLY,
	"its file system writes elsewhere what is written over, and needs "
	"memory and room for it",
	"on btrfs make a new file: touch FILE, chattr +C FILE, fallocate -l "
	"SIZE FILE; else name a file of another file system"};
static const struct fault has_holes = {
	IF_SWAPPED_ON,
	"it has holes, and its file system needs memory and room to fill them",
	"fallocate -l SIZE FILE"};
static const struct fault is_readable = {
	NEVER, "others may read or write it, and nothing is encrypted",
	"chmod 600 FILE"};
static const struct fault has_large_sectors = {
	ALWAYS, "it is not written in blocks of 4 KiB", NAME_ANOTHER};
static const struct fault is_indirect = {
	ALWAYS, "its file system has no direct I/O (O_DIRECT)",
	"name a file of another file system, as ext4 or xfs"};

/* Return: 0 where it may be used all the same, or -EINVAL. Says what is wrong.
 */
static int complain(const struct backing *backing, const struct fault *fault)
{
	const struct backing_params *params = &backing->params;
	const bool is_refused =
		fault->refused == ALWAYS ||
		(fault->refused != NEVER && params->is_swapped_on);

	if (is_refused)
		io_log(params->log, IO_LOG_ERROR, "%s: %s: %s", params->path,
		       fault->what, fault->mend);
	else if (fault->refused != IF_SWAPPED_ON_ONLY)
		io_log(params->log, IO_LOG_WARNING, "warning: %s: %s: %s",
		       params->path, fault->what, fault->mend);
	return is_refused ? -EINVAL : 0;
}

static int refuse_call(const struct backing *backing, const char *what, int err)
{
	io_log(backing->params.log, IO_LOG_ERROR, "%s: cannot %s it: %s",
	       backing->params.path, what, strerror(-err));
	return err;
}

/* --- devices --------------------------------------------------------------- */

/* By the first part of their names; a number follows. */
static const struct {
	const char *name;
	const struct fault *fault;
} devices[] = {
	{"zram", &is_memory}, {"ram", &is_memory}, {"nbd", &is_nbd},
	{"rbd", &is_far},     {"drbd", &is_far},   {"loop", &is_loop},
	{"zd", &is_moving},
};

static const struct fault *device_fault(const char *name)
{
	size_t length;

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		length = strlen(devices[i].name);
		if (!strncmp(name, devices[i].name, length) &&
		    name[length] >= '0' && name[length] <= '9')
			return devices[i].fault;
	}
	return NULL;
}

/* The device itself, or the one that a file is on. What it is made of in turn
 * (dm, md) is not looked at. */
static int check_device(const struct backing *backing, dev_t device)
{
	const struct fault *fault = NULL;
	char link[64], target[256];
	const char *name;
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u",
		       major(device), minor(device));
	length = readlink(link, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = 0;
		name = strrchr(target, '/');
		fault = device_fault(name ? name + 1 : target);
	}
	if (!fault && major(device) == NBD_MAJOR)
		fault = &is_nbd;
	return fault ? complain(backing, fault) : 0;
}

/* Return: its bytes, or 0 with @err. */
static uint64_t measure_device(const struct backing *backing, int *err)
{
	uint64_t bytes = 0;
	int sector_bytes;

	if (ioctl(backing->fd, BLKGETSIZE64, &bytes) ||
	    ioctl(backing->fd, BLKSSZGET, &sector_bytes))
		*err = refuse_call(backing, "measure", -errno);
	else if (sector_bytes <= 0 ||
		 BACKING_BLOCK_BYTES % (unsigned)sector_bytes)
		*err = complain(backing, &has_large_sectors);
	return *err ? 0 : bytes;
}

/* --- files ----------------------------------------------------------------- */

/* Those that linux/magic.h does not have are from their own sources. */
static const struct {
	uint32_t magic; /* f_type of statfs(2) */
	const struct fault *fault;
} file_systems[] = {
	{TMPFS_MAGIC, &is_memory},
	{RAMFS_MAGIC, &is_memory},
	{HUGETLBFS_MAGIC, &is_memory},
	{OVERLAYFS_SUPER_MAGIC, &is_layered},
	{ECRYPTFS_SUPER_MAGIC, &is_layered},
	{FUSE_SUPER_MAGIC, &is_far},
	{NFS_SUPER_MAGIC, &is_far},
	{SMB_SUPER_MAGIC, &is_far},
	{CIFS_SUPER_MAGIC, &is_far},
	{SMB2_SUPER_MAGIC, &is_far},
	{CEPH_SUPER_MAGIC, &is_far},
	{V9FS_MAGIC, &is_far},
	{AFS_SUPER_MAGIC, &is_far},
	{AFS_FS_MAGIC, &is_far},
	{CODA_SUPER_MAGIC, &is_far},
	{OCFS2_SUPER_MAGIC, &is_far},
	{0x01161970, &is_far}, /* gfs2 */
	{0x0BD00BD0, &is_far}, /* lustre */
	{0x786F4256, &is_far}, /* vboxsf */
	{BTRFS_SUPER_MAGIC, &is_moving},
	{F2FS_SUPER_MAGIC, &is_moving},
	{NILFS_SUPER_MAGIC, &is_moving},
	{0xCA451A4E, &is_moving}, /* bcachefs */
	{0x2FC12FC1, &is_moving}, /* zfs */
};

/* A file may be excepted from what its file system does: chattr +C; on f2fs by
 * pinning it, which shows as the same. */
static bool stays_in_place(int fd)
{
	int flags = 0;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_NOCOW_FL;
}

static const struct fault *file_system_fault(const struct statfs *st)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++)
		if (file_systems[i].magic == (uint32_t)st->f_type)
			return file_systems[i].fault;
	return NULL;
}

/* @fd: opened or only named. To be told that there is no direct I/O would not
 * help those who named a file in memory. */
static int check_file_system(struct backing *backing, int fd)
{
	const struct fault *fault;
	struct statfs st;

	if (fstatfs(fd, &st))
		return refuse_call(backing, "examine", -errno);
	fault = file_system_fault(&st);
	if (fault == &is_moving) {
		backing->may_move = true;
		return 0;
	}
	return fault ? complain(backing, fault) : 0;
}

static bool is_moved(const struct backing *backing, enum extents extents)
{
	return extents == EXTENTS_MOVING ||
	       (backing->may_move && !stays_in_place(backing->fd));
}

static int check_file(const struct backing *backing, const struct stat *st)
{
	const enum extents extents =
		extents_look(backing->fd, (uint64_t)st->st_size);
	int err = 0;

	if (is_moved(backing, extents))
		err = complain(backing, &is_moving);
	else if (extents == EXTENTS_HOLES)
		err = complain(backing, &has_holes);
	if (!err && !backing->params.encrypt && st->st_mode & 077)
		err = complain(backing, &is_readable);
	return err;
}

/* --- both ------------------------------------------------------------------ */

static int check_size(struct backing *backing, uint64_t bytes)
{
	const uint64_t nr_blocks = bytes / BACKING_BLOCK_BYTES;

	if (nr_blocks < BACKING_MIN_BLOCKS)
		return complain(backing, &is_small);
	backing->nr_blocks = (uint32_t)min_u64(nr_blocks, BACKING_MAX_BLOCKS);
	return nr_blocks > BACKING_MAX_BLOCKS ? complain(backing, &is_large)
					      : 0;
}

/* Whether it really is read as it will be: a read of 4 KiB tells. */
static int check_direct(const struct backing *backing)
{
	void *page;
	int err = memory_map(BACKING_BLOCK_BYTES, &page);

	if (err)
		return refuse_call(backing, "read", err);
	if (pread(backing->fd, page, BACKING_BLOCK_BYTES, 0) < 0)
		err = errno == EINVAL ? complain(backing, &is_indirect)
				      : refuse_call(backing, "read", -errno);
	memory_give_back(page, BACKING_BLOCK_BYTES);
	return err;
}

/* All that can be told before it is opened. */
static int check_named(struct backing *backing, int fd, const struct stat *st)
{
	int err = 0;

	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return complain(backing, &is_other);
	backing->is_device = S_ISBLK(st->st_mode);
	if (!backing->is_device)
		err = check_file_system(backing, fd);
	return err ? err
		   : check_device(backing, backing->is_device ? st->st_rdev
							      : st->st_dev);
}

static int check_opened(struct backing *backing, const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_size;
	int err = 0;

	if (backing->is_device)
		bytes = measure_device(backing, &err);
	if (!err)
		err = check_size(backing, bytes);
	if (!err && !backing->is_device)
		err = check_file(backing, st);
	return err ? err : check_direct(backing);
}

/* What @path_fd names, for good. */
static int open_again(struct backing *backing, int path_fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	backing->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (backing->fd >= 0)
		return 0;
	return errno == EINVAL ? complain(backing, &is_indirect)
			       : refuse_call(backing, "open", -errno);
}

int check_open(struct backing *backing)
{
	struct stat st;
	int fd = open(backing->params.path, O_PATH | O_CLOEXEC);
	int err;

	if (fd < 0)
		return refuse_call(backing, "open", -errno);
	if (fstat(fd, &st))
		err = refuse_call(backing, "examine", -errno);
	else
		err = check_named(backing, fd, &st);
	if (!err)
		err = open_again(backing, fd);
	close(fd);
	return err ? err : check_opened(backing, &st);
}

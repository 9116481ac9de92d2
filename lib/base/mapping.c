/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mapping.h"
#include "base/units.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

/* Of the whole of @fd. No core dump is to have it. */
static int map_all(int fd, uint64_t bytes, struct mapping *out)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_NORESERVE, fd, 0);
	int err;

	if (base == MAP_FAILED)
		return -errno;
	if (madvise(base, bytes, MADV_DONTDUMP) < 0) {
		err = -errno;
		munmap(base, bytes);
		return err;
	}
	*out = (struct mapping){
		.base = base, .bytes = bytes, .fd = fd, .owner_fd = -1};
	return 0;
}

static int create_owned(int fd, uint64_t bytes, struct mapping *out)
{
	struct mapping map;
	int err;

	if (ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	err = map_all(fd, bytes, &map);
	if (err)
		return err;
	err = mapping_own(&map);
	if (err)
		munmap(map.base, bytes);
	else
		*out = map;
	return err;
}

int mapping_create(const char *name, uint64_t bytes, struct mapping *out)
{
	int fd = memfd_create(name, MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = create_owned(fd, bytes, out);
	if (err)
		close(fd);
	return err;
}

int mapping_open(int fd, struct mapping *out)
{
	off_t bytes = lseek(fd, 0, SEEK_END);
	int err;

	if (bytes < 0)
		return errno == ESPIPE ? -EINVAL : -errno;
	if (!bytes || (uint64_t)bytes % ZSD_PAGE_BYTES)
		return -EINVAL;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = map_all(fd, (uint64_t)bytes, out);
	if (err)
		close(fd);
	return err;
}

int mapping_own(struct mapping *map)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[sizeof("/proc/self/fd/") + 10];
	int fd, err;

	if (map->owner_fd >= 0)
		return 0;
	/* A lock belongs to what open(2) returned: descriptors that were passed
	 * on share one. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", map->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		err = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		close(fd);
		return err;
	}
	map->owner_fd = fd;
	return 0;
}

void mapping_destroy(struct mapping *map)
{
	munmap(map->base, map->bytes);
	if (map->owner_fd >= 0)
		close(map->owner_fd);
	close(map->fd);
}

static void check_range(const struct mapping *map, uint64_t offset,
			uint64_t bytes)
{
	CHECK(offset % ZSD_PAGE_BYTES == 0 && bytes % ZSD_PAGE_BYTES == 0);
	CHECK(bytes && offset + bytes <= map->bytes);
}

static int range_fallocate(const struct mapping *map, int mode, uint64_t offset,
			   uint64_t bytes)
{
	check_range(map, offset, bytes);
	while (fallocate(map->fd, mode, (off_t)offset, (off_t)bytes) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* For a kernel before 5.14. */
static int commit_and_touch(const struct mapping *map, uint64_t offset,
			    uint64_t bytes)
{
	const volatile unsigned char *p = map->base + offset;
	int err = range_fallocate(map, 0, offset, bytes);

	for (uint64_t at = 0; !err && at < bytes; at += ZSD_PAGE_BYTES)
		(void)p[at];
	return err;
}

static int commit(const struct mapping *map, uint64_t offset, uint64_t bytes)
{
	int err;

	/*
	 * Not by fallocate(2), if it can be helped: that holds the memfd's lock
	 * while the kernel looks for memory, so that one thread waits for the
	 * memory of another.
	 */
	while (madvise(map->base + offset, bytes, MADV_POPULATE_WRITE) < 0) {
		if (errno == EINVAL)
			return commit_and_touch(map, offset, bytes);
		err = errno == EFAULT ? -ENOMEM : -errno;
		if (err != -EINTR && err != -EAGAIN)
			return err;
	}
	return 0;
}

int mapping_commit(const struct mapping *map, uint64_t offset, uint64_t bytes,
		   uint64_t *done_bytes)
{
	uint64_t done = 0;
	int err;

	check_range(map, offset, bytes);
	err = commit(map, offset, bytes);
	/*
	 * The kernel goes in order and stops where it has no memory, but does
	 * not say where that was.
	 */
	while (err && done_bytes && done < bytes &&
	       commit(map, offset + done, ZSD_PAGE_BYTES) == 0)
		done += ZSD_PAGE_BYTES;
	if (!err || done == bytes) {
		done = bytes;
		err = 0;
	}
	if (done_bytes)
		*done_bytes = done;
	return err;
}

bool mapping_next_data(const struct mapping *map, uint64_t *offset,
		       uint64_t *end)
{
	off_t from, to;

	check_range(map, *offset, *end - *offset);
	from = lseek(map->fd, (off_t)*offset, SEEK_DATA);
	if (from < 0 || (uint64_t)from >= *end)
		return false;
	to = lseek(map->fd, from, SEEK_HOLE);
	*offset = (uint64_t)from;
	if (to > 0 && (uint64_t)to < *end)
		*end = (uint64_t)to;
	return true;
}

int mapping_release(const struct mapping *map, uint64_t offset, uint64_t bytes)
{
	return range_fallocate(map, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       offset, bytes);
}

/* --- memory for a while -------------------------------------------------- */

void *memory_take(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void memory_give_back(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, bytes);
}

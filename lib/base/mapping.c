/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mapping.h"
#include "base/units.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

int mapping_create(const char *name, uint64_t bytes, struct mapping *out)
{
	void *base = MAP_FAILED;
	int fd, err;

	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0)
		goto err;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		goto err;
	if (madvise(base, bytes, MADV_DONTDUMP) < 0)
		goto err;
	out->base = base;
	out->bytes = bytes;
	out->fd = fd;
	return 0;

err:
	err = -errno;
	if (base != MAP_FAILED)
		munmap(base, bytes);
	close(fd);
	return err;
}

void mapping_destroy(struct mapping *map)
{
	munmap(map->base, map->bytes);
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

int mapping_release(const struct mapping *map, uint64_t offset, uint64_t bytes)
{
	return range_fallocate(map, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       offset, bytes);
}

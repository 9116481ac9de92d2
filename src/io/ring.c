/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/units.h"
#include "io/ring.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

/* Memory is asked for in pieces of this size, bytes: a few pages of a request
 * and its reply. */
#define COMMIT_BYTES ((size_t)(64 * KIB))

/* Map @fd over both halves of the range at @base. */
static int map_twice(unsigned char *base, size_t bytes, int fd, uint64_t offset)
{
	for (unsigned i = 0; i < 2; i++) {
		if (mmap(base + i * bytes, bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
			 (off_t)offset) == MAP_FAILED)
			return -errno;
	}
	/* It may hold pages that were swapped out: not for a core dump. */
	(void)madvise(base, 2 * bytes, MADV_DONTDUMP);
	return 0;
}

int io_ring_map(struct io_ring *ring, size_t bytes, int fd, uint64_t offset)
{
	unsigned char *base;
	int err;

	CHECK(is_pow2(bytes) && bytes % ZSD_PAGE_BYTES == 0);
	base = mmap(NULL, 2 * bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	err = map_twice(base, bytes, fd, offset);
	if (err)
		munmap(base, 2 * bytes);
	else
		*ring = (struct io_ring){.base = base, .bytes = bytes};
	return err;
}

int io_ring_create(struct io_ring *ring, size_t bytes)
{
	int fd, err;

	fd = memfd_create("zsd ring", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = ftruncate(fd, (off_t)bytes) < 0 ? -errno
					      : io_ring_map(ring, bytes, fd, 0);
	close(fd); /* the mapping keeps the memory */
	return err;
}

/* For a kernel before 5.14: memory by being written to, as a last resort. What
 * is there stays: it may be another process's. */
static void touch(unsigned char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += ZSD_PAGE_BYTES) {
		volatile unsigned char *byte = at + i;

		*byte = *byte;
	}
}

/* Return: 0 or -errno. */
static int populate(unsigned char *at, size_t bytes)
{
	while (madvise(at, bytes, MADV_POPULATE_WRITE) < 0) {
		if (errno == EINVAL) {
			touch(at, bytes);
			return 0;
		}
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	return 0;
}

/*
 * What was never written to lies behind all that was: the tail passes every
 * byte of the memory before it comes to the first one again, or it goes back to
 * that by io_ring_rewind().
 */
size_t io_ring_commit(struct io_ring *ring, size_t bytes)
{
	size_t at = ring->tail & (ring->bytes - 1);
	size_t want = min_u64(align_up(at + bytes, COMMIT_BYTES), ring->bytes);
	unsigned char *from = ring->base + ring->committed;

	/* Both halves, so that neither is a page fault later. */
	if (populate(from, want - ring->committed) ||
	    populate(from + ring->bytes, want - ring->committed))
		return ring->committed > at ? ring->committed - at : 0;
	ring->committed = want;
	return bytes;
}

/* Nothing has come to the end of the memory yet, so nothing lies across it. */
void io_ring_squeeze(struct io_ring *ring)
{
	size_t used = io_ring_used(ring);
	const unsigned char *from = io_ring_at(ring, ring->head);

	if (ring->committed == ring->bytes || from == ring->base)
		return;
	memmove(ring->base, from, used);
	ring->head = (ring->head + ring->bytes - 1) & ~(ring->bytes - 1);
	ring->tail = ring->head + used;
}

void io_ring_destroy(struct io_ring *ring)
{
	munmap(ring->base, 2 * ring->bytes);
	ring->base = NULL;
}

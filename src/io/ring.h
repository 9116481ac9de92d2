/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring - bytes on their way between a socket and the protocol
 *
 *   position  head                 tail               head + bytes
 *    taken     |      in use        |       room       |
 *
 * The ring is mapped twice in a row, so that what is in use, and the room, are
 * each in one piece wherever they begin: a page is compressed straight out of
 * it, or decompressed straight into it, and nothing is ever moved. Positions
 * count all bytes that went through so far, and only grow.
 *
 * Memory comes as it is needed, by io_ring_prepare(): touching shared memory
 * that the system cannot supply would be a SIGBUS.
 *
 * Ownership: the memory is the maker's. Threads: one at a time.
 * Source: mmap(2), "MAP_FIXED"; memfd_create(2); madvise(2).
 */
#ifndef ZSD_IO_RING_H
#define ZSD_IO_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/compiler.h"

struct io_ring {
	unsigned char *base; /* twice bytes */
	size_t bytes; /* a power of two, a multiple of a page */
	size_t committed; /* bytes from base on that have memory */
	uint64_t head; /* position of the first byte in use */
	uint64_t tail; /* position behind the last one */
};

/**
 * io_ring_create() - map an empty ring
 * @bytes: its size, a power of two and a multiple of ZSD_PAGE_BYTES
 *
 * Takes address space, no memory.
 * Return: 0 or the -errno of memfd_create(2), ftruncate(2) or mmap(2).
 * Release: io_ring_destroy().
 */
int io_ring_create(struct io_ring *ring, size_t bytes) ZSD_MUST_CHECK;

/**
 * io_ring_map() - the same in memory that another process may have, too
 * @fd:     of shared memory; the caller's, who may close it
 * @offset: where in it, a multiple of ZSD_PAGE_BYTES
 *
 * The ring is empty. What the memory holds is kept.
 * Return: 0 or the -errno of mmap(2). Release: io_ring_destroy().
 */
int io_ring_map(struct io_ring *ring, size_t bytes, int fd,
		uint64_t offset) ZSD_MUST_CHECK;

void io_ring_destroy(struct io_ring *ring);

static inline size_t io_ring_used(const struct io_ring *ring)
{
	return (size_t)(ring->tail - ring->head);
}

static inline size_t io_ring_room(const struct io_ring *ring)
{
	return ring->bytes - io_ring_used(ring);
}

/* io_ring_commit() - put memory behind the next bytes; see io_ring_prepare() */
size_t io_ring_commit(struct io_ring *ring, size_t bytes);

/**
 * io_ring_prepare() - have memory behind room that will be written to
 * @bytes: how much of it, at most the room
 *
 * Cost: nothing where it is there, as it is from the second time on; else a
 * system call. Return: how many bytes may be written: @bytes, or less where the
 * system has no memory.
 */
static inline size_t io_ring_prepare(struct io_ring *ring, size_t bytes)
{
	size_t at = ring->tail & (ring->bytes - 1);

	if (likely(ring->committed == ring->bytes ||
		   at + bytes <= ring->committed))
		return bytes;
	return io_ring_commit(ring, bytes);
}

/* The byte at @pos; as many as are in use, or free, follow it in memory. */
static inline unsigned char *io_ring_at(const struct io_ring *ring,
					uint64_t pos)
{
	return ring->base + (pos & (ring->bytes - 1));
}

/* The first free byte. */
static inline unsigned char *io_ring_end(const struct io_ring *ring)
{
	return io_ring_at(ring, ring->tail);
}

/* @bytes of the room, which were written to, are in use now. */
static inline void io_ring_fill(struct io_ring *ring, size_t bytes)
{
	CHECK(bytes <= io_ring_room(ring));
	ring->tail += bytes;
}

/* What is before @pos is done with. */
static inline void io_ring_consume_to(struct io_ring *ring, uint64_t pos)
{
	CHECK(pos >= ring->head && pos <= ring->tail);
	ring->head = pos;
}

/* Forget what was filled in from @pos on. */
static inline void io_ring_unfill_to(struct io_ring *ring, uint64_t pos)
{
	CHECK(pos >= ring->head && pos <= ring->tail);
	ring->tail = pos;
}

/*
 * Begin at the start of the memory again, where nothing is in use: a client
 * that asks for little then uses little of it, and finds that in the cache.
 */
static inline void io_ring_rewind(struct io_ring *ring)
{
	CHECK(ring->head == ring->tail);
	ring->head = (ring->head + ring->bytes - 1) & ~(ring->bytes - 1);
	ring->tail = ring->head;
}

/*
 * io_ring_squeeze() - move what is in use to the start of the memory
 *
 * Where the system has no memory for the rest: what lies in front of it is then
 * of use again. Nothing where all of the ring has memory, or nothing is gained.
 */
void io_ring_squeeze(struct io_ring *ring);

#endif

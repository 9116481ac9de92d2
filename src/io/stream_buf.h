/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_buf - bytes on their way between a socket and the protocol
 *
 *   base          head            tail              base + size
 *    |  consumed   |     used      |      room       |
 *
 * Always contiguous, so that a page is compressed straight out of it and
 * decompressed straight into it. Room is won back by moving the used bytes to
 * the front, which its users do while there are few.
 *
 * Ownership: the memory is the caller's. Threads: one at a time.
 */
#ifndef ZSD_IO_STREAM_BUF_H
#define ZSD_IO_STREAM_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

struct stream_buf {
	unsigned char *base;
	size_t size; /* bytes at base */
	size_t head; /* first used byte */
	size_t tail; /* first free byte */
	uint64_t consumed; /* bytes that went through so far */
};

static inline void buf_init(struct stream_buf *buf, void *base, size_t size)
{
	memset(buf, 0, sizeof(*buf));
	buf->base = base;
	buf->size = size;
}

static inline size_t buf_used(const struct stream_buf *buf)
{
	return buf->tail - buf->head;
}

static inline size_t buf_room(const struct stream_buf *buf)
{
	return buf->size - buf->tail;
}

/* The first used byte. */
static inline unsigned char *buf_data(const struct stream_buf *buf)
{
	return buf->base + buf->head;
}

/* The first free byte. */
static inline unsigned char *buf_free_data(const struct stream_buf *buf)
{
	return buf->base + buf->tail;
}

/* @bytes of the room, which were written to, are used now. */
static inline void buf_fill(struct stream_buf *buf, size_t bytes)
{
	CHECK(bytes <= buf_room(buf));
	buf->tail += bytes;
}

/* The first @bytes that are used are done with. */
static inline void buf_consume(struct stream_buf *buf, size_t bytes)
{
	CHECK(bytes <= buf_used(buf));
	buf->head += bytes;
	buf->consumed += bytes;
	if (buf->head == buf->tail)
		buf->head = buf->tail = 0;
}

/* Forget the last @bytes that were filled in. */
static inline void buf_unfill(struct stream_buf *buf, size_t bytes)
{
	CHECK(bytes <= buf_used(buf));
	buf->tail -= bytes;
}

/* Make @bytes of room, moving what is used if need be. Tells whether there
 * are that many. */
static inline bool buf_reserve(struct stream_buf *buf, size_t bytes)
{
	if (buf_room(buf) >= bytes)
		return true;
	if (buf->size - buf_used(buf) < bytes)
		return false;
	memmove(buf->base, buf_data(buf), buf_used(buf));
	buf->tail -= buf->head;
	buf->head = 0;
	return true;
}

#endif

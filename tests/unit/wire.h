/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire - bytes of a protocol, put together and taken apart piece by piece
 *
 * Asserts where there is no room, or nothing left to take: a test that goes
 * wrong says so at once.
 */
#ifndef ZSD_UNIT_WIRE_H
#define ZSD_UNIT_WIRE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/* Room, bytes: the longest option, its header and what goes before it. */
#define WIRE_BYTES (128u << 10)

struct wire {
	unsigned char data[WIRE_BYTES];
	size_t bytes; /* filled */
	size_t taken;
};

static inline unsigned char *wire_extend(struct wire *wire, size_t bytes)
{
	unsigned char *p = wire->data + wire->bytes;

	ck_assert_uint_le(bytes, WIRE_BYTES - wire->bytes);
	wire->bytes += bytes;
	return p;
}

static inline void put_u16(struct wire *wire, unsigned value)
{
	store_be16(wire_extend(wire, 2), (uint16_t)value);
}

static inline void put_u32(struct wire *wire, uint32_t value)
{
	store_be32(wire_extend(wire, 4), value);
}

static inline void put_u64(struct wire *wire, uint64_t value)
{
	store_be64(wire_extend(wire, 8), value);
}

static inline void put_bytes(struct wire *wire, const void *p, size_t bytes)
{
	if (bytes)
		memcpy(wire_extend(wire, bytes), p, bytes);
}

static inline void put_text(struct wire *wire, const char *text)
{
	put_bytes(wire, text, strlen(text));
}

static inline const unsigned char *take_bytes(struct wire *wire, size_t bytes)
{
	const unsigned char *p = wire->data + wire->taken;

	ck_assert_uint_le(bytes, wire->bytes - wire->taken);
	wire->taken += bytes;
	return p;
}

static inline unsigned take_u16(struct wire *wire)
{
	return load_be16(take_bytes(wire, 2));
}

static inline uint32_t take_u32(struct wire *wire)
{
	return load_be32(take_bytes(wire, 4));
}

static inline uint64_t take_u64(struct wire *wire)
{
	return load_be64(take_bytes(wire, 8));
}

/* The next bytes are those of @text, without its NUL. */
static inline void take_text(struct wire *wire, const char *text)
{
	ck_assert_mem_eq(take_bytes(wire, strlen(text)), text, strlen(text));
}

static inline void take_end(const struct wire *wire)
{
	ck_assert_uint_eq(wire->taken, wire->bytes);
}

#endif

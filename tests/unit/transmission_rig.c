/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "nbd/nbdc_bytes.h"
#include "transmission_rig.h"

static const struct nbd_export export = {
	.name = "",
	.description = "",
	.size_bytes = DISK_BYTES,
	.flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA |
		 NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES |
		 NBD_FLAG_SEND_CACHE,
};

struct server_end server;
unsigned char pattern[RX_BYTES];

void transmission_setup(void)
{
	unsigned seed = 7;

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)rand_r(&seed);
	flat_store_reset();
	if (server.rx.base) {
		io_ring_destroy(&server.rx);
		io_ring_destroy(&server.tx);
	}
	memset(&server, 0, sizeof(server));
	ck_assert_int_eq(io_ring_create(&server.rx, RX_BYTES), 0);
	ck_assert_int_eq(io_ring_create(&server.tx, TX_BYTES), 0);
	server.session.export = &export;
	server.view.store = flat_store_ctx();
	server.deadline_ns = UINT64_MAX;
	transmission_init(&server.t, &server.session, &server.rx, &server.tx);
	transmission_begin(&server.t, &server.view);
}

/* --- the client's end ---------------------------------------------------- */

void send_bytes(const void *data, size_t bytes)
{
	transmission_rewind(&server.t);
	ck_assert_uint_le(bytes, io_ring_room(&server.rx));
	ck_assert_uint_eq(io_ring_prepare(&server.rx, bytes), bytes);
	memcpy(io_ring_end(&server.rx), data, bytes);
	io_ring_fill(&server.rx, bytes);
}

size_t unreceived(void)
{
	return io_ring_used(&server.tx);
}

const unsigned char *received(void)
{
	return io_ring_at(&server.tx, server.tx.head);
}

void take(size_t bytes)
{
	ck_assert_uint_le(bytes, unreceived());
	io_ring_consume_to(&server.tx, server.tx.head + bytes);
}

void encode_request(unsigned char bytes[NBD_REQUEST_BYTES], uint16_t type,
		    uint64_t cookie, uint64_t offset, uint32_t length)
{
	const struct nbdc_request request = {.type = type,
					     .cookie = cookie,
					     .offset = offset,
					     .length = length};

	nbdc_encode_request(bytes, &request);
}

void send_flagged(uint16_t type, unsigned flags, uint64_t cookie,
		  uint64_t offset, uint32_t length)
{
	const struct nbdc_request request = {.type = type,
					     .flags = (uint16_t)flags,
					     .cookie = cookie,
					     .offset = offset,
					     .length = length};
	unsigned char bytes[NBDC_REQUEST_BYTES];

	nbdc_encode_request(bytes, &request);
	send_bytes(bytes, sizeof(bytes));
}

void send_request(uint16_t type, uint64_t cookie, uint64_t offset,
		  uint32_t length)
{
	send_flagged(type, 0, cookie, offset, length);
}

enum step run(void)
{
	transmission_rewind(&server.t);
	return transmission_run(&server.t, server.deadline_ns);
}

unsigned run_on(enum step expected)
{
	unsigned nr_yields = 0;
	enum step step;

	while ((step = run()) == STEP_YIELDS || step == STEP_SENDS)
		nr_yields += step == STEP_YIELDS;
	ck_assert_int_eq(step, expected);
	return nr_yields;
}

void receive_reply(uint64_t cookie, uint32_t error)
{
	const unsigned char *p = received();

	ck_assert_uint_ge(unreceived(), NBDC_SIMPLE_BYTES);
	ck_assert_uint_eq(load_be32(p), NBDC_SIMPLE_MAGIC);
	ck_assert_uint_eq(load_be32(p + 4), error);
	ck_assert_uint_eq(load_be64(p + 8), cookie);
	take(NBDC_SIMPLE_BYTES);
}

void receive_data(const void *expected, size_t bytes)
{
	ck_assert_uint_ge(unreceived(), bytes);
	ck_assert(memcmp(received(), expected, bytes) == 0);
	take(bytes);
}

void receive_nothing(void)
{
	ck_assert_uint_eq(unreceived(), 0);
}

uint64_t count_of(enum export_count which)
{
	return server.view.counts[which];
}

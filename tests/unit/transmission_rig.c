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
	memset(&server, 0, sizeof(server));
	buf_init(&server.rx, server.rx_bytes, RX_BYTES);
	buf_init(&server.tx, server.tx_bytes, TX_BYTES);
	server.session.export = &export;
	transmission_init(&server.t, &server.session, flat_store_ctx(),
			  &server.counters);
	server.budget = TRANSMISSION_BUDGET;
}

/* --- the client's end ---------------------------------------------------- */

void send_bytes(const void *data, size_t bytes)
{
	ck_assert(buf_reserve(&server.rx, bytes));
	memcpy(buf_free_data(&server.rx), data, bytes);
	buf_fill(&server.rx, bytes);
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
	return transmission_run(&server.t, &server.rx, &server.tx,
				&server.budget);
}

unsigned run_on(enum step expected)
{
	unsigned nr_yields = 0;
	enum step step;

	for (;;) {
		server.budget = TRANSMISSION_BUDGET;
		step = run();
		if (step != STEP_YIELDS)
			break;
		nr_yields++;
	}
	ck_assert_int_eq(step, expected);
	return nr_yields;
}

void receive_reply(uint64_t cookie, uint32_t error)
{
	const unsigned char *p = buf_data(&server.tx);

	ck_assert_uint_ge(buf_used(&server.tx), NBDC_SIMPLE_BYTES);
	ck_assert_uint_eq(load_be32(p), NBDC_SIMPLE_MAGIC);
	ck_assert_uint_eq(load_be32(p + 4), error);
	ck_assert_uint_eq(load_be64(p + 8), cookie);
	buf_consume(&server.tx, NBDC_SIMPLE_BYTES);
}

void receive_data(const void *expected, size_t bytes)
{
	ck_assert_uint_ge(buf_used(&server.tx), bytes);
	ck_assert(memcmp(buf_data(&server.tx), expected, bytes) == 0);
	buf_consume(&server.tx, bytes);
}

void receive_nothing(void)
{
	ck_assert_uint_eq(buf_used(&server.tx), 0);
}

uint64_t count_of(enum request_count which)
{
	return server.counters.counts[which];
}

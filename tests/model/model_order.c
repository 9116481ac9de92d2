/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that overlap at random, against a disk that does them one by one.
 *
 * The client is that of order.h, on a disk so small that most requests overlap
 * with others that are under way. The server, which is transmission_run() on
 * plain memory, gets and gives as few bytes at a time as chance will have it,
 * ends its turns early, and its store lets some wait.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/units.h"
#include "io/ring.h"
#include "model/model.h"
#include "model/order.h"
#include "serve/transmission/transmission.h"

#define DISK_PAGES 96u
#define DISK_BYTES (DISK_PAGES * ZSD_PAGE_BYTES)

/* What sessions differ in. */
static const struct round {
	bool is_structured, has_context;
	size_t rx_bytes, tx_bytes;
	unsigned one_waits_in; /* of so many calls; 0: none */
	unsigned depth; /* requests under way: the server has 128 places */
	uint32_t max_bytes; /* of a request: the longest are more than a piece */
} rounds[] = {
	{false, false, MIB, 512 * KIB, 0, 128, 16 * KIB},
	{true, true, MIB, 512 * KIB, 0, 128, 16 * KIB},
	{false, false, 64 * KIB, 128 * KIB, 8, ORDER_MAX_DEPTH, 4 * KIB},
	{true, true, 64 * KIB, 128 * KIB, 4, ORDER_MAX_DEPTH, 16 * KIB},
	{true, false, 256 * KIB, 128 * KIB, 16, 16, ORDER_MAX_BYTES},
	{false, false, 128 * KIB, 256 * KIB, 16, 32, ORDER_MAX_BYTES},
	{false, false, 64 * KIB, 128 * KIB, 2, 3, 2 * KIB},
};

#define OPS_A_ROUND 3000u

struct model {
	struct model_run run;
	struct model_rng rng;
	const struct round *round;
	struct order client;

	struct nbd_export export;
	struct nbd_session session;
	struct export_view view;
	struct transmission t;
	struct io_ring rx, tx;
	unsigned char disk[DISK_BYTES];
	bool is_over; /* STEP_ENDS */

	uint64_t nr_waited, nr_yields, nr_full;
};

static struct model m;

#define CHECK_MODEL(cond, ...) MODEL_CHECK(&m.run, cond, __VA_ARGS__)

/* --- the store ------------------------------------------------------------ */

struct zstore_ctx {
	int unused;
};

static bool must_wait(void)
{
	if (!m.round->one_waits_in ||
	    !model_rng_one_in(&m.rng, m.round->one_waits_in))
		return false;
	m.nr_waited++;
	return true;
}

static void check_range(uint64_t offset, uint64_t bytes)
{
	CHECK_MODEL(offset < DISK_BYTES && bytes <= DISK_BYTES - offset,
		    "the store is asked for what the disk does not have");
}

int zstore_read(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		void *dst)
{
	(void)ctx;
	check_range(offset, bytes);
	if (must_wait())
		return -EINPROGRESS;
	memcpy(dst, m.disk + offset, bytes);
	return 0;
}

int zstore_write(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		 const void *src)
{
	(void)ctx;
	check_range(offset, bytes);
	if (must_wait())
		return -EINPROGRESS;
	memcpy(m.disk + offset, src, bytes);
	return 0;
}

int zstore_write_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	(void)ctx;
	check_range(offset, bytes);
	if (must_wait())
		return -EINPROGRESS;
	memset(m.disk + offset, 0, bytes);
	return 0;
}

int zstore_store_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	return zstore_write_zeroes(ctx, offset, bytes);
}

static void trim(unsigned char *disk, uint64_t offset, uint64_t bytes)
{
	uint64_t first = align_up(offset, ZSD_PAGE_BYTES);
	uint64_t end = align_down(offset + bytes, ZSD_PAGE_BYTES);

	if (first < end)
		memset(disk + first, 0, end - first);
}

int zstore_trim(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	(void)ctx;
	check_range(offset, bytes);
	trim(m.disk, offset, bytes);
	return 0;
}

uint64_t zstore_extent(const struct zstore_ctx *ctx, uint64_t offset,
		       uint64_t bytes, uint32_t *steps, unsigned *state)
{
	const unsigned char *at = m.disk + align_down(offset, ZSD_PAGE_BYTES);
	uint64_t in_page = ZSD_PAGE_BYTES - offset % ZSD_PAGE_BYTES;

	(void)ctx;
	check_range(offset, bytes);
	--*steps;
	*state = ZSTORE_HOLE | ZSTORE_ZERO;
	for (size_t i = 0; i < ZSD_PAGE_BYTES; i++)
		*state = at[i] ? 0 : *state;
	return min_u64(in_page, bytes);
}

void zstore_prefetch(const struct zstore_ctx *ctx, uint64_t offset,
		     enum zstore_stage stage)
{
	(void)ctx;
	(void)offset;
	(void)stage;
}

/* --- the server's turns --------------------------------------------------- */

/* Some of @bytes: all, or few. */
static size_t some(size_t bytes)
{
	switch (model_rng_below(&m.rng, 4)) {
	case 0:
		return min_u64(bytes, model_rng_below(&m.rng, 40));
	case 1:
		return model_rng_below(&m.rng, bytes + 1);
	default:
		return bytes;
	}
}

static void deliver(void)
{
	size_t bytes;

	transmission_rewind(&m.t);
	bytes = some(min_u64(m.client.wire.bytes - m.client.wire.taken,
			     io_ring_room(&m.rx)));
	m.nr_full += !io_ring_room(&m.rx);
	memcpy(io_ring_end(&m.rx), m.client.wire.data + m.client.wire.taken,
	       bytes);
	io_ring_fill(&m.rx, bytes);
	m.client.wire.taken += bytes;
	if (m.client.wire.taken == m.client.wire.bytes)
		m.client.wire.taken = m.client.wire.bytes = 0;
}

static void run_turn(void)
{
	/* A piece at a time, or all. */
	uint64_t deadline_ns = model_rng_one_in(&m.rng, 2) ? 0 : UINT64_MAX;

	switch (transmission_run(&m.t, deadline_ns)) {
	case STEP_YIELDS:
		m.nr_yields++;
		break;
	case STEP_ENDS:
		m.is_over = true;
		break;
	default:
		break;
	}
}

static void take(void)
{
	size_t bytes = some(io_ring_used(&m.tx));

	order_receive(&m.client, io_ring_at(&m.tx, m.tx.head), bytes);
	io_ring_consume_to(&m.tx, m.tx.head + bytes);
}

static void step(void)
{
	deliver();
	if (model_rng_one_in(&m.rng, 3))
		transmission_wake(&m.t);
	if (!m.is_over)
		run_turn();
	take();
}

/* --- sessions ------------------------------------------------------------- */

static void make_ring(struct io_ring *ring, size_t bytes)
{
	int err = io_ring_create(ring, bytes);

	CHECK_MODEL(!err && io_ring_prepare(ring, bytes) == bytes,
		    "no memory for a ring");
}

static void begin_session(const struct round *round)
{
	m.round = round;
	m.is_over = false;
	m.export = (struct nbd_export){
		.name = "",
		.description = "",
		.size_bytes = DISK_BYTES,
		.flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH |
			 NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM |
			 NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_CACHE};
	m.session =
		(struct nbd_session){.export = &m.export,
				     .structured_replies = round->is_structured,
				     .has_context = round->has_context};
	make_ring(&m.rx, round->rx_bytes);
	make_ring(&m.tx, round->tx_bytes);
	/* Of the rings' memory any place may be the first. */
	m.rx.head = m.rx.tail = model_rng_below(&m.rng, round->rx_bytes);
	m.tx.head = m.tx.tail = model_rng_below(&m.rng, round->tx_bytes);
	transmission_init(&m.t, &m.session, &m.rx, &m.tx);
	transmission_begin(&m.t, &m.view);
	order_begin(&m.client, &(struct order_session){
				       .is_structured = round->is_structured,
				       .has_context = round->has_context,
				       .nr_pages = DISK_PAGES,
				       .depth = round->depth,
				       .max_bytes = round->max_bytes});
}

/* Says goodbye, and gets all answers. */
static void end_session(void)
{
	const struct nbdc_request disc = {.type = CMD_DISC};

	nbdc_put_request(&m.client.wire, &disc);
	while (!m.is_over || io_ring_used(&m.tx))
		step();
	CHECK_MODEL(m.t.reason == 0, "the session ends with %d", m.t.reason);
	order_end(&m.client);
	CHECK_MODEL(memcmp(m.disk, m.client.reference, DISK_BYTES) == 0,
		    "the disk is not what was written");
	io_ring_destroy(&m.rx);
	io_ring_destroy(&m.tx);
}

static void run_session(uint64_t nr_ops)
{
	while (nr_ops) {
		if (order_may_send(&m.client) && !model_rng_one_in(&m.rng, 8)) {
			order_send(&m.client);
			m.run.op++;
			nr_ops--;
		} else {
			step();
		}
	}
}

int main(void)
{
	static struct zstore_ctx ctx;

	model_run_begin(&m.run, "model_order");
	model_rng_init(&m.rng, m.run.seed);
	order_init(&m.client, &m.run, m.run.seed + 1);
	m.view.store = &ctx;
	for (unsigned i = 0; m.run.op < m.run.nr_ops; i++) {
		begin_session(&rounds[i % ARRAY_SIZE(rounds)]);
		run_session(min_u64(OPS_A_ROUND, m.run.nr_ops - m.run.op));
		end_session();
	}
	order_report(&m.client);
	order_fini(&m.client);
	model_report_fact(&m.run, "calls that waited", m.nr_waited);
	model_report_fact(&m.run, "turns that ended early", m.nr_yields);
	model_report_fact(&m.run, "full rings", m.nr_full);
	return EXIT_SUCCESS;
}

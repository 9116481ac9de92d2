/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that overlap at random, against a disk that does them one by one.
 *
 * A client sends requests without waiting for replies, on a disk so small that
 * most of them overlap with others that are under way. The server, which is
 * transmission_run() on plain memory, gets and gives as few bytes at a time as
 * chance will have it, ends its turns early, and its store lets some wait. A
 * reference does each request in the moment in which it is sent. What a read
 * returns, whenever that is, must be what the reference held then: requests
 * that overlap take effect in the order of sending. Others may overtake each
 * other, and some must have.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/units.h"
#include "io/ring.h"
#include "model/model.h"
#include "nbd/nbdc_bytes.h"
#include "nbd/nbdc_replies.h"
#include "serve/transmission.h"

#define DISK_PAGES 96u
#define DISK_BYTES (DISK_PAGES * ZSD_PAGE_BYTES)

/* Most requests under way: more than the server has places for. */
#define MAX_OPS 200u

/* Longest request, bytes: more than a piece. */
#define MAX_BYTES (5 * TRANSMISSION_PIECE_BYTES / 2)

#define WIRE_BYTES ((size_t)4 * MIB)

/* What sessions differ in. */
static const struct round {
	bool is_structured, has_context;
	size_t rx_bytes, tx_bytes;
	unsigned one_waits_in; /* of so many calls; 0: none */
	unsigned depth; /* requests under way */
	uint32_t max_bytes; /* of a request */
} rounds[] = {
	{false, false, MIB, 512 * KIB, 0, 128, 16 * KIB},
	{true, true, MIB, 512 * KIB, 0, 128, 16 * KIB},
	{false, false, 64 * KIB, 128 * KIB, 8, MAX_OPS, 4 * KIB},
	{true, true, 64 * KIB, 128 * KIB, 4, MAX_OPS, 16 * KIB},
	{true, false, 256 * KIB, 128 * KIB, 16, 16, MAX_BYTES},
	{false, false, 128 * KIB, 256 * KIB, 16, 32, MAX_BYTES},
	{false, false, 64 * KIB, 128 * KIB, 2, 3, 2 * KIB},
};

#define OPS_A_ROUND 3000u

/* A request under way. */
struct op {
	struct nbdc_request request;
	uint64_t number; /* in the order of sending */
	bool is_under_way;
	unsigned char expected[MAX_BYTES]; /* of a look: what is there */
};

struct model {
	struct model_run run;
	struct model_rng rng;
	const struct round *round;

	/* The server's end. */
	struct nbd_export export;
	struct nbd_session session;
	struct export_view view;
	struct transmission t;
	struct io_ring rx, tx;
	unsigned char disk[DISK_BYTES];
	bool is_over; /* STEP_ENDS */

	/* The client's. */
	unsigned char reference[DISK_BYTES];
	struct op ops[MAX_OPS];
	unsigned nr_under_way;
	uint64_t nr_sent;
	struct nbdc_replies replies;
	struct nbdc_bytes wire; /* to the server */

	uint64_t nr_reads, nr_writes, nr_zeroes, nr_trims, nr_flushes;
	uint64_t nr_statuses, nr_caches;
	uint64_t nr_compared, nr_overtaken, nr_waited, nr_yields, nr_full;
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

void zstore_trim(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	(void)ctx;
	check_range(offset, bytes);
	trim(m.disk, offset, bytes);
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

void zstore_prefetch(const struct zstore_ctx *ctx, uint64_t offset)
{
	(void)ctx;
	(void)offset;
}

/* --- the client sends ----------------------------------------------------- */

/* Half of all that happens is within a few pages. */
static void draw_range(struct nbdc_request *r)
{
	uint64_t pages = model_rng_one_in(&m.rng, 2) ? 4 : DISK_PAGES;

	r->offset = model_rng_below(&m.rng, pages) * ZSD_PAGE_BYTES;
	r->length = ZSD_PAGE_BYTES;
	if (model_rng_one_in(&m.rng, 3)) {
		r->offset += model_rng_below(&m.rng, ZSD_PAGE_BYTES);
		r->length =
			(uint32_t)model_rng_below(&m.rng, m.round->max_bytes);
	}
	r->length = (uint32_t)min_u64(r->length, DISK_BYTES - r->offset);
	if (r->type == CMD_BLOCK_STATUS && !r->length)
		r->length = 1;
}

static void expect_now(struct op *op)
{
	memcpy(op->expected, m.reference + op->request.offset,
	       op->request.length);
}

static void do_read(struct op *op)
{
	if (m.round->is_structured && model_rng_one_in(&m.rng, 3))
		op->request.flags |= FLAG_DF;
	expect_now(op);
	m.nr_reads++;
}

static void do_write(struct op *op)
{
	unsigned char *at = m.reference + op->request.offset;

	/* What repeats would hide that another one was first. */
	model_rng_fill(&m.rng, at, op->request.length);
	nbdc_put_bytes(&m.wire, at, op->request.length);
	m.nr_writes++;
}

static void do_zeroes(struct op *op)
{
	if (model_rng_one_in(&m.rng, 2))
		op->request.flags |= FLAG_NO_HOLE;
	memset(m.reference + op->request.offset, 0, op->request.length);
	m.nr_zeroes++;
}

static void do_trim(struct op *op)
{
	trim(m.reference, op->request.offset, op->request.length);
	m.nr_trims++;
}

static void do_flush(struct op *op)
{
	op->request.offset = 0;
	op->request.length = 0;
	m.nr_flushes++;
}

static void do_cache(struct op *op)
{
	(void)op;
	m.nr_caches++;
}

static void do_status(struct op *op)
{
	expect_now(op);
	m.nr_statuses++;
}

static const struct kind {
	uint16_t type;
	unsigned weight;
	void (*run)(struct op *op);
} kinds[] = {
	{CMD_READ, 40, do_read},	  {CMD_WRITE, 40, do_write},
	{CMD_WRITE_ZEROES, 5, do_zeroes}, {CMD_TRIM, 5, do_trim},
	{CMD_FLUSH, 3, do_flush},	  {CMD_CACHE, 2, do_cache},
	{CMD_BLOCK_STATUS, 5, do_status},
};

static const struct kind *draw_kind(void)
{
	uint64_t left = model_rng_below(&m.rng, 100);
	const struct kind *kind = kinds;

	while (left >= kind->weight)
		left -= kind++->weight;
	return kind->type == CMD_BLOCK_STATUS && !m.round->has_context ? kinds
								       : kind;
}

static struct op *free_op(void)
{
	struct op *op = m.ops;

	while (op->is_under_way)
		op++;
	return op;
}

static void send_one(void)
{
	const struct kind *kind = draw_kind();
	struct op *op = free_op();
	unsigned char *header = nbdc_extend(&m.wire, NBDC_REQUEST_BYTES);

	op->request = (struct nbdc_request){
		.type = kind->type,
		.cookie = m.nr_sent,
		.flags = model_rng_one_in(&m.rng, 8) ? FLAG_FUA : 0};
	op->number = m.nr_sent++;
	op->is_under_way = true;
	m.nr_under_way++;
	draw_range(&op->request);
	kind->run(op);
	nbdc_encode_request(header, &op->request);
	nbdc_replies_sent(&m.replies, &op->request, op);
}

/* --- and receives --------------------------------------------------------- */

static bool is_change(const struct op *op)
{
	return op->request.type == CMD_WRITE || op->request.type == CMD_TRIM ||
	       op->request.type == CMD_WRITE_ZEROES;
}

/* A flush comes after all changes that were sent before it. */
static void check_flush(const struct op *flush)
{
	for (const struct op *op = m.ops; op < m.ops + MAX_OPS; op++)
		CHECK_MODEL(!op->is_under_way || !is_change(op) ||
				    op->number > flush->number,
			    "a flush is answered before a change");
}

static void check_done(const struct nbdc_pending *done)
{
	struct op *op = done->data;

	CHECK_MODEL(done->error == OK, "request %lu fails: error %u",
		    (unsigned long)op->number, done->error);
	op->is_under_way = false;
	m.nr_under_way--;
	for (const struct op *other = m.ops; other < m.ops + MAX_OPS; other++) {
		if (!other->is_under_way || other->number > op->number)
			continue;
		m.nr_overtaken++;
		break;
	}
	if (op->request.type == CMD_FLUSH)
		check_flush(op);
}

static bool is_zero(const unsigned char *bytes, size_t nr)
{
	while (nr && !*bytes) {
		bytes++;
		nr--;
	}
	return nr == 0;
}

static void check_event(const struct nbdc_event *e)
{
	const struct op *op = e->pending->data;
	const unsigned char *expected =
		op->expected + (e->offset - op->request.offset);

	if (e->kind == NBDC_DATA)
		CHECK_MODEL(memcmp(expected, e->data, e->bytes) == 0,
			    "a read does not return what was there");
	else if (e->kind == NBDC_HOLE ||
		 (e->kind == NBDC_EXTENT && e->state & STATE_ZERO))
		CHECK_MODEL(is_zero(expected, e->bytes),
			    "what was not zero is said to be");
	m.nr_compared += e->bytes;
}

static void receive(const unsigned char *bytes, size_t nr)
{
	struct nbdc_event e;
	size_t used;

	do {
		CHECK_MODEL(!nbdc_replies_next(&m.replies, bytes, nr, &used,
					       &e),
			    "%s", m.replies.wrong);
		bytes += used;
		nr -= used;
		if (e.kind == NBDC_DONE)
			check_done(e.pending);
		else if (e.kind != NBDC_MORE)
			check_event(&e);
	} while (e.kind != NBDC_MORE);
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
	bytes = some(min_u64(m.wire.bytes - m.wire.taken, io_ring_room(&m.rx)));
	m.nr_full += !io_ring_room(&m.rx);
	memcpy(io_ring_end(&m.rx), m.wire.data + m.wire.taken, bytes);
	io_ring_fill(&m.rx, bytes);
	m.wire.taken += bytes;
	if (m.wire.taken == m.wire.bytes)
		m.wire.taken = m.wire.bytes = 0;
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

	receive(io_ring_at(&m.tx, m.tx.head), bytes);
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
	nbdc_replies_init(&m.replies, round->is_structured);
}

/* Says goodbye, and gets all answers. */
static void end_session(void)
{
	const struct nbdc_request disc = {.type = CMD_DISC};

	nbdc_put_request(&m.wire, &disc);
	while (!m.is_over || io_ring_used(&m.tx))
		step();
	CHECK_MODEL(m.t.reason == 0, "the session ends with %d", m.t.reason);
	CHECK_MODEL(m.nr_under_way == 0, "%u requests are not answered",
		    m.nr_under_way);
	CHECK_MODEL(nbdc_replies_are_idle(&m.replies), "half a reply");
	CHECK_MODEL(memcmp(m.disk, m.reference, DISK_BYTES) == 0,
		    "the disk is not what was written");
	nbdc_replies_fini(&m.replies);
	io_ring_destroy(&m.rx);
	io_ring_destroy(&m.tx);
}

/* Whether there is room for one more, and what it brings along. */
static bool may_send(void)
{
	return m.nr_under_way < m.round->depth &&
	       m.wire.room - m.wire.bytes > NBDC_REQUEST_BYTES + MAX_BYTES;
}

static void run_session(uint64_t nr_ops)
{
	while (nr_ops) {
		if (may_send() && !model_rng_one_in(&m.rng, 8)) {
			send_one();
			m.run.op++;
			nr_ops--;
		} else {
			step();
		}
	}
}

static void report(void)
{
	model_report_fact(&m.run, "reads", m.nr_reads);
	model_report_fact(&m.run, "writes", m.nr_writes);
	model_report_fact(&m.run, "zeroings", m.nr_zeroes);
	model_report_fact(&m.run, "trims", m.nr_trims);
	model_report_fact(&m.run, "flushes", m.nr_flushes);
	model_report_fact(&m.run, "caches", m.nr_caches);
	model_report_fact(&m.run, "block statuses", m.nr_statuses);
	model_report_fact(&m.run, "bytes compared", m.nr_compared);
	model_report_fact(&m.run, "answers that overtook", m.nr_overtaken);
	model_report_fact(&m.run, "calls that waited", m.nr_waited);
	model_report_fact(&m.run, "turns that ended early", m.nr_yields);
	model_report_fact(&m.run, "full rings", m.nr_full);
}

int main(void)
{
	static struct zstore_ctx ctx;

	model_run_begin(&m.run, "model_order");
	model_rng_init(&m.rng, m.run.seed);
	m.view.store = &ctx;
	m.wire = (struct nbdc_bytes){.data = malloc(WIRE_BYTES),
				     .room = WIRE_BYTES};
	CHECK_MODEL(m.wire.data, "no memory for what is sent");
	for (unsigned i = 0; m.run.op < m.run.nr_ops; i++) {
		begin_session(&rounds[i % ARRAY_SIZE(rounds)]);
		run_session(min_u64(OPS_A_ROUND, m.run.nr_ops - m.run.op));
		end_session();
	}
	free(m.wire.data);
	report();
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of requests through transmission_run() to a real store.
 *
 * An input is the store's parameters, then instructions that make the stream:
 * requests whose fields are often in range, and bytes to be sent as they are.
 * From its back it says how much the server receives, does and sends at a
 * time.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "flat_disk.h"
#include "fuzz.h"
#include "nbd_model.h"
#include "serve/conn.h"
#include "serve/transmission/transmission.h"
#include "small_store.h"

/* Disks, pages. Each is more than two pieces of a read, and the large one more
 * than a few slices of a trim. */
#define SMALL_PAGES 150u
#define LARGE_PAGES 1100u

/* Bounds on what one input can cost. */
#define MAX_WIRE_BYTES (1u << 20)
#define MAX_REQUESTS   40u

struct fuzz {
	struct fuzz_input in;
	struct small_store s;
	struct nbd_export export;
	struct nbd_session session;
	struct export_view view;
	struct transmission t;
	struct nbd_model model;
	struct io_ring rx;
	struct io_ring tx;
	size_t wire_bytes;
};

static uint8_t wire[MAX_WIRE_BYTES];

/* --- the stream ---------------------------------------------------------- */

static size_t room(const struct fuzz *f)
{
	return sizeof(wire) - f->wire_bytes;
}

static uint64_t take_offset(struct fuzz *f)
{
	uint64_t disk_bytes = f->export.size_bytes;
	uint8_t how = fuzz_byte(&f->in);
	uint64_t page = how % (disk_bytes / ZSD_PAGE_BYTES);

	switch (how >> 6) {
	case 0:
		return page * ZSD_PAGE_BYTES;
	case 1:
		return page * ZSD_PAGE_BYTES + fuzz_number(&f->in, 2);
	case 2:
		return disk_bytes - fuzz_number(&f->in, 2);
	default:
		return fuzz_number(&f->in, 8);
	}
}

static uint32_t take_length(struct fuzz *f)
{
	uint8_t how = fuzz_byte(&f->in);

	switch (how >> 6) {
	case 0:
		return (how & 0x3fu) * ZSD_PAGE_BYTES;
	case 1:
		return (uint32_t)fuzz_number(&f->in, 2);
	case 2:
		return (uint32_t)fuzz_number(&f->in, 3);
	default:
		return (uint32_t)fuzz_number(&f->in, 4);
	}
}

static void put_request(struct fuzz *f)
{
	uint8_t type = fuzz_byte(&f->in), flags = fuzz_byte(&f->in);
	struct nbdc_request r;
	size_t bytes;

	if (room(f) < NBDC_REQUEST_BYTES)
		return;
	/* Flags are mostly FUA or nothing. */
	r.flags = flags < 0xc0 ? flags & 1 : flags & 0x3f;
	r.type = type < 0xf8 ? type % 9 : (uint16_t)fuzz_number(&f->in, 2);
	r.cookie = UINT64_C(0x0123456789abcdef) * (f->wire_bytes + 1);
	r.offset = take_offset(f);
	r.length = take_length(f);
	nbdc_encode_request(wire + f->wire_bytes, &r);
	f->wire_bytes += NBDC_REQUEST_BYTES;
	if (r.type != CMD_WRITE)
		return;
	bytes = min_u64(r.length, room(f));
	small_store_content(&f->in, bytes, wire + f->wire_bytes);
	f->wire_bytes += bytes;
}

static void put_bytes(struct fuzz *f)
{
	const uint8_t *bytes;
	size_t nr = fuzz_take(&f->in, fuzz_byte(&f->in), &bytes);

	nr = min_u64(nr, room(f));
	memcpy(wire + f->wire_bytes, bytes, nr);
	f->wire_bytes += nr;
}

static void put_stream(struct fuzz *f)
{
	for (unsigned i = 0; i < MAX_REQUESTS; i++) {
		if (fuzz_input_is_over(&f->in))
			return;
		if (fuzz_byte(&f->in) < 0xf0)
			put_request(f);
		else
			put_bytes(f);
	}
}

/* --- the connection ------------------------------------------------------ */

static void receive(struct fuzz *f)
{
	static const size_t edges[] = {NBDC_REQUEST_BYTES - 1,
				       NBDC_REQUEST_BYTES,
				       NBDC_REQUEST_BYTES + ZSD_PAGE_BYTES - 1,
				       NBDC_REQUEST_BYTES + ZSD_PAGE_BYTES,
				       ZSD_PAGE_BYTES};
	size_t bytes;

	transmission_rewind(&f->t);
	bytes = fuzz_piece(&f->in, f->wire_bytes - f->model.sent, edges,
			   ARRAY_SIZE(edges));
	bytes = io_ring_prepare(&f->rx, min_u64(bytes, io_ring_room(&f->rx)));
	memcpy(io_ring_end(&f->rx), wire + f->model.sent, bytes);
	io_ring_fill(&f->rx, bytes);
	nbd_model_sent(&f->model, bytes);
}

static void send_some(struct fuzz *f)
{
	static const size_t edges[] = {NBDC_SIMPLE_BYTES - 1, NBDC_SIMPLE_BYTES,
				       ZSD_PAGE_BYTES, CONN_BACKLOG_BYTES};

	io_ring_consume_to(&f->tx, f->tx.head + fuzz_piece(&f->in,
							   io_ring_used(&f->tx),
							   edges,
							   ARRAY_SIZE(edges)));
}

/* All that can be done at once, or a piece. A store that may be full is looked
 * at after each: see flat_disk.h. */
static uint64_t take_deadline(struct fuzz *f)
{
	if (f->model.may_be_full)
		return 0;
	return fuzz_choice(&f->in, 2) ? 0 : UINT64_MAX;
}

/* One run; what it says of the reply is passed on before the next. */
static enum step run(struct fuzz *f)
{
	uint64_t before = f->tx.tail, deadline_ns = take_deadline(f), sent;
	enum step step;

	fuzz_forbid(io_ring_end(&f->rx), io_ring_room(&f->rx));
	step = transmission_run(&f->t, deadline_ns);
	fuzz_allow(f->rx.base, 2 * f->rx.bytes);
	FUZZ_CHECK(f->tx.tail >= before, "a reply is taken back");
	sent = f->tx.tail - before;
	nbd_model_receive(&f->model, io_ring_at(&f->tx, before), sent);
	FUZZ_CHECK(f->t.nr_answered <= f->model.nr_replies,
		   "a request without a reply");
	if (step == STEP_YIELDS)
		FUZZ_CHECK(deadline_ns == 0, "yields with time left");
	if (step == STEP_NEEDS_ROOM)
		FUZZ_CHECK(io_ring_used(&f->tx),
			   "needs more room than there is");
	if (step == STEP_SENDS)
		FUZZ_CHECK(io_ring_used(&f->tx), "has nothing to be sent");
	return step;
}

/* Must it be content with what it has? A page and a header are all it may
 * wait for. */
static void check_waits_rightly(const struct fuzz *f)
{
	FUZZ_CHECK(io_ring_used(&f->rx) < NBDC_REQUEST_BYTES + ZSD_PAGE_BYTES,
		   "waits for input, and has %zu bytes", io_ring_used(&f->rx));
	if (io_ring_used(&f->rx) >= NBDC_REQUEST_BYTES)
		FUZZ_CHECK(transmission_missing_bytes(&f->t),
			   "waits for input that it does not miss");
}

static void check_end(struct fuzz *f)
{
	struct nbdc_request request;
	size_t payload_bytes;
	int reason;

	switch (nbd_model_next(&f->model, &request, &payload_bytes)) {
	case MODEL_GOODBYE:
		reason = 0;
		break;
	case MODEL_NO_MAGIC:
		reason = -EPROTO;
		break;
	case MODEL_TOO_LONG:
		reason = -EMSGSIZE;
		break;
	default:
		FUZZ_CHECK(false, "ends for no reason: %d", f->t.reason);
		return;
	}
	FUZZ_CHECK(f->t.reason == reason, "ends for %d, not %d", f->t.reason,
		   reason);
}

static void converse(struct fuzz *f)
{
	enum step step;

	for (;;) {
		receive(f);
		step = run(f);
		if (step == STEP_ENDS)
			break;
		if (step == STEP_NEEDS_ROOM || fuzz_choice(&f->in, 4) == 0)
			send_some(f);
		if (step != STEP_NEEDS_INPUT)
			continue;
		check_waits_rightly(f);
		if (f->model.sent == f->wire_bytes)
			break;
	}
	if (step == STEP_ENDS)
		check_end(f);
	nbd_model_end(&f->model);
}

static void open_all(struct fuzz *f, const uint8_t *data, size_t size)
{
	uint8_t how;

	fuzz_input_init(&f->in, data, size);
	how = fuzz_byte(&f->in);
	small_store_open(&f->s, &f->in, how & 1 ? LARGE_PAGES : SMALL_PAGES);
	f->export = (struct nbd_export){
		.name = "",
		.description = "",
		.size_bytes = f->s.params.disk_bytes,
		.flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH |
			 NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM |
			 NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_CAN_MULTI_CONN |
			 NBD_FLAG_SEND_CACHE | NBD_FLAG_SEND_FAST_ZERO,
	};
	if ((how >> 1) % 16 == 15)
		f->export.flags |= NBD_FLAG_READ_ONLY;
	if (io_ring_create(&f->rx, CONN_RX_BYTES) ||
	    io_ring_create(&f->tx, CONN_TX_BYTES))
		abort();
	f->session.export = &f->export;
	f->session.structured_replies = how & 0x20;
	f->session.has_context = (how & 0x60) == 0x60;
	f->view.store = f->s.ctx;
	transmission_init(&f->t, &f->session, &f->rx, &f->tx);
	transmission_begin(&f->t, &f->view);
	f->model = (struct nbd_model){
		.export = &f->export,
		.ctx = f->s.ctx,
		.has_context = f->session.has_context,
		.may_be_full = f->s.params.mem_limit_bytes != 0,
		.wire = wire,
	};
	nbdc_replies_init(&f->model.replies, f->session.structured_replies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;

	memset(&f, 0, sizeof(f));
	open_all(&f, data, size);
	put_stream(&f);
	converse(&f);
	io_ring_destroy(&f.rx);
	io_ring_destroy(&f.tx);
	small_store_close(&f.s);
	return 0;
}

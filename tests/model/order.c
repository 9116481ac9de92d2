/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "model/order.h"

#define WIRE_BYTES ((size_t)MIB)

/* A request under way. */
struct order_op {
	struct nbdc_request request;
	uint64_t number; /* in the order of sending */
	bool is_under_way;
	unsigned char expected[ORDER_MAX_BYTES]; /* of a look: what is there */
};

#define CHECK_ORDER(o, cond, ...) MODEL_CHECK((o)->run, cond, __VA_ARGS__)

static uint64_t part_bytes(const struct order *o)
{
	return (uint64_t)o->session.nr_pages * ZSD_PAGE_BYTES;
}

/* What the reference has for a request. */
static unsigned char *held(struct order *o, const struct order_op *op)
{
	return o->reference + (op->request.offset - o->session.start);
}

/* --- drawing -------------------------------------------------------------- */

/* Half of all that happens is within a few pages. */
static void draw_range(struct order *o, struct nbdc_request *r)
{
	uint64_t pages = model_rng_one_in(&o->rng, 2) ? 4 : o->session.nr_pages;
	uint64_t at = model_rng_below(&o->rng, pages) * ZSD_PAGE_BYTES;

	r->length = ZSD_PAGE_BYTES;
	if (model_rng_one_in(&o->rng, 3)) {
		at += model_rng_below(&o->rng, ZSD_PAGE_BYTES);
		r->length = (uint32_t)model_rng_below(&o->rng,
						      o->session.max_bytes);
	}
	r->length = (uint32_t)min_u64(r->length, part_bytes(o) - at);
	if (r->type == CMD_BLOCK_STATUS && !r->length)
		r->length = 1;
	r->offset = o->session.start + at;
}

static void expect_now(struct order *o, struct order_op *op)
{
	memcpy(op->expected, held(o, op), op->request.length);
}

static void do_read(struct order *o, struct order_op *op)
{
	if (o->session.is_structured && model_rng_one_in(&o->rng, 3))
		op->request.flags |= FLAG_DF;
	expect_now(o, op);
}

static void do_write(struct order *o, struct order_op *op)
{
	const uint32_t length = op->request.length;

	/* What repeats would hide that another one was first; a page now and
	 * then may be of zeros. */
	if (model_rng_one_in(&o->rng, 16))
		memset(held(o, op), 0, length);
	else
		model_rng_fill(&o->rng, held(o, op), length);
	nbdc_put_bytes(&o->wire, held(o, op), length);
}

static void do_zeroes(struct order *o, struct order_op *op)
{
	if (model_rng_one_in(&o->rng, 2))
		op->request.flags |= FLAG_NO_HOLE;
	memset(held(o, op), 0, op->request.length);
}

/* Only whole pages. */
static void do_trim(struct order *o, struct order_op *op)
{
	const struct nbdc_request *r = &op->request;
	uint64_t first = align_up(r->offset, ZSD_PAGE_BYTES);
	uint64_t end = align_down(r->offset + r->length, ZSD_PAGE_BYTES);

	if (first < end)
		memset(o->reference + (first - o->session.start), 0,
		       end - first);
}

static void do_flush(struct order *o, struct order_op *op)
{
	(void)o;
	op->request.offset = 0;
	op->request.length = 0;
}

static void do_nothing(struct order *o, struct order_op *op)
{
	(void)o;
	(void)op;
}

static const struct kind {
	uint16_t type;
	unsigned weight;
	void (*run)(struct order *o, struct order_op *op);
	const char *name;
} kinds[] = {
	{CMD_READ, 40, do_read, "reads"},
	{CMD_WRITE, 40, do_write, "writes"},
	{CMD_WRITE_ZEROES, 5, do_zeroes, "zeroings"},
	{CMD_TRIM, 5, do_trim, "trims"},
	{CMD_FLUSH, 3, do_flush, "flushes"},
	{CMD_CACHE, 2, do_nothing, "caches"},
	{CMD_BLOCK_STATUS, 5, expect_now, "block statuses"},
};

static const struct kind *draw_kind(struct order *o)
{
	uint64_t left = model_rng_below(&o->rng, 100);
	const struct kind *kind = kinds;

	while (left >= kind->weight)
		left -= kind++->weight;
	return kind->type == CMD_BLOCK_STATUS && !o->session.has_context ? kinds
									 : kind;
}

/* --- sending -------------------------------------------------------------- */

bool order_may_send(const struct order *o)
{
	return o->nr_under_way < o->session.depth &&
	       o->wire.room - o->wire.bytes >
		       NBDC_REQUEST_BYTES + ORDER_MAX_BYTES;
}

static struct order_op *take_op(struct order *o)
{
	struct order_op *op = o->ops;

	while (op->is_under_way)
		op++;
	op->request = (struct nbdc_request){.cookie = o->nr_sent};
	op->number = o->nr_sent++;
	op->is_under_way = true;
	o->nr_under_way++;
	return op;
}

void order_send(struct order *o)
{
	const struct kind *kind = draw_kind(o);
	struct order_op *op = take_op(o);
	unsigned char *header = nbdc_extend(&o->wire, NBDC_REQUEST_BYTES);

	op->request.type = kind->type;
	op->request.flags = model_rng_one_in(&o->rng, 8) ? FLAG_FUA : 0;
	draw_range(o, &op->request);
	kind->run(o, op);
	nbdc_encode_request(header, &op->request);
	nbdc_replies_sent(&o->replies, &op->request, op);
	o->nr_by_type[kind->type]++;
}

void order_read_all(struct order *o, uint64_t *at)
{
	struct order_op *op = take_op(o);

	op->request.type = CMD_READ;
	op->request.offset = o->session.start + *at;
	op->request.length =
		(uint32_t)min_u64(ORDER_MAX_BYTES, part_bytes(o) - *at);
	*at += op->request.length;
	expect_now(o, op);
	nbdc_put_request(&o->wire, &op->request);
	nbdc_replies_sent(&o->replies, &op->request, op);
}

/* --- receiving ------------------------------------------------------------ */

static bool is_change(const struct order_op *op)
{
	return op->request.type == CMD_WRITE || op->request.type == CMD_TRIM ||
	       op->request.type == CMD_WRITE_ZEROES;
}

/* Whether another that was sent before @op is still under way. */
static bool is_before_another(const struct order *o, const struct order_op *op,
			      bool is_a_change)
{
	for (unsigned i = 0; i < ORDER_MAX_DEPTH; i++) {
		const struct order_op *other = &o->ops[i];

		if (other->is_under_way && other->number < op->number &&
		    (is_change(other) || !is_a_change))
			return true;
	}
	return false;
}

static void check_done(struct order *o, const struct nbdc_pending *done)
{
	struct order_op *op = done->data;

	CHECK_ORDER(o, done->error == OK, "request %lu fails: error %u",
		    (unsigned long)op->number, done->error);
	op->is_under_way = false;
	o->nr_under_way--;
	o->nr_overtaken += is_before_another(o, op, false);
	CHECK_ORDER(o,
		    op->request.type != CMD_FLUSH ||
			    !is_before_another(o, op, true),
		    "a flush is answered before a change");
}

static bool is_zero(const unsigned char *bytes, size_t nr)
{
	while (nr && !*bytes) {
		bytes++;
		nr--;
	}
	return nr == 0;
}

static void check_event(struct order *o, const struct nbdc_event *e)
{
	const struct order_op *op = e->pending->data;
	const unsigned char *expected =
		op->expected + (e->offset - op->request.offset);

	if (e->kind == NBDC_DATA)
		CHECK_ORDER(o, memcmp(expected, e->data, e->bytes) == 0,
			    "read %lu does not return what was there",
			    (unsigned long)op->number);
	else if (e->kind == NBDC_HOLE ||
		 (e->kind == NBDC_EXTENT && e->state & STATE_ZERO))
		CHECK_ORDER(o, is_zero(expected, e->bytes),
			    "what was not zero is said to be, to request %lu",
			    (unsigned long)op->number);
	o->nr_compared += e->bytes;
}

void order_receive(struct order *o, const unsigned char *bytes, size_t nr)
{
	struct nbdc_event e;
	size_t used;

	do {
		CHECK_ORDER(o,
			    !nbdc_replies_next(&o->replies, bytes, nr, &used,
					       &e),
			    "%s", o->replies.wrong);
		bytes += used;
		nr -= used;
		if (e.kind == NBDC_DONE)
			check_done(o, e.pending);
		else if (e.kind != NBDC_MORE)
			check_event(o, &e);
	} while (e.kind != NBDC_MORE);
}

/* --- life ----------------------------------------------------------------- */

void order_init(struct order *o, struct model_run *run, uint64_t seed)
{
	memset(o, 0, sizeof(*o));
	o->run = run;
	model_rng_init(&o->rng, seed);
	o->ops = calloc(ORDER_MAX_DEPTH, sizeof(*o->ops));
	o->wire.data = malloc(WIRE_BYTES);
	o->wire.room = WIRE_BYTES;
	CHECK_ORDER(o, o->ops && o->wire.data, "no memory");
}

void order_fini(struct order *o)
{
	free(o->ops);
	free(o->wire.data);
	free(o->reference);
}

void order_begin(struct order *o, const struct order_session *session)
{
	o->session = *session;
	if (!o->reference)
		o->reference = calloc(session->nr_pages, ZSD_PAGE_BYTES);
	CHECK_ORDER(o, o->reference, "no memory");
	o->wire.bytes = o->wire.taken = 0;
	nbdc_replies_init(&o->replies, session->is_structured);
}

void order_end(struct order *o)
{
	CHECK_ORDER(o, o->nr_under_way == 0, "%u requests are not answered",
		    o->nr_under_way);
	CHECK_ORDER(o, nbdc_replies_are_idle(&o->replies), "half a reply");
	nbdc_replies_fini(&o->replies);
}

void order_report(const struct order *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		model_report_fact(o->run, kinds[i].name,
				  o->nr_by_type[kinds[i].type]);
	model_report_fact(o->run, "bytes compared", o->nr_compared);
	model_report_fact(o->run, "answers that overtook", o->nr_overtaken);
}

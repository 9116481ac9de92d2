/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "flat_disk.h"
#include "fuzz.h"
#include "nbd_model.h"

/* Most of a payload that is read or written, and that is skipped, bytes. */
#define MAX_PAYLOAD_BYTES (32u << 20)
#define MAX_SKIP_BYTES	  (64u << 20)

/* What zeroes that must not become a hole write; never changed. */
static uint8_t zeros[FLAT_MAX_BYTES];

/* --- requests ------------------------------------------------------------ */

enum model_next nbd_model_next(const struct nbd_model *m,
			       struct nbdc_request *request,
			       size_t *payload_bytes)
{
	struct nbdc_bytes b = {.data = m->wire + m->at,
			       .bytes = m->sent - m->at};

	memset(request, 0, sizeof(*request));
	*payload_bytes = 0;
	if (b.bytes < NBDC_REQUEST_BYTES)
		return MODEL_NOTHING;
	if (nbdc_take(&b, 4) != NBDC_REQUEST_MAGIC)
		return MODEL_NO_MAGIC;
	request->flags = (uint16_t)nbdc_take(&b, 2);
	request->type = (uint16_t)nbdc_take(&b, 2);
	request->cookie = nbdc_take(&b, 8);
	request->offset = nbdc_take(&b, 8);
	request->length = (uint32_t)nbdc_take(&b, 4);
	if (request->type == CMD_DISC)
		return MODEL_GOODBYE;
	if (request->type != CMD_WRITE)
		return MODEL_REQUEST;
	if (request->length > MAX_SKIP_BYTES)
		return MODEL_TOO_LONG;
	*payload_bytes = min_u64(request->length, b.bytes - b.taken);
	return *payload_bytes < request->length ? MODEL_NOTHING : MODEL_REQUEST;
}

void nbd_model_sent(struct nbd_model *m, size_t bytes)
{
	struct nbdc_request request;
	size_t payload;

	m->sent += bytes;
	while (nbd_model_next(m, &request, &payload) == MODEL_REQUEST) {
		m->at += NBDC_REQUEST_BYTES;
		nbdc_replies_sent(&m->replies, &request, m->wire + m->at);
		m->at += payload;
	}
}

static bool changes(const struct nbdc_request *r)
{
	return r->type == CMD_WRITE || r->type == CMD_TRIM ||
	       r->type == CMD_WRITE_ZEROES;
}

static bool is_in_range(const struct nbd_model *m, const struct nbdc_request *r)
{
	return r->offset <= m->export->size_bytes &&
	       r->length <= m->export->size_bytes - r->offset;
}

static unsigned known_flags(const struct nbd_model *m, uint16_t type)
{
	switch (type) {
	case CMD_WRITE_ZEROES:
		return FLAG_FUA | FLAG_NO_HOLE | FLAG_FAST_ZERO;
	case CMD_READ:
		return m->replies.structured ? FLAG_FUA | FLAG_DF : FLAG_FUA;
	case CMD_BLOCK_STATUS:
		return FLAG_FUA | FLAG_REQ_ONE;
	default:
		return FLAG_FUA;
	}
}

static bool is_known(const struct nbd_model *m, uint16_t type)
{
	return type < CMD_BLOCK_STATUS ||
	       (type == CMD_BLOCK_STATUS && m->has_context);
}

/* Which errors the request gives reason for, as bits; 0 if it is fine. */
static uint64_t reasons(const struct nbd_model *m, const struct nbdc_request *r)
{
	const uint64_t inval = UINT64_C(1) << ERR_INVAL;
	bool has_data = r->type == CMD_READ || r->type == CMD_WRITE;
	bool writes = r->type == CMD_WRITE || r->type == CMD_WRITE_ZEROES;
	uint64_t errors = 0;

	if (!is_known(m, r->type))
		return inval;
	if (r->flags & ~known_flags(m, r->type))
		errors |= inval;
	if (changes(r) && (m->export->flags & EXPORT_READ_ONLY))
		errors |= UINT64_C(1) << ERR_PERM;
	if (r->type == CMD_FLUSH)
		return errors | (r->offset || r->length ? inval : 0);
	if (!is_in_range(m, r))
		errors |= writes ? UINT64_C(1) << ERR_NOSPC : inval;
	/* No disk here is so large that a read of more could be in range. */
	if (has_data && r->length > MAX_PAYLOAD_BYTES)
		errors |= inval;
	if (r->type == CMD_BLOCK_STATUS && r->length == 0)
		errors |= inval;
	return errors;
}

/* --- replies ------------------------------------------------------------- */

static void follow_success(const struct nbdc_request *r, const void *payload)
{
	if (r->type == CMD_WRITE)
		flat_write(r->offset, r->length, payload);
	else if (r->type == CMD_TRIM)
		flat_trim(r->offset, r->length);
	else if (r->type == CMD_WRITE_ZEROES && r->flags & FLAG_NO_HOLE)
		flat_write(r->offset, r->length, zeros);
	else if (r->type == CMD_WRITE_ZEROES)
		flat_write_zeroes(r->offset, r->length);
}

static void follow_lack_of_room(struct nbd_model *m,
				const struct nbdc_request *r,
				const void *payload)
{
	FUZZ_CHECK(m->may_be_full, "no room, but there is no limit");
	if (r->type == CMD_WRITE)
		flat_settle_write(m->ctx, r->offset, r->length, payload);
	else if (r->type == CMD_WRITE_ZEROES && r->flags & FLAG_NO_HOLE)
		flat_settle_write(m->ctx, r->offset, r->length, zeros);
	else if (r->type == CMD_WRITE_ZEROES)
		flat_settle_zeroes(m->ctx, r->offset, r->length);
	else
		FUZZ_CHECK(false, "type %u needs no room", r->type);
}

/* Whatever was sent before it, and meets it, must have been answered. */
static void check_order(const struct nbd_model *m, const struct nbdc_pending *p)
{
	const struct nbdc_request *r = &p->request, *q;
	const struct nbdc_pending *before = NULL;

	while ((before = nbdc_replies_after(&m->replies, before)) &&
	       before < p) {
		q = &before->request;
		if ((changes(q) || changes(r)) && !reasons(m, q) &&
		    q->length && r->length &&
		    q->offset < r->offset + r->length &&
		    r->offset < q->offset + q->length)
			FUZZ_CHECK(false,
				   "type %u overtakes type %u at %" PRIu64,
				   r->type, q->type, r->offset);
	}
}

static void follow(struct nbd_model *m, const struct nbdc_pending *p)
{
	const struct nbdc_request *r = &p->request;
	uint64_t errors = reasons(m, r);

	m->nr_replies++;
	if (errors) {
		FUZZ_CHECK(p->error < 64 && (errors >> p->error & 1),
			   "type %u, flags %#x, offset %" PRIu64
			   ", length %u: error %u",
			   r->type, r->flags, r->offset, r->length, p->error);
		return;
	}
	check_order(m, p);
	if (p->error == OK)
		follow_success(r, p->data);
	else if (p->error == ERR_NOSPC)
		follow_lack_of_room(m, r, p->data);
	else
		FUZZ_CHECK(false, "type %u: error %u for no reason", r->type,
			   p->error);
}

static void check_extent(const struct nbdc_event *event)
{
	const struct nbdc_request *r = &event->pending->request;
	uint64_t at = event->offset, end = at + event->bytes;

	FUZZ_CHECK(end <= r->offset + r->length,
		   "an extent of %u bytes at %" PRIu64, event->bytes, at);
	while (at < end) {
		FUZZ_CHECK(flat_state(at / ZSD_PAGE_BYTES) == event->state,
			   "the state at %" PRIu64 " is told to be %u", at,
			   event->state);
		at = align_down(at, ZSD_PAGE_BYTES) + ZSD_PAGE_BYTES;
	}
}

static void take_event(struct nbd_model *m, const struct nbdc_event *event)
{
	switch (event->kind) {
	case NBDC_MORE:
		break;
	case NBDC_DATA:
	case NBDC_HOLE:
		FUZZ_CHECK(is_in_range(m, &event->pending->request),
			   "data from past the end");
		FUZZ_CHECK(memcmp(event->kind == NBDC_DATA ? event->data
							   : zeros,
				  flat_at(event->offset), event->bytes) == 0,
			   "%u bytes at %" PRIu64 " are read wrong",
			   event->bytes, event->offset);
		break;
	case NBDC_EXTENT:
		check_extent(event);
		break;
	case NBDC_DONE:
		follow(m, event->pending);
		break;
	}
}

void nbd_model_receive(struct nbd_model *m, const uint8_t *data, size_t bytes)
{
	struct nbdc_event event;
	size_t used;

	do {
		FUZZ_CHECK(!nbdc_replies_next(&m->replies, data, bytes, &used,
					      &event),
			   "%s", m->replies.wrong);
		data += used;
		bytes -= used;
		take_event(m, &event);
	} while (event.kind != NBDC_MORE);
}

/* The pages of a write that are all there, and no more. */
static void follow_half_write(struct nbd_model *m, const struct nbdc_request *r,
			      size_t payload_bytes)
{
	const uint8_t *payload = m->wire + m->at + NBDC_REQUEST_BYTES;
	uint64_t end = align_down(r->offset + payload_bytes, ZSD_PAGE_BYTES);

	if (reasons(m, r) || end <= r->offset)
		return;
	if (m->may_be_full)
		flat_settle_write(m->ctx, r->offset, end - r->offset, payload);
	else
		flat_write(r->offset, end - r->offset, payload);
}

void nbd_model_end(struct nbd_model *m)
{
	struct nbdc_request request;
	size_t payload_bytes;

	FUZZ_CHECK(nbdc_replies_are_idle(&m->replies),
		   "half a reply, or a request that is not answered");
	nbd_model_next(m, &request, &payload_bytes);
	if (request.type == CMD_WRITE && request.length <= MAX_SKIP_BYTES)
		follow_half_write(m, &request, payload_bytes);
	nbdc_replies_fini(&m->replies);
}

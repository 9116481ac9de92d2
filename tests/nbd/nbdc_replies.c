/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reply is a row of pieces: headers, and what follows them. Each step looks
 * at one that is whole, and says which comes next. Data are no piece: they are
 * passed on as they come.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "nbd/nbdc_replies.h"

typedef int step_fn(struct nbdc_replies *r, struct nbdc_event *event);

/* How long the body of a chunk may be, and how much of it its step needs: 0
 * for all. */
struct nbdc_chunk {
	uint16_t type;
	uint32_t least;
	uint32_t most;
	uint32_t piece;
	step_fn *step;
};

static step_fn take_magic;

static int ZSD_PRINTF(2, 3) fail(struct nbdc_replies *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(r->wrong, sizeof(r->wrong), fmt, args);
	va_end(args);
	return -EPROTO;
}

static void expect(struct nbdc_replies *r, step_fn *step, size_t bytes)
{
	r->step = step;
	r->want = bytes;
	r->have = 0;
}

/* --- requests ------------------------------------------------------------ */

void nbdc_replies_init(struct nbdc_replies *r, bool structured)
{
	memset(r, 0, sizeof(*r));
	r->structured = structured;
	expect(r, take_magic, 4);
}

void nbdc_replies_fini(struct nbdc_replies *r)
{
	free(r->pending);
}

void nbdc_replies_sent(struct nbdc_replies *r,
		       const struct nbdc_request *request, void *data)
{
	if (r->first == r->nr)
		r->first = r->nr = 0;
	if (r->nr == r->room) {
		r->room = 2 * r->room + 16;
		r->pending =
			realloc(r->pending, r->room * sizeof(r->pending[0]));
		if (!r->pending)
			abort();
	}
	r->pending[r->nr++] = (struct nbdc_pending){
		.request = *request,
		.data = data,
		.is_under_way = true,
	};
}

const struct nbdc_pending *
nbdc_replies_after(const struct nbdc_replies *r,
		   const struct nbdc_pending *pending)
{
	size_t i = pending ? (size_t)(pending - r->pending) + 1 : r->first;

	for (; i < r->nr; i++) {
		if (r->pending[i].is_under_way)
			return &r->pending[i];
	}
	return NULL;
}

bool nbdc_replies_are_idle(const struct nbdc_replies *r)
{
	return !nbdc_replies_after(r, NULL) && r->step == take_magic &&
	       !r->have;
}

/* The oldest with this cookie: they need not be unique. */
static int find(struct nbdc_replies *r, uint64_t cookie)
{
	for (r->at = r->first; r->at < r->nr; r->at++) {
		const struct nbdc_pending *p = &r->pending[r->at];

		if (p->is_under_way && p->request.cookie == cookie)
			return 0;
	}
	return fail(r, "a reply to no request: cookie %#" PRIx64, cookie);
}

/* --- the end of a reply -------------------------------------------------- */

static int finish(struct nbdc_replies *r, struct nbdc_event *event)
{
	struct nbdc_pending *p = &r->pending[r->at];
	const struct nbdc_request *q = &p->request;

	if (q->type == CMD_READ && !p->error && p->covered != q->length)
		return fail(r, "%" PRIu64 " bytes of %u are read", p->covered,
			    q->length);
	if (q->type == CMD_BLOCK_STATUS && !p->error && !p->nr_parts)
		return fail(r, "no block status");
	p->is_under_way = false;
	while (r->first < r->nr && !r->pending[r->first].is_under_way)
		r->first++;
	event->kind = NBDC_DONE;
	expect(r, take_magic, 4);
	return 0;
}

/* A chunk is over; there may be more of them. */
static void end_chunk(struct nbdc_replies *r)
{
	if (r->is_last)
		expect(r, finish, 0);
	else
		expect(r, take_magic, 4);
}

static int set_error(struct nbdc_replies *r, uint32_t error)
{
	static const uint32_t known[] = {ERR_PERM,   ERR_IO,	  ERR_NOMEM,
					 ERR_INVAL,  ERR_NOSPC,	  ERR_OVERFLOW,
					 ERR_NOTSUP, ERR_SHUTDOWN};

	r->pending[r->at].error = error;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i] == error)
			return 0;
	}
	return fail(r, "error %u, which is none of the protocol's", error);
}

/* --- simple replies ------------------------------------------------------ */

static int take_simple(struct nbdc_replies *r, struct nbdc_event *event)
{
	uint32_t error = load_be32(r->piece);
	struct nbdc_pending *p;
	int err = find(r, load_be64(r->piece + 4));

	(void)event;
	if (err)
		return err;
	p = &r->pending[r->at];
	if (p->request.type == CMD_BLOCK_STATUS && (r->structured || !error))
		return fail(r, "a simple reply to a block status");
	if (p->request.type == CMD_READ && r->structured)
		return fail(r, "a simple reply to a read");
	r->is_last = true;
	end_chunk(r);
	if (error)
		return set_error(r, error);
	if (p->request.type == CMD_READ) {
		r->offset = p->request.offset;
		r->data_left = p->request.length;
		p->covered = p->request.length;
	}
	return 0;
}

/* --- chunks -------------------------------------------------------------- */

/* Content of a read: in order, so that nothing is told twice. */
static int take_content(struct nbdc_replies *r, uint64_t offset, uint32_t bytes)
{
	struct nbdc_pending *p = &r->pending[r->at];
	const struct nbdc_request *q = &p->request;

	if (q->type != CMD_READ || !bytes || offset != q->offset + p->covered ||
	    bytes > q->length - p->covered)
		return fail(r, "a chunk out of place: %u bytes at %" PRIu64,
			    bytes, offset);
	if (p->nr_parts++ && q->flags & FLAG_DF)
		return fail(r, "a fragmented reply");
	p->covered += bytes;
	r->offset = offset;
	end_chunk(r);
	return 0;
}

static int take_data(struct nbdc_replies *r, struct nbdc_event *event)
{
	uint32_t bytes = r->body_left - 8;

	(void)event;
	if (take_content(r, load_be64(r->piece), bytes))
		return -EPROTO;
	r->data_left = bytes;
	return 0;
}

static int take_hole(struct nbdc_replies *r, struct nbdc_event *event)
{
	uint32_t bytes = load_be32(r->piece + 8);

	if (take_content(r, load_be64(r->piece), bytes))
		return -EPROTO;
	event->kind = NBDC_HOLE;
	event->offset = r->offset;
	event->bytes = bytes;
	return 0;
}

/* The last one alone may reach over the end of what was asked for. */
static int take_extent(struct nbdc_replies *r, struct nbdc_event *event)
{
	struct nbdc_pending *p = &r->pending[r->at];
	const struct nbdc_request *q = &p->request;
	uint32_t bytes = load_be32(r->piece), state = load_be32(r->piece + 4);

	if (!bytes || state > (STATE_HOLE | STATE_ZERO) ||
	    p->covered >= q->length)
		return fail(r, "an extent of %u bytes in state %#x", bytes,
			    state);
	if (q->flags & FLAG_REQ_ONE && (r->body_left > 8 || bytes > q->length))
		return fail(r, "more than the one extent asked for");
	event->kind = NBDC_EXTENT;
	event->offset = q->offset + p->covered;
	event->bytes = bytes;
	event->state = state;
	p->covered += bytes;
	r->body_left -= 8;
	if (r->body_left)
		expect(r, take_extent, 8);
	else
		end_chunk(r);
	return 0;
}

static int take_status(struct nbdc_replies *r, struct nbdc_event *event)
{
	struct nbdc_pending *p = &r->pending[r->at];

	(void)event;
	if (p->request.type != CMD_BLOCK_STATUS || r->body_left % 8 != 4 ||
	    p->nr_parts++)
		return fail(r, "a block status of %u bytes out of place",
			    r->body_left);
	r->body_left -= 4;
	expect(r, take_extent, 8);
	return 0;
}

static int take_error(struct nbdc_replies *r, struct nbdc_event *event)
{
	const struct nbdc_request *q = &r->pending[r->at].request;
	bool has_offset = r->chunk->type == CHUNK_ERROR_OFFSET;
	uint32_t text = load_be16(r->piece + 4);

	(void)event;
	if (r->body_left != 6 + text + (has_offset ? 8 : 0) ||
	    memchr(r->piece + 6, 0, text))
		return fail(r, "an error of %u bytes with a text of %u",
			    r->body_left, text);
	if (has_offset) {
		uint64_t offset = load_be64(r->piece + 6 + text);

		if (offset < q->offset || offset - q->offset >= q->length)
			return fail(r, "an error at %" PRIu64, offset);
	}
	end_chunk(r);
	return set_error(r, load_be32(r->piece));
}

static int take_none(struct nbdc_replies *r, struct nbdc_event *event)
{
	(void)event;
	if (!r->is_last)
		return fail(r, "a chunk of nothing that is not the last");
	end_chunk(r);
	return 0;
}

static const struct nbdc_chunk chunks[] = {
	{CHUNK_NONE, 0, 0, 0, take_none},
	{CHUNK_DATA, 9, UINT32_MAX, 8, take_data},
	{CHUNK_HOLE, 12, 12, 12, take_hole},
	{CHUNK_STATUS, 12, UINT32_MAX, 4, take_status},
	{CHUNK_ERROR, 6, NBDC_MAX_PIECE - 8, 0, take_error},
	{CHUNK_ERROR_OFFSET, 14, NBDC_MAX_PIECE, 0, take_error},
};

static int take_chunk(struct nbdc_replies *r, struct nbdc_event *event)
{
	uint16_t flags = load_be16(r->piece), type = load_be16(r->piece + 2);
	uint32_t bytes = load_be32(r->piece + 12);
	int err = find(r, load_be64(r->piece + 4));

	(void)event;
	if (err)
		return err;
	if (flags & ~CHUNK_FLAG_DONE)
		return fail(r, "a chunk with flags %#x", flags);
	r->is_last = flags & CHUNK_FLAG_DONE;
	r->body_left = bytes;
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		const struct nbdc_chunk *t = r->chunk = &chunks[i];

		if (t->type != type || bytes < t->least || bytes > t->most)
			continue;
		expect(r, t->step, t->piece ? t->piece : bytes);
		return 0;
	}
	return fail(r, "a chunk of type %#x, %u bytes", type, bytes);
}

static int take_magic(struct nbdc_replies *r, struct nbdc_event *event)
{
	uint32_t magic = load_be32(r->piece);

	(void)event;
	if (magic == NBDC_SIMPLE_MAGIC)
		expect(r, take_simple, NBDC_SIMPLE_BYTES - 4);
	else if (magic == NBDC_CHUNK_MAGIC && r->structured)
		expect(r, take_chunk, NBDC_CHUNK_BYTES - 4);
	else
		return fail(r, "a reply without its magic: %#x", magic);
	return 0;
}

/* --- what comes ---------------------------------------------------------- */

static void pass_data(struct nbdc_replies *r, const unsigned char *data,
		      uint32_t bytes, struct nbdc_event *event)
{
	event->kind = NBDC_DATA;
	event->offset = r->offset;
	event->bytes = bytes;
	event->data = data;
	r->offset += bytes;
	r->data_left -= bytes;
}

int nbdc_replies_next(struct nbdc_replies *r, const unsigned char *bytes,
		      size_t nr_bytes, size_t *used, struct nbdc_event *event)
{
	int err = 0;

	*used = 0;
	event->kind = NBDC_MORE;
	while (!err && event->kind == NBDC_MORE) {
		size_t wanted = nbdc_replies_wanted(r);
		size_t n = min_u64(nr_bytes - *used, wanted);
		const unsigned char *from = bytes + *used;

		if (!n && wanted)
			break;
		*used += n;
		if (r->data_left) {
			pass_data(r, from, (uint32_t)n, event);
			continue;
		}
		if (n)
			memcpy(r->piece + r->have, from, n);
		r->have += n;
		if (r->have == r->want)
			err = r->step(r, event);
	}
	event->pending = r->pending ? &r->pending[r->at] : NULL;
	return err;
}

size_t nbdc_replies_wanted(const struct nbdc_replies *r)
{
	return r->data_left ? r->data_left : r->want - r->have;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "flat_disk.h"
#include "fuzz.h"
#include "nbd_model.h"

/* The specification's numbers, once more. */
#define REQUEST_MAGIC 0x25609513u
#define REPLY_MAGIC   0x67446698u
#define CHUNK_MAGIC   0x668e33efu
#define REQUEST_BYTES 28u

enum {
	TYPE_READ,
	TYPE_WRITE,
	TYPE_DISC,
	TYPE_FLUSH,
	TYPE_TRIM,
	TYPE_CACHE,
	TYPE_WRITE_ZEROES,
	TYPE_BLOCK_STATUS,
};

enum {
	FLAG_FUA = 1 << 0,
	FLAG_NO_HOLE = 1 << 1,
	FLAG_DF = 1 << 2,
	FLAG_REQ_ONE = 1 << 3,
	FLAG_FAST_ZERO = 1 << 4,
};

enum {
	EXPORT_READ_ONLY = 1 << 1,
};

#define ERROR_PERM  1u
#define ERROR_INVAL 22u
#define ERROR_NOSPC 28u

/* Most of a payload that is read or written, and that is skipped, bytes. */
#define MAX_PAYLOAD_BYTES (32u << 20)
#define MAX_SKIP_BYTES	  (64u << 20)

/* What zeroes that must not become a hole write; never changed. */
static uint8_t zeros[FLAT_MAX_BYTES];

/* --- requests ------------------------------------------------------------ */

enum model_next nbd_model_next(const struct nbd_model *m,
			       struct model_request *request)
{
	const uint8_t *p = m->wire + m->at;
	size_t left = m->sent - m->at;

	memset(request, 0, sizeof(*request));
	if (left < REQUEST_BYTES)
		return MODEL_NOTHING;
	if (load_be32(p) != REQUEST_MAGIC)
		return MODEL_NO_MAGIC;
	request->flags = load_be16(p + 4);
	request->type = load_be16(p + 6);
	request->cookie = load_be64(p + 8);
	request->offset = load_be64(p + 16);
	request->length = load_be32(p + 24);
	if (request->type == TYPE_DISC)
		return MODEL_GOODBYE;
	if (request->type != TYPE_WRITE)
		return MODEL_REQUEST;
	if (request->length > MAX_SKIP_BYTES)
		return MODEL_TOO_LONG;
	request->payload = p + REQUEST_BYTES;
	request->payload_bytes = min_u64(request->length, left - REQUEST_BYTES);
	return request->payload_bytes < request->length ? MODEL_NOTHING
							: MODEL_REQUEST;
}

static size_t request_bytes(const struct model_request *request)
{
	return REQUEST_BYTES + request->payload_bytes;
}

static bool is_in_range(const struct nbd_model *m,
			const struct model_request *r)
{
	return r->offset <= m->export->size_bytes &&
	       r->length <= m->export->size_bytes - r->offset;
}

static unsigned known_flags(const struct nbd_model *m, uint16_t type)
{
	switch (type) {
	case TYPE_WRITE_ZEROES:
		return FLAG_FUA | FLAG_NO_HOLE | FLAG_FAST_ZERO;
	case TYPE_READ:
		return m->structured ? FLAG_FUA | FLAG_DF : FLAG_FUA;
	case TYPE_BLOCK_STATUS:
		return FLAG_FUA | FLAG_REQ_ONE;
	default:
		return FLAG_FUA;
	}
}

static bool is_known(const struct nbd_model *m, uint16_t type)
{
	return type < TYPE_BLOCK_STATUS ||
	       (type == TYPE_BLOCK_STATUS && m->has_context);
}

/* Which errors the request gives reason for, as bits; 0 if it is fine. */
static uint64_t reasons(const struct nbd_model *m,
			const struct model_request *r)
{
	bool changes = r->type == TYPE_WRITE || r->type == TYPE_TRIM ||
		       r->type == TYPE_WRITE_ZEROES;
	bool has_data = r->type == TYPE_READ || r->type == TYPE_WRITE;
	uint64_t errors = 0;

	if (!is_known(m, r->type))
		return UINT64_C(1) << ERROR_INVAL;
	if (r->flags & ~known_flags(m, r->type))
		errors |= UINT64_C(1) << ERROR_INVAL;
	if (changes && (m->export->flags & EXPORT_READ_ONLY))
		errors |= UINT64_C(1) << ERROR_PERM;
	if (r->type == TYPE_FLUSH) {
		if (r->offset || r->length)
			errors |= UINT64_C(1) << ERROR_INVAL;
		return errors;
	}
	if (!is_in_range(m, r))
		errors |= UINT64_C(1)
			  << (r->type == TYPE_WRITE ||
					      r->type == TYPE_WRITE_ZEROES
				      ? ERROR_NOSPC
				      : ERROR_INVAL);
	/* No disk here is so large that a read of more could be in range. */
	if (has_data && r->length > MAX_PAYLOAD_BYTES)
		errors |= UINT64_C(1) << ERROR_INVAL;
	if (r->type == TYPE_BLOCK_STATUS && r->length == 0)
		errors |= UINT64_C(1) << ERROR_INVAL;
	return errors;
}

/* --- replies ------------------------------------------------------------- */

static void follow_success(struct nbd_model *m, const struct model_request *r)
{
	switch (r->type) {
	case TYPE_READ:
		if (m->structured)
			break; /* all its data have come */
		m->data_offset = r->offset;
		m->data_left = r->length;
		break;
	case TYPE_WRITE:
		flat_write(r->offset, r->length, r->payload);
		break;
	case TYPE_TRIM:
		flat_trim(r->offset, r->length);
		break;
	case TYPE_WRITE_ZEROES:
		if (r->flags & FLAG_NO_HOLE)
			flat_write(r->offset, r->length, zeros);
		else
			flat_write_zeroes(r->offset, r->length);
		break;
	default:
		break;
	}
}

static void follow_lack_of_room(struct nbd_model *m,
				const struct model_request *r)
{
	FUZZ_CHECK(m->may_be_full, "no room, but there is no limit");
	if (r->type == TYPE_WRITE)
		flat_settle_write(m->ctx, r->offset, r->length, r->payload);
	else if (r->type == TYPE_WRITE_ZEROES && r->flags & FLAG_NO_HOLE)
		flat_settle_write(m->ctx, r->offset, r->length, zeros);
	else if (r->type == TYPE_WRITE_ZEROES)
		flat_settle_zeroes(m->ctx, r->offset, r->length);
	else
		FUZZ_CHECK(false, "type %u needs no room", r->type);
}

static void follow(struct nbd_model *m, const struct model_request *r,
		   uint32_t error)
{
	uint64_t errors = reasons(m, r);

	if (errors)
		FUZZ_CHECK(error < 64 && (errors >> error & 1),
			   "type %u, flags %#x, offset %" PRIu64
			   ", length %u: error %u",
			   r->type, r->flags, r->offset, r->length, error);
	else if (error == 0)
		follow_success(m, r);
	else if (error == ERROR_NOSPC)
		follow_lack_of_room(m, r);
	else
		FUZZ_CHECK(false, "type %u: error %u for no reason", r->type,
			   error);
}

void nbd_model_request(const struct nbd_model *m, uint64_t cookie,
		       struct model_request *request)
{
	FUZZ_CHECK(nbd_model_next(m, request) == MODEL_REQUEST,
		   "a reply to what is no whole request");
	FUZZ_CHECK(cookie == request->cookie, "a reply with another's cookie");
}

void nbd_model_answered(struct nbd_model *m,
			const struct model_request *request, uint32_t error)
{
	follow(m, request, error);
	m->at += request_bytes(request);
	m->nr_replies++;
}

static void receive_simple(struct nbd_model *m)
{
	struct model_request request;

	FUZZ_CHECK(load_be32(m->reply) == REPLY_MAGIC,
		   "a reply without its magic");
	nbd_model_request(m, load_be64(m->reply + 8), &request);
	FUZZ_CHECK(!m->structured || request.type != TYPE_READ,
		   "a simple reply to a read");
	FUZZ_CHECK(!m->structured || request.type != TYPE_BLOCK_STATUS,
		   "a simple reply to a block status");
	nbd_model_answered(m, &request, load_be32(m->reply + 4));
}

static bool is_chunk(const struct nbd_model *m)
{
	return m->structured && m->reply_bytes >= 4 &&
	       load_be32(m->reply) == CHUNK_MAGIC;
}

/* How much of the reply must be there before it is looked at. */
static size_t reply_bytes(const struct nbd_model *m)
{
	if (m->reply_bytes < 4)
		return 4;
	return is_chunk(m) ? nbd_chunk_bytes(m) : MODEL_REPLY_BYTES;
}

static void receive_reply(struct nbd_model *m)
{
	if (is_chunk(m))
		nbd_chunk_receive(m);
	else
		receive_simple(m);
	m->reply_bytes = 0;
}

static size_t receive_data(struct nbd_model *m, const uint8_t *data,
			   size_t bytes)
{
	bytes = min_u64(bytes, m->data_left);
	FUZZ_CHECK(memcmp(data, flat_at(m->data_offset), bytes) == 0,
		   "%zu bytes at %" PRIu64 " are read wrong", bytes,
		   m->data_offset);
	m->data_offset += bytes;
	m->data_left -= (uint32_t)bytes;
	if (m->structured && !m->data_left)
		nbd_chunk_end(m);
	return bytes;
}

void nbd_model_receive(struct nbd_model *m, const uint8_t *data, size_t bytes)
{
	size_t n;

	for (; bytes; data += n, bytes -= n) {
		if (m->data_left) {
			n = receive_data(m, data, bytes);
			continue;
		}
		n = min_u64(bytes, reply_bytes(m) - m->reply_bytes);
		memcpy(m->reply + m->reply_bytes, data, n);
		m->reply_bytes += n;
		if (m->reply_bytes == reply_bytes(m))
			receive_reply(m);
	}
}

/* The pages of a write that are all there, and no more. */
static void follow_half_write(struct nbd_model *m,
			      const struct model_request *r)
{
	uint64_t end = r->offset + r->payload_bytes;

	if (reasons(m, r))
		return;
	end = align_down(end, ZSD_PAGE_BYTES);
	if (end <= r->offset)
		return;
	if (m->may_be_full)
		flat_settle_write(m->ctx, r->offset, end - r->offset,
				  r->payload);
	else
		flat_write(r->offset, end - r->offset, r->payload);
}

void nbd_model_end(struct nbd_model *m)
{
	struct model_request request;

	FUZZ_CHECK(!m->reply_bytes && !m->data_left && !m->covered,
		   "half a reply");
	FUZZ_CHECK(nbd_model_next(m, &request) != MODEL_REQUEST,
		   "a request of type %u is not answered", request.type);
	if (request.type == TYPE_WRITE && request.payload)
		follow_half_write(m, &request);
}

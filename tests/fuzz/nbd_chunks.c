/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structured replies, chunk by chunk.
 */
#include "config.h"

#include <inttypes.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "flat_disk.h"
#include "fuzz.h"
#include "nbd_model.h"

/* The specification's numbers, once more. */
enum {
	CHUNK_NONE,
	CHUNK_DATA,
	CHUNK_HOLE,
	CHUNK_STATUS = 5,
	CHUNK_ERROR = 0x8001,
	CHUNK_ERROR_OFFSET = 0x8002,
};

enum {
	TYPE_READ = 0,
	TYPE_BLOCK_STATUS = 7,
	FLAG_DF = 1 << 2,
	FLAG_REQ_ONE = 1 << 3,
};

#define MAX_TEXT_BYTES 4096u

static uint16_t chunk_type(const struct nbd_model *m)
{
	return load_be16(m->reply + 6);
}

static uint32_t payload_bytes(const struct nbd_model *m)
{
	return load_be32(m->reply + 16);
}

size_t nbd_chunk_bytes(const struct nbd_model *m)
{
	size_t bytes;

	if (m->reply_bytes < MODEL_CHUNK_BYTES)
		return MODEL_CHUNK_BYTES;
	bytes = MODEL_CHUNK_BYTES + (size_t)payload_bytes(m);
	if (chunk_type(m) == CHUNK_DATA) {
		FUZZ_CHECK(payload_bytes(m) >= 9, "a chunk without data");
		return MODEL_CHUNK_BYTES + 8;
	}
	FUZZ_CHECK(bytes <= MODEL_MAX_CHUNK, "a chunk of %zu bytes", bytes);
	return bytes;
}

/* The whole reply has come. */
static void end_reply(struct nbd_model *m, const struct model_request *r)
{
	if (r->type == TYPE_READ && !m->error)
		FUZZ_CHECK(m->covered == r->length,
			   "%" PRIu64 " bytes of %u are read", m->covered,
			   r->length);
	if (r->type == TYPE_BLOCK_STATUS && !m->error)
		FUZZ_CHECK(m->nr_contents == 1, "no block status");
	nbd_model_answered(m, r, m->error);
	m->covered = 0;
	m->nr_contents = 0;
	m->error = 0;
	m->is_last = false;
}

void nbd_chunk_end(struct nbd_model *m)
{
	struct model_request request;

	nbd_model_request(m, load_be64(m->reply + 8), &request);
	if (m->is_last)
		end_reply(m, &request);
}

/* Content of a read: in order, so that nothing is told twice. */
static void take_content(struct nbd_model *m, const struct model_request *r,
			 uint32_t bytes)
{
	uint64_t offset = load_be64(m->reply + MODEL_CHUNK_BYTES);

	FUZZ_CHECK(r->type == TYPE_READ && bytes &&
			   offset == r->offset + m->covered &&
			   bytes <= r->length - m->covered,
		   "a chunk of %u bytes at %" PRIu64, bytes, offset);
	m->nr_contents++;
	FUZZ_CHECK(!(r->flags & FLAG_DF) || m->nr_contents == 1,
		   "a fragmented reply");
	m->covered += bytes;
	m->data_offset = offset;
}

static void take_hole(struct nbd_model *m, const struct model_request *r)
{
	uint32_t bytes;

	FUZZ_CHECK(payload_bytes(m) == 12, "a hole of %u bytes",
		   payload_bytes(m));
	bytes = load_be32(m->reply + MODEL_CHUNK_BYTES + 8);
	take_content(m, r, bytes);
	for (uint32_t i = 0; i < bytes; i++)
		FUZZ_CHECK(!*flat_at(m->data_offset + i),
			   "a hole where there is data");
}

/* One extent of a block status; returns where the next one begins. */
static uint64_t check_extent(const struct model_request *r, uint64_t at,
			     const uint8_t *p)
{
	uint32_t bytes = load_be32(p), state = load_be32(p + 4);
	uint64_t end = at + bytes;

	FUZZ_CHECK(bytes && end <= r->offset + r->length,
		   "an extent of %u bytes at %" PRIu64, bytes, at);
	while (at < end) {
		FUZZ_CHECK(flat_state(at / ZSD_PAGE_BYTES) == state,
			   "the state at %" PRIu64 " is told to be %u", at,
			   state);
		at = align_down(at, ZSD_PAGE_BYTES) + ZSD_PAGE_BYTES;
	}
	return end;
}

static void take_status(struct nbd_model *m, const struct model_request *r)
{
	uint32_t bytes = payload_bytes(m);
	const uint8_t *p = m->reply + MODEL_CHUNK_BYTES + 4;
	uint64_t at = r->offset;
	bool wants_one = r->flags & FLAG_REQ_ONE;

	FUZZ_CHECK(r->type == TYPE_BLOCK_STATUS && bytes >= 12 &&
			   bytes % 8 == 4,
		   "a block status of %u bytes", bytes);
	FUZZ_CHECK(!wants_one || bytes == 12, "more extents than one");
	for (; bytes > 4; bytes -= 8, p += 8)
		at = check_extent(r, at, p);
	m->nr_contents++;
}

static void take_error(struct nbd_model *m, const struct model_request *r,
		       bool has_offset)
{
	const uint8_t *p = m->reply + MODEL_CHUNK_BYTES;
	uint32_t bytes = payload_bytes(m), text, more = has_offset ? 8 : 0;
	uint64_t offset;

	FUZZ_CHECK(bytes >= 6 + more, "an error of %u bytes", bytes);
	text = load_be16(p + 4);
	FUZZ_CHECK(text <= MAX_TEXT_BYTES && bytes == 6 + text + more,
		   "an error of %u bytes with a text of %u", bytes, text);
	m->error = load_be32(p);
	FUZZ_CHECK(m->error, "an error that is none");
	if (!has_offset)
		return;
	offset = load_be64(p + 6 + text);
	FUZZ_CHECK(offset >= r->offset && offset - r->offset < r->length,
		   "an error at %" PRIu64, offset);
}

void nbd_chunk_receive(struct nbd_model *m)
{
	uint16_t flags = load_be16(m->reply + 4);
	struct model_request r;

	nbd_model_request(m, load_be64(m->reply + 8), &r);
	FUZZ_CHECK(flags <= 1, "a chunk with flags %#x", flags);
	m->is_last = flags;
	switch (chunk_type(m)) {
	case CHUNK_NONE:
		FUZZ_CHECK(m->is_last && !payload_bytes(m), "an empty chunk");
		break;
	case CHUNK_DATA:
		m->data_left = payload_bytes(m) - 8;
		take_content(m, &r, m->data_left);
		return; /* nbd_chunk_end() when they have come */
	case CHUNK_HOLE:
		take_hole(m, &r);
		break;
	case CHUNK_STATUS:
		take_status(m, &r);
		break;
	case CHUNK_ERROR:
	case CHUNK_ERROR_OFFSET:
		take_error(m, &r, chunk_type(m) == CHUNK_ERROR_OFFSET);
		break;
	default:
		FUZZ_CHECK(false, "a chunk of type %#x", chunk_type(m));
	}
	if (m->is_last)
		end_reply(m, &r);
}

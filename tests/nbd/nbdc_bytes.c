/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/bytes.h"
#include "nbd/nbdc_bytes.h"

unsigned char *nbdc_extend(struct nbdc_bytes *b, size_t bytes)
{
	unsigned char *p = b->data + b->bytes;

	if (b->overrun || bytes > b->room - b->bytes) {
		b->overrun = true;
		return NULL;
	}
	b->bytes += bytes;
	return p;
}

void nbdc_put_bytes(struct nbdc_bytes *b, const void *bytes, size_t nr)
{
	unsigned char *p = nbdc_extend(b, nr);

	if (p && nr)
		memcpy(p, bytes, nr);
}

void nbdc_put(struct nbdc_bytes *b, unsigned bytes, uint64_t value)
{
	unsigned char p[8];

	store_be64(p, value);
	nbdc_put_bytes(b, p + 8 - bytes, bytes);
}

void nbdc_put_text(struct nbdc_bytes *b, const char *text)
{
	nbdc_put_bytes(b, text, strlen(text));
}

const unsigned char *nbdc_take_bytes(struct nbdc_bytes *b, size_t bytes)
{
	const unsigned char *p = b->data + b->taken;

	if (b->overrun || bytes > b->bytes - b->taken) {
		b->overrun = true;
		return NULL;
	}
	b->taken += bytes;
	return p;
}

uint64_t nbdc_take(struct nbdc_bytes *b, unsigned bytes)
{
	const unsigned char *p = nbdc_take_bytes(b, bytes);
	unsigned char number[8] = {0};

	if (p)
		memcpy(number + 8 - bytes, p, bytes);
	return load_be64(number);
}

/* --- options ------------------------------------------------------------- */

void nbdc_put_option_header(struct nbdc_bytes *b, uint32_t option,
			    size_t length)
{
	nbdc_put(b, 8, NBDC_OPTION_MAGIC);
	nbdc_put(b, 4, option);
	nbdc_put(b, 4, length);
}

void nbdc_put_option(struct nbdc_bytes *b, uint32_t option, const void *data,
		     size_t bytes)
{
	nbdc_put_option_header(b, option, bytes);
	nbdc_put_bytes(b, data, bytes);
}

/* A string with its length before it. */
static void put_string(struct nbdc_bytes *b, const char *text)
{
	nbdc_put(b, 4, strlen(text));
	nbdc_put_text(b, text);
}

void nbdc_put_info(struct nbdc_bytes *b, uint32_t option, const char *name,
		   const uint16_t *infos, unsigned nr)
{
	nbdc_put_option_header(b, option, 4 + strlen(name) + 2 + 2 * nr);
	put_string(b, name);
	nbdc_put(b, 2, nr);
	for (unsigned i = 0; i < nr; i++)
		nbdc_put(b, 2, infos[i]);
}

void nbdc_put_contexts(struct nbdc_bytes *b, uint32_t option, const char *name,
		       const char *const *queries)
{
	size_t length = 4 + strlen(name) + 4;
	uint32_t nr = 0;

	for (; queries[nr]; nr++)
		length += 4 + strlen(queries[nr]);
	nbdc_put_option_header(b, option, length);
	put_string(b, name);
	nbdc_put(b, 4, nr);
	for (uint32_t i = 0; i < nr; i++)
		put_string(b, queries[i]);
}

bool nbdc_rep_is_last(uint32_t type)
{
	return type == REP_ACK || type >= REP_ERR(0);
}

static bool is_text(const unsigned char *p, size_t bytes)
{
	return bytes <= NBDC_MAX_STRING_BYTES && !memchr(p, 0, bytes);
}

static bool is_server(const unsigned char *p, uint32_t bytes)
{
	uint32_t name = bytes < 4 ? 0 : load_be32(p);

	return bytes >= 4 && name <= bytes - 4 && is_text(p + 4, name) &&
	       is_text(p + 4 + name, bytes - 4 - name);
}

static bool is_info(const unsigned char *p, uint32_t bytes)
{
	switch (bytes < 2 ? UINT32_MAX : load_be16(p)) {
	case UINT32_MAX:
		return false;
	case INFO_EXPORT:
		return bytes == 2 + NBDC_EXPORT_BYTES;
	case INFO_BLOCK_SIZE:
		return bytes == 2 + 3 * 4;
	default:
		return is_text(p + 2, bytes - 2);
	}
}

static bool is_well_formed(const struct nbdc_rep *rep)
{
	switch (rep->type) {
	case REP_ACK:
		return rep->length == 0;
	case REP_SERVER:
		return is_server(rep->data, rep->length);
	case REP_INFO:
		return is_info(rep->data, rep->length);
	case REP_META_CONTEXT:
		return rep->length > 4 &&
		       is_text(rep->data + 4, rep->length - 4);
	default:
		return rep->type > REP_ERR(0) && rep->type <= REP_ERR(10) &&
		       is_text(rep->data, rep->length);
	}
}

const char *nbdc_take_rep(struct nbdc_bytes *b, uint32_t option,
			  struct nbdc_rep *out)
{
	uint64_t magic = nbdc_take(b, 8), to = nbdc_take(b, 4);

	out->type = (uint32_t)nbdc_take(b, 4);
	out->length = (uint32_t)nbdc_take(b, 4);
	out->data = nbdc_take_bytes(b, out->length);
	if (b->overrun)
		return "half an answer to an option";
	if (magic != NBDC_REP_MAGIC)
		return "an answer to an option without its magic";
	if (to != option)
		return "an answer to another option";
	return is_well_formed(out) ? NULL : "a malformed answer to an option";
}

/* --- requests ------------------------------------------------------------ */

void nbdc_encode_request(unsigned char bytes[NBDC_REQUEST_BYTES],
			 const struct nbdc_request *request)
{
	store_be32(bytes, NBDC_REQUEST_MAGIC);
	store_be16(bytes + 4, request->flags);
	store_be16(bytes + 6, request->type);
	store_be64(bytes + 8, request->cookie);
	store_be64(bytes + 16, request->offset);
	store_be32(bytes + 24, request->length);
}

void nbdc_put_request(struct nbdc_bytes *b, const struct nbdc_request *request)
{
	unsigned char *p = nbdc_extend(b, NBDC_REQUEST_BYTES);

	if (p)
		nbdc_encode_request(p, request);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Meta contexts: what a client may ask block status for. There is one,
 * base:allocation. Source: NBD doc/proto.md, "Metadata querying".
 */
#include "config.h"

#include <string.h>

#include "base/bytes.h"
#include "nbd/handshake_internal.h"

/* What is left of an option's data while its parts are taken off the front. */
struct cursor {
	const unsigned char *p;
	uint32_t left_bytes;
};

/* Both options alike: u32 name length, name, u32 count, that many queries. */
struct context_request {
	struct option_data name; /* of the export */
	const struct nbd_export *export; /* of that name */
	uint32_t nr_queries;
	bool names_it; /* a query is base:allocation */
	bool names_all; /* a query is base: */
};

static bool take_u32(struct cursor *at, uint32_t *out)
{
	if (at->left_bytes < 4)
		return false;
	*out = load_be32(at->p);
	at->p += 4;
	at->left_bytes -= 4;
	return true;
}

/* A u32 length, at most that of a string, and as many bytes. */
static bool take_string(struct cursor *at, struct option_data *out)
{
	if (!take_u32(at, &out->bytes) || out->bytes > NBD_MAX_STRING_BYTES ||
	    out->bytes > at->left_bytes)
		return false;
	out->p = at->p;
	at->p += out->bytes;
	at->left_bytes -= out->bytes;
	return true;
}

static bool is_text(const struct option_data *string, const char *text)
{
	return string->bytes == strlen(text) &&
	       memcmp(string->p, text, string->bytes) == 0;
}

/* Other namespaces, and other names in ours, are to be ignored; but each
 * query must have a namespace: something in front of a colon. */
static bool take_query(struct cursor *at, struct context_request *req)
{
	struct option_data query;

	if (!take_string(at, &query) || query.bytes == 0 || query.p[0] == ':' ||
	    !memchr(query.p, ':', query.bytes))
		return false;
	if (is_text(&query, NBD_CONTEXT_NAME))
		req->names_it = true;
	if (is_text(&query, NBD_CONTEXT_NAMESPACE))
		req->names_all = true;
	return true;
}

static bool parse(struct option_data data, struct context_request *req)
{
	struct cursor at = {data.p, data.bytes};

	memset(req, 0, sizeof(*req));
	if (!take_string(&at, &req->name) || !take_u32(&at, &req->nr_queries))
		return false;
	for (uint32_t i = 0; i < req->nr_queries; i++) {
		if (!take_query(&at, req))
			return false;
	}
	return at.left_bytes == 0;
}

/* Tells whether the request can be answered; if not, the error is queued. */
static bool accept_request(struct nbd_handshake *hs, struct option_data data,
			   struct context_request *req, struct nbd_out *out)
{
	if (!hs->session.structured_replies) {
		handshake_put_error(hs, out, NBD_REP_ERR_INVALID,
				    "contexts need structured replies");
		return false;
	}
	if (!parse(data, req)) {
		handshake_put_error(hs, out, NBD_REP_ERR_INVALID,
				    "malformed query");
		return false;
	}
	req->export = nbd_exports_find(hs->exports, req->name.p,
				       req->name.bytes);
	if (!req->export) {
		handshake_put_error(hs, out, NBD_REP_ERR_UNKNOWN,
				    "no such export");
		return false;
	}
	return true;
}

static void put_context(struct nbd_handshake *hs, struct nbd_out *out,
			uint32_t id)
{
	handshake_put_reply(hs, out, NBD_REP_META_CONTEXT,
			    NBD_CONTEXT_ID_BYTES + strlen(NBD_CONTEXT_NAME));
	store_be32(handshake_put(out, NBD_CONTEXT_ID_BYTES), id);
	handshake_put_text(out, NBD_CONTEXT_NAME);
}

enum nbd_handshake_result handshake_list_contexts(struct nbd_handshake *hs,
						  struct option_data data,
						  struct nbd_out *out)
{
	struct context_request req;

	if (!accept_request(hs, data, &req, out))
		return NBD_HANDSHAKE_MORE;
	if (req.names_it || req.names_all || req.nr_queries == 0)
		put_context(hs, out, 0); /* ids are given by SET alone */
	handshake_put_ack(hs, out);
	return NBD_HANDSHAKE_MORE;
}

enum nbd_handshake_result handshake_set_contexts(struct nbd_handshake *hs,
						 struct option_data data,
						 struct nbd_out *out)
{
	struct context_request req;

	handshake_forget_contexts(hs);
	if (!accept_request(hs, data, &req, out))
		return NBD_HANDSHAKE_MORE;
	if (req.names_it) {
		hs->session.has_context = true;
		hs->context_export = req.export;
		hs->context_name_bytes = req.name.bytes;
		put_context(hs, out, NBD_CONTEXT_ID);
	}
	handshake_put_ack(hs, out);
	return NBD_HANDSHAKE_MORE;
}

void handshake_forget_contexts(struct nbd_handshake *hs)
{
	hs->session.has_context = false;
}

/* An export has two names at most, its own and the empty one, so that their
 * lengths tell them apart. */
void handshake_settle_contexts(struct nbd_handshake *hs, uint32_t name_bytes)
{
	if (hs->context_export != hs->session.export ||
	    hs->context_name_bytes != name_bytes)
		hs->session.has_context = false;
}

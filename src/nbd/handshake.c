/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/compiler.h"
#include "nbd/handshake_internal.h"

typedef enum nbd_handshake_result (*option_fn)(struct nbd_handshake *hs,
					       struct option_data data,
					       struct nbd_out *out);

static enum nbd_handshake_result close_for(struct nbd_handshake *hs, int reason)
{
	hs->close_reason = reason;
	return NBD_HANDSHAKE_CLOSE;
}

/* --- options ------------------------------------------------------------ */

const struct nbd_export *nbd_exports_find(const struct nbd_exports *exports,
					  const unsigned char *name,
					  size_t bytes)
{
	for (size_t i = 0; i < exports->nr; i++) {
		const struct nbd_export *export = exports->all[i];

		if (strlen(export->name) == bytes &&
		    memcmp(export->name, name, bytes) == 0)
			return export;
	}
	return bytes == 0 ? exports->all[0] : NULL;
}

static enum nbd_handshake_result option_export_name(struct nbd_handshake *hs,
						    struct option_data data,
						    struct nbd_out *out)
{
	unsigned char *p;

	/* This option knows no error reply. */
	if (data.bytes > NBD_MAX_STRING_BYTES)
		return close_for(hs, -E2BIG);
	hs->session.export = nbd_exports_find(hs->exports, data.p, data.bytes);
	if (!hs->session.export)
		return close_for(hs, -ENOENT);
	handshake_settle_contexts(hs, data.bytes);
	p = handshake_put(out, NBD_EXPORT_NAME_BYTES);
	store_be64(p, hs->session.export->size_bytes);
	store_be16(p + 8, nbd_session_flags(&hs->session));
	if (!hs->no_zeroes)
		memset(handshake_put(out, NBD_EXPORT_NAME_ZEROES), 0,
		       NBD_EXPORT_NAME_ZEROES);
	return NBD_HANDSHAKE_TRANSMISSION;
}

static enum nbd_handshake_result option_abort(struct nbd_handshake *hs,
					      struct option_data data,
					      struct nbd_out *out)
{
	(void)data; /* to be ignored, says the specification */
	handshake_put_ack(hs, out);
	return close_for(hs, 0);
}

static enum nbd_handshake_result option_list(struct nbd_handshake *hs,
					     struct option_data data,
					     struct nbd_out *out)
{
	if (data.bytes)
		return handshake_put_error(hs, out, NBD_REP_ERR_INVALID,
					   "LIST takes no data");
	hs->nr_listed = 0;
	hs->state = NBD_HANDSHAKE_LIST;
	return NBD_HANDSHAKE_MORE;
}

/* Tell of the next export, or that there are no more. */
static void list_next(struct nbd_handshake *hs, struct nbd_out *out)
{
	const struct nbd_export *export;
	size_t name_bytes;

	if (hs->nr_listed == hs->exports->nr) {
		handshake_put_ack(hs, out);
		hs->state = NBD_HANDSHAKE_OPTION;
		return;
	}
	export = hs->exports->all[hs->nr_listed++];
	name_bytes = strlen(export->name);
	handshake_put_reply(hs, out, NBD_REP_SERVER,
			    4 + name_bytes + strlen(export->description));
	store_be32(handshake_put(out, 4), (uint32_t)name_bytes);
	handshake_put_text(out, export->name);
	handshake_put_text(out, export->description);
}

/* The flags depend on what else the session has agreed on. */
static void put_info_export(struct nbd_handshake *hs, struct nbd_out *out)
{
	unsigned char *p;

	handshake_put_reply(hs, out, NBD_REP_INFO, NBD_INFO_EXPORT_BYTES);
	p = handshake_put(out, NBD_INFO_EXPORT_BYTES);
	store_be16(p, NBD_INFO_EXPORT);
	store_be64(p + 2, hs->session.export->size_bytes);
	store_be16(p + 10, nbd_session_flags(&hs->session));
}

static void put_info_text(struct nbd_handshake *hs, struct nbd_out *out,
			  uint16_t type, const char *text)
{
	handshake_put_reply(hs, out, NBD_REP_INFO, 2 + strlen(text));
	store_be16(handshake_put(out, 2), type);
	handshake_put_text(out, text);
}

static void put_info_block_size(struct nbd_handshake *hs, struct nbd_out *out)
{
	unsigned char *p;

	handshake_put_reply(hs, out, NBD_REP_INFO, NBD_INFO_BLOCK_SIZE_BYTES);
	p = handshake_put(out, NBD_INFO_BLOCK_SIZE_BYTES);
	store_be16(p, NBD_INFO_BLOCK_SIZE);
	store_be32(p + 2, NBD_EXPORT_MIN_BLOCK_BYTES);
	store_be32(p + 6, NBD_EXPORT_PREFERRED_BLOCK_BYTES);
	store_be32(p + 10, NBD_EXPORT_MAX_PAYLOAD_BYTES);
}

/* Which of the types we know are asked for; others are to be ignored. */
static unsigned wanted_infos(const unsigned char *types, unsigned nr)
{
	unsigned wanted = 0;
	uint16_t type;

	for (unsigned i = 0; i < nr; i++) {
		type = load_be16(types + (size_t)2 * i);
		if (type <= NBD_INFO_BLOCK_SIZE)
			wanted |= 1u << type;
	}
	return wanted;
}

/*
 * INFO and GO alike: u32 name length, name, u16 count, that many u16. Tells
 * whether the export was described, which is the session's then; if not, the
 * error is queued.
 *
 * The block size is told to those who ask only, and never demanded: a client
 * that knows nothing of it (nbd-client does not) may send any request.
 */
static bool describe(struct nbd_handshake *hs, struct option_data data,
		     struct nbd_out *out)
{
	uint32_t name_bytes, nr_infos;
	const unsigned char *name;
	unsigned wanted;

	if (data.bytes < 6 || load_be32(data.p) > data.bytes - 6)
		goto invalid;
	name_bytes = load_be32(data.p);
	name = data.p + 4;
	nr_infos = load_be16(name + name_bytes);
	if (name_bytes > NBD_MAX_STRING_BYTES ||
	    data.bytes != 4 + name_bytes + 2 + 2 * nr_infos)
		goto invalid;
	hs->session.export = nbd_exports_find(hs->exports, name, name_bytes);
	if (!hs->session.export) {
		handshake_put_error(hs, out, NBD_REP_ERR_UNKNOWN,
				    "no such export");
		return false;
	}
	wanted = wanted_infos(name + name_bytes + 2, nr_infos);
	put_info_export(hs, out);
	if (wanted & (1u << NBD_INFO_NAME))
		put_info_text(hs, out, NBD_INFO_NAME, hs->session.export->name);
	if (wanted & (1u << NBD_INFO_DESCRIPTION))
		put_info_text(hs, out, NBD_INFO_DESCRIPTION,
			      hs->session.export->description);
	if (wanted & (1u << NBD_INFO_BLOCK_SIZE))
		put_info_block_size(hs, out);
	handshake_put_ack(hs, out);
	return true;

invalid:
	handshake_put_error(hs, out, NBD_REP_ERR_INVALID,
			    "lengths do not add up");
	return false;
}

static enum nbd_handshake_result option_info(struct nbd_handshake *hs,
					     struct option_data data,
					     struct nbd_out *out)
{
	describe(hs, data, out);
	return NBD_HANDSHAKE_MORE;
}

static enum nbd_handshake_result option_go(struct nbd_handshake *hs,
					   struct option_data data,
					   struct nbd_out *out)
{
	if (!describe(hs, data, out))
		return NBD_HANDSHAKE_MORE;
	handshake_settle_contexts(hs, load_be32(data.p));
	return NBD_HANDSHAKE_TRANSMISSION;
}

static enum nbd_handshake_result
option_structured_reply(struct nbd_handshake *hs, struct option_data data,
			struct nbd_out *out)
{
	if (data.bytes)
		return handshake_put_error(hs, out, NBD_REP_ERR_INVALID,
					   "STRUCTURED_REPLY takes no data");
	hs->session.structured_replies = true;
	handshake_put_ack(hs, out);
	return NBD_HANDSHAKE_MORE;
}

static const struct {
	uint32_t option;
	option_fn handle;
} options[] = {
	{NBD_OPT_EXPORT_NAME, option_export_name},
	{NBD_OPT_ABORT, option_abort},
	{NBD_OPT_LIST, option_list},
	{NBD_OPT_INFO, option_info},
	{NBD_OPT_GO, option_go},
	{NBD_OPT_STRUCTURED_REPLY, option_structured_reply},
	{NBD_OPT_LIST_META_CONTEXT, handshake_list_contexts},
	{NBD_OPT_SET_META_CONTEXT, handshake_set_contexts},
};

static enum nbd_handshake_result handle_option(struct nbd_handshake *hs,
					       struct option_data data,
					       struct nbd_out *out)
{
	if (!hs->fixed_newstyle && hs->option != NBD_OPT_EXPORT_NAME)
		return handshake_put_error(
			hs, out, NBD_REP_ERR_INVALID,
			"only fixed newstyle has this option");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].option == hs->option)
			return options[i].handle(hs, data, out);
	}
	return handshake_put_error(hs, out, NBD_REP_ERR_UNSUP,
				   "unsupported option");
}

/* --- states ------------------------------------------------------------- */

/* Each takes what it can from the input and says how much that was. */

static enum nbd_handshake_result feed_client_flags(struct nbd_handshake *hs,
						   const unsigned char *in,
						   size_t in_bytes,
						   size_t *used)
{
	uint32_t flags;

	if (in_bytes < NBD_CLIENT_FLAGS_BYTES)
		return NBD_HANDSHAKE_MORE;
	*used = NBD_CLIENT_FLAGS_BYTES;
	flags = load_be32(in);
	if (flags & ~(NBD_FLAG_C_FIXED_NEWSTYLE | NBD_FLAG_C_NO_ZEROES))
		return close_for(hs, -EPROTO);
	hs->fixed_newstyle = flags & NBD_FLAG_C_FIXED_NEWSTYLE;
	hs->no_zeroes = flags & NBD_FLAG_C_NO_ZEROES;
	hs->state = NBD_HANDSHAKE_OPTION;
	return NBD_HANDSHAKE_MORE;
}

static enum nbd_handshake_result feed_option(struct nbd_handshake *hs,
					     const unsigned char *in,
					     size_t in_bytes, size_t *used,
					     struct nbd_out *out)
{
	struct option_data data;

	if (in_bytes < NBD_OPTION_HEADER_BYTES)
		return NBD_HANDSHAKE_MORE;
	if (load_be64(in) != NBD_IHAVEOPT)
		return close_for(hs, -EPROTO);
	if (hs->nr_options == NBD_HANDSHAKE_MAX_OPTIONS)
		return close_for(hs, -E2BIG);
	hs->option = load_be32(in + 8);
	hs->length_bytes = load_be32(in + 12);
	if (hs->length_bytes > NBD_HANDSHAKE_MAX_DATA_BYTES) {
		if (hs->option == NBD_OPT_EXPORT_NAME)
			return close_for(hs, -E2BIG);
		*used = NBD_OPTION_HEADER_BYTES;
		hs->nr_options++;
		hs->state = NBD_HANDSHAKE_SKIP;
		return NBD_HANDSHAKE_MORE;
	}
	if (in_bytes - NBD_OPTION_HEADER_BYTES < hs->length_bytes)
		return NBD_HANDSHAKE_MORE;
	*used = NBD_OPTION_HEADER_BYTES + hs->length_bytes;
	hs->nr_options++;
	data.p = in + NBD_OPTION_HEADER_BYTES;
	data.bytes = hs->length_bytes;
	return handle_option(hs, data, out);
}

static enum nbd_handshake_result feed_skip(struct nbd_handshake *hs,
					   size_t in_bytes, size_t *used,
					   struct nbd_out *out)
{
	*used = min_u64(in_bytes, hs->length_bytes);
	hs->length_bytes -= (uint32_t)*used;
	if (hs->length_bytes)
		return NBD_HANDSHAKE_MORE;
	hs->state = NBD_HANDSHAKE_OPTION;
	if (hs->option == NBD_OPT_SET_META_CONTEXT)
		handshake_forget_contexts(hs);
	return handshake_put_error(hs, out, NBD_REP_ERR_TOO_BIG,
				   "option data too long");
}

void nbd_handshake_start(struct nbd_handshake *hs,
			 const struct nbd_exports *exports, struct nbd_out *out)
{
	unsigned char *p = handshake_put(out, NBD_GREETING_BYTES);

	memset(hs, 0, sizeof(*hs));
	hs->exports = exports;
	hs->state = NBD_HANDSHAKE_CLIENT_FLAGS;
	store_be64(p, NBD_MAGIC);
	store_be64(p + 8, NBD_IHAVEOPT);
	store_be16(p + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
}

enum nbd_handshake_result nbd_handshake_feed(struct nbd_handshake *hs,
					     const unsigned char *in,
					     size_t in_bytes, size_t *consumed,
					     struct nbd_out *out)
{
	enum nbd_handshake_result result = NBD_HANDSHAKE_MORE;
	bool goes_on;
	size_t used;

	*consumed = 0;
	do {
		if (out->room - out->bytes < NBD_HANDSHAKE_OUT_BYTES)
			return NBD_HANDSHAKE_MORE;
		used = 0;
		goes_on = hs->state == NBD_HANDSHAKE_LIST;
		switch (hs->state) {
		case NBD_HANDSHAKE_CLIENT_FLAGS:
			result = feed_client_flags(hs, in, in_bytes, &used);
			break;
		case NBD_HANDSHAKE_OPTION:
			result = feed_option(hs, in, in_bytes, &used, out);
			break;
		case NBD_HANDSHAKE_LIST:
			list_next(hs, out);
			break;
		case NBD_HANDSHAKE_SKIP:
			result = feed_skip(hs, in_bytes, &used, out);
			break;
		}
		in += used;
		in_bytes -= used;
		*consumed += used;
	} while ((used || goes_on) && result == NBD_HANDSHAKE_MORE);
	return result;
}

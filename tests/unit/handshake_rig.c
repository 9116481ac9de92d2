/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "handshake_rig.h"

const struct nbd_export export = {
	.name = "swap",
	.description = "a disk",
	.size_bytes = EXPORT_SIZE,
	.flags = EXPORT_FLAGS,
};

static const struct nbd_export *const all[] = {&export};
const struct nbd_exports exports = {.all = all, .nr = 1};
const char *const our_names[] = {"", "swap"};

struct talk talk;

/* --- a conversation ------------------------------------------------------ */

void client_flags(uint32_t flags)
{
	memset(&talk, 0, sizeof(talk));
	put_u32(&talk.in, flags);
}

void client_option(uint32_t option, const void *data, size_t bytes)
{
	put_u64(&talk.in, NBD_IHAVEOPT);
	put_u32(&talk.in, option);
	put_u32(&talk.in, (uint32_t)bytes);
	put_bytes(&talk.in, data, bytes);
}

void client_info(uint32_t option, const char *name, const uint16_t *infos,
		 unsigned nr)
{
	size_t name_bytes = strlen(name);

	put_u64(&talk.in, NBD_IHAVEOPT);
	put_u32(&talk.in, option);
	put_u32(&talk.in, (uint32_t)(4 + name_bytes + 2 + 2 * nr));
	put_u32(&talk.in, (uint32_t)name_bytes);
	put_text(&talk.in, name);
	put_u16(&talk.in, nr);
	for (unsigned i = 0; i < nr; i++)
		put_u16(&talk.in, infos[i]);
}

void client_go(void)
{
	client_info(NBD_OPT_GO, "", NULL, 0);
}

void client_context(uint32_t option, const char *name,
		    const char *const queries[])
{
	static struct wire data;
	uint32_t nr = 0;

	while (queries[nr])
		nr++;
	data.bytes = 0;
	put_u32(&data, (uint32_t)strlen(name));
	put_text(&data, name);
	put_u32(&data, nr);
	for (uint32_t i = 0; i < nr; i++) {
		put_u32(&data, (uint32_t)strlen(queries[i]));
		put_text(&data, queries[i]);
	}
	client_option(option, data.data, data.bytes);
}

void client_set(const char *name, const char *query)
{
	client_context(NBD_OPT_SET_META_CONTEXT, name,
		       (const char *const[]){query, NULL});
}

/* Input up to here is given in memory of just its size, so that the sanitizers
 * see whoever reads over its end; with more it would take too long, bytes. */
#define COPIED_BYTES 512u

static enum nbd_handshake_result feed_once(struct nbd_handshake *hs,
					   const unsigned char *in,
					   size_t in_bytes, size_t *consumed,
					   struct nbd_out *out)
{
	unsigned char *copy = NULL;
	enum nbd_handshake_result result;

	if (in_bytes <= COPIED_BYTES) {
		copy = malloc(in_bytes);
		if (!copy)
			ck_abort_msg("no memory");
		memcpy(copy, in, in_bytes);
		in = copy;
	}
	result = nbd_handshake_feed(hs, in, in_bytes, consumed, out);
	free(copy);
	if (*consumed > in_bytes)
		ck_abort_msg("consumed more than there was");
	return result;
}

void feed(const struct nbd_exports *served, size_t piece)
{
	struct nbd_out out = {.data = talk.out.data, .room = WIRE_BYTES};
	struct nbd_handshake hs;
	size_t consumed, here = 0;

	talk.consumed = 0;
	talk.result = NBD_HANDSHAKE_MORE;
	nbd_handshake_start(&hs, served, &out);
	while (talk.result == NBD_HANDSHAKE_MORE && here < talk.in.bytes) {
		here += piece;
		if (here > talk.in.bytes)
			here = talk.in.bytes;
		talk.result = feed_once(&hs, talk.in.data + talk.consumed,
					here - talk.consumed, &consumed, &out);
		talk.consumed += consumed;
	}
	talk.out.bytes = out.bytes;
	talk.out.taken = 0;
	talk.close_reason = hs.close_reason;
	talk.session = hs.session;
}

void take_greeting(void)
{
	ck_assert_uint_eq(take_u64(&talk.out), 0x4e42444d41474943ull);
	ck_assert_uint_eq(take_u64(&talk.out), 0x49484156454f5054ull);
	ck_assert_uint_eq(take_u16(&talk.out), 3);
}

void run(void)
{
	static const size_t pieces[] = {1, 2, 3, 7, 29};
	static struct wire whole;
	enum nbd_handshake_result result;
	size_t consumed;

	feed(&exports, talk.in.bytes);
	whole = talk.out;
	result = talk.result;
	consumed = talk.consumed;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		feed(&exports, pieces[i]);
		ck_assert_int_eq(talk.result, result);
		ck_assert_uint_eq(talk.consumed, consumed);
		ck_assert_uint_eq(talk.out.bytes, whole.bytes);
		ck_assert_mem_eq(talk.out.data, whole.data, whole.bytes);
	}
	take_greeting();
}

uint32_t take_rep(uint32_t option, uint32_t type)
{
	ck_assert_uint_eq(take_u64(&talk.out), 0x0003e889045565a9ull);
	ck_assert_uint_eq(take_u32(&talk.out), option);
	ck_assert_uint_eq(take_u32(&talk.out), type);
	return take_u32(&talk.out);
}

void take_ack(uint32_t option)
{
	ck_assert_uint_eq(take_rep(option, 1), 0);
}

void take_error(uint32_t option, uint32_t type)
{
	uint32_t bytes = take_rep(option, type);

	ck_assert_uint_gt(bytes, 0);
	ck_assert_uint_le(bytes, NBD_MAX_STRING_BYTES);
	ck_assert_ptr_null(memchr(take_bytes(&talk.out, bytes), 0, bytes));
}

void take_info_export(uint32_t option)
{
	ck_assert_uint_eq(take_rep(option, 3), 12);
	ck_assert_uint_eq(take_u16(&talk.out), 0);
	ck_assert_uint_eq(take_u64(&talk.out), EXPORT_SIZE);
	ck_assert_uint_eq(take_u16(&talk.out), EXPORT_FLAGS);
}

void take_go(void)
{
	take_info_export(NBD_OPT_GO);
	take_ack(NBD_OPT_GO);
}

void ends_in_transmission(void)
{
	take_end(&talk.out);
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_uint_eq(talk.consumed, talk.in.bytes);
}

void ends_closed(int reason)
{
	take_end(&talk.out);
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_CLOSE);
	ck_assert_int_eq(talk.close_reason, reason);
}

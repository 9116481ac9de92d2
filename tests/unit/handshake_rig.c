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
	static unsigned char in[TALK_BYTES], out[TALK_BYTES];

	talk = (struct talk){
		.in = {.data = in, .room = TALK_BYTES},
		.out = {.data = out, .room = TALK_BYTES},
	};
	nbdc_put(&talk.in, 4, flags);
}

void client_option(uint32_t option, const void *data, size_t bytes)
{
	nbdc_put_option(&talk.in, option, data, bytes);
}

void client_info(uint32_t option, const char *name, const uint16_t *infos,
		 unsigned nr)
{
	nbdc_put_info(&talk.in, option, name, infos, nr);
}

void client_go(void)
{
	client_info(OPT_GO, "", NULL, 0);
}

void client_context(uint32_t option, const char *name,
		    const char *const queries[])
{
	nbdc_put_contexts(&talk.in, option, name, queries);
}

void client_set(const char *name, const char *query)
{
	client_context(OPT_SET_META_CONTEXT, name,
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
	struct nbd_out out = {.data = talk.out.data, .room = talk.out.room};
	struct nbd_handshake hs;
	size_t consumed, here = 0;

	ck_assert(!talk.in.overrun);
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
	ck_assert_uint_eq(nbdc_take(&talk.out, 8), NBDC_INIT_MAGIC);
	ck_assert_uint_eq(nbdc_take(&talk.out, 8), NBDC_OPTION_MAGIC);
	ck_assert_uint_eq(nbdc_take(&talk.out, 2), NBDC_MODERN);
}

void run(void)
{
	static const size_t pieces[] = {1, 2, 3, 7, 29};
	static unsigned char whole[TALK_BYTES];
	struct talk first;

	feed(&exports, talk.in.bytes);
	first = talk;
	memcpy(whole, talk.out.data, talk.out.bytes);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		feed(&exports, pieces[i]);
		ck_assert_int_eq(talk.result, first.result);
		ck_assert_uint_eq(talk.consumed, first.consumed);
		ck_assert_uint_eq(talk.out.bytes, first.out.bytes);
		ck_assert_mem_eq(talk.out.data, whole, talk.out.bytes);
	}
	take_greeting();
}

static struct nbdc_rep take_any_rep(uint32_t option, uint32_t type)
{
	struct nbdc_rep rep;
	const char *wrong = nbdc_take_rep(&talk.out, option, &rep);

	ck_assert_msg(!wrong, "%s", wrong);
	ck_assert_uint_eq(rep.type, type);
	return rep;
}

void take_rep(uint32_t option, uint32_t type, const void *data, size_t bytes)
{
	struct nbdc_rep rep = take_any_rep(option, type);

	ck_assert_uint_eq(rep.length, bytes);
	ck_assert_mem_eq(rep.data, data, bytes);
}

void take_ack(uint32_t option)
{
	take_any_rep(option, REP_ACK);
}

void take_error(uint32_t option, uint32_t type)
{
	ck_assert_uint_gt(take_any_rep(option, type).length, 0);
}

void take_answer(uint32_t option, uint32_t last)
{
	struct nbdc_rep rep;

	do {
		const char *wrong = nbdc_take_rep(&talk.out, option, &rep);

		ck_assert_msg(!wrong, "%s", wrong);
	} while (!nbdc_rep_is_last(rep.type));
	ck_assert_uint_eq(rep.type, last);
	if (last != REP_ACK)
		ck_assert_uint_gt(rep.length, 0);
}

void take_export(unsigned flags)
{
	ck_assert_uint_eq(nbdc_take(&talk.out, 8), EXPORT_SIZE);
	ck_assert_uint_eq(nbdc_take(&talk.out, 2), flags);
}

void take_info_export(uint32_t option, unsigned flags)
{
	struct nbdc_rep rep = take_any_rep(option, REP_INFO);

	ck_assert_uint_eq(rep.length, 2 + NBDC_EXPORT_BYTES);
	talk.out.taken -= rep.length;
	ck_assert_uint_eq(nbdc_take(&talk.out, 2), INFO_EXPORT);
	take_export(flags);
}

void take_go(void)
{
	take_info_export(OPT_GO, EXPORT_FLAGS);
	take_ack(OPT_GO);
}

void take_end(void)
{
	ck_assert(!talk.out.overrun);
	ck_assert_uint_eq(talk.out.taken, talk.out.bytes);
}

void ends_in_transmission(void)
{
	take_end();
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_uint_eq(talk.consumed, talk.in.bytes);
}

void ends_closed(int reason)
{
	take_end();
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_CLOSE);
	ck_assert_int_eq(talk.close_reason, reason);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "handshake_rig.h"
#include "nbd/nbdc_cases.h"
#include "suite.h"

/* --- client flags -------------------------------------------------------- */

START_TEST(known_client_flags_are_taken)
{
	client_flags((uint32_t)_i);
	run();
	take_end();
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_MORE);
	ck_assert_uint_eq(talk.consumed, 4);
}
END_TEST

START_TEST(unknown_client_flags_close)
{
	client_flags(NBDC_MODERN | 1u << _i);
	client_go();
	run();
	ends_closed(-EPROTO);
}
END_TEST

START_TEST(without_fixed_newstyle_only_export_name_works)
{
	client_flags(0);
	client_option(OPT_LIST, NULL, 0);
	client_go();
	client_option(OPT_ABORT, NULL, 0);
	client_option(OPT_EXPORT_NAME, "swap", 4);
	run();
	take_error(OPT_LIST, REP_ERR_INVALID);
	take_error(OPT_GO, REP_ERR_INVALID);
	take_error(OPT_ABORT, REP_ERR_INVALID);
	nbdc_take_bytes(&talk.out, NBDC_EXPORT_BYTES + NBDC_EXPORT_PAD_BYTES);
	ends_in_transmission();
}
END_TEST

/* --- EXPORT_NAME --------------------------------------------------------- */

static const char *const other_names[] = {"s", "swap1", "SWAP", "default"};

START_TEST(export_name_begins_transmission)
{
	const char *name = our_names[_i];

	client_flags(NBDC_MODERN);
	client_option(OPT_EXPORT_NAME, name, strlen(name));
	run();
	take_export(EXPORT_FLAGS);
	ends_in_transmission();
}
END_TEST

START_TEST(export_name_is_padded_unless_told_not_to)
{
	static const unsigned char zeros[124];

	client_flags(NBDC_FIXED_NEWSTYLE);
	client_option(OPT_EXPORT_NAME, NULL, 0);
	run();
	take_export(EXPORT_FLAGS);
	ck_assert_mem_eq(nbdc_take_bytes(&talk.out, 124), zeros, 124);
	ends_in_transmission();
}
END_TEST

START_TEST(export_name_of_another_closes)
{
	const char *name = other_names[_i];

	client_flags(NBDC_MODERN);
	client_option(OPT_EXPORT_NAME, name, strlen(name));
	run();
	ends_closed(-ENOENT);
}
END_TEST

static const size_t long_names[] = {
	NBDC_MAX_STRING_BYTES + 1,
	NBD_HANDSHAKE_MAX_DATA_BYTES,
	NBD_HANDSHAKE_MAX_DATA_BYTES + 1,
};

START_TEST(export_name_that_is_too_long_closes)
{
	static const unsigned char name[NBD_HANDSHAKE_MAX_DATA_BYTES + 1];

	client_flags(NBDC_MODERN);
	client_option(OPT_EXPORT_NAME, name, long_names[_i]);
	run();
	ends_closed(-E2BIG);
}
END_TEST

/* --- ABORT, LIST --------------------------------------------------------- */

START_TEST(abort_is_acknowledged)
{
	client_flags(NBDC_MODERN);
	client_option(OPT_ABORT, "why", (size_t)_i);
	client_go();
	run();
	take_ack(OPT_ABORT);
	ends_closed(0);
}
END_TEST

START_TEST(list_names_the_export)
{
	client_flags(NBDC_MODERN);
	client_option(OPT_LIST, NULL, 0);
	client_go();
	run();
	take_rep(OPT_LIST, REP_SERVER, BYTES("\0\0\0\4swapa disk"));
	take_ack(OPT_LIST);
	take_go();
	ends_in_transmission();
}
END_TEST

/* --- INFO, GO ------------------------------------------------------------ */

START_TEST(go_tells_size_and_flags)
{
	client_flags(NBDC_MODERN);
	client_info(OPT_GO, our_names[_i], NULL, 0);
	run();
	take_go();
	ends_in_transmission();
}
END_TEST

START_TEST(go_leaves_the_first_request_alone)
{
	client_flags(NBDC_MODERN);
	client_go();
	nbdc_put(&talk.in, 4, NBDC_REQUEST_MAGIC);
	feed(&exports, talk.in.bytes);
	take_greeting();
	take_go();
	take_end();
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_uint_eq(talk.consumed, talk.in.bytes - 4);
}
END_TEST

/* All that we know, with some twice and some that nobody knows. */
static const uint16_t all_infos[] = {
	INFO_BLOCK_SIZE,  4,	       INFO_NAME, INFO_NAME, 0xffff,
	INFO_DESCRIPTION, INFO_EXPORT,
};

static void take_all_infos(uint32_t option)
{
	take_info_export(option, EXPORT_FLAGS);
	take_rep(option, REP_INFO, BYTES("\0\1swap"));
	take_rep(option, REP_INFO, BYTES("\0\2a disk"));
	/* 1, 4096, 32 MiB */
	take_rep(option, REP_INFO, BYTES("\0\3\0\0\0\1\0\0\x10\0\2\0\0\0"));
	take_ack(option);
}

/* Also the order that once made a server assert: INFO, then GO. */
START_TEST(info_and_go_tell_the_same)
{
	client_flags(NBDC_MODERN);
	client_info(OPT_INFO, "", all_infos, ARRAY_SIZE(all_infos));
	client_info(OPT_GO, "swap", all_infos, ARRAY_SIZE(all_infos));
	run();
	take_all_infos(OPT_INFO);
	take_all_infos(OPT_GO);
	ends_in_transmission();
}
END_TEST

START_TEST(info_of_another_is_unknown)
{
	client_flags(NBDC_MODERN);
	client_info(OPT_INFO, other_names[_i], all_infos, 3);
	client_info(OPT_GO, other_names[_i], NULL, 0);
	client_go();
	run();
	take_error(OPT_INFO, REP_ERR_UNKNOWN);
	take_error(OPT_GO, REP_ERR_UNKNOWN);
	take_go();
	ends_in_transmission();
}
END_TEST

/* A name of 4096 bytes may exist, one of 4097 must not. */
START_TEST(info_with_a_long_name_is_bounded)
{
	static char name[NBDC_MAX_STRING_BYTES + 2];

	memset(name, 'n', NBDC_MAX_STRING_BYTES + (size_t)_i);
	client_flags(NBDC_MODERN);
	client_info(OPT_INFO, name, NULL, 0);
	client_go();
	run();
	take_error(OPT_INFO, _i ? REP_ERR_INVALID : REP_ERR_UNKNOWN);
	take_go();
	ends_in_transmission();
}
END_TEST

/* --- what a client gets wrong -------------------------------------------- */

/* However it is cut in pieces; and where it may, the handshake goes on. */
static void run_case(const struct nbdc_option_case *c, uint32_t option)
{
	client_flags(NBDC_MODERN);
	if (c->structured)
		client_option(OPT_STRUCTURED_REPLY, NULL, 0);
	nbdc_put_option_header(&talk.in, option, c->bytes);
	nbdc_put_bytes(&talk.in, c->data, c->nr_given);
	memset(nbdc_extend(&talk.in, c->bytes - c->nr_given), 'n',
	       c->bytes - c->nr_given);
	if (option != OPT_GO || c->answer != REP_ACK)
		client_go();
	run();
	if (c->structured)
		take_ack(OPT_STRUCTURED_REPLY);
}

START_TEST(each_option_is_answered_as_it_must_be)
{
	const struct nbdc_option_case *c = &nbdc_option_cases[_i];
	const uint32_t options[] = {c->option, c->also};

	for (unsigned i = 0; i < (c->also ? 2 : 1); i++) {
		run_case(c, options[i]);
		if (c->answer == HANGS_UP) {
			take_end();
			ck_assert_int_eq(talk.result, NBD_HANDSHAKE_CLOSE);
			continue;
		}
		take_answer(options[i], c->answer);
		if (options[i] != OPT_GO || c->answer != REP_ACK)
			take_answer(OPT_GO, REP_ACK);
		ends_in_transmission();
	}
}
END_TEST

/* The longest there can be, from a buffer of a fraction of its size. */
START_TEST(data_of_four_gigabytes_is_skipped)
{
	static const unsigned char data[1u << 20];
	struct nbd_out out = {.room = TALK_BYTES};
	struct nbd_handshake hs;
	uint32_t left = UINT32_MAX;
	size_t consumed, piece;

	client_flags(NBDC_MODERN);
	nbdc_put(&talk.in, 8, NBDC_OPTION_MAGIC);
	nbdc_put(&talk.in, 4, OPT_INFO);
	nbdc_put(&talk.in, 4, left);
	out.data = talk.out.data;
	nbd_handshake_start(&hs, &exports, &out);
	ck_assert_int_eq(nbd_handshake_feed(&hs, talk.in.data, talk.in.bytes,
					    &consumed, &out),
			 NBD_HANDSHAKE_MORE);
	ck_assert_uint_eq(consumed, talk.in.bytes);
	while (left) {
		piece = left < sizeof(data) ? left : sizeof(data);
		ck_assert_uint_eq(out.bytes, NBDC_GREETING_BYTES);
		ck_assert_int_eq(nbd_handshake_feed(&hs, data, piece, &consumed,
						    &out),
				 NBD_HANDSHAKE_MORE);
		ck_assert_uint_eq(consumed, piece);
		left -= (uint32_t)piece;
	}
	talk.out.bytes = out.bytes;
	take_greeting();
	take_error(OPT_INFO, REP_ERR_TOO_BIG);
	take_end();
}
END_TEST

START_TEST(options_without_magic_close)
{
	client_flags(NBDC_MODERN);
	nbdc_put(&talk.in, 8, NBDC_OPTION_MAGIC ^ 1ull << _i);
	nbdc_put(&talk.in, 4, OPT_LIST);
	nbdc_put(&talk.in, 4, 0);
	client_go();
	run();
	ends_closed(-EPROTO);
}
END_TEST

START_TEST(options_are_limited_in_number)
{
	client_flags(NBDC_MODERN);
	for (unsigned i = 0; i < NBD_HANDSHAKE_MAX_OPTIONS; i++)
		client_option(OPT_STARTTLS, NULL, 0);
	client_go();
	run();
	for (unsigned i = 0; i < NBD_HANDSHAKE_MAX_OPTIONS; i++)
		take_error(OPT_STARTTLS, REP_ERR_UNSUP);
	ends_closed(-E2BIG);
}
END_TEST

/* --- bounds -------------------------------------------------------------- */

/* The constant that users size their buffers by is the true maximum. */
START_TEST(the_longest_answer_is_as_long_as_promised)
{
	static char text[NBDC_MAX_STRING_BYTES + 1];
	const struct nbd_export largest = {.name = text, .description = text};
	const struct nbd_export *const all[] = {&largest};
	const struct nbd_exports only = {.all = all, .nr = 1};

	memset(text, 't', NBDC_MAX_STRING_BYTES);
	client_flags(NBDC_MODERN);
	client_info(OPT_INFO, text, all_infos, ARRAY_SIZE(all_infos));
	feed(&only, talk.in.bytes);
	ck_assert_uint_eq(talk.out.bytes,
			  NBDC_GREETING_BYTES + NBD_HANDSHAKE_OUT_BYTES);
}
END_TEST

START_TEST(without_room_nothing_is_consumed)
{
	struct nbd_out out = {.room = NBDC_GREETING_BYTES +
				      NBD_HANDSHAKE_OUT_BYTES - 1};
	struct nbd_handshake hs;
	size_t consumed;

	client_flags(NBDC_MODERN);
	client_go();
	out.data = talk.out.data;
	nbd_handshake_start(&hs, &exports, &out);
	ck_assert_int_eq(nbd_handshake_feed(&hs, talk.in.data, talk.in.bytes,
					    &consumed, &out),
			 NBD_HANDSHAKE_MORE);
	ck_assert_uint_eq(consumed, 0);
	out.room++;
	ck_assert_int_eq(nbd_handshake_feed(&hs, talk.in.data, 4, &consumed,
					    &out),
			 NBD_HANDSHAKE_MORE);
	ck_assert_uint_eq(consumed, 4);
	ck_assert_int_eq(nbd_handshake_feed(&hs, talk.in.data + 4,
					    talk.in.bytes - 4, &consumed, &out),
			 NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_uint_eq(consumed, talk.in.bytes - 4);
}
END_TEST

/* Options that are right but for some bytes: whatever comes out, it ends, and
 * stays in its bounds (which the sanitizers see). */
START_TEST(damaged_input_does_no_harm)
{
	unsigned seed = 1, nr_bad;

	for (unsigned round = 0; round < 2000; round++) {
		client_flags(NBDC_MODERN);
		client_info(OPT_INFO, "swap", all_infos, 3);
		client_option(OPT_LIST, NULL, 0);
		client_option(OPT_STRUCTURED_REPLY, NULL, 0);
		client_set("swap", "base:allocation");
		client_go();
		nr_bad = (unsigned)rand_r(&seed) % 8;
		for (unsigned i = 0; i < nr_bad; i++)
			talk.in.data[4 + (size_t)rand_r(&seed) %
						 (talk.in.bytes - 4)] =
				(unsigned char)rand_r(&seed);
		feed(&exports, 1 + (size_t)rand_r(&seed) % talk.in.bytes);
		if (nr_bad == 0)
			ck_assert_int_eq(talk.result,
					 NBD_HANDSHAKE_TRANSMISSION);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nbd-handshake");
	TCase *tc = tcase_create("handshake");
	const int nr_ours = NR_OUR_NAMES;
	const int nr_others = ARRAY_SIZE(other_names);

	tcase_add_loop_test(tc, known_client_flags_are_taken, 0, 4);
	tcase_add_loop_test(tc, unknown_client_flags_close, 2, 32);
	tcase_add_test(tc, without_fixed_newstyle_only_export_name_works);
	tcase_add_loop_test(tc, export_name_begins_transmission, 0, nr_ours);
	tcase_add_test(tc, export_name_is_padded_unless_told_not_to);
	tcase_add_loop_test(tc, export_name_of_another_closes, 0, nr_others);
	tcase_add_loop_test(tc, export_name_that_is_too_long_closes, 0,
			    ARRAY_SIZE(long_names));
	tcase_add_loop_test(tc, abort_is_acknowledged, 0, 4);
	tcase_add_test(tc, list_names_the_export);
	tcase_add_loop_test(tc, go_tells_size_and_flags, 0, nr_ours);
	tcase_add_test(tc, go_leaves_the_first_request_alone);
	tcase_add_test(tc, info_and_go_tell_the_same);
	tcase_add_loop_test(tc, info_of_another_is_unknown, 0, nr_others);
	tcase_add_loop_test(tc, info_with_a_long_name_is_bounded, 0, 2);
	tcase_add_loop_test(tc, each_option_is_answered_as_it_must_be, 0,
			    (int)nbdc_nr_option_cases);
	tcase_add_test(tc, data_of_four_gigabytes_is_skipped);
	tcase_add_loop_test(tc, options_without_magic_close, 0, 64);
	tcase_add_test(tc, options_are_limited_in_number);
	tcase_add_test(tc, the_longest_answer_is_as_long_as_promised);
	tcase_add_test(tc, without_room_nothing_is_consumed);
	tcase_add_test(tc, damaged_input_does_no_harm);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

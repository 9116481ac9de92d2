/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server that has several exports to offer. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "handshake_rig.h"
#include "suite.h"

static const struct nbd_export fast = {"fast", "lz4", 1 << 20,
				       NBD_FLAG_HAS_FLAGS};
static const struct nbd_export dense = {
	"dense", "zstd", 1 << 30, NBD_FLAG_HAS_FLAGS | NBD_FLAG_READ_ONLY};
static const struct nbd_export *const two[] = {&fast, &dense};
static const struct nbd_exports both = {.all = two, .nr = 2};

static void run_both(void)
{
	feed(&both, talk.in.bytes);
	take_greeting();
}

static void take_export(uint32_t option, const struct nbd_export *which)
{
	ck_assert_uint_eq(take_rep(option, NBD_REP_INFO),
			  NBD_INFO_EXPORT_BYTES);
	ck_assert_uint_eq(take_u16(&talk.out), NBD_INFO_EXPORT);
	ck_assert_uint_eq(take_u64(&talk.out), which->size_bytes);
	ck_assert_uint_eq(take_u16(&talk.out), which->flags);
	take_ack(option);
}

START_TEST(list_names_them_all)
{
	client_flags(MODERN);
	client_option(NBD_OPT_LIST, NULL, 0);
	client_option(NBD_OPT_LIST, NULL, 0);
	run_both();
	for (unsigned i = 0; i < 2; i++) {
		take_rep(NBD_OPT_LIST, NBD_REP_SERVER);
		ck_assert_uint_eq(take_u32(&talk.out), 4);
		take_text(&talk.out, "fastlz4");
		take_rep(NBD_OPT_LIST, NBD_REP_SERVER);
		ck_assert_uint_eq(take_u32(&talk.out), 5);
		take_text(&talk.out, "densezstd");
		take_ack(NBD_OPT_LIST);
	}
	take_end(&talk.out);
}
END_TEST

/* However long the list is, it goes out as there is room for it. */
START_TEST(list_goes_on_when_there_is_room)
{
	struct nbd_out out = {.data = talk.out.data,
			      .room = NBD_HANDSHAKE_OUT_BYTES +
				      NBD_GREETING_BYTES};
	struct nbd_handshake hs;
	size_t consumed;

	client_flags(MODERN);
	client_option(NBD_OPT_LIST, NULL, 0);
	nbd_handshake_start(&hs, &both, &out);
	for (unsigned i = 0; hs.nr_listed < 2; i++) {
		size_t before = out.bytes;

		ck_assert_uint_lt(i, 4);
		ck_assert_int_eq(nbd_handshake_feed(
					 &hs, talk.in.data + talk.in.taken,
					 talk.in.bytes - talk.in.taken,
					 &consumed, &out),
				 NBD_HANDSHAKE_MORE);
		talk.in.taken += consumed;
		ck_assert_uint_gt(out.bytes, before);
		out.room = out.bytes + NBD_HANDSHAKE_OUT_BYTES;
	}
}
END_TEST

START_TEST(go_begins_the_one_that_is_named)
{
	static const struct nbd_export *const expected[] = {&fast, &dense,
							    &fast};
	static const char *const names[] = {"fast", "dense", ""};

	client_flags(MODERN);
	client_info(NBD_OPT_GO, names[_i], NULL, 0);
	run_both();
	take_export(NBD_OPT_GO, expected[_i]);
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_ptr_eq(talk.session.export, expected[_i]);
}
END_TEST

START_TEST(export_name_begins_the_one_that_is_named)
{
	client_flags(MODERN);
	client_option(NBD_OPT_EXPORT_NAME, "dense", 5);
	run_both();
	ck_assert_uint_eq(take_u64(&talk.out), dense.size_bytes);
	ck_assert_uint_eq(take_u16(&talk.out), dense.flags);
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_ptr_eq(talk.session.export, &dense);
}
END_TEST

START_TEST(one_that_is_not_there_is_unknown)
{
	client_flags(MODERN);
	client_info(NBD_OPT_INFO, "fastest", NULL, 0);
	client_info(NBD_OPT_GO, "dense", NULL, 0);
	run_both();
	take_error(NBD_OPT_INFO, NBD_REP_ERR_UNKNOWN);
	take_export(NBD_OPT_GO, &dense);
	ck_assert_ptr_eq(talk.session.export, &dense);
}
END_TEST

/* A context is selected for one export, and does not hold for another. */
START_TEST(a_context_is_of_its_export_alone)
{
	static const char *const names[] = {"fast", "dense", ""};

	client_flags(MODERN);
	client_option(NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	client_set("fast", "base:allocation");
	client_info(NBD_OPT_GO, names[_i], NULL, 0);
	run_both();
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_int_eq(talk.session.has_context, _i == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nbd/exports");
	TCase *tc = tcase_create("several");

	tcase_add_test(tc, list_names_them_all);
	tcase_add_test(tc, list_goes_on_when_there_is_room);
	tcase_add_loop_test(tc, go_begins_the_one_that_is_named, 0, 3);
	tcase_add_test(tc, export_name_begins_the_one_that_is_named);
	tcase_add_test(tc, one_that_is_not_there_is_unknown);
	tcase_add_loop_test(tc, a_context_is_of_its_export_alone, 0, 3);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server that has several exports to offer. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "handshake_rig.h"
#include "suite.h"

static const struct nbd_export fast = {"fast", "lz4", 1 << 20,
				       EXPORT_HAS_FLAGS};
static const struct nbd_export dense = {
	"dense", "zstd", 1 << 30, EXPORT_HAS_FLAGS | EXPORT_READ_ONLY};
static const struct nbd_export *const two[] = {&fast, &dense};
static const struct nbd_exports both = {.all = two, .nr = 2};

static void run_both(void)
{
	feed(&both, talk.in.bytes);
	take_greeting();
}

static void take_one(uint32_t option, const struct nbd_export *which)
{
	unsigned char data[2 + NBDC_EXPORT_BYTES];
	struct nbdc_bytes info = {.data = data, .room = sizeof(data)};

	nbdc_put(&info, 2, INFO_EXPORT);
	nbdc_put(&info, 8, which->size_bytes);
	nbdc_put(&info, 2, which->flags);
	take_rep(option, REP_INFO, data, sizeof(data));
	take_ack(option);
}

START_TEST(list_names_them_all)
{
	client_flags(NBDC_MODERN);
	client_option(OPT_LIST, NULL, 0);
	client_option(OPT_LIST, NULL, 0);
	run_both();
	for (unsigned i = 0; i < 2; i++) {
		take_rep(OPT_LIST, REP_SERVER, "\0\0\0\4fastlz4", 11);
		take_rep(OPT_LIST, REP_SERVER, "\0\0\0\5densezstd", 13);
		take_ack(OPT_LIST);
	}
	take_end();
}
END_TEST

/* However long the list is, it goes out as there is room for it. */
START_TEST(list_goes_on_when_there_is_room)
{
	struct nbd_out out = {.room = NBD_HANDSHAKE_OUT_BYTES +
				      NBDC_GREETING_BYTES};
	struct nbd_handshake hs;
	size_t consumed;

	client_flags(NBDC_MODERN);
	client_option(OPT_LIST, NULL, 0);
	out.data = talk.out.data;
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

	client_flags(NBDC_MODERN);
	client_info(OPT_GO, names[_i], NULL, 0);
	run_both();
	take_one(OPT_GO, expected[_i]);
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_ptr_eq(talk.session.export, expected[_i]);
}
END_TEST

START_TEST(export_name_begins_the_one_that_is_named)
{
	client_flags(NBDC_MODERN);
	client_option(OPT_EXPORT_NAME, "dense", 5);
	run_both();
	ck_assert_uint_eq(nbdc_take(&talk.out, 8), dense.size_bytes);
	ck_assert_uint_eq(nbdc_take(&talk.out, 2), dense.flags);
	ck_assert_int_eq(talk.result, NBD_HANDSHAKE_TRANSMISSION);
	ck_assert_ptr_eq(talk.session.export, &dense);
}
END_TEST

START_TEST(one_that_is_not_there_is_unknown)
{
	client_flags(NBDC_MODERN);
	client_info(OPT_INFO, "fastest", NULL, 0);
	client_info(OPT_GO, "dense", NULL, 0);
	run_both();
	take_error(OPT_INFO, REP_ERR_UNKNOWN);
	take_one(OPT_GO, &dense);
	ck_assert_ptr_eq(talk.session.export, &dense);
}
END_TEST

/* A context is selected for one export, and does not hold for another. */
START_TEST(a_context_is_of_its_export_alone)
{
	static const char *const names[] = {"fast", "dense", ""};

	client_flags(NBDC_MODERN);
	client_option(OPT_STRUCTURED_REPLY, NULL, 0);
	client_set("fast", "base:allocation");
	client_info(OPT_GO, names[_i], NULL, 0);
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

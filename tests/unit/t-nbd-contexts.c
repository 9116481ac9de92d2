/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structured replies and meta contexts, as they are negotiated.
 */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "handshake_rig.h"
#include "suite.h"

static void client_structured(void)
{
	client_flags(NBDC_MODERN);
	client_option(OPT_STRUCTURED_REPLY, NULL, 0);
}

/* The context, if @is_there, and the end of the answer. An id comes with what
 * was selected alone. */
static void take_listed(bool is_there)
{
	if (is_there)
		take_rep(OPT_LIST_META_CONTEXT, REP_META_CONTEXT,
			 BYTES("\0\0\0\0base:allocation"));
	take_ack(OPT_LIST_META_CONTEXT);
}

static void take_set(bool is_there)
{
	if (is_there)
		take_rep(OPT_SET_META_CONTEXT, REP_META_CONTEXT,
			 BYTES("\0\0\0\1base:allocation"));
	take_ack(OPT_SET_META_CONTEXT);
}

/* GO of a session with structured replies. */
static void take_structured_go(void)
{
	take_info_export(OPT_GO, EXPORT_FLAGS | EXPORT_DF);
	take_ack(OPT_GO);
	ends_in_transmission();
	ck_assert(talk.session.structured_replies);
}

START_TEST(structured_replies_are_agreed_on)
{
	client_structured();
	client_option(OPT_STRUCTURED_REPLY, NULL, 0);
	client_go();
	run();
	take_ack(OPT_STRUCTURED_REPLY);
	take_ack(OPT_STRUCTURED_REPLY);
	take_structured_go();
	ck_assert(!talk.session.has_context);
}
END_TEST

START_TEST(structured_replies_go_with_export_name_too)
{
	client_structured();
	client_set("swap", "base:allocation");
	client_option(OPT_EXPORT_NAME, "swap", 4);
	run();
	take_ack(OPT_STRUCTURED_REPLY);
	take_set(true);
	take_export(EXPORT_FLAGS | EXPORT_DF);
	ends_in_transmission();
	ck_assert(talk.session.has_context);
}
END_TEST

/* What is asked for, and whether that lists and selects base:allocation. */
static const struct {
	const char *queries[6];
	bool lists;
	bool selects;
} queries[] = {
	{{NULL}, true, false},
	{{"base:allocation"}, true, true},
	{{"base:"}, true, false},
	{{"base:", "base:allocation"}, true, true},
	{{"base:allocation", "base:allocation"}, true, true},
	{{"base:allocatio"}, false, false},
	{{"base:allocation2"}, false, false},
	{{"base:Allocation"}, false, false},
	{{"Base:allocation"}, false, false},
	{{"base::allocation"}, false, false},
	{{"qemu:allocation-depth", "x-mine:", "nbd-server:"}, false, false},
	{{"x-mine:base:allocation"}, false, false},
	{{"x-mine:a", "base:allocation", "x-mine:b"}, true, true},
};

START_TEST(contexts_are_listed_and_selected)
{
	client_structured();
	client_context(OPT_LIST_META_CONTEXT, "", queries[_i].queries);
	client_context(OPT_SET_META_CONTEXT, "", queries[_i].queries);
	client_go();
	run();
	take_ack(OPT_STRUCTURED_REPLY);
	take_listed(queries[_i].lists);
	take_set(queries[_i].selects);
	take_structured_go();
	ck_assert_int_eq(talk.session.has_context, queries[_i].selects);
}
END_TEST

START_TEST(strings_of_a_query_are_bounded)
{
	static char text[NBDC_MAX_STRING_BYTES + 2];

	memset(text, 'n', NBDC_MAX_STRING_BYTES + (size_t)_i);
	client_structured();
	client_set(text, "base:allocation");
	memcpy(text, "x:", 2);
	client_set("", text);
	client_go();
	run();
	take_ack(OPT_STRUCTURED_REPLY);
	take_error(OPT_SET_META_CONTEXT,
		   _i ? REP_ERR_INVALID : REP_ERR_UNKNOWN);
	if (_i)
		take_error(OPT_SET_META_CONTEXT, REP_ERR_INVALID);
	else
		take_set(false);
	take_structured_go();
}
END_TEST

/* What takes back a context that was selected: each, in place of the second
 * selection, but for the first, which selects it again. */
enum {
	SELECT_AGAIN,
	SELECT_NOTHING,
	SELECT_FOR_ANOTHER,
	SELECT_TOO_MUCH,
	SELECT_WRONGLY,
	NR_SELECTIONS,
};

START_TEST(each_selection_replaces_the_one_before)
{
	static const unsigned char data[NBD_HANDSHAKE_MAX_DATA_BYTES + 1];

	client_structured();
	client_set("", "base:allocation");
	if (_i == SELECT_AGAIN)
		client_set("", "base:allocation");
	else if (_i == SELECT_NOTHING)
		client_set("", NULL);
	else if (_i == SELECT_FOR_ANOTHER)
		client_set("other", "base:allocation");
	else
		client_option(OPT_SET_META_CONTEXT, data,
			      _i == SELECT_TOO_MUCH ? sizeof(data) : 1);
	client_go();
	run();
	take_ack(OPT_STRUCTURED_REPLY);
	take_set(true);
	if (_i == SELECT_FOR_ANOTHER)
		take_error(OPT_SET_META_CONTEXT, REP_ERR_UNKNOWN);
	else if (_i == SELECT_TOO_MUCH)
		take_error(OPT_SET_META_CONTEXT, REP_ERR_TOO_BIG);
	else if (_i == SELECT_WRONGLY)
		take_error(OPT_SET_META_CONTEXT, REP_ERR_INVALID);
	else
		take_set(_i == SELECT_AGAIN);
	take_structured_go();
	ck_assert_int_eq(talk.session.has_context, _i == SELECT_AGAIN);
}
END_TEST

/* Listing changes nothing, nor does asking about the export or failing to. */
START_TEST(other_options_leave_the_selection_alone)
{
	client_structured();
	client_set("", "base:allocation");
	client_context(OPT_LIST_META_CONTEXT, "swap",
		       (const char *const[]){NULL});
	client_info(OPT_GO, "other", NULL, 0);
	client_go();
	run();
	take_ack(OPT_STRUCTURED_REPLY);
	take_set(true);
	take_listed(true);
	take_error(OPT_GO, REP_ERR_UNKNOWN);
	take_structured_go();
	ck_assert(talk.session.has_context);
}
END_TEST

/* Our export has two names, but a context is selected by one of them. */
START_TEST(a_context_holds_for_the_name_it_was_selected_by)
{
	const char *selected = our_names[_i & 1];
	const char *chosen = our_names[_i >> 1];

	client_structured();
	client_set(selected, "base:allocation");
	client_info(OPT_GO, chosen, NULL, 0);
	run();
	take_ack(OPT_STRUCTURED_REPLY);
	take_set(true);
	take_structured_go();
	ck_assert_int_eq(talk.session.has_context, selected == chosen);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nbd-contexts");
	TCase *tc = tcase_create("contexts");

	tcase_add_test(tc, structured_replies_are_agreed_on);
	tcase_add_test(tc, structured_replies_go_with_export_name_too);
	tcase_add_loop_test(tc, contexts_are_listed_and_selected, 0,
			    ARRAY_SIZE(queries));
	tcase_add_loop_test(tc, strings_of_a_query_are_bounded, 0, 2);
	tcase_add_loop_test(tc, each_selection_replaces_the_one_before, 0,
			    NR_SELECTIONS);
	tcase_add_test(tc, other_options_leave_the_selection_alone);
	tcase_add_loop_test(tc, a_context_holds_for_the_name_it_was_selected_by,
			    0, 4);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

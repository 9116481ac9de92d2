/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies: what is written is read again, additions are passed over, and what
 * is no reply is told so.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "suite.h"

/* Write a reply and read it again. */
static void round_trip(json_int_t id, json_t *result,
		       const struct ctl_error *failed, struct ctl_reply *out)
{
	struct ctl_error error;
	size_t bytes;
	char *line;

	ck_assert_int_eq(ctl_reply_format(id, result, failed, &line, &bytes),
			 0);
	ck_assert_ptr_eq(memchr(line, '\n', bytes), line + bytes - 1);
	ck_assert_int_eq(ctl_reply_parse(line, bytes - 1, out, &error), 0);
	free(line);
}

START_TEST(result_is_read_as_written)
{
	json_t *result = json_pack("{sis[iin]}", "a", 1, "b", 2, 3);
	struct ctl_reply reply;

	round_trip(CTL_MAX_ID, result, NULL, &reply);
	ck_assert_int_eq(reply.id, CTL_MAX_ID);
	ck_assert_int_eq(json_equal(reply.result, result), 1);
	ck_assert_ptr_null(reply.code);
	ctl_reply_fini(&reply);
	json_decref(result);
}
END_TEST

/* Each code by its name, and one that is not of the protocol. */
#define CODE(name) {-(name), #name},
static const struct {
	int err;
	const char *code;
} codes[] = {CTL_ERRORS(CODE){-EPERM, "EIO"}};

START_TEST(error_is_read_as_written)
{
	struct ctl_error error;
	struct ctl_reply reply;

	ck_assert_int_eq(ctl_error_set(&error, codes[_i].err, "no %s", "way"),
			 codes[_i].err);
	round_trip(CTL_NO_ID, NULL, &error, &reply);
	ck_assert_int_eq(reply.id, CTL_NO_ID);
	ck_assert_ptr_null(reply.result);
	ck_assert_str_eq(reply.code, codes[_i].code);
	ck_assert_str_eq(reply.message, "no way");
	ctl_reply_fini(&reply);
}
END_TEST

START_TEST(error_text_is_cut_and_plain)
{
	char hostile[2 * CTL_ERROR_TEXT_BYTES];
	struct ctl_error error;

	memset(hostile, '\xc3', sizeof(hostile));
	hostile[0] = '\n';
	hostile[1] = '\x7f';
	hostile[sizeof(hostile) - 1] = '\0';
	ctl_error_set(&error, -EINVAL, "%s", hostile);
	ck_assert_uint_eq(strlen(error.text), CTL_ERROR_TEXT_BYTES - 1);
	ck_assert_uint_eq(strspn(error.text, "?"), CTL_ERROR_TEXT_BYTES - 1);
}
END_TEST

START_TEST(additions_are_passed_over)
{
	static const char line[] = "{\"id\":3,\"result\":{\"new\":[]},"
				   "\"newer\":{\"x\":null}}";
	struct ctl_error error;
	struct ctl_reply reply;

	ck_assert_int_eq(ctl_reply_parse(line, strlen(line), &reply, &error),
			 0);
	ck_assert_int_eq(reply.id, 3);
	ctl_reply_fini(&reply);
}
END_TEST

static const struct {
	const char *line;
	const char *names; /* what the message must say */
} bad[] = {
	{"", "no JSON object"},
	{"HTTP/1.1 400 Bad Request", "no JSON object"},
	{"[]", "an array"},
	{"{\"result\":{}}", "id must be"},
	{"{\"id\":-2,\"result\":{}}", "id must be"},
	{"{\"id\":\"1\",\"result\":{}}", "id must be"},
	{"{\"id\":1}", "either a result or an error"},
	{"{\"id\":1,\"result\":{},\"error\":{\"code\":\"EIO\","
	 "\"message\":\"\"}}",
	 "result"},
	{"{\"id\":1,\"result\":[]}", "result must be an object"},
	{"{\"id\":1,\"result\":null}", "result must be an object"},
	{"{\"id\":1,\"error\":\"EIO\"}", "code"},
	{"{\"id\":1,\"error\":{\"code\":\"EIO\"}}", "message"},
	{"{\"id\":1,\"error\":{\"code\":5,\"message\":\"x\"}}", "code"},
};

START_TEST(bad_reply_is_named)
{
	struct ctl_error error;
	struct ctl_reply reply;

	ck_assert_int_eq(ctl_reply_parse(bad[_i].line, strlen(bad[_i].line),
					 &reply, &error),
			 -EPROTO);
	ck_assert_msg(strstr(error.text, bad[_i].names), "'%s' says: %s",
		      bad[_i].line, error.text);
}
END_TEST

START_TEST(reply_beyond_a_line_is_not_written)
{
	char *text = malloc(CTL_MAX_REPLY_BYTES + 1);
	json_t *result;
	size_t bytes;
	char *line;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', CTL_MAX_REPLY_BYTES);
	text[CTL_MAX_REPLY_BYTES] = '\0';
	result = json_pack("{ss}", "text", text);
	ck_assert_int_eq(ctl_reply_format(1, result, NULL, &line, &bytes),
			 -EMSGSIZE);
	json_decref(result);
	free(text);
}
END_TEST

static Suite *reply_suite(void)
{
	Suite *suite = suite_create("ctl_reply");
	TCase *tcase = tcase_create("reply");

	tcase_add_test(tcase, result_is_read_as_written);
	tcase_add_loop_test(tcase, error_is_read_as_written, 0,
			    ARRAY_SIZE(codes));
	tcase_add_test(tcase, error_text_is_cut_and_plain);
	tcase_add_test(tcase, additions_are_passed_over);
	tcase_add_loop_test(tcase, bad_reply_is_named, 0, ARRAY_SIZE(bad));
	tcase_add_test(tcase, reply_beyond_a_line_is_not_written);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(reply_suite());
}

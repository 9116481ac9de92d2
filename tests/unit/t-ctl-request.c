/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests: what is read from good lines, and that every bad one is answered
 * with an error that names what is wrong.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "suite.h"

/* A literal with its length: it may hold NULs. */
#define BYTES(literal) (literal), sizeof(literal) - 1

static const struct {
	const char *line;
	size_t bytes;
	json_int_t id;
	const char *command;
	size_t nr_arguments;
} good[] = {
	{BYTES("{\"id\":1,\"command\":\"stats\"}"), 1, "stats", 0},
	{BYTES("{\"id\":0,\"command\":\"\"}"), 0, "", 0},
	{BYTES("{\"id\":9007199254740991,\"command\":\"x\"}"), CTL_MAX_ID, "x",
	 0},
	{BYTES("{\"id\":7,\"command\":\"stats\",\"arguments\":{}}"), 7, "stats",
	 0},
	{BYTES("{\"id\":7,\"command\":\"stats\",\"arguments\":"
	       "{\"classes\":true}}"),
	 7, "stats", 1},
	{BYTES(" {\t\"command\" : \"a b\" , \"id\" : 3 }\r"), 3, "a b", 0},
	{BYTES("{\"id\":1,\"command\":\"\xc3\xa9\\u00e9\"}"), 1,
	 "\xc3\xa9\xc3\xa9", 0},
};

START_TEST(good_line_is_read)
{
	struct ctl_request request;
	struct ctl_error error;

	ck_assert_int_eq(ctl_request_parse(good[_i].line, good[_i].bytes,
					   &request, &error),
			 0);
	ck_assert_int_eq(request.id, good[_i].id);
	ck_assert_str_eq(request.command, good[_i].command);
	ck_assert_uint_eq(json_object_size(request.arguments),
			  good[_i].nr_arguments);
	ctl_request_fini(&request);
}
END_TEST

static const struct {
	const char *line;
	size_t bytes;
	json_int_t id; /* what the error reply can carry */
	const char *names; /* what the message must say */
} bad[] = {
	/* not JSON */
	{BYTES(""), CTL_NO_ID, "'[' or '{' expected near end of file"},
	{BYTES("   "), CTL_NO_ID, "no JSON object"},
	{BYTES("stats"), CTL_NO_ID, "near 'stats'"},
	{BYTES("{"), CTL_NO_ID, "no JSON object"},
	{BYTES("{\"id\":1,\"command\":\"stats\""), CTL_NO_ID, "'}' expected"},
	{BYTES("{\"id\":1,\"command\":\"stats\"}x"), CTL_NO_ID, "near 'x'"},
	{BYTES("{\"id\":1,\"command\":\"stats\"}{\"id\":2}"), CTL_NO_ID,
	 "end of file expected"},
	{BYTES("{'id':1}"), CTL_NO_ID, "no JSON object"},
	{BYTES("{\"id\":1,}"), CTL_NO_ID, "string or '}' expected"},
	{BYTES("{id:1}"), CTL_NO_ID, "near 'id'"},
	{BYTES("{\"id\":1,\"command\":\"sta"), CTL_NO_ID, "no JSON object"},
	{BYTES("{\"id\":1,\"command\":\"a\tb\"}"), CTL_NO_ID, "control char"},
	/* JSON, but no object */
	{BYTES("[]"), CTL_NO_ID, "an array"},
	{BYTES("[{\"id\":1,\"command\":\"stats\"}]"), CTL_NO_ID, "an array"},
	{BYTES("1"), CTL_NO_ID, "'[' or '{' expected"},
	{BYTES("null"), CTL_NO_ID, "'[' or '{' expected"},
	{BYTES("\"stats\""), CTL_NO_ID, "'[' or '{' expected"},
	/* duplicate keys: two readers would see two requests */
	{BYTES("{\"id\":1,\"id\":2,\"command\":\"stats\"}"), CTL_NO_ID,
	 "duplicate"},
	{BYTES("{\"id\":1,\"command\":\"stats\",\"command\":\"compact\"}"),
	 CTL_NO_ID, "duplicate"},
	{BYTES("{\"id\":1,\"command\":\"stats\",\"arguments\":"
	       "{\"classes\":true,\"classes\":false}}"),
	 CTL_NO_ID, "duplicate"},
	/* NULs, raw and escaped, in names and in values */
	{BYTES("\0"), CTL_NO_ID, "no JSON object"},
	{BYTES("{\"id\":1,\"command\":\"stats\"}\0"), CTL_NO_ID,
	 "end of file expected"},
	{BYTES("{\"id\":1,\"command\":\"sta\0ts\"}"), CTL_NO_ID,
	 "control char"},
	{BYTES("{\"id\":1,\"command\":\"stats\\u0000x\"}"), CTL_NO_ID,
	 "\\u0000"},
	{BYTES("{\"id\\u0000\":1,\"command\":\"stats\"}"), CTL_NO_ID, "NUL"},
	/* not UTF-8: a stray byte, overlong, a surrogate, beyond U+10FFFF */
	{BYTES("{\"id\":1,\"command\":\"\xff\"}"), CTL_NO_ID, "decode byte"},
	{BYTES("{\"id\":1,\"command\":\"\xc0\x80\"}"), CTL_NO_ID,
	 "decode byte"},
	{BYTES("{\"id\":1,\"command\":\"\xed\xa0\x80\"}"), CTL_NO_ID,
	 "decode byte"},
	{BYTES("{\"id\":1,\"command\":\"\xf4\x90\x80\x80\"}"), CTL_NO_ID,
	 "decode byte"},
	{BYTES("{\"id\":1,\"command\":\"\\ud800\"}"), CTL_NO_ID, "Unicode"},
	{BYTES("\xef\xbb\xbf{\"id\":1,\"command\":\"stats\"}"), CTL_NO_ID,
	 "no JSON object"},
	/* huge numbers */
	{BYTES("{\"id\":9223372036854775808,\"command\":\"stats\"}"), CTL_NO_ID,
	 "too big integer"},
	{BYTES("{\"id\":-9223372036854775809,\"command\":\"stats\"}"),
	 CTL_NO_ID, "integer"},
	{BYTES("{\"id\":1e999,\"command\":\"stats\"}"), CTL_NO_ID,
	 "real number overflow"},
	/* members that are missing, of a wrong type, or not ours */
	{BYTES("{}"), CTL_NO_ID, "id must be an integer"},
	{BYTES("{\"command\":\"stats\"}"), CTL_NO_ID, "id must be"},
	{BYTES("{\"id\":\"1\",\"command\":\"stats\"}"), CTL_NO_ID,
	 "id must be"},
	{BYTES("{\"id\":null,\"command\":\"stats\"}"), CTL_NO_ID, "id must be"},
	{BYTES("{\"id\":1.0,\"command\":\"stats\"}"), CTL_NO_ID, "id must be"},
	{BYTES("{\"id\":-1,\"command\":\"stats\"}"), CTL_NO_ID,
	 "id must be an integer, 0 to 9007199254740991"},
	{BYTES("{\"id\":9007199254740992,\"command\":\"stats\"}"), CTL_NO_ID,
	 "id must be"},
	{BYTES("{\"id\":5}"), 5, "command must be a string"},
	{BYTES("{\"id\":5,\"command\":5}"), 5, "command must be a string"},
	{BYTES("{\"id\":5,\"command\":[\"stats\"]}"), 5,
	 "command must be a string"},
	{BYTES("{\"id\":5,\"command\":\"stats\",\"arguments\":[]}"), 5,
	 "arguments must be an object"},
	{BYTES("{\"id\":5,\"command\":\"stats\",\"arguments\":null}"), 5,
	 "arguments must be an object"},
	{BYTES("{\"id\":5,\"command\":\"stats\",\"args\":{}}"), 5, "'args'"},
	{BYTES("{\"id\":5,\"command\":\"stats\",\"ID\":5}"), 5, "'ID'"},
	{BYTES("{\"id\":5,\"command\":\"stats\",\"\":5}"), 5, "''"},
	/* what is quoted must not reach a terminal as it came */
	{BYTES("{\"id\":5,\"command\":\"x\",\"\\u001b[2J\xc3\xa9\":1}"), 5,
	 "'?[2J?\?'"},
};

START_TEST(bad_line_is_named)
{
	struct ctl_request request;
	struct ctl_error error;

	ck_assert_int_eq(ctl_request_parse(bad[_i].line, bad[_i].bytes,
					   &request, &error),
			 -EPROTO);
	ck_assert_int_eq(error.err, -EPROTO);
	ck_assert_int_eq(request.id, bad[_i].id);
	ck_assert_msg(strstr(error.text, bad[_i].names), "'%s' says: %s",
		      bad[_i].line, error.text);
	ctl_request_fini(&request);
}
END_TEST

/* As deep as a line can be. */
START_TEST(deep_nesting_is_refused)
{
	static const char *const openers[] = {"[", "{\"a\":"};
	const char *opener = openers[_i];
	const size_t period = strlen(opener);
	const size_t bytes = CTL_MAX_REQUEST_BYTES / period * period;
	struct ctl_request request;
	struct ctl_error error;
	char *line = malloc(bytes);

	ck_assert_ptr_nonnull(line);
	for (size_t at = 0; at < bytes; at++)
		line[at] = opener[at % period];
	ck_assert_int_eq(ctl_request_parse(line, bytes, &request, &error),
			 -EPROTO);
	ck_assert_ptr_nonnull(strstr(error.text, "depth"));
	free(line);
}
END_TEST

/* Any single byte changed in a good line: an answer, whatever it is. */
START_TEST(no_damage_is_fatal)
{
	static const char model[] = "{\"id\":1,\"command\":\"stats\","
				    "\"arguments\":{\"classes\":true}}";
	char line[sizeof(model) - 1];
	struct ctl_request request;
	struct ctl_error error;
	int err;

	memcpy(line, model, sizeof(line));
	for (size_t at = 0; at < sizeof(line); at++) {
		line[at] = (char)_i;
		err = ctl_request_parse(line, sizeof(line), &request, &error);
		ck_assert(err == 0 || err == -EPROTO);
		ctl_request_fini(&request);
		line[at] = model[at];
	}
}
END_TEST

static const struct ctl_argument takes[] = {
	{"classes", &ctl_boolean},
	{"quick", &ctl_boolean},
	{NULL, NULL},
};

static const struct {
	const char *arguments;
	const char *names; /* what the message must say; NULL: no error */
} checks[] = {
	{"{}", NULL},
	{"{\"classes\":true}", NULL},
	{"{\"quick\":false,\"classes\":false}", NULL},
	{"{\"classes\":1}", "argument 'classes' must be true or false"},
	{"{\"classes\":null}", "argument 'classes' must be true or false"},
	{"{\"classes\":\"true\"}", "'classes'"},
	{"{\"classes\":{}}", "'classes'"},
	{"{\"quick\":[true]}", "'quick'"},
	{"{\"class\":true}", "unknown argument 'class'"},
	{"{\"classes\":true,\"classes2\":true}", "'classes2'"},
	{"{\"\":true}", "unknown argument ''"},
};

START_TEST(arguments_are_checked)
{
	json_t *arguments = json_loads(checks[_i].arguments, 0, NULL);
	struct ctl_error error = {0};
	int err = ctl_arguments_check(arguments, takes, &error);

	ck_assert_int_eq(err, checks[_i].names ? -EINVAL : 0);
	if (err)
		ck_assert_ptr_nonnull(strstr(error.text, checks[_i].names));
	json_decref(arguments);
}
END_TEST

START_TEST(command_without_arguments_takes_none)
{
	json_t *arguments = json_loads("{\"classes\":true}", 0, NULL);
	struct ctl_error error = {0};

	ck_assert_int_eq(ctl_arguments_check(NULL, NULL, &error), 0);
	ck_assert_int_eq(ctl_arguments_check(NULL, takes, &error), 0);
	ck_assert_int_eq(ctl_arguments_check(arguments, NULL, &error), -EINVAL);
	json_decref(arguments);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	json_t *arguments = json_pack("{sb}", "classes", 1);
	struct ctl_request request;
	struct ctl_error error;
	size_t bytes;
	char *line;

	ck_assert_int_eq(
		ctl_request_format(42, "stats", arguments, &line, &bytes), 0);
	ck_assert_int_eq(line[bytes - 1], '\n');
	ck_assert_ptr_eq(memchr(line, '\n', bytes), line + bytes - 1);
	ck_assert_int_eq(ctl_request_parse(line, bytes - 1, &request, &error),
			 0);
	ck_assert_int_eq(request.id, 42);
	ck_assert_str_eq(request.command, "stats");
	ck_assert_int_eq(json_equal(request.arguments, arguments), 1);
	ctl_request_fini(&request);
	json_decref(arguments);
	free(line);
}
END_TEST

START_TEST(request_beyond_a_line_is_not_written)
{
	char *command = malloc(CTL_MAX_REQUEST_BYTES + 1);
	size_t bytes, overhead;
	char *line;

	ck_assert_ptr_nonnull(command);
	ck_assert_int_eq(ctl_request_format(1, "", NULL, &line, &overhead), 0);
	free(line);
	memset(command, 'x', CTL_MAX_REQUEST_BYTES + 1);
	command[CTL_MAX_REQUEST_BYTES - overhead + 1] = '\0';
	ck_assert_int_eq(ctl_request_format(1, command, NULL, &line, &bytes),
			 -EMSGSIZE);
	command[CTL_MAX_REQUEST_BYTES - overhead] = '\0';
	ck_assert_int_eq(ctl_request_format(1, command, NULL, &line, &bytes),
			 0);
	ck_assert_uint_eq(bytes, CTL_MAX_REQUEST_BYTES);
	free(line);
	free(command);
}
END_TEST

static Suite *request_suite(void)
{
	Suite *suite = suite_create("ctl_request");
	TCase *tcase = tcase_create("parse");

	tcase_add_loop_test(tcase, good_line_is_read, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(tcase, bad_line_is_named, 0, ARRAY_SIZE(bad));
	tcase_add_loop_test(tcase, deep_nesting_is_refused, 0, 2);
	tcase_add_loop_test(tcase, no_damage_is_fatal, 0, 256);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("arguments");
	tcase_add_loop_test(tcase, arguments_are_checked, 0,
			    ARRAY_SIZE(checks));
	tcase_add_test(tcase, command_without_arguments_takes_none);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("format");
	tcase_add_test(tcase, what_is_written_is_read);
	tcase_add_test(tcase, request_beyond_a_line_is_not_written);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(request_suite());
}

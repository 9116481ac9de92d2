/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What control clients are told of dictionaries, and of training one.
 */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "control_rig.h"
#include "suite.h"

static json_int_t integer(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_integer(value), "no integer '%s'", name);
	return json_integer_value(value);
}

static double of_a_page(const json_t *result, const char *variant,
			const char *name)
{
	return json_real_value(
		json_object_get(json_object_get(result, variant), name));
}

/* Loop: one that is used, and one that is not. */
START_TEST(train_tells_what_it_gained)
{
	int fd = rig_connect();
	json_t *reply, *result;

	rig_store()->useless = _i;
	reply = rig_ask(fd, "{\"id\":1,\"command\":\"train\"}");
	result = rig_result(reply, 1);
	ck_assert_int_eq(json_is_true(json_object_get(result, "used")), !_i);
	ck_assert_int_eq(integer(result, "number"),
			 _i ? 0 : (int)RIG_DICT_NUMBER);
	ck_assert_int_eq(integer(result, "bytes"), (int)strlen(RIG_DICT));
	ck_assert_int_eq(integer(result, "pages_trained"), 40);
	ck_assert_int_eq(integer(result, "pages_tested"), 10);
	ck_assert_double_eq(of_a_page(result, "without", "bytes_per_page"),
			    2000);
	ck_assert_double_eq(of_a_page(result, "without", "compress_us"), 30);
	ck_assert_double_eq(of_a_page(result, "trained", "bytes_per_page"),
			    1500);
	ck_assert_double_eq(of_a_page(result, "trained", "decompress_us"), 6);
	ck_assert(json_is_null(json_object_get(result, "before")));
	ck_assert_ptr_null(json_object_get(result, "contents"));
	ck_assert_uint_eq(rig_store()->trained_bytes, 32 * KIB);
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(train_gives_what_it_is_asked_for)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"train\","
				    "\"arguments\":{\"bytes\":5000,"
				    "\"contents\":true}}");
	json_t *result = rig_result(reply, 1);

	ck_assert_uint_eq(rig_store()->trained_bytes, 5000);
	ck_assert_str_eq(json_string_value(json_object_get(result, "contents")),
			 RIG_DICT_BASE64);
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(a_command_says_why_it_failed)
{
	int fd = rig_connect();

	rig_store()->untrainable = true;
	rig_expect_error(rig_ask(fd, "{\"id\":1,\"command\":\"train\"}"), 1,
			 "EAGAIN", RIG_UNTRAINABLE);
	rig_store()->untrainable = false;
	json_decref(rig_ask(fd, "{\"id\":2,\"command\":\"train\"}"));
	close(fd);
}
END_TEST

START_TEST(stats_tell_of_dictionaries)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	json_t *group = json_object_get(rig_export(reply), "dictionary");
	json_t *rows = json_object_get(group, "dictionaries");
	json_t *row = json_array_get(rows, 0);

	ck_assert_int_eq(integer(group, "current"), RIG_DICT_NUMBER);
	ck_assert_int_eq(integer(group, "memory_bytes"),
			 rig_counter("dict_memory"));
	ck_assert_uint_eq(json_array_size(rows), 1);
	ck_assert_int_eq(integer(row, "number"), RIG_DICT_NUMBER);
	ck_assert_int_eq(integer(row, "bytes"), rig_counter("dict_bytes"));
	ck_assert_int_eq(integer(row, "pages"), rig_counter("dict_pages"));
	ck_assert(json_is_true(json_object_get(row, "current")));
	json_decref(reply);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control-train");
	TCase *tcase = tcase_create("train");

	tcase_add_checked_fixture(tcase, rig_start, rig_stop);
	tcase_set_timeout(tcase, 2 * RIG_PATIENCE_S);
	tcase_add_loop_test(tcase, train_tells_what_it_gained, 0, 2);
	tcase_add_test(tcase, train_gives_what_it_is_asked_for);
	tcase_add_test(tcase, a_command_says_why_it_failed);
	tcase_add_test(tcase, stats_tell_of_dictionaries);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

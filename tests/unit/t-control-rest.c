/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What control clients may ask to be done to pages that rest.
 */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "control_rig.h"
#include "suite.h"
#include "zstore/zstore.h"

static void setup(void)
{
	rig_start();
	rig_store()->second = true;
}

static json_int_t integer(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_integer(value), "no integer '%s'", name);
	return json_integer_value(value);
}

/* Ask, and be told that it is done. */
static void ask(const char *line, const char *member)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, line);

	ck_assert_int_eq(integer(rig_result(reply, 1), member),
			 rig_counter(member));
	json_decref(reply);
	close(fd);
}

/* Ask, and be refused. */
static void ask_wrongly(const char *line, const char *code, const char *part)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, line);
	const json_t *error = json_object_get(reply, "error");
	const char *message =
		json_string_value(json_object_get(error, "message"));

	ck_assert_str_eq(json_string_value(json_object_get(error, "code")),
			 code);
	ck_assert_ptr_nonnull(message);
	ck_assert_msg(strstr(message, part), "'%s' lacks '%s'", message, part);
	json_decref(reply);
	close(fd);
}

#define RECOMPRESS(arguments) \
	"{\"id\":1,\"command\":\"recompress\",\"arguments\":{" arguments "}}"

START_TEST(idle_marks_all_or_what_is_old)
{
	rig_store()->idle_age_s = 77;
	ask("{\"id\":1,\"command\":\"idle\"}", "pages_idle");
	ck_assert_uint_eq(rig_store()->idle_age_s, 0);
	ask("{\"id\":1,\"command\":\"idle\",\"arguments\":{\"age\":900}}",
	    "pages_idle");
	ck_assert_uint_eq(rig_store()->idle_age_s, 900);
	ask_wrongly("{\"id\":1,\"command\":\"idle\",\"arguments\":{\"age\":"
		    "4294967296}}",
		    "EINVAL", "4294967295 seconds");
}
END_TEST

START_TEST(recompress_takes_what_zram_takes)
{
	const struct zstore_recompress *how = &rig_store()->recompressed;

	ask(RECOMPRESS(""), "pages_recompressed");
	ck_assert(!how->is_idle && !how->is_huge && !how->again);
	ck_assert_uint_eq(how->since_s, UINT32_MAX);
	ck_assert_uint_eq(how->threshold_bytes, 0);
	ck_assert_uint_eq(how->max_pages, 0);
	ask(RECOMPRESS("\"type\":\"idle\",\"threshold\":3000,\"max_pages\":7"),
	    "pages_tried");
	ck_assert(how->is_idle && !how->is_huge);
	ck_assert_uint_eq(how->threshold_bytes, 3000);
	ck_assert_uint_eq(how->max_pages, 7);
	ask(RECOMPRESS("\"type\":\"huge\",\"priority\":1"), "bytes_before");
	ck_assert(!how->is_idle && how->is_huge);
	ask(RECOMPRESS("\"type\":\"huge_idle\""), "bytes_after");
	ck_assert(how->is_idle && how->is_huge);
}
END_TEST

START_TEST(recompress_refuses_the_rest)
{
	ask_wrongly(RECOMPRESS("\"type\":\"incompressible\""), "EINVAL",
		    "huge_idle");
	ask_wrongly(RECOMPRESS("\"threshold\":3600"), "EINVAL", "3599");
	ask_wrongly(RECOMPRESS("\"priority\":2"), "EINVAL", "must be 1");
	ask_wrongly(RECOMPRESS("\"algo\":\"lzo\""), "EINVAL", "'algo'");
	rig_store()->roomless = true;
	ask_wrongly(RECOMPRESS(""), "ENOSPC", "no room");
	rig_store()->second = false;
	ask_wrongly(RECOMPRESS(""), "EINVAL", "--recompress");
}
END_TEST

#define WRITEBACK(arguments) \
	"{\"id\":1,\"command\":\"writeback\",\"arguments\":{" arguments "}}"

START_TEST(writeback_takes_what_zram_takes)
{
	const struct zstore_writeback *how = &rig_store()->written;

	ask(WRITEBACK("\"type\":\"idle\""), "pages_tried");
	ck_assert(how->is_idle && !how->is_huge && !how->is_incompressible);
	ck_assert(!how->singly);
	ck_assert_uint_eq(how->since_s, UINT32_MAX);
	ck_assert_uint_eq(how->end, 0);
	ask(WRITEBACK("\"type\":\"huge\""), "pages_written");
	ck_assert(!how->is_idle && how->is_huge && !how->is_incompressible);
	ask(WRITEBACK("\"type\":\"huge_idle\""), "bytes_written");
	ck_assert(how->is_idle && how->is_huge && !how->is_incompressible);
	ask(WRITEBACK("\"type\":\"incompressible\""), "blocks");
	ck_assert(!how->is_idle && !how->is_huge && how->is_incompressible);
	ask(WRITEBACK("\"first\":0,\"last\":0"), "blocks");
	ck_assert(!how->is_idle && !how->is_huge && !how->is_incompressible);
	ck_assert_uint_eq(how->first, 0);
	ck_assert_uint_eq(how->end, 1);
}
END_TEST

START_TEST(writeback_refuses_the_rest)
{
	ask_wrongly(WRITEBACK("\"type\":\"all\""), "EINVAL", "huge_idle");
	ask_wrongly(WRITEBACK(""), "EINVAL", "'type'");
	ask_wrongly(WRITEBACK("\"first\":0"), "EINVAL", "together");
	ask_wrongly(WRITEBACK("\"first\":2,\"last\":1"), "EINVAL", "in order");
	ask_wrongly(WRITEBACK("\"first\":0,\"last\":4611686018427387904"),
		    "EINVAL", "pages of the disk");
	rig_remove_backing();
	ask_wrongly(WRITEBACK("\"type\":\"idle\""), "EINVAL", "--backing");
}
END_TEST

/* What was written is told, and why it was not all. */
START_TEST(writeback_tells_why_it_ended)
{
	int fd = rig_connect();
	json_t *reply;

	rig_store()->roomless = true;
	reply = rig_ask(fd, WRITEBACK("\"type\":\"huge\""));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(
					     rig_result(reply, 1), "problem")),
				     "full"));
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(blocks_are_told_piece_by_piece)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"blocks\"}");
	const json_t *result = rig_result(reply, 1), *rows, *row;

	rows = json_object_get(result, "blocks");
	ck_assert_uint_eq(json_array_size(rows), 8192);
	row = json_array_get(rows, 1);
	ck_assert_int_eq(json_integer_value(json_array_get(row, 0)), 3);
	ck_assert_int_eq(json_integer_value(json_array_get(row, 1)), 3);
	ck_assert_str_eq(json_string_value(json_array_get(row, 2)), "swhirn");
	row = json_array_get(rows, 2);
	ck_assert_str_eq(json_string_value(json_array_get(row, 2)), "......");
	ck_assert_int_eq(integer(result, "next"), 8191 * 3 + 1);
	json_decref(reply);
	/* The last ones of the disk. */
	reply = rig_ask(fd, "{\"id\":2,\"command\":\"blocks\",\"arguments\":"
			    "{\"first\":805306365}}");
	result = rig_result(reply, 2);
	ck_assert_uint_eq(json_array_size(json_object_get(result, "blocks")),
			  1);
	ck_assert(json_is_null(json_object_get(result, "next")));
	json_decref(reply);
	close(fd);
	ask_wrongly("{\"id\":1,\"command\":\"blocks\",\"arguments\":"
		    "{\"first\":805306368}}",
		    "EINVAL", "805306368");
}
END_TEST

/* Each codec that learns, one after the other. */
START_TEST(training_goes_through_the_codecs)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"train\"}");
	const json_t *result = rig_result(reply, 1);

	ck_assert_int_eq(rig_store()->trained_codec, ZSTORE_PRIMARY);
	ck_assert(json_is_false(json_object_get(result, "secondary")));
	ck_assert(json_is_true(json_object_get(result, "more")));
	json_decref(reply);
	reply = rig_ask(fd, "{\"id\":2,\"command\":\"train\",\"arguments\":"
			    "{\"secondary\":true}}");
	result = rig_result(reply, 2);
	ck_assert_int_eq(rig_store()->trained_codec, ZSTORE_SECONDARY);
	ck_assert(json_is_true(json_object_get(result, "secondary")));
	ck_assert(json_is_false(json_object_get(result, "more")));
	json_decref(reply);
	rig_store()->unlearned = true;
	reply = rig_ask(fd, "{\"id\":3,\"command\":\"train\"}");
	result = rig_result(reply, 3);
	ck_assert_int_eq(rig_store()->trained_codec, ZSTORE_SECONDARY);
	ck_assert(json_is_false(json_object_get(result, "more")));
	json_decref(reply);
	close(fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("control-rest");
	TCase *tcase = tcase_create("rest");

	tcase_add_checked_fixture(tcase, setup, rig_stop);
	tcase_set_timeout(tcase, 3 * RIG_PATIENCE_S);
	tcase_add_test(tcase, idle_marks_all_or_what_is_old);
	tcase_add_test(tcase, recompress_takes_what_zram_takes);
	tcase_add_test(tcase, recompress_refuses_the_rest);
	tcase_add_test(tcase, writeback_takes_what_zram_takes);
	tcase_add_test(tcase, writeback_refuses_the_rest);
	tcase_add_test(tcase, writeback_tells_why_it_ended);
	tcase_add_test(tcase, blocks_are_told_piece_by_piece);
	tcase_add_test(tcase, training_goes_through_the_codecs);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}

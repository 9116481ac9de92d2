/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control thread: what commands answer, and to whom. Every test ends with
 * the thread's clean stop: a handle or request that is left over aborts it.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control.h"
#include "control_rig.h"
#include "suite.h"

/* Most control clients, by docs/control-protocol.md. */
#define MAX_CLIENTS 16

static json_int_t integer(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_integer(value), "no integer '%s'", name);
	return json_integer_value(value);
}

static const char *text_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_string(value), "no string '%s'", name);
	return json_string_value(value);
}

/* --- documents ------------------------------------------------------------ */

START_TEST(version_is_told)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":0,\"command\":\"version\"}");
	json_t *result = rig_result(reply, 0);

	ck_assert_str_eq(json_string_value(json_object_get(result, "version")),
			 PACKAGE_VERSION);
	ck_assert_int_eq(integer(result, "protocol"), 2);
	json_decref(reply);
	close(fd);
}
END_TEST

static void expect_counters(const json_t *group, const char *const *names)
{
	for (; *names; names++)
		ck_assert_int_eq(integer(group, *names), rig_counter(*names));
}

/* Every counter, whichever there are, under its own name. */
START_TEST(stats_hold_every_counter)
{
#define NAME(name, ...) #name,
	static const char *const mm_stat[] = {CTL_MM_STAT(NAME) NULL};
	static const char *const io_stat[] = {CTL_IO_STAT(NAME) NULL};
	static const char *const requests[] = {CTL_REQUESTS(NAME) NULL};
	static const char *const connections[] = {CTL_CONNECTIONS(NAME) NULL};
	static const char *const polling[] = {CTL_POLLING(NAME) NULL};
#undef NAME
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	json_t *result = rig_result(reply, 1), *export = rig_export(reply);

	expect_counters(json_object_get(export, "mm_stat"), mm_stat);
	expect_counters(json_object_get(export, "io_stat"), io_stat);
	expect_counters(json_object_get(export, "requests"), requests);
	expect_counters(json_object_get(result, "connections"), connections);
	expect_counters(json_object_get(result, "polling"), polling);
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(stats_tell_what_serves)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	json_t *result = rig_result(reply, 1);
	json_t *disk = json_object_get(rig_export(reply), "disk");

	ck_assert_int_eq(integer(result, "pid"), getpid());
	ck_assert_int_ge(integer(result, "uptime_seconds"), 0);
	ck_assert_int_eq(integer(result, "protocol"), 2);
	ck_assert_int_eq(integer(result, "threads"), 4);
	ck_assert_int_gt(integer(result, "resident_bytes"), 0);
	ck_assert_int_eq(integer(disk, "size_bytes"), 3 * TIB);
	ck_assert_int_eq(integer(disk, "chain_size"), 8);
	ck_assert_str_eq(json_string_value(json_object_get(disk, "algorithm")),
			 "zstd:3");
	json_decref(reply);
	close(fd);
}
END_TEST

static double real(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_real(value), "no real '%s'", name);
	return json_real_value(value);
}

START_TEST(memory_is_weighed)
{
	const double cost =
		rig_counter("mem_used_total") + rig_counter("metadata_bytes");
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	json_t *memory = json_object_get(rig_export(reply), "memory");

	ck_assert_double_eq_tol(real(memory, "ratio"),
				rig_counter("orig_data_size") / cost, 1e-5);
	ck_assert_double_eq_tol(real(memory, "bytes_per_compressed_byte"),
				cost / rig_counter("compr_data_size"), 1e-5);
	ck_assert_int_eq(integer(memory, "metadata_bytes"),
			 rig_counter("metadata_bytes"));
	ck_assert_int_eq(integer(memory, "direct_grows"),
			 rig_counter("direct_grows"));
	ck_assert_int_eq(integer(memory, "reserve_bytes"),
			 rig_counter("reserve_pages") * ZSD_PAGE_BYTES);
	ck_assert_int_eq(integer(memory, "reserve_target_bytes"),
			 rig_counter("reserve_target_pages") * ZSD_PAGE_BYTES);
	ck_assert_int_eq(integer(memory, "starved_requests"),
			 rig_counter("starved"));
	ck_assert_int_eq(integer(memory, "failed_requests"),
			 rig_counter("failed"));
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(stats_tell_of_safety)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	json_t *safety = json_object_get(rig_result(reply, 1), "safety");
	json_t *threads = json_object_get(safety, "threads");
	json_t *first = json_array_get(threads, 0);

	ck_assert_str_eq(json_string_value(json_object_get(safety, "mode")),
			 "off");
	ck_assert_uint_eq(json_array_size(threads), 2);
	ck_assert_str_eq(json_string_value(json_object_get(first, "name")),
			 "test");
	ck_assert_int_eq(integer(first, "tid"), getpid());
	ck_assert(json_is_false(json_object_get(first, "realtime")));
	json_decref(reply);
	close(fd);
}
END_TEST

/* Loop: whether it has one. */
START_TEST(a_disk_is_told_by_its_uuid)
{
	int fd = rig_connect();
	json_t *reply, *uuid;

	rig_store()->empty = !_i;
	reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	uuid = json_object_get(rig_export(reply), "uuid");
	if (_i)
		ck_assert_str_eq(json_string_value(uuid),
				 "01234567-89ab-cdef-0011-2233445566ff");
	else
		ck_assert(json_is_null(uuid));
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(empty_store_has_no_ratio)
{
	int fd = rig_connect();
	json_t *reply, *memory;

	rig_store()->empty = true;
	reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	memory = json_object_get(rig_export(reply), "memory");
	ck_assert(json_is_null(json_object_get(memory, "ratio")));
	ck_assert(json_is_null(
		json_object_get(memory, "bytes_per_compressed_byte")));
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(classes_in_use_are_listed)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\","
				    "\"arguments\":{\"classes\":true}}");
	json_t *result = rig_result(reply, 1);
	json_t *rows = json_object_get(result, "classes");
	json_t *expected =
		json_pack("{si si si si si si si si si si}", "class", 254,
			  "size", 4096, "almost_full", 1, "almost_empty", 2,
			  "obj_allocated", 254, "obj_used", 10, "pages_used",
			  20, "pages_per_zspage", 2, "objs_per_zspage", 9,
			  "freeable", 30);
	json_t *total =
		json_pack("{si si si si si si}", "almost_full", 2,
			  "almost_empty", 4, "obj_allocated", 257, "obj_used",
			  20, "pages_used", 40, "freeable", 60);

	ck_assert_uint_eq(json_array_size(rows), 2);
	ck_assert_int_eq(integer(json_array_get(rows, 0), "class"), 3);
	ck_assert(json_equal(json_array_get(rows, 1), expected));
	ck_assert(json_equal(json_object_get(result, "total"), total));
	json_decref(expected);
	json_decref(total);
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(compact_tells_what_it_did)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"compact\"}");
	json_t *result = rig_result(reply, 1);

	ck_assert_int_eq(integer(result, "pages_compacted"), RIG_FREED_PAGES);
	ck_assert_int_eq(integer(result, "bytes_freed"),
			 (json_int_t)RIG_FREED_PAGES * 4096);
	ck_assert_int_eq(integer(result, "objects_moved"), RIG_MOVED_OBJS);
	ck_assert_int_ge(integer(result, "duration_us"), 0);
	ck_assert_int_ge(integer(result, "release_us"), 0);
	ck_assert_uint_eq(rig_store()->nr_shrinks, 1);
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(the_peak_is_restarted)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"reset_peak\"}");

	ck_assert_int_eq(integer(rig_result(reply, 1), "mem_used_max"),
			 rig_counter("mem_used_max"));
	ck_assert_uint_eq(rig_store()->nr_resets, 1);
	json_decref(reply);
	close(fd);
}
END_TEST

/* Loop: with a keeper, and without. */
START_TEST(who_has_a_keeper_may_be_upgraded)
{
	static const char request[] = "{\"id\":1,\"command\":\"upgrade\"}";
	int fd = rig_connect();
	json_t *reply;

	rig_store()->keeperless = _i;
	reply = rig_ask(fd, request);
	if (_i) {
		rig_expect_error(reply, 1, "EOPNOTSUPP", "without --survive");
	} else {
		ck_assert_int_eq(integer(rig_result(reply, 1), "generation"),
				 rig_counter("generation"));
		json_decref(reply);
	}
	close(fd);
}
END_TEST

/* Loop: a whole store, and a broken one. */
START_TEST(verify_tells_what_it_found)
{
	const bool broken = _i;
	int fd = rig_connect();
	json_t *reply, *result;

	rig_store()->broken = broken;
	reply = rig_ask(fd, "{\"id\":1,\"command\":\"verify\"}");
	result = rig_result(reply, 1);
	ck_assert_int_eq(json_is_true(json_object_get(result, "ok")), !broken);
	ck_assert_int_eq(integer(result, "pages_checked"), RIG_VERIFIED);
	ck_assert_str_eq(json_string_value(json_object_get(result, "problem")),
			 broken ? RIG_PROBLEM : "");
	json_decref(reply);
	close(fd);
}
END_TEST

/* --- several exports ------------------------------------------------------- */

START_TEST(each_export_is_told_of)
{
	int fd = rig_connect();
	json_t *reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\"}");
	json_t *exports = json_object_get(rig_result(reply, 1), "exports");

	ck_assert_uint_eq(json_array_size(exports), 2);
	ck_assert_str_eq(text_of(json_array_get(exports, 0), "name"), "");
	ck_assert_str_eq(text_of(json_array_get(exports, 1), "name"), "second");
	json_decref(reply);
	reply = rig_ask(fd, "{\"id\":1,\"command\":\"stats\","
			    "\"arguments\":{\"export\":\"second\"}}");
	ck_assert_str_eq(text_of(rig_export(reply), "name"), "second");
	json_decref(reply);
	close(fd);
}
END_TEST

/* Loop: what is done to one disk. */
static const char *const of_one_export[] = {"compact", "verify", "train",
					    "reset_peak"};

START_TEST(one_export_must_be_named)
{
	char line[128];
	int fd = rig_connect();

	(void)snprintf(line, sizeof(line), "{\"id\":1,\"command\":\"%s\"}",
		       of_one_export[_i]);
	rig_expect_error(rig_ask(fd, line), 1, "EINVAL", "there are 2 exports");
	(void)snprintf(line, sizeof(line),
		       "{\"id\":1,\"command\":\"%s\","
		       "\"arguments\":{\"export\":\"third\"}}",
		       of_one_export[_i]);
	rig_expect_error(rig_ask(fd, line), 1, "EINVAL",
			 "there is no export 'third'");
	(void)snprintf(line, sizeof(line),
		       "{\"id\":1,\"command\":\"%s\","
		       "\"arguments\":{\"export\":\"second\"}}",
		       of_one_export[_i]);
	json_decref(rig_ask(fd, line));
	close(fd);
}
END_TEST

/* --- requests that are refused -------------------------------------------- */

static const struct {
	const char *line;
	json_int_t id;
	const char *code;
	const char *message_part;
} refusals[] = {
	{"", -1, "EPROTO", "no JSON object"},
	{"help", -1, "EPROTO", "no JSON object"},
	{"{\"id\":9,\"command\":\"shutdown\"}", 9, "EOPNOTSUPP", "'shutdown'"},
	{"{\"id\":9,\"command\":\"STATS\"}", 9, "EOPNOTSUPP", "'STATS'"},
	{"{\"id\":9,\"command\":\"\"}", 9, "EOPNOTSUPP", "''"},
	{"{\"id\":9,\"command\":\"stats\",\"arguments\":{\"class\":true}}", 9,
	 "EINVAL", "'class'"},
	{"{\"id\":9,\"command\":\"stats\",\"arguments\":{\"classes\":1}}", 9,
	 "EINVAL", "'classes' must be true or false"},
	{"{\"id\":9,\"command\":\"compact\",\"arguments\":{\"x\":true}}", 9,
	 "EINVAL", "'x'"},
	{"{\"id\":9,\"command\":\"train\",\"arguments\":{\"bytes\":true}}", 9,
	 "EINVAL", "'bytes' must be an integer"},
	{"{\"id\":9,\"command\":\"train\",\"arguments\":{\"bytes\":-1}}", 9,
	 "EINVAL", "'bytes' must be an integer"},
	{"{\"id\":9,\"command\":\"train\",\"arguments\":{\"bytes\":1023}}", 9,
	 "EINVAL", "1024 to 147456 bytes"},
	{"{\"id\":9,\"command\":\"train\",\"arguments\":{\"bytes\":147457}}", 9,
	 "EINVAL", "1024 to 147456 bytes"},
	{"{\"id\":9,\"verb\":\"stats\"}", 9, "EPROTO", "'verb'"},
};

/* A refusal does not end the conversation. */
START_TEST(refusal_names_what_is_wrong)
{
	int fd = rig_connect();

	rig_expect_error(rig_ask(fd, refusals[_i].line), refusals[_i].id,
			 refusals[_i].code, refusals[_i].message_part);
	json_decref(rig_ask(fd, "{\"id\":1,\"command\":\"version\"}"));
	close(fd);
}
END_TEST

START_TEST(flood_without_newline_is_one_error)
{
	static const char zeros[1 << 20];
	int fd = rig_connect();
	json_t *reply;

	for (int i = 0; i < 10; i++)
		rig_send(fd, zeros, sizeof(zeros));
	rig_send(fd, "\n", 1);
	rig_expect_error(rig_reply(fd), -1, "EMSGSIZE", "65536 bytes");
	reply = rig_ask(fd, "{\"id\":2,\"command\":\"version\"}");
	rig_result(reply, 2);
	json_decref(reply);
	close(fd);
}
END_TEST

/* --- several requests, several clients ------------------------------------ */

START_TEST(requests_in_one_piece_are_answered_in_order)
{
	static const char requests[] = "{\"id\":1,\"command\":\"compact\"}\n"
				       "{\"id\":2,\"command\":\"nothing\"}\n"
				       "{\"id\":3,\"command\":\"version\"}\n";
	int fd = rig_connect();

	rig_send(fd, requests, strlen(requests));
	shutdown(fd, SHUT_WR);
	for (json_int_t id = 1; id <= 3; id++) {
		json_t *reply = rig_reply(fd);

		ck_assert_int_eq(integer(reply, "id"), id);
		json_decref(reply);
	}
	ck_assert_ptr_null(rig_reply(fd));
	close(fd);
}
END_TEST

START_TEST(request_in_pieces_is_one)
{
	static const char request[] = "{\"id\":1,\"command\":\"version\"}\n";
	int fd = rig_connect();
	json_t *reply;

	for (const char *p = request; *p; p++)
		rig_send(fd, p, 1);
	reply = rig_reply(fd);
	rig_result(reply, 1);
	json_decref(reply);
	close(fd);
}
END_TEST

START_TEST(stats_answer_while_compacting)
{
	static const char compact[] = "{\"id\":1,\"command\":\"compact\"}\n";
	int slow = rig_connect();
	int fd = rig_connect();
	json_t *reply;

	rig_hold_compact();
	rig_send(slow, compact, strlen(compact));
	rig_await_compact(1);
	reply = rig_ask(fd, "{\"id\":2,\"command\":\"stats\"}");
	rig_result(reply, 2);
	json_decref(reply);
	ck_assert_uint_eq(rig_store()->nr_compacts, 0);
	rig_release_compact();
	reply = rig_reply(slow);
	rig_result(reply, 1);
	json_decref(reply);
	close(slow);
	close(fd);
}
END_TEST

START_TEST(two_compacts_are_both_answered)
{
	static const char compact[] = "{\"id\":1,\"command\":\"compact\"}\n";
	int fds[2] = {rig_connect(), rig_connect()};

	rig_hold_compact();
	for (int i = 0; i < 2; i++)
		rig_send(fds[i], compact, strlen(compact));
	rig_await_compact(1);
	rig_release_compact();
	for (int i = 0; i < 2; i++) {
		json_t *reply = rig_reply(fds[i]);

		rig_result(reply, 1);
		json_decref(reply);
		close(fds[i]);
	}
	ck_assert_uint_eq(rig_store()->nr_compacts, 2);
}
END_TEST

/* More often than there are slots: each must come free again. */
START_TEST(client_may_leave_during_its_command)
{
	static const char compact[] = "{\"id\":1,\"command\":\"compact\"}\n";
	json_t *reply;
	int fd;

	for (unsigned i = 1; i <= 3 * MAX_CLIENTS; i++) {
		rig_hold_compact();
		fd = rig_connect();
		rig_send(fd, compact, strlen(compact));
		rig_await_compact(i);
		close(fd);
		rig_release_compact();
		/* The queue behind it moves on. */
		fd = rig_connect();
		reply = rig_ask(fd, "{\"id\":2,\"command\":\"verify\"}");
		rig_result(reply, 2);
		json_decref(reply);
		close(fd);
	}
}
END_TEST

static Suite *control_suite(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("documents");

	tcase_add_checked_fixture(tcase, rig_start, rig_stop);
	tcase_add_test(tcase, version_is_told);
	tcase_add_test(tcase, stats_hold_every_counter);
	tcase_add_test(tcase, stats_tell_what_serves);
	tcase_add_test(tcase, memory_is_weighed);
	tcase_add_test(tcase, stats_tell_of_safety);
	tcase_add_loop_test(tcase, a_disk_is_told_by_its_uuid, 0, 2);
	tcase_add_test(tcase, empty_store_has_no_ratio);
	tcase_add_test(tcase, classes_in_use_are_listed);
	tcase_add_test(tcase, compact_tells_what_it_did);
	tcase_add_test(tcase, the_peak_is_restarted);
	tcase_add_loop_test(tcase, who_has_a_keeper_may_be_upgraded, 0, 2);
	tcase_add_loop_test(tcase, verify_tells_what_it_found, 0, 2);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("exports");
	tcase_add_checked_fixture(tcase, rig_start_two, rig_stop);
	tcase_add_test(tcase, each_export_is_told_of);
	tcase_add_loop_test(tcase, one_export_must_be_named, 0,
			    ARRAY_SIZE(of_one_export));
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("requests");
	tcase_add_checked_fixture(tcase, rig_start, rig_stop);
	tcase_set_timeout(tcase, 2 * RIG_PATIENCE_S);
	tcase_add_loop_test(tcase, refusal_names_what_is_wrong, 0,
			    ARRAY_SIZE(refusals));
	tcase_add_test(tcase, flood_without_newline_is_one_error);
	tcase_add_test(tcase, requests_in_one_piece_are_answered_in_order);
	tcase_add_test(tcase, request_in_pieces_is_one);
	tcase_add_test(tcase, stats_answer_while_compacting);
	tcase_add_test(tcase, two_compacts_are_both_answered);
	tcase_add_test(tcase, client_may_leave_during_its_command);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(control_suite());
}

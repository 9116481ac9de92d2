/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control thread: what commands answer, and that no client, hostile, slow
 * or gone, keeps another from its answer. Every test ends with the thread's
 * clean stop: a handle or request that is left over aborts it.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
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
	 "EINVAL", "1024 to 114688 bytes"},
	{"{\"id\":9,\"command\":\"train\",\"arguments\":{\"bytes\":114689}}", 9,
	 "EINVAL", "1024 to 114688 bytes"},
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

/* Fill every slot; each client is known to have one. */
static void connect_all(int fds[MAX_CLIENTS])
{
	for (int i = 0; i < MAX_CLIENTS; i++) {
		fds[i] = rig_connect();
		json_decref(
			rig_ask(fds[i], "{\"id\":1,\"command\":\"version\"}"));
	}
}

static void close_all(const int fds[MAX_CLIENTS])
{
	for (int i = 0; i < MAX_CLIENTS; i++)
		close(fds[i]);
}

/* All of them, though they come while the thread looks elsewhere. */
START_TEST(clients_beyond_the_bound_are_told)
{
	static const char stats[] = "{\"id\":1,\"command\":\"stats\"}\n";
	int fds[MAX_CLIENTS], beyond[5];

	connect_all(fds);
	rig_hold_stats();
	rig_send(fds[0], stats, strlen(stats));
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
		beyond[i] = rig_connect();
	rig_release_stats();
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
		rig_expect_error(rig_reply(beyond[i]), -1, "EBUSY",
				 "16 control");
		ck_assert_ptr_null(rig_reply(beyond[i]));
		close(beyond[i]);
	}
	close_all(fds);
}
END_TEST

static bool is_refused(void)
{
	int fd = rig_connect();
	json_t *reply, *code;
	bool refused;

	/* One that is turned away may be so before it says anything. */
	(void)send(fd, "{}\n", 3, MSG_NOSIGNAL);
	reply = rig_reply(fd);
	code = json_object_get(json_object_get(reply, "error"), "code");
	refused = !strcmp("EBUSY", json_string_value(code));
	json_decref(reply);
	close(fd);
	return refused;
}

START_TEST(slot_of_a_client_that_left_is_free)
{
	int fds[MAX_CLIENTS];

	connect_all(fds);
	ck_assert(is_refused());
	close(fds[0]);
	/* The server notices in its own time; the test's is bounded. */
	while (is_refused())
		;
	fds[0] = rig_connect();
	close_all(fds);
}
END_TEST

/* What one client left in a slot is not the beginning of the next one's. */
START_TEST(slot_of_a_client_that_left_is_clean)
{
	json_t *reply;
	char byte;
	int fd;

	for (int i = 0; i < 2 * MAX_CLIENTS; i++) {
		fd = rig_connect();
		rig_send(fd, "{\"id\"", 5);
		shutdown(fd, SHUT_WR);
		ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
		close(fd);
		fd = rig_connect();
		reply = rig_ask(fd, "{\"id\":1,\"command\":\"version\"}");
		rig_result(reply, 1);
		json_decref(reply);
		close(fd);
	}
}
END_TEST

/* One that asks and never reads fills its own buffers and waits, alone. */
START_TEST(client_that_does_not_read_delays_nobody)
{
	static const char stats[] = "{\"id\":1,\"command\":\"stats\"}\n";
	int slow = rig_connect();
	int fd = rig_connect();
	json_t *reply;
	int err;

	ck_assert_int_eq(fcntl(slow, F_SETFL, O_NONBLOCK), 0);
	do {
		err = 0;
		if (send(slow, stats, strlen(stats), MSG_NOSIGNAL) < 0)
			err = errno;
		reply = rig_ask(fd, "{\"id\":2,\"command\":\"stats\"}");
		rig_result(reply, 2);
		json_decref(reply);
	} while (!err);
	ck_assert_int_eq(err, EAGAIN);
	close(slow);
	close(fd);
}
END_TEST

/* --- patience ------------------------------------------------------------- */

static void expect_closed(int fd)
{
	char byte;

	ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

/* So long that the patience with whoever came before is at its end. */
static void wait_idle(void)
{
	expect_closed(rig_connect());
}

START_TEST(silent_client_is_closed)
{
	int fds[MAX_CLIENTS];

	connect_all(fds);
	for (int i = 0; i < MAX_CLIENTS; i++)
		expect_closed(fds[i]);
	/* And there is room again. */
	while (is_refused())
		;
}
END_TEST

START_TEST(half_a_line_buys_no_time)
{
	const struct timespec pause = {.tv_nsec = 10000000}; /* 10 ms */
	int fd = rig_connect();

	while (send(fd, " ", 1, MSG_NOSIGNAL) == 1)
		nanosleep(&pause, NULL);
	close(fd);
}
END_TEST

START_TEST(reply_that_is_not_taken_is_given_up)
{
	static const char stats[] = "{\"id\":1,\"command\":\"stats\"}\n";
	struct pollfd hung_up = {.fd = rig_connect()};

	ck_assert_int_eq(fcntl(hung_up.fd, F_SETFL, O_NONBLOCK), 0);
	while (send(hung_up.fd, stats, strlen(stats), MSG_NOSIGNAL) > 0)
		;
	ck_assert_int_eq(poll(&hung_up, 1, RIG_PATIENCE_S * 1000), 1);
	ck_assert_int_ne(hung_up.revents & POLLHUP, 0);
	close(hung_up.fd);
}
END_TEST

/* The server's own time is not the client's. */
START_TEST(long_command_is_waited_for)
{
	static const char compact[] = "{\"id\":1,\"command\":\"compact\"}\n";
	int fds[2] = {rig_connect(), rig_connect()};
	json_t *reply;

	rig_hold_compact();
	for (int i = 0; i < 2; i++)
		rig_send(fds[i], compact, strlen(compact));
	rig_await_compact(1);
	wait_idle();
	rig_release_compact();
	for (int i = 0; i < 2; i++) {
		reply = rig_reply(fds[i]);
		rig_result(reply, 1);
		json_decref(reply);
		close(fds[i]);
	}
}
END_TEST

/* One that asks all the time may stay for as long as it likes. */
START_TEST(busy_client_is_kept)
{
	int silent = rig_connect(), busy = rig_connect();
	struct pollfd closed = {.fd = silent, .events = POLLIN};
	json_t *reply;

	do {
		reply = rig_ask(busy, "{\"id\":1,\"command\":\"version\"}");
		rig_result(reply, 1);
		json_decref(reply);
	} while (poll(&closed, 1, 0) == 0);
	reply = rig_ask(busy, "{\"id\":2,\"command\":\"version\"}");
	rig_result(reply, 2);
	json_decref(reply);
	close(busy);
	expect_closed(silent);
}
END_TEST

/* --- the thread's own life ------------------------------------------------ */

static void *stop_rig(void *unused)
{
	rig_stop();
	return unused;
}

/*
 * A stop while one compaction runs, one waits and one client is idle: the
 * first comes to its end, the second never begins.
 */
START_TEST(stop_waits_for_the_command_under_way)
{
	static const char compact[] = "{\"id\":1,\"command\":\"compact\"}\n";
	int running, waiting, idle;
	pthread_t stopper;
	char byte;

	rig_start();
	running = rig_connect();
	waiting = rig_connect();
	idle = rig_connect();
	rig_hold_compact();
	rig_send(running, compact, strlen(compact));
	rig_await_compact(1);
	rig_send(waiting, compact, strlen(compact));
	rig_send(idle, "{\"id\"", 5);
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop_rig, NULL), 0);
	/* The end of the stream, or a reset if the request was not read yet. */
	ck_assert_int_le(recv(idle, &byte, 1, 0), 0);
	ck_assert_int_le(recv(waiting, &byte, 1, 0), 0);
	ck_assert_uint_eq(rig_store()->nr_compacts, 0);
	rig_release_compact();
	ck_assert_int_eq(pthread_join(stopper, NULL), 0);
	ck_assert_uint_eq(rig_store()->nr_compacts, 1);
	close(running);
	close(waiting);
	close(idle);
}
END_TEST

/* A regular file cannot be waited for. */
START_TEST(start_closes_the_sockets_if_it_fails)
{
	struct export_table exports = {.nr = 0};
	struct control_params params = {.exports = &exports,
					.nr_listen_fds = 1};
	struct control *control = NULL;

	params.listen_fds[0] = open("/proc/self/exe", O_RDONLY);
	ck_assert_int_ge(params.listen_fds[0], 0);
	ck_assert_int_lt(control_start(&params, &control), 0);
	ck_assert_ptr_null(control);
	ck_assert_int_eq(fcntl(params.listen_fds[0], F_GETFD), -1);
	control_stop(NULL);
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
	tcase_add_test(tcase, empty_store_has_no_ratio);
	tcase_add_test(tcase, classes_in_use_are_listed);
	tcase_add_test(tcase, compact_tells_what_it_did);
	tcase_add_test(tcase, the_peak_is_restarted);
	tcase_add_loop_test(tcase, verify_tells_what_it_found, 0, 2);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("exports");
	tcase_add_checked_fixture(tcase, rig_start_two, rig_stop);
	tcase_add_test(tcase, each_export_is_told_of);
	tcase_add_loop_test(tcase, one_export_must_be_named, 0,
			    ARRAY_SIZE(of_one_export));
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("clients");
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
	tcase_add_test(tcase, clients_beyond_the_bound_are_told);
	tcase_add_test(tcase, slot_of_a_client_that_left_is_free);
	tcase_add_test(tcase, slot_of_a_client_that_left_is_clean);
	tcase_add_test(tcase, client_that_does_not_read_delays_nobody);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("patience");
	tcase_add_checked_fixture(tcase, rig_start_impatient, rig_stop);
	tcase_set_timeout(tcase, 2 * RIG_PATIENCE_S);
	tcase_add_test(tcase, silent_client_is_closed);
	tcase_add_test(tcase, half_a_line_buys_no_time);
	tcase_add_test(tcase, reply_that_is_not_taken_is_given_up);
	tcase_add_test(tcase, long_command_is_waited_for);
	tcase_add_test(tcase, busy_client_is_kept);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("life");
	tcase_set_timeout(tcase, 2 * RIG_PATIENCE_S);
	tcase_add_test(tcase, start_closes_the_sockets_if_it_fails);
	tcase_add_test(tcase, stop_waits_for_the_command_under_way);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(control_suite());
}

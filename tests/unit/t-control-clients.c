/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of the control thread: no one of them, hostile, slow or gone, keeps
 * another from its answer, or the thread from its end.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "control_rig.h"
#include "suite.h"

/* Most control clients, by docs/control-protocol.md. */
#define MAX_CLIENTS 16

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
static Suite *control_clients_suite(void)
{
	Suite *suite = suite_create("control-clients");
	TCase *tcase = tcase_create("bound");

	tcase_add_checked_fixture(tcase, rig_start, rig_stop);
	tcase_set_timeout(tcase, 2 * RIG_PATIENCE_S);
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
	return suite_run(control_clients_suite());
}

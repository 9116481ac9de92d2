/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "serve/busy_poll.h"
#include "suite.h"
#include "worker_rig.h"

/* Tests that follow are of a worker that polls. */
static void setup_polling(void)
{
	poll_us = BUSY_POLL_MAX_US;
}

static uint64_t nr_handshake_failures(void)
{
	struct ctl_connections connections;
	struct ctl_polling polling;

	wait_for_no_conns();
	serve_count(serve, &connections, &polling);
	ck_assert_uint_eq(connections.open, 0);
	return connections.handshake_failures;
}

/* --- served -------------------------------------------------------------- */

START_TEST(a_client_is_served)
{
	static unsigned char data[10000];
	struct ctl_requests requests;
	int fd = connect_served();

	memset(data, 'd', sizeof(data));
	send_request(fd, CMD_WRITE, 1, 5000, sizeof(data));
	send_all(fd, data, sizeof(data));
	receive_reply(fd, 1, 0);
	ck_assert_mem_eq(flat.bytes + 5000, data, sizeof(data));
	send_request(fd, CMD_READ, 2, 4096, 20000);
	receive_reply(fd, 2, 0);
	receive_data(fd, 4096, 20000);
	export_sum(exports.all[0], &requests);
	ck_assert_uint_eq(requests.write, 1);
	ck_assert_uint_eq(requests.write_bytes, sizeof(data));
	ck_assert_uint_eq(serve_nr_conns(serve), 1);
	ck_assert_uint_eq(exports.all[0]->nr_clients, 1);
	send_request(fd, CMD_DISC, 3, 0, 0);
	receive_end(fd);
	ck_assert_uint_eq(nr_handshake_failures(), 0);
}
END_TEST

START_TEST(all_may_be_sent_at_once_and_the_end_too)
{
	unsigned char bytes[HANDSHAKE_BYTES + 2 * NBDC_REQUEST_BYTES];
	int fd = connect_client();

	put_handshake(bytes);
	put_request(bytes + HANDSHAKE_BYTES, CMD_READ, 1, 0, 4096);
	put_request(bytes + HANDSHAKE_BYTES + NBDC_REQUEST_BYTES, CMD_FLUSH, 2,
		    0, 0);
	send_all(fd, bytes, sizeof(bytes));
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	receive_welcome(fd);
	receive_reply(fd, 1, 0);
	receive_data(fd, 0, 4096);
	receive_reply(fd, 2, 0);
	receive_end(fd);
}
END_TEST

START_TEST(a_request_without_magic_closes_after_the_answers)
{
	static const unsigned char bytes[NBDC_REQUEST_BYTES];
	int fd = connect_served();

	send_request(fd, CMD_FLUSH, 1, 0, 0);
	send_all(fd, bytes, sizeof(bytes));
	receive_reply(fd, 1, 0);
	receive_end(fd);
}
END_TEST

/* A reset would come by itself, and soon. */
#define RESET_MS 300

/* By a goodbye, and by what is no request. */
static const uint32_t last_magics[] = {NBDC_REQUEST_MAGIC, 0};

START_TEST(what_comes_after_the_end_costs_no_answer)
{
	static const unsigned char more[1 << 20];
	unsigned char last[NBDC_REQUEST_BYTES];
	int fd = connect_tcp_client();
	struct pollfd reset = {.fd = fd};

	shake_hands(fd);
	send_request(fd, CMD_READ, 1, 0, 256 << 10);
	put_request(last, CMD_DISC, 2, 0, 0);
	store_be32(last, last_magics[_i]);
	send_all(fd, last, sizeof(last));
	send_all(fd, more, sizeof(more));
	ck_assert_int_eq(poll(&reset, 1, RESET_MS), 0);
	receive_reply(fd, 1, 0);
	receive_data(fd, 0, 256 << 10);
	receive_end(fd);
}
END_TEST

/* One that never closes is not waited for. */
START_TEST(who_stays_after_the_end_is_closed)
{
	struct pollfd closed = {.fd = connect_tcp_client()};

	shake_hands(closed.fd);
	send_request(closed.fd, CMD_DISC, 1, 0, 0);
	/* Now and then a byte, until the server's socket is gone. */
	while (send(closed.fd, "", 1, MSG_NOSIGNAL) == 1)
		poll(&closed, 1, RESET_MS);
	close(closed.fd);
}
END_TEST

/* --- handshakes that fail ------------------------------------------------ */

START_TEST(a_handshake_has_a_deadline)
{
	unsigned char bytes[HANDSHAKE_BYTES];
	unsigned char greeting[NBDC_GREETING_BYTES];
	int fd;

	stop_worker();
	start_worker(1);
	fd = connect_client();
	put_handshake(bytes);
	send_all(fd, bytes, (size_t)_i);
	receive_all(fd, greeting, sizeof(greeting));
	receive_end(fd);
	ck_assert_uint_eq(nr_handshake_failures(), 1);
}
END_TEST

START_TEST(a_client_that_was_served_has_none)
{
	struct timespec longer = {.tv_sec = 1, .tv_nsec = 200000000};
	int fd;

	stop_worker();
	start_worker(1);
	fd = connect_served();
	nanosleep(&longer, NULL); /* what must not happen is given its time */
	send_request(fd, CMD_FLUSH, 1, 0, 0);
	receive_reply(fd, 1, 0);
	close(fd);
}
END_TEST

START_TEST(a_client_that_goes_away_early_is_counted)
{
	close(connect_client());
	ck_assert_uint_eq(nr_handshake_failures(), 1);
}
END_TEST

START_TEST(a_client_that_aborts_is_no_failure)
{
	unsigned char bytes[4 + NBDC_OPTION_BYTES];
	unsigned char reply[NBDC_GREETING_BYTES + NBDC_REP_BYTES];
	struct nbdc_bytes b = {.data = bytes, .room = sizeof(bytes)};
	int fd = connect_client();

	nbdc_put(&b, 4, NBDC_FIXED_NEWSTYLE);
	nbdc_put_option(&b, OPT_ABORT, NULL, 0);
	send_all(fd, bytes, sizeof(bytes));
	receive_all(fd, reply, sizeof(reply));
	receive_end(fd);
	ck_assert_uint_eq(nr_handshake_failures(), 0);
}
END_TEST

/* More answers than the send buffer holds, to a client that reads late. */
START_TEST(a_handshake_waits_for_its_reader)
{
	static const uint16_t infos[3000];
	static unsigned char said[512 << 10];
	const unsigned nr = 60;
	struct nbdc_bytes b = {.data = said, .room = sizeof(said)};
	unsigned char reply[NBDC_GREETING_BYTES + NBDC_REP_BYTES];
	int fd = connect_client();

	nbdc_put(&b, 4, NBDC_MODERN);
	for (unsigned i = 0; i < nr; i++)
		nbdc_put_info(&b, OPT_INFO, "", infos, ARRAY_SIZE(infos));
	nbdc_put_option(&b, OPT_ABORT, NULL, 0);
	send_all(fd, said, b.bytes);
	receive_all(fd, reply, NBDC_GREETING_BYTES);
	for (unsigned i = 0; i < nr; i++) {
		unsigned char info[GO_REPLY_BYTES];

		receive_all(fd, info, sizeof(info));
	}
	receive_all(fd, reply, NBDC_REP_BYTES);
	receive_end(fd);
}
END_TEST

START_TEST(noise_does_no_harm)
{
	unsigned char bytes[HANDSHAKE_BYTES + 2000];
	unsigned seed = 1;

	for (unsigned round = 0; round < 300; round++) {
		int fd;

		WAIT_UNTIL(serve_nr_conns(serve) < MAX_CONNECTIONS);
		fd = connect_client();

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)rand_r(&seed);
		put_handshake(bytes);
		if (round % 2)
			bytes[(unsigned)rand_r(&seed) % HANDSHAKE_BYTES] ^= 4;
		if (round % 3)
			put_request(bytes + HANDSHAKE_BYTES,
				    (uint16_t)(rand_r(&seed) % 9),
				    (uint64_t)rand_r(&seed), round * 512u,
				    (uint32_t)rand_r(&seed) >> round % 32);
		/* The server may have closed: nothing need be received. */
		(void)!send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		close(fd);
	}
	wait_for_no_conns();
}
END_TEST

/* --- side by side -------------------------------------------------------- */

START_TEST(a_slow_reader_stalls_nobody_else)
{
	const unsigned nr = 64, length = 1u << 20;
	int slow = connect_served(), quick = connect_served();

	memset(flat.bytes, 's', FLAT_STORE_BYTES);
	for (unsigned i = 0; i < nr; i++)
		send_request(slow, CMD_READ, i, i * 512u, length);
	for (unsigned i = 0; i < 100; i++) {
		send_request(quick, CMD_READ, i, 0, 4096);
		receive_reply(quick, i, 0);
		receive_data(quick, 0, 4096);
	}
	for (unsigned i = 0; i < nr; i++) {
		receive_reply(slow, i, 0);
		receive_data(slow, i * 512u, length);
	}
	close(slow);
	close(quick);
}
END_TEST

/* One that asks, and goes away without reading, is let go of. */
START_TEST(a_reader_that_goes_away_is_let_go_of)
{
	int fd = connect_served();

	for (unsigned i = 0; i < 64; i++)
		send_request(fd, CMD_READ, i, 0, 1u << 20);
	close(fd);
	wait_for_no_conns();
}
END_TEST

START_TEST(a_long_trim_lets_others_through)
{
	int slow = connect_served(), quick = connect_served();

	flat_store_hold();
	send_request(slow, CMD_TRIM, 1, 0, UINT32_MAX - 4095);
	flat_store_wait_held();
	send_request(quick, CMD_READ, 2, 0, 4096);
	flat_store_release();
	receive_reply(quick, 2, 0);
	receive_data(quick, 0, 4096);
	receive_reply(slow, 1, 0);
	/* It came in the midst of more than four thousand slices. */
	ck_assert_uint_lt(flat.nr_calls_at_read, flat.nr_calls / 2);
	ck_assert_uint_gt(flat.nr_calls, 4000);
	close(slow);
	close(quick);
}
END_TEST

/* --- drain --------------------------------------------------------------- */

START_TEST(drain_serves_who_is_attached_until_they_leave)
{
	unsigned char greeting[NBDC_GREETING_BYTES];
	int fd = connect_served(), early = connect_client();

	receive_all(early, greeting, sizeof(greeting));
	serve_drain(serve);
	receive_end(early);
	for (unsigned i = 0; i < 1000; i++) {
		send_request(fd, CMD_READ, i, i * 4096u, 4096);
		receive_reply(fd, i, 0);
		receive_data(fd, i * 4096u, 4096);
	}
	ck_assert_uint_eq(serve_nr_conns(serve), 1);
	ck_assert_uint_eq(atomic_load(&nr_left), 1);
	send_request(fd, CMD_DISC, 0, 0, 0);
	receive_end(fd);
	wait_for_no_conns();
	stop_worker();
	ck_assert_uint_eq(atomic_load(&nr_left), 2);
}
END_TEST

START_TEST(drain_turns_away_who_comes_after_it)
{
	int fds[2];

	serve_drain(serve);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(serve_give(serve, fds[1], 0, true), -ESHUTDOWN);
	ck_assert_uint_eq(serve_nr_conns(serve), 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* It came before, but has no disk yet. */
START_TEST(drain_turns_away_who_is_shaking_hands)
{
	unsigned char greeting[NBDC_GREETING_BYTES];
	int fd = connect_client();

	receive_all(fd, greeting, sizeof(greeting));
	serve_drain(serve);
	receive_end(fd);
	wait_for_no_conns();
}
END_TEST

START_TEST(stop_ends_a_drain)
{
	int fd = connect_served();

	serve_drain(serve);
	send_request(fd, CMD_FLUSH, 1, 0, 0);
	receive_reply(fd, 1, 0);
	stop_worker();
	receive_end(fd);
}
END_TEST

/* --- stop ---------------------------------------------------------------- */

START_TEST(stop_answers_what_was_sent)
{
	static unsigned char bytes[1000 * NBDC_REQUEST_BYTES];
	const unsigned nr = 1000;
	int fd = connect_served();

	flat_store_hold();
	for (unsigned i = 0; i < nr; i++)
		put_request(bytes + (size_t)i * NBDC_REQUEST_BYTES, CMD_READ, i,
			    i * 4096u, 4096);
	send_all(fd, bytes, NBDC_REQUEST_BYTES);
	flat_store_wait_held();
	serve_stop(serve); /* which it sees after the release */
	send_all(fd, bytes + NBDC_REQUEST_BYTES,
		 sizeof(bytes) - NBDC_REQUEST_BYTES);
	flat_store_release();
	for (unsigned i = 0; i < nr; i++) {
		receive_reply(fd, i, 0);
		receive_data(fd, i * 4096u, 4096);
	}
	receive_end(fd);
	end_worker();
}
END_TEST

/* It waits for the second half of a write, but for nothing after it. */
START_TEST(stop_lets_a_write_finish)
{
	static const unsigned char data[1u << 20];
	int fd = connect_served();

	memset(flat.bytes, 'x', sizeof(data));
	flat_store_hold();
	send_request(fd, CMD_WRITE, 1, 0, sizeof(data));
	send_all(fd, data, 8192);
	flat_store_wait_held();
	serve_stop(serve);
	flat_store_release();
	send_all(fd, data + 8192, sizeof(data) - 8192);
	receive_reply(fd, 1, 0);
	receive_end(fd);
	end_worker();
	ck_assert(memcmp(flat.bytes, data, sizeof(data)) == 0);
}
END_TEST

START_TEST(stop_closes_who_is_idle_or_shaking_hands)
{
	unsigned char greeting[NBDC_GREETING_BYTES];
	int idle = connect_served(), early = connect_client();

	receive_all(early, greeting, sizeof(greeting));
	stop_worker();
	receive_end(idle);
	receive_end(early);
}
END_TEST

/* --- polling ------------------------------------------------------------- */

static struct ctl_polling polled(void)
{
	struct ctl_connections connections;
	struct ctl_polling polling;

	serve_count(serve, &connections, &polling);
	return polling;
}

/* Several requests, each at once after the answer to the last one. */
static void ask_at_once(int fd)
{
	for (unsigned i = 0; i < 4; i++) {
		send_request(fd, CMD_FLUSH, i, 0, 0);
		receive_reply(fd, i, 0);
	}
}

/* On a busy machine what comes at once may come late, and a worker that has
 * polled for long sleeps: it is tried until it is seen. */
START_TEST(polling_finds_requests_that_come_at_once)
{
	const time_t end = time(NULL) + DEADLINE_S;
	struct pollfd silence = {.fd = connect_served(), .events = POLLIN};

	while (polled().hits == 0) {
		ck_assert_int_lt(time(NULL), end);
		ask_at_once(silence.fd);
	}
	while (polled().misses == 0) {
		ck_assert_int_lt(time(NULL), end);
		ask_at_once(silence.fd);
		poll(&silence, 1, 2 * BUSY_POLL_MAX_US / 1000);
	}
	ck_assert_uint_ge(polled().spun_us, BUSY_POLL_MAX_US);
	close(silence.fd);
}
END_TEST

/* --- being kept ----------------------------------------------------------- */

static void setup_keeping(void)
{
	keeps = true;
}

static unsigned nr_kept(void)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < stream_area_nr_slots(kept_area); i++)
		nr += stream_area_is_kept(kept_area, i);
	return nr;
}

START_TEST(clients_are_kept_from_handshake_to_end)
{
	int greeted = connect_client(), served = connect_served();
	int leaving = connect_tcp_client();

	shake_hands(leaving);
	send_request(served, CMD_FLUSH, 1, 0, 0);
	receive_reply(served, 1, 0);
	ck_assert_uint_eq(nr_kept(), 2);
	/* It lingers, but there is nothing to be said to it any more. */
	send_request(leaving, CMD_DISC, 2, 0, 0);
	receive_end(leaving);
	WAIT_UNTIL(nr_kept() == 1);
	close(served);
	WAIT_UNTIL(nr_kept() == 0);
	close(greeted);
	wait_for_no_conns();
}
END_TEST

/* Another process's view of the same area. */
static int adopt(const struct serve_params *params, struct conn_pool *other)
{
	struct conn *conn;

	return conn_adopt(other, 0, -1, 1, params, true, &conn);
}

START_TEST(what_cannot_be_is_not_adopted)
{
	const struct stream_area_params sizes = {
		.nr_slots = stream_area_nr_slots(kept_area),
		.rx_bytes = CONN_RX_BYTES,
		.tx_bytes = CONN_TX_BYTES,
	};
	static struct export_table none;
	struct serve_params params = {.exports = &exports};
	struct stream_area *area;
	struct conn_pool other;
	struct stream *stream;
	struct io_ring rx, tx;
	int fd = connect_client();

	ck_assert_int_eq(stream_area_open(dup(stream_area_fd(kept_area)),
					  &sizes, &area),
			 0);
	ck_assert_int_eq(conn_pool_init(&other, 0, false, false, area), 0);
	ck_assert_int_eq(adopt(&params, &other), -ENOENT);
	shake_hands(fd);
	send_request(fd, CMD_FLUSH, 1, 0, 0);
	receive_reply(fd, 1, 0);
	params.exports = &none;
	ck_assert_int_eq(adopt(&params, &other), -ENXIO);

	params.exports = &exports;
	ck_assert_int_eq(stream_area_map(area, 0, &stream, &rx, &tx), 0);
	stream->session.disk_bytes++;
	ck_assert_int_eq(adopt(&params, &other), -ENXIO);
	stream->session.disk_bytes--;
	memset(stream->session.export_name, 'x',
	       sizeof(stream->session.export_name));
	ck_assert_int_eq(adopt(&params, &other), -EUCLEAN);
	memset(stream->session.export_name, 0,
	       sizeof(stream->session.export_name));
	memset(stream->commits[stream->current].state, 0xff,
	       STREAM_STATE_BYTES);
	ck_assert_int_eq(adopt(&params, &other), -EUCLEAN);
	stream->commits[stream->current].tx_head++;
	ck_assert_int_eq(adopt(&params, &other), -EUCLEAN);

	stream_area_unmap(stream, &rx, &tx);
	conn_pool_fini(&other);
	stream_area_destroy(area);
	close(fd);
	wait_for_no_conns();
}
END_TEST

/* Nobody says so: they give their slots back in time. */
START_TEST(slots_are_used_again)
{
	for (unsigned i = 0; i < 200; i++) {
		int fd = connect_served();

		send_request(fd, CMD_WRITE_ZEROES, i, 0, 4096);
		receive_reply(fd, i, 0);
		close(fd);
		wait_for_no_conns();
	}
}
END_TEST

/* @mode: what comes before setup(), or NULL */
static TCase *make_tcase(const char *name, SFun mode)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 2 * DEADLINE_S);
	if (mode)
		tcase_add_checked_fixture(tc, mode, NULL);
	tcase_add_checked_fixture(tc, worker_setup, worker_teardown);
	tcase_add_test(tc, a_client_is_served);
	tcase_add_test(tc, all_may_be_sent_at_once_and_the_end_too);
	tcase_add_test(tc, a_request_without_magic_closes_after_the_answers);
	tcase_add_loop_test(tc, what_comes_after_the_end_costs_no_answer, 0,
			    ARRAY_SIZE(last_magics));
	tcase_add_test(tc, who_stays_after_the_end_is_closed);
	tcase_add_loop_test(tc, a_handshake_has_a_deadline, 0, 2);
	tcase_add_test(tc, a_client_that_was_served_has_none);
	tcase_add_test(tc, a_client_that_goes_away_early_is_counted);
	tcase_add_test(tc, a_client_that_aborts_is_no_failure);
	tcase_add_test(tc, a_handshake_waits_for_its_reader);
	tcase_add_test(tc, noise_does_no_harm);
	tcase_add_test(tc, a_slow_reader_stalls_nobody_else);
	tcase_add_test(tc, a_reader_that_goes_away_is_let_go_of);
	tcase_add_test(tc, a_long_trim_lets_others_through);
	tcase_add_test(tc, drain_serves_who_is_attached_until_they_leave);
	tcase_add_test(tc, drain_turns_away_who_comes_after_it);
	tcase_add_test(tc, drain_turns_away_who_is_shaking_hands);
	tcase_add_test(tc, stop_ends_a_drain);
	tcase_add_test(tc, stop_answers_what_was_sent);
	tcase_add_test(tc, stop_lets_a_write_finish);
	tcase_add_test(tc, stop_closes_who_is_idle_or_shaking_hands);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("serve-worker");
	TCase *polling = make_tcase("polling", setup_polling);

	TCase *keeping = make_tcase("keeping", setup_keeping);

	tcase_add_test(polling, polling_finds_requests_that_come_at_once);
	tcase_add_test(keeping, clients_are_kept_from_handshake_to_end);
	tcase_add_test(keeping, slots_are_used_again);
	tcase_add_test(keeping, what_cannot_be_is_not_adopted);
	suite_add_tcase(suite, make_tcase("worker", NULL));
	suite_add_tcase(suite, polling);
	suite_add_tcase(suite, keeping);
	return suite_run(suite);
}

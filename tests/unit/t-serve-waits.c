/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait for something slower than memory: a store that answers
 * -EINPROGRESS, and another thread that says when it is there.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "serve/transmission/reqs.h"
#include "suite.h"
#include "worker_rig.h"

#define PAGE ZSD_PAGE_BYTES

/* --- what is slow --------------------------------------------------------- */

#define MAX_LATE 1024u

/* Pieces that were asked for and are not there yet, by their offsets. */
static struct {
	pthread_mutex_t lock;
	struct {
		uint64_t offset;
		bool is_there;
	} all[MAX_LATE];
	unsigned nr;
	uint64_t slow_end; /* below it all is slow */
	bool is_over; /* for the thread that brings them */
	unsigned seed;
} late = {.lock = PTHREAD_MUTEX_INITIALIZER};

static unsigned find_late(uint64_t offset)
{
	unsigned i = 0;

	while (i < late.nr && late.all[i].offset != offset)
		i++;
	return i;
}

static bool is_late(uint64_t offset)
{
	unsigned i = find_late(offset);
	bool waits = true;

	if (i == late.nr) {
		ck_assert_uint_lt(late.nr, MAX_LATE);
		late.all[late.nr].offset = offset;
		late.all[late.nr++].is_there = false;
	} else if (late.all[i].is_there) {
		late.all[i] = late.all[--late.nr];
		waits = false;
	}
	return waits;
}

static bool waits(uint64_t offset, uint64_t bytes)
{
	bool waits;

	(void)bytes;
	pthread_mutex_lock(&late.lock);
	waits = offset < late.slow_end && is_late(offset);
	pthread_mutex_unlock(&late.lock);
	return waits;
}

/* How many are not there yet. */
static unsigned nr_late(void)
{
	unsigned nr = 0;

	pthread_mutex_lock(&late.lock);
	for (unsigned i = 0; i < late.nr; i++)
		nr += !late.all[i].is_there;
	pthread_mutex_unlock(&late.lock);
	return nr;
}

/* What is asked for at @offset is there. */
static void bring(uint64_t offset)
{
	unsigned i;

	pthread_mutex_lock(&late.lock);
	i = find_late(offset);
	ck_assert_uint_lt(i, late.nr);
	late.all[i].is_there = true;
	pthread_mutex_unlock(&late.lock);
	serve_wake(serve);
}

/* Nothing is slow any more. */
static void bring_the_rest(void)
{
	pthread_mutex_lock(&late.lock);
	late.slow_end = 0;
	pthread_mutex_unlock(&late.lock);
	serve_wake(serve);
}

/* Brings what is asked for, in any order, until it is told to end. */
static void *bring_all(void *arg)
{
	const struct timespec moment = {.tv_nsec = 20000};
	bool is_over;

	(void)arg;
	do {
		pthread_mutex_lock(&late.lock);
		if (late.nr)
			late.all[(unsigned)rand_r(&late.seed) % late.nr]
				.is_there = true;
		is_over = late.is_over;
		pthread_mutex_unlock(&late.lock);
		serve_wake(serve);
		nanosleep(&moment, NULL);
	} while (!is_over);
	return NULL;
}

static pthread_t bringer;

static void start_bringing(void)
{
	late.is_over = false;
	ck_assert_int_eq(pthread_create(&bringer, NULL, bring_all, NULL), 0);
}

static void end_bringing(void)
{
	pthread_mutex_lock(&late.lock);
	late.is_over = true;
	pthread_mutex_unlock(&late.lock);
	pthread_join(bringer, NULL);
}

/* --- whether the worker sleeps -------------------------------------------- */

static atomic_uint nr_sleeps; /* even: it is awake */

int __real_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		      int timeout_ms);
int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		      int timeout_ms);

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		      int timeout_ms)
{
	int n;

	if (timeout_ms == 0)
		return __real_epoll_wait(epoll_fd, events, max, 0);
	atomic_fetch_add(&nr_sleeps, 1);
	n = __real_epoll_wait(epoll_fd, events, max, timeout_ms);
	atomic_fetch_add(&nr_sleeps, 1);
	return n;
}

/* For as long as between two looks. */
static bool is_asleep(void)
{
	static unsigned seen;
	unsigned before = seen;

	seen = atomic_load(&nr_sleeps);
	return seen % 2 && seen == before;
}

/* --- clients -------------------------------------------------------------- */

static unsigned char data[PAGE];

static void setup(void)
{
	worker_setup();
	memset(data, 'd', sizeof(data));
	memset(flat.bytes, 'f', MIB);
	late.nr = 0;
	late.slow_end = PAGE; /* the first page is slow */
	late.seed = 1;
	flat.waits = waits;
}

static void send_read(int fd, uint64_t cookie, uint64_t offset)
{
	send_request(fd, CMD_READ, cookie, offset, PAGE);
}

static void send_write(int fd, uint64_t cookie, uint64_t offset)
{
	send_request(fd, CMD_WRITE, cookie, offset, PAGE);
	send_all(fd, data, PAGE);
}

static void receive_page(int fd, uint64_t cookie, uint64_t offset)
{
	receive_reply(fd, cookie, 0);
	receive_data(fd, offset, PAGE);
}

/* A client whose only request waits. */
static int connect_waiting(void)
{
	int fd = connect_served();

	send_read(fd, 1, 0);
	WAIT_UNTIL(nr_late() == 1);
	return fd;
}

/* --- order ---------------------------------------------------------------- */

START_TEST(one_that_waits_holds_up_nobody)
{
	int fd = connect_served();

	send_read(fd, 1, 0);
	send_read(fd, 2, PAGE);
	receive_page(fd, 2, PAGE);
	send_write(fd, 3, 2 * PAGE);
	receive_reply(fd, 3, 0);
	send_request(fd, CMD_TRIM, 4, PAGE, PAGE);
	receive_reply(fd, 4, 0);
	send_request(fd, CMD_FLUSH, 5, 0, 0);
	receive_reply(fd, 5, 0); /* no change came before it */
	bring(0);
	receive_page(fd, 1, 0);
	close(fd);
}
END_TEST

START_TEST(what_overlaps_stays_behind_it)
{
	int fd = connect_served();

	send_write(fd, 1, 0);
	send_read(fd, 2, 0);
	send_request(fd, CMD_TRIM, 3, 0, 2 * PAGE);
	send_request(fd, CMD_FLUSH, 4, 0, 0);
	send_read(fd, 5, PAGE); /* behind the trim */
	send_write(fd, 6, 2 * PAGE);
	receive_reply(fd, 6, 0);
	ck_assert_uint_eq(nr_late(), 1);
	ck_assert_uint_eq(flat.bytes[0], 'f');
	bring(0);
	WAIT_UNTIL(nr_late() == 1); /* the write is done, the read waits */
	ck_assert_uint_eq(flat.bytes[0], 'd');
	bring(0);
	receive_reply(fd, 1, 0);
	receive_reply(fd, 2, 0);
	receive_all(fd, data, PAGE);
	ck_assert_uint_eq(data[0], 'd');
	receive_reply(fd, 3, 0);
	receive_page(fd, 5, PAGE);
	receive_reply(fd, 4, 0);
	close(fd);
}
END_TEST

/* Nobody else's reply can come into the middle of it. */
START_TEST(a_reply_that_has_begun_is_waited_for)
{
	const uint32_t length = 3 * TRANSMISSION_PIECE_BYTES;
	int fd = connect_served();

	late.slow_end = TRANSMISSION_PIECE_BYTES + 1;
	send_request(fd, CMD_READ, 1, 0, length);
	WAIT_UNTIL(nr_late() == 1);
	bring(0);
	WAIT_UNTIL(nr_late() == 1);
	send_read(fd, 2, 2 * MIB);
	bring(TRANSMISSION_PIECE_BYTES);
	receive_reply(fd, 1, 0);
	receive_data(fd, 0, length);
	receive_page(fd, 2, 2 * MIB);
	close(fd);
}
END_TEST

START_TEST(one_may_wait_again_and_again)
{
	int fd = connect_waiting();

	for (unsigned i = 0; i < 100; i++)
		serve_wake(serve); /* for nothing */
	send_read(fd, 2, PAGE);
	receive_page(fd, 2, PAGE);
	bring(0);
	receive_page(fd, 1, 0);
	close(fd);
}
END_TEST

/* --- the end -------------------------------------------------------------- */

START_TEST(a_client_may_go_away_meanwhile)
{
	for (unsigned i = 0; i < 100; i++) {
		int fd = connect_waiting();

		if (i % 2)
			serve_wake(serve);
		close(fd);
		serve_wake(serve);
		bring(0);
		wait_for_no_conns();
		ck_assert_uint_eq(late.nr, 0); /* it asked, and was answered */
	}
}
END_TEST

static void break_off(int fd)
{
	const struct linger now = {.l_onoff = 1};

	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(fd);
}

static int connect_tcp_waiting(void)
{
	int fd = connect_tcp_client();

	shake_hands(fd);
	send_read(fd, 1, 0);
	WAIT_UNTIL(nr_late() == 1);
	return fd;
}

/* It is reset: there is nothing to be waited for. */
START_TEST(a_client_may_break_off_meanwhile)
{
	break_off(connect_tcp_waiting());
	wait_for_no_conns();
	bring(0);
	close(connect_served());
}
END_TEST

/* The worker hears of both in the same turn. */
START_TEST(a_client_may_break_off_as_it_comes)
{
	int fd = connect_tcp_waiting(), other = connect_served();

	flat_store_hold();
	send_read(other, 1, PAGE);
	flat_store_wait_held();
	break_off(fd);
	bring(0);
	flat_store_release();
	receive_page(other, 1, PAGE);
	close(other);
	wait_for_no_conns();
}
END_TEST

START_TEST(a_client_that_sends_no_more_is_answered)
{
	int fd = connect_waiting();

	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	WAIT_UNTIL(is_asleep());
	bring(0);
	receive_page(fd, 1, 0);
	receive_end(fd);
}
END_TEST

START_TEST(a_goodbye_waits_for_the_answer)
{
	int fd = connect_waiting();

	send_request(fd, CMD_DISC, 2, 0, 0);
	send_read(fd, 3, PAGE); /* is not looked at */
	WAIT_UNTIL(is_asleep());
	bring(0);
	receive_page(fd, 1, 0);
	receive_end(fd);
}
END_TEST

START_TEST(a_drain_waits_for_it)
{
	int fd = connect_waiting();

	serve_drain(serve);
	send_read(fd, 2, PAGE);
	receive_page(fd, 2, PAGE);
	ck_assert_uint_eq(serve_nr_conns(serve), 1);
	bring(0);
	receive_page(fd, 1, 0);
	send_request(fd, CMD_DISC, 3, 0, 0);
	receive_end(fd);
	wait_for_no_conns();
}
END_TEST

START_TEST(a_stop_waits_for_it)
{
	int fd = connect_waiting();

	send_write(fd, 2, PAGE);
	receive_reply(fd, 2, 0);
	serve_stop(serve);
	WAIT_UNTIL(is_asleep());
	bring(0);
	receive_page(fd, 1, 0);
	receive_end(fd);
	end_worker();
}
END_TEST

/* There is no place yet for the write that its client has begun to send. */
START_TEST(a_stop_lets_the_last_write_finish)
{
	int fd = connect_served();

	late.slow_end = REQS_MAX * PAGE;
	for (unsigned i = 0; i < REQS_MAX; i++)
		send_read(fd, i, i * PAGE);
	send_request(fd, CMD_WRITE, REQS_MAX, REQS_MAX * PAGE, PAGE);
	send_all(fd, data, PAGE / 2);
	WAIT_UNTIL(nr_late() == REQS_MAX && is_asleep());
	serve_stop(serve);
	WAIT_UNTIL(is_asleep());
	bring_the_rest();
	for (unsigned i = 0; i < REQS_MAX; i++)
		receive_page(fd, i, i * PAGE);
	send_all(fd, data + PAGE / 2, PAGE / 2);
	receive_reply(fd, REQS_MAX, 0);
	receive_end(fd);
	end_worker();
}
END_TEST

/* --- many ----------------------------------------------------------------- */

/* Send what is left of @from, as much as the socket takes. Return: whether
 * nothing more went for a while. */
static bool is_stuffed(int fd, const unsigned char *from, size_t bytes,
		       size_t *sent)
{
	ssize_t n = send(fd, from + *sent, bytes - *sent, MSG_DONTWAIT);

	if (n > 0)
		*sent += (size_t)n;
	return n < 0;
}

/*
 * As many as there are places for, and behind them more than the receive ring
 * holds. The worker has nothing to do then, and does nothing.
 */
START_TEST(when_all_wait_the_worker_sleeps)
{
	static unsigned char bytes[3 * CONN_RX_BYTES];
	const unsigned nr = sizeof(bytes) / NBDC_REQUEST_BYTES;
	int fd = connect_served();
	size_t sent = 0;

	late.slow_end = UINT64_MAX;
	for (unsigned i = 0; i < nr; i++)
		put_request(bytes + (size_t)i * NBDC_REQUEST_BYTES, CMD_READ, i,
			    (uint64_t)i * PAGE, PAGE);
	WAIT_UNTIL(is_stuffed(fd, bytes, sizeof(bytes), &sent) &&
		   sent > CONN_RX_BYTES && is_asleep());
	ck_assert_uint_eq(nr_late(), REQS_MAX);
	bring_the_rest();
	close(fd);
	wait_for_no_conns();
}
END_TEST

#define NR_CLIENTS 4u
#define NR_ROUNDS  200u
#define NR_PAGES   64u /* of each client's part of the disk */

/* Requests on a part of the disk that is the client's: an overlapping pair is
 * answered in order, so the last version is what is read in the end. */
static void *run_client(void *arg)
{
	const uint64_t start = *(const unsigned *)arg * NR_PAGES * PAGE;
	unsigned char page[PAGE], expected[PAGE];
	unsigned seed = *(const unsigned *)arg;
	int fd = connect_served();

	for (unsigned i = 0; i < NR_ROUNDS; i++) {
		uint64_t at =
			start +
			(uint64_t)((unsigned)rand_r(&seed) % NR_PAGES) * PAGE;

		memset(expected, (int)(i % 251), sizeof(expected));
		send_request(fd, CMD_WRITE, 3 * i, at, PAGE);
		send_all(fd, expected, PAGE);
		send_read(fd, 3 * i + 1, at);
		receive_reply(fd, 3 * i, 0);
		receive_reply(fd, 3 * i + 1, 0);
		receive_all(fd, page, PAGE);
		ck_assert(memcmp(page, expected, PAGE) == 0);
	}
	close(fd);
	return NULL;
}

START_TEST(many_wait_and_each_gets_its_own)
{
	unsigned numbers[NR_CLIENTS];
	pthread_t clients[NR_CLIENTS];

	late.slow_end = UINT64_MAX;
	start_bringing();
	for (unsigned i = 0; i < NR_CLIENTS; i++) {
		numbers[i] = i;
		ck_assert_int_eq(pthread_create(&clients[i], NULL, run_client,
						&numbers[i]),
				 0);
	}
	for (unsigned i = 0; i < NR_CLIENTS; i++)
		pthread_join(clients[i], NULL);
	end_bringing();
	wait_for_no_conns();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("serve-waits");
	TCase *tc = tcase_create("waits");

	tcase_set_timeout(tc, 2 * DEADLINE_S);
	tcase_add_checked_fixture(tc, setup, worker_teardown);
	tcase_add_test(tc, one_that_waits_holds_up_nobody);
	tcase_add_test(tc, what_overlaps_stays_behind_it);
	tcase_add_test(tc, a_reply_that_has_begun_is_waited_for);
	tcase_add_test(tc, one_may_wait_again_and_again);
	tcase_add_test(tc, a_client_may_go_away_meanwhile);
	tcase_add_test(tc, a_client_may_break_off_meanwhile);
	tcase_add_test(tc, a_client_may_break_off_as_it_comes);
	tcase_add_test(tc, a_client_that_sends_no_more_is_answered);
	tcase_add_test(tc, a_goodbye_waits_for_the_answer);
	tcase_add_test(tc, a_drain_waits_for_it);
	tcase_add_test(tc, a_stop_waits_for_it);
	tcase_add_test(tc, a_stop_lets_the_last_write_finish);
	tcase_add_test(tc, when_all_wait_the_worker_sleeps);
	tcase_add_test(tc, many_wait_and_each_gets_its_own);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

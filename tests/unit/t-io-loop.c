/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "io/loop.h"
#include "suite.h"

/* A socket that is looked at, its peer, and what was told of it. */
struct seen {
	struct io_watch watch;
	int peer;
	uint32_t events; /* all that were told since they were last looked at */
	unsigned nr_edges;
	struct seen *deletes; /* when it is told, or NULL */
};

static struct io_loop loop;
static uv_async_t wakeup; /* as a loop that may sleep has one */
static struct seen a, b;

/* --- calls that fail ------------------------------------------------------ */

/* The next so many calls fail so. */
static struct {
	int nr;
	int err;
} failing_wait, failing_ctl;

int __real_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		      int timeout_ms);
int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		      int timeout_ms);
int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max,
		      int timeout_ms)
{
	if (failing_wait.nr) {
		failing_wait.nr--;
		errno = failing_wait.err;
		return -1;
	}
	return __real_epoll_wait(epoll_fd, events, max, timeout_ms);
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	if (failing_ctl.nr) {
		failing_ctl.nr--;
		errno = failing_ctl.err;
		return -1;
	}
	return __real_epoll_ctl(epoll_fd, op, fd, event);
}

/* As of a libuv that says nothing of descriptors that are not added yet. */
static bool says_nothing;

int __real_uv_backend_timeout(const uv_loop_t *uv);
int __wrap_uv_backend_timeout(const uv_loop_t *uv);

int __wrap_uv_backend_timeout(const uv_loop_t *uv)
{
	return says_nothing ? -1 : __real_uv_backend_timeout(uv);
}

/* --- the loop ------------------------------------------------------------- */

static void on_ready(struct io_watch *watch, uint32_t events)
{
	struct seen *seen = container_of(watch, struct seen, watch);

	seen->events |= events;
	seen->nr_edges++;
	if (seen->deletes)
		io_watch_del(&loop, &seen->deletes->watch);
}

static void open_pair(struct seen *seen)
{
	int fds[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	memset(seen, 0, sizeof(*seen));
	seen->watch.ready = on_ready;
	seen->peer = fds[1];
	ck_assert_int_eq(io_watch_add(&loop, &seen->watch, fds[0]), 0);
}

static void close_pair(struct seen *seen)
{
	io_watch_del(&loop, &seen->watch);
	close(seen->watch.fd);
	close(seen->peer);
}

static void setup(void)
{
	memset(&failing_wait, 0, sizeof(failing_wait));
	memset(&failing_ctl, 0, sizeof(failing_ctl));
	ck_assert_int_eq(io_loop_init(&loop), 0);
	ck_assert_int_eq(uv_async_init(&loop.uv, &wakeup, NULL), 0);
	io_loop_turn(&loop, false);
	open_pair(&a);
	open_pair(&b);
}

static void teardown(void)
{
	close_pair(&a);
	close_pair(&b);
	uv_close((uv_handle_t *)&wakeup, NULL);
	io_loop_fini(&loop);
}

/* What is told of @seen in this turn. */
static uint32_t told(struct seen *seen)
{
	seen->events = 0;
	io_loop_turn(&loop, false);
	return seen->events;
}

/* --- edges ---------------------------------------------------------------- */

START_TEST(an_edge_is_told_once)
{
	ck_assert_uint_eq(told(&a), 0);
	ck_assert_int_eq(write(a.peer, "x", 1), 1);
	ck_assert_uint_eq(told(&a), EPOLLIN);
	ck_assert_uint_eq(told(&a), 0);
	ck_assert_int_eq(write(a.peer, "y", 1), 1);
	ck_assert_uint_eq(told(&a), EPOLLIN);
	ck_assert_uint_eq(b.nr_edges, 0);
}
END_TEST

START_TEST(that_the_peer_sends_no_more_is_told)
{
	ck_assert_int_eq(shutdown(a.peer, SHUT_WR), 0);
	ck_assert_uint_eq(told(&a), EPOLLIN | EPOLLRDHUP);
	close(a.peer);
	a.peer = -1;
	ck_assert_uint_eq(told(&a), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
}
END_TEST

static void fill(int fd)
{
	static const char bytes[65536];

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

static void drink(int fd)
{
	static char bytes[65536];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(room_is_told_on_demand)
{
	ck_assert_int_eq(io_watch_room(&loop, &a.watch, true), 0);
	ck_assert_uint_eq(told(&a), EPOLLOUT); /* there is some by now */
	fill(a.watch.fd);
	ck_assert_uint_eq(told(&a), 0);
	drink(a.peer);
	ck_assert_uint_eq(told(&a), EPOLLOUT);
	ck_assert_int_eq(io_watch_room(&loop, &a.watch, false), 0);
	fill(a.watch.fd);
	drink(a.peer);
	ck_assert_uint_eq(told(&a), 0);
}
END_TEST

/* Both are ready: whichever is told first deletes the other one. */
START_TEST(one_that_was_deleted_is_told_no_more)
{
	a.deletes = &b;
	b.deletes = &a;
	ck_assert_int_eq(write(a.peer, "x", 1), 1);
	ck_assert_int_eq(write(b.peer, "x", 1), 1);
	io_loop_turn(&loop, false);
	io_loop_turn(&loop, false);
	ck_assert_uint_eq(a.nr_edges + b.nr_edges, 1);
}
END_TEST

/* More than one look finds. */
START_TEST(of_many_all_are_told)
{
	static struct seen many[3 * IO_LOOP_EVENTS];

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		open_pair(&many[i]);
		ck_assert_int_eq(write(many[i].peer, "x", 1), 1);
	}
	for (unsigned i = 0; i < 4; i++)
		io_loop_turn(&loop, false);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		ck_assert_uint_eq(many[i].nr_edges, 1);
		close_pair(&many[i]);
	}
}
END_TEST

/* --- shortage ------------------------------------------------------------- */

static const int wait_errors[] = {EINTR, ENOMEM};

START_TEST(a_wait_that_fails_is_done_again)
{
	ck_assert_int_eq(write(a.peer, "x", 1), 1);
	failing_wait.nr = 3;
	failing_wait.err = wait_errors[_i];
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(told(&a), 0);
	ck_assert_uint_eq(told(&a), EPOLLIN);
}
END_TEST

START_TEST(what_cannot_be_watched_is_an_error)
{
	failing_ctl.nr = 2;
	failing_ctl.err = ENOMEM;
	ck_assert_int_eq(io_watch_add(&loop, &a.watch, a.watch.fd), -ENOMEM);
	ck_assert_int_eq(io_watch_room(&loop, &a.watch, true), -ENOMEM);
	ck_assert_int_eq(io_watch_room(&loop, &a.watch, true), 0);
	ck_assert_uint_eq(told(&a), EPOLLOUT);
}
END_TEST

/* --- timers --------------------------------------------------------------- */

/* For how long the loop has nothing to do, and then how long a timer takes that
 * is started by what ends it, ms. */
#define QUIET_MS 60u
#define TIMER_MS 50u

static uv_timer_t timer;
static uint64_t started_ns, ran_ns;

static void on_timer(uv_timer_t *t)
{
	(void)t;
	ran_ns = uv_hrtime();
}

static void start_timer(struct io_watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	started_ns = uv_hrtime();
	ck_assert_int_eq(uv_timer_start(&timer, on_timer, TIMER_MS, 0), 0);
}

static void *speak_late(void *arg)
{
	const struct timespec quiet = {.tv_nsec = QUIET_MS * 1000000l};

	(void)arg;
	nanosleep(&quiet, NULL);
	ck_assert_int_eq(write(a.peer, "x", 1), 1);
	return NULL;
}

/* However long the loop has slept before it was started. */
START_TEST(a_timer_takes_its_time)
{
	pthread_t speaker;

	a.watch.ready = start_timer;
	uv_timer_init(&loop.uv, &timer);
	ck_assert_int_eq(pthread_create(&speaker, NULL, speak_late, NULL), 0);
	while (!ran_ns)
		io_loop_turn(&loop, true);
	pthread_join(speaker, NULL);
	uv_close((uv_handle_t *)&timer, NULL);
	/* libuv's clock may be that of the kernel's ticks. */
	ck_assert_uint_ge(ran_ns - started_ns, (TIMER_MS - 10) * 1000000ull);
}
END_TEST

/* --- wake-ups ------------------------------------------------------------- */

static struct io_waker waker;
static unsigned nr_woken;

static void on_woken(struct io_waker *w)
{
	ck_assert_ptr_eq(w, &waker);
	nr_woken++;
}

static void on_last(struct io_waker *w)
{
	on_woken(w);
	io_waker_close(w);
}

static void *wake_late(void *arg)
{
	const struct timespec quiet = {.tv_nsec = QUIET_MS * 1000000l};

	(void)arg;
	nanosleep(&quiet, NULL);
	io_wake(&waker);
	return NULL;
}

/* A loop that has nothing else sleeps until then. */
START_TEST(a_loop_is_woken_by_another_thread)
{
	struct io_loop bare;
	pthread_t other;
	unsigned nr_turns = 0;

	ck_assert_int_eq(io_loop_init(&bare), 0);
	ck_assert_int_eq(io_waker_open(&bare, &waker, on_woken), 0);
	ck_assert_int_eq(pthread_create(&other, NULL, wake_late, NULL), 0);
	for (; !nr_woken; nr_turns++)
		io_loop_turn(&bare, true);
	pthread_join(other, NULL);
	ck_assert_uint_le(nr_turns, 3);
	io_waker_close(&waker);
	io_loop_fini(&bare);
}
END_TEST

START_TEST(wakes_that_come_together_are_one)
{
	ck_assert_int_eq(io_waker_open(&loop, &waker, on_woken), 0);
	for (unsigned i = 0; i < 100; i++)
		io_wake(&waker);
	io_loop_turn(&loop, false);
	io_loop_turn(&loop, false);
	ck_assert_uint_eq(nr_woken, 1);
	io_wake(&waker);
	io_loop_turn(&loop, false);
	ck_assert_uint_eq(nr_woken, 2);
	io_waker_close(&waker);
}
END_TEST

START_TEST(a_waker_may_be_closed_when_it_is_woken)
{
	ck_assert_int_eq(io_waker_open(&loop, &waker, on_last), 0);
	io_wake(&waker);
	io_loop_turn(&loop, false);
	io_loop_turn(&loop, false);
	ck_assert_uint_eq(nr_woken, 1);
}
END_TEST

START_TEST(a_waker_that_cannot_be_watched_is_an_error)
{
	failing_ctl.nr = 1;
	failing_ctl.err = ENOMEM;
	ck_assert_int_eq(io_waker_open(&loop, &waker, on_woken), -ENOMEM);
}
END_TEST

/* --- libuv's descriptors -------------------------------------------------- */

static bool is_woken;

static void on_wakeup(uv_async_t *async)
{
	(void)async;
	is_woken = true;
}

START_TEST(the_first_wakeup_is_heard)
{
	struct io_loop fresh;
	uv_async_t async;

	says_nothing = true;
	ck_assert_int_eq(io_loop_init(&fresh), 0);
	ck_assert_int_eq(uv_async_init(&fresh.uv, &async, on_wakeup), 0);
	io_loop_turn(&fresh, false);
	ck_assert_int_eq(uv_async_send(&async), 0);
	while (!is_woken)
		io_loop_turn(&fresh, true);
	uv_close((uv_handle_t *)&async, NULL);
	io_loop_fini(&fresh);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io-loop");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_edge_is_told_once);
	tcase_add_test(tc, that_the_peer_sends_no_more_is_told);
	tcase_add_test(tc, room_is_told_on_demand);
	tcase_add_test(tc, one_that_was_deleted_is_told_no_more);
	tcase_add_test(tc, of_many_all_are_told);
	tcase_add_loop_test(tc, a_wait_that_fails_is_done_again, 0,
			    ARRAY_SIZE(wait_errors));
	tcase_add_test(tc, what_cannot_be_watched_is_an_error);
	tcase_add_test(tc, a_timer_takes_its_time);
	tcase_add_test(tc, a_loop_is_woken_by_another_thread);
	tcase_add_test(tc, wakes_that_come_together_are_one);
	tcase_add_test(tc, a_waker_may_be_closed_when_it_is_woken);
	tcase_add_test(tc, a_waker_that_cannot_be_watched_is_an_error);
	tcase_add_test(tc, the_first_wakeup_is_heard);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

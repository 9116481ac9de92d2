/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker on a system that has no memory: calls fail, and nothing that was
 * sent or answered is lost.
 */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "suite.h"
#include "worker_rig.h"

#define PAGE ZSD_PAGE_BYTES

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

/* --- calls that fail ------------------------------------------------------ */

enum call {
	RECV,
	SEND,
	POPULATE,
	WATCH, /* epoll_ctl(2), of a new descriptor */
	WATCH_ROOM, /* of one that is watched */
	MEMFD,
	FTRUNCATE,
	MMAP,
	CALLOC,
	NR_CALLS,
};

/* Clients are served by this process, too. */
static _Thread_local bool is_client;

static struct {
	atomic_int err[NR_CALLS]; /* what they fail with, or 0 */
	atomic_uint nr[NR_CALLS]; /* how often they did */
	atomic_uint nr_to_come; /* of new connections: calls that succeed */
} failing;

static bool fails(enum call call)
{
	int err = atomic_load(&failing.err[call]);

	if (is_client || !err)
		return false;
	atomic_fetch_add(&failing.nr[call], 1);
	errno = err;
	return true;
}

/* For what a new connection needs, on the main thread. */
static bool fails_in_turn(enum call call)
{
	if (!atomic_load(&failing.err[call]) ||
	    atomic_fetch_sub(&failing.nr_to_come, 1))
		return false;
	errno = atomic_load(&failing.err[call]);
	return true;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
ssize_t __real_recv(int fd, void *buf, size_t bytes, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t bytes, int flags);
ssize_t __real_send(int fd, const void *buf, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t bytes, int flags);
int __real_madvise(void *addr, size_t bytes, int advice);
int __wrap_madvise(void *addr, size_t bytes, int advice);
int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __real_ftruncate(int fd, off_t bytes);
int __wrap_ftruncate(int fd, off_t bytes);
void *__real_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset);
void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset);
void *__real_calloc(size_t nr, size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes);

ssize_t __wrap_recv(int fd, void *buf, size_t bytes, int flags)
{
	return fails(RECV) ? -1 : __real_recv(fd, buf, bytes, flags);
}

ssize_t __wrap_send(int fd, const void *buf, size_t bytes, int flags)
{
	return fails(SEND) ? -1 : __real_send(fd, buf, bytes, flags);
}

int __wrap_madvise(void *addr, size_t bytes, int advice)
{
	if (advice == MADV_POPULATE_WRITE &&
	    (fails(POPULATE) || fails_in_turn(POPULATE)))
		return -1;
	return __real_madvise(addr, bytes, advice);
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	if ((op == EPOLL_CTL_ADD && fails(WATCH)) ||
	    (op == EPOLL_CTL_MOD && fails(WATCH_ROOM)))
		return -1;
	return __real_epoll_ctl(epoll_fd, op, fd, event);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
	return fails_in_turn(MEMFD) ? -1 : __real_memfd_create(name, flags);
}

int __wrap_ftruncate(int fd, off_t bytes)
{
	return fails_in_turn(FTRUNCATE) ? -1 : __real_ftruncate(fd, bytes);
}

void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset)
{
	return fails_in_turn(MMAP)
		       ? MAP_FAILED
		       : __real_mmap(addr, bytes, prot, flags, fd, offset);
}

void *__wrap_calloc(size_t nr, size_t bytes)
{
	return fails_in_turn(CALLOC) ? NULL : __real_calloc(nr, bytes);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void start_failing(enum call call, int err)
{
	atomic_store(&failing.nr[call], 0);
	atomic_store(&failing.err[call], err);
}

static void end_failing(enum call call)
{
	atomic_store(&failing.err[call], 0);
}

static unsigned nr_failed(enum call call)
{
	return atomic_load(&failing.nr[call]);
}

/* --- what is written ------------------------------------------------------ */

static unsigned char data[MIB];

static void setup(void)
{
	unsigned seed = 3;

	is_client = true;
	worker_setup();
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)rand_r(&seed);
}

static void write_all_of_it(int fd, uint64_t offset)
{
	send_request(fd, CMD_WRITE, 1, offset, sizeof(data));
	send_all(fd, data, sizeof(data));
	receive_reply(fd, 1, 0);
	ck_assert(memcmp(flat.bytes + offset, data, sizeof(data)) == 0);
}

static const int shortages[] = {ENOMEM, ENOBUFS};

/* --- rings ---------------------------------------------------------------- */

/* Neither at the start of a page, nor anything else that fits. */
static const uint64_t offsets[] = {0, 1, 4095, 777};

/* A connection gets by with what it had at its start. */
START_TEST(rings_need_not_grow)
{
	int fd = connect_served();

	start_failing(POPULATE, ENOMEM);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		write_all_of_it(fd, offsets[i]);
		send_request(fd, CMD_READ, 2, offsets[i] + 5, MIB);
		receive_reply(fd, 2, 0);
		receive_data(fd, offsets[i] + 5, MIB);
	}
	ck_assert_uint_gt(nr_failed(POPULATE), 0);
	end_failing(POPULATE);
	write_all_of_it(fd, 0);
	close(fd);
}
END_TEST

/* Many at once: what is behind a write is not in its way. */
START_TEST(rings_need_not_grow_for_many)
{
	const unsigned nr = 100;
	int fd = connect_served();

	start_failing(POPULATE, ENOMEM);
	for (unsigned i = 0; i < nr; i++) {
		send_request(fd, CMD_WRITE, i, i * 5000u, 4567);
		send_all(fd, data + i, 4567);
	}
	for (unsigned i = 0; i < nr; i++)
		receive_reply(fd, i, 0);
	for (unsigned i = 0; i < nr; i++)
		ck_assert(memcmp(flat.bytes + i * 5000u, data + i, 4567) == 0);
	ck_assert_uint_gt(nr_failed(POPULATE), 0);
	close(fd);
}
END_TEST

/* --- the socket ----------------------------------------------------------- */

/* What was received is done, whether or not more can be. */
START_TEST(what_is_here_is_done)
{
	int fd = connect_served();

	flat_store_hold();
	send_request(fd, CMD_TRIM, 1, 0, UINT32_MAX - 4095);
	flat_store_wait_held();
	start_failing(RECV, shortages[_i]);
	send_request(fd, CMD_FLUSH, 2, 0, 0);
	flat_store_release();
	receive_reply(fd, 1, 0);
	ck_assert_uint_gt(nr_failed(RECV), 0);
	end_failing(RECV);
	receive_reply(fd, 2, 0);
	close(fd);
}
END_TEST

/* Not again and again, but after a moment. */
START_TEST(it_is_tried_again_in_a_moment)
{
	int fd = connect_served();
	uint64_t since_ns;

	start_failing(RECV, shortages[_i]);
	send_request(fd, CMD_FLUSH, 1, 0, 0);
	WAIT_UNTIL(nr_failed(RECV) >= 1);
	since_ns = uv_hrtime();
	WAIT_UNTIL(nr_failed(RECV) >= 6);
	ck_assert_uint_ge(uv_hrtime() - since_ns, 10 * 1000000);
	end_failing(RECV);
	receive_reply(fd, 1, 0);
	close(fd);
}
END_TEST

START_TEST(an_answer_is_sent_when_it_can_be)
{
	int fd = connect_served();

	start_failing(SEND, shortages[_i]);
	send_request(fd, CMD_WRITE, 1, 0, PAGE);
	send_all(fd, data, PAGE);
	send_request(fd, CMD_READ, 2, 2 * PAGE, PAGE);
	WAIT_UNTIL(nr_failed(SEND) >= 3);
	ck_assert(memcmp(flat.bytes, data, PAGE) == 0);
	end_failing(SEND);
	/* The read may have overtaken the write, or come after it. */
	receive_all(fd, data, 2 * NBDC_SIMPLE_BYTES + PAGE);
	close(fd);
}
END_TEST

/* TCP says so where all sockets of the system together have too much: nothing
 * that the client does ends it, and nobody tells when it is over. */
START_TEST(an_answer_is_sent_though_nobody_says_when)
{
	int fd = connect_served();

	start_failing(SEND, EAGAIN);
	send_request(fd, CMD_READ, 1, 0, PAGE);
	WAIT_UNTIL(nr_failed(SEND) >= 10);
	end_failing(SEND);
	receive_reply(fd, 1, 0);
	receive_data(fd, 0, PAGE);
	close(fd);
}
END_TEST

/* A client reads late, and that cannot be watched for. */
START_TEST(room_is_found_without_being_told)
{
	const unsigned nr = 16;
	int fd = connect_served();

	start_failing(WATCH_ROOM, shortages[_i]);
	for (unsigned i = 0; i < nr; i++)
		send_request(fd, CMD_READ, i, i * PAGE, MIB);
	WAIT_UNTIL(nr_failed(WATCH_ROOM) >= 3);
	for (unsigned i = 0; i < nr; i++) {
		receive_reply(fd, i, 0);
		receive_data(fd, i * PAGE, MIB);
		if (i == nr / 2)
			end_failing(WATCH_ROOM);
	}
	close(fd);
}
END_TEST

/* --- new connections ------------------------------------------------------ */

START_TEST(who_cannot_be_watched_is_refused)
{
	int served = connect_served(), fd;

	start_failing(WATCH, shortages[_i]);
	fd = connect_client();
	receive_end(fd);
	end_failing(WATCH);
	close(connect_served());
	write_all_of_it(served, 0);
	close(served);
}
END_TEST

static unsigned nr_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned nr = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* One call of its memory's fails, whichever it is. */
START_TEST(who_has_no_memory_is_refused)
{
	static const enum call calls[] = {POPULATE, MEMFD, FTRUNCATE, MMAP,
					  CALLOC};
	const unsigned nr_open = nr_descriptors();
	int fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned nr = 0;
		int err;

		do {
			ck_assert_int_eq(
				socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
			atomic_store(&failing.nr_to_come, nr++);
			atomic_store(&failing.err[calls[i]], ENOMEM);
			err = serve_give(serve, fds[1], 0, true);
			atomic_store(&failing.err[calls[i]], 0);
			if (err) {
				ck_assert_int_eq(err, -ENOMEM);
				close(fds[1]);
			}
			close(fds[0]);
		} while (err);
		ck_assert_uint_ge(nr, 2); /* one failed at least */
	}
	wait_for_no_conns();
	WAIT_UNTIL(nr_descriptors() == nr_open);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("serve-shortage");
	TCase *tc = tcase_create("shortage");
	const int nr = ARRAY_SIZE(shortages);

	tcase_set_timeout(tc, 2 * DEADLINE_S);
	tcase_add_checked_fixture(tc, setup, worker_teardown);
	tcase_add_test(tc, rings_need_not_grow);
	tcase_add_test(tc, rings_need_not_grow_for_many);
	tcase_add_loop_test(tc, what_is_here_is_done, 0, nr);
	tcase_add_loop_test(tc, it_is_tried_again_in_a_moment, 0, nr);
	tcase_add_loop_test(tc, an_answer_is_sent_when_it_can_be, 0, nr);
	tcase_add_test(tc, an_answer_is_sent_though_nobody_says_when);
	tcase_add_loop_test(tc, room_is_found_without_being_told, 0, nr);
	tcase_add_loop_test(tc, who_cannot_be_watched_is_refused, 0, nr);
	tcase_add_test(tc, who_has_no_memory_is_refused);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

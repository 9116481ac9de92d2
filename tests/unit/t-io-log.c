/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: every line arrives, whole and in order, as long as somebody reads
 * them; and nobody who logs ever waits for that.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "io/log.h"
#include "suite.h"

/* Everything that is waited for must have come by then, seconds. */
#define PATIENCE_S 20

static struct io_log *lines;
static int reader; /* of what is written to standard error */

/* Standard error becomes a pipe. Each test is a process of its own. */
static void setup(void)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	unsetenv("JOURNAL_STREAM");
	ck_assert_int_eq(io_log_create(&lines), 0);
}

/* The next line, without its newline. */
static const char *next_line(void)
{
	static char text[2 * IO_LOG_LINE_BYTES];
	size_t used = 0;

	do {
		ck_assert_uint_lt(used, sizeof(text) - 1);
		ck_assert_int_eq(read(reader, text + used, 1), 1);
	} while (text[used++] != '\n');
	text[used - 1] = '\0';
	return text;
}

START_TEST(lines_wait_for_the_start)
{
	io_log(lines, IO_LOG_INFO, "one %d", 1);
	io_log(lines, IO_LOG_ERROR, "two %s", "2");
	ck_assert_int_eq(io_log_start(lines), 0);
	ck_assert_str_eq(next_line(), "zsd: one 1");
	ck_assert_str_eq(next_line(), "zsd: two 2");
	io_log_close(lines);
}
END_TEST

START_TEST(lines_are_written_without_a_start)
{
	io_log(lines, IO_LOG_ERROR, "cannot start");
	io_log_close(lines);
	ck_assert_str_eq(next_line(), "zsd: cannot start");
}
END_TEST

START_TEST(a_long_line_is_cut)
{
	char text[2 * IO_LOG_LINE_BYTES];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	io_log(lines, IO_LOG_INFO, "%s", text);
	io_log_close(lines);
	ck_assert_uint_lt(strlen(next_line()), IO_LOG_LINE_BYTES);
}
END_TEST

START_TEST(the_journal_is_told_priorities)
{
	char stream[64];
	struct stat st;

	io_log_close(lines);
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	ck_assert_int_eq(io_log_create(&lines), 0);
	io_log(lines, IO_LOG_WARNING, "beware");
	io_log_close(lines);
	ck_assert_str_eq(next_line(), "<4>zsd: beware");
}
END_TEST

/* What the system's log gets is a datagram for each line. */
START_TEST(the_systems_log_is_told_who_speaks)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/t-io-log.XXXXXX", text[128], expected[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t bytes;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/log",
		       folder);
	ck_assert_int_eq(io_log_to_syslog(lines, address.sun_path), -ENOENT);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address,
			      sizeof(address)),
			 0);
	ck_assert_int_eq(io_log_to_syslog(lines, address.sun_path), 0);
	io_log(lines, IO_LOG_WARNING, "beware");
	io_log_close(lines);
	bytes = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	ck_assert_int_gt(bytes, 0);
	text[bytes] = '\0';
	(void)snprintf(expected, sizeof(expected), "<28>zsd[%d]: beware",
		       (int)getpid());
	ck_assert_str_eq(text, expected);
	ck_assert_int_lt(recv(fd, text, sizeof(text), MSG_DONTWAIT), 0);
	unlink(address.sun_path);
	rmdir(folder);
}
END_TEST

#define NR_WRITERS 4
#define NR_LINES   2000

static void *write_lines(void *arg)
{
	const int writer = *(const int *)arg;

	for (int i = 0; i < NR_LINES; i++)
		io_log(lines, IO_LOG_INFO, "%d %d", writer, i);
	return NULL;
}

/* Of several threads each line is whole, and those of one are in order. What
 * is lost is counted. */
START_TEST(lines_of_many_threads_do_not_mix)
{
	pthread_t threads[NR_WRITERS];
	int numbers[NR_WRITERS], last[NR_WRITERS], nr = 0, writer, i;
	unsigned long lost = 0, n;

	ck_assert_int_eq(io_log_start(lines), 0);
	for (i = 0; i < NR_WRITERS; i++) {
		numbers[i] = i;
		last[i] = -1;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines,
						&numbers[i]),
				 0);
	}
	while (nr + (int)lost < NR_WRITERS * NR_LINES) {
		const char *text = next_line();

		if (sscanf(text, "zsd: %d %d", &writer, &i) == 2) {
			ck_assert_int_lt(writer, NR_WRITERS);
			ck_assert_int_gt(i, last[writer]);
			last[writer] = i;
			nr++;
		} else {
			ck_assert_int_eq(
				sscanf(text, "zsd: %lu lines of the", &n), 1);
			lost += n;
		}
	}
	for (i = 0; i < NR_WRITERS; i++)
		pthread_join(threads[i], NULL);
	io_log_close(lines);
}
END_TEST

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* The pipe is full and stays so: whoever logs goes on, and so does the end. */
START_TEST(a_reader_that_is_stuck_keeps_nobody_waiting)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	ck_assert_int_eq(io_log_start(lines), 0);
	for (unsigned i = 0; i < 100000; i++)
		io_log(lines, IO_LOG_INFO, "line %u", i);
	ck_assert_uint_gt(io_log_nr_dropped(lines), 0);
	io_log_close(lines);
	ck_assert(seconds_since(&start) < PATIENCE_S);
}
END_TEST

/* Of a kind that comes in masses a few are written, and the number of the
 * others is. */
START_TEST(lines_of_one_kind_are_bounded)
{
	static struct io_log_limit limit;
	const unsigned total = 1000;
	unsigned nr = 0, n;
	unsigned long unsaid = 0;
	struct timespec start;

	for (unsigned i = 0; i < total; i++)
		io_log_some(lines, &limit, IO_LOG_ERROR, "page %u", i);
	/* In another second the next one is written, and the count with it. */
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (atomic_load(&limit.nr_unsaid)) {
		ck_assert(seconds_since(&start) < PATIENCE_S);
		io_log_some(lines, &limit, IO_LOG_ERROR, "page %u", total);
		unsaid++;
	}
	io_log(lines, IO_LOG_INFO, "end");
	io_log_close(lines);
	unsaid = total + unsaid;
	for (;;) {
		const char *text = next_line();
		unsigned long more;

		if (strcmp(text, "zsd: end") == 0)
			break;
		if (sscanf(text, "zsd: page %u", &n) == 1) {
			nr++;
			unsaid--;
		} else {
			ck_assert_int_eq(sscanf(text, "zsd: %lu more like this",
						&more),
					 1);
			unsaid -= more;
		}
	}
	ck_assert_uint_eq(unsaid, 0);
	/* A second may have ended meanwhile, twice at the most. */
	ck_assert_uint_le(nr, 3 * IO_LOG_SOME + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io/log");
	TCase *tc = tcase_create("log");

	tcase_set_timeout(tc, 3 * PATIENCE_S);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, lines_wait_for_the_start);
	tcase_add_test(tc, lines_are_written_without_a_start);
	tcase_add_test(tc, a_long_line_is_cut);
	tcase_add_test(tc, the_journal_is_told_priorities);
	tcase_add_test(tc, the_systems_log_is_told_who_speaks);
	tcase_add_test(tc, lines_of_many_threads_do_not_mix);
	tcase_add_test(tc, a_reader_that_is_stuck_keeps_nobody_waiting);
	tcase_add_test(tc, lines_of_one_kind_are_bounded);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

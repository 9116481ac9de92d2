/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens when an invariant breaks. A program of its own: each case must
 * die, which needs check to fork (CK_FORK=no cannot run it).
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "suite.h"

#define MESSAGE_BYTES 1024

/* A core file of each death would only litter the build tree. */
static void no_core_file(void)
{
	const struct rlimit none = {0, 0};

	ck_assert_int_eq(setrlimit(RLIMIT_CORE, &none), 0);
}

static void break_bug_on(void)
{
	volatile int broken = 1;

	BUG_ON(broken == 1);
}

static void break_check(void)
{
	volatile int broken = 1;

	CHECK(broken == 0);
}

static void die_with_line_zero(void)
{
	check_failed("some_file.c", 0, "nothing holds");
}

static void die_with_large_line(void)
{
	check_failed("some_file.c", 2147483647, "nothing holds");
}

/* Run @body in a child whose standard error is read into @text. */
static int run_in_child(void (*body)(void), char text[MESSAGE_BYTES])
{
	size_t used = 0;
	ssize_t n;
	int pipe_fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(pipe_fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(pipe_fds[1], STDERR_FILENO);
		body();
		_exit(0);
	}
	close(pipe_fds[1]);
	while ((n = read(pipe_fds[0], text + used, MESSAGE_BYTES - 1 - used)) >
	       0)
		used += (size_t)n;
	text[used] = '\0';
	close(pipe_fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_aborts_saying(void (*body)(void), const char *expected)
{
	char text[MESSAGE_BYTES];
	int status = run_in_child(body, text);

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
	ck_assert_msg(strstr(text, expected), "'%s' lacks '%s'", text,
		      expected);
	/* One line: it may be all that a journal keeps. */
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}

START_TEST(bug_on_aborts_and_says_where)
{
	assert_aborts_saying(break_bug_on, "t-base-check.c:");
	assert_aborts_saying(break_bug_on, ": broken == 1");
}
END_TEST

START_TEST(check_aborts_at_level_one)
{
#if ZSD_CHECKS >= 1
	assert_aborts_saying(break_check, ": broken == 0");
#else
	char text[MESSAGE_BYTES];

	ck_assert_int_eq(run_in_child(break_check, text), 0);
	ck_assert_str_eq(text, "");
#endif
}
END_TEST

START_TEST(line_numbers_are_written_whole)
{
	assert_aborts_saying(die_with_line_zero,
			     "zsd: broken invariant at some_file.c:0: "
			     "nothing holds\n");
	assert_aborts_saying(die_with_large_line, "some_file.c:2147483647: ");
}
END_TEST

/* A reader that has stopped: the pipe is full. */
static void die_unheard(void)
{
	static const char page[4096];
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	while (write(fds[1], page, sizeof(page)) > 0)
		;
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, 0), 0);
	dup2(fds[1], STDERR_FILENO);
	(void)alarm(20); /* which ends it by another signal */
	check_failed("some_file.c", 1, "nobody listens");
}

START_TEST(nobody_need_listen)
{
	char text[MESSAGE_BYTES];
	int status = run_in_child(die_unheard, text);

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

static void die_with_long_text(void)
{
	char text[2 * MESSAGE_BYTES];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check_failed("some_file.c", 1, text);
}

START_TEST(a_long_text_is_cut_off)
{
	assert_aborts_saying(die_with_long_text, "some_file.c:1: xxx");
}
END_TEST

START_TEST(what_holds_is_silent)
{
	BUG_ON(0);
	CHECK(1);
	CHECK_ZSPAGE(1);
}
END_TEST

START_TEST(a_level_that_is_off_costs_nothing)
{
	bool zspage_evaluated = false;

	CHECK_ZSPAGE((zspage_evaluated = true));
	ck_assert_int_eq(zspage_evaluated, ZSD_CHECKS >= 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/check");
	TCase *tcase = tcase_create("check");

	tcase_add_checked_fixture(tcase, no_core_file, NULL);
	tcase_add_test(tcase, bug_on_aborts_and_says_where);
	tcase_add_test(tcase, check_aborts_at_level_one);
	tcase_add_test(tcase, line_numbers_are_written_whole);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, nobody_need_listen);
	tcase_add_test(tcase, a_long_text_is_cut_off);
	tcase_add_test(tcase, what_holds_is_silent);
	tcase_add_test(tcase, a_level_that_is_off_costs_nothing);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}

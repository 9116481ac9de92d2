/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "zsd/survive/remains.h"

static pid_t server;
static int ready[2];

/* --- a server -------------------------------------------------------------- */

static pid_t only_child_of(pid_t pid)
{
	char path[64];
	FILE *file;
	int child = 0, other = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
		       (int)pid, (int)pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d %d", &child, &other), 1);
	(void)fclose(file);
	return child;
}

/* In the child: a server with something to be taken apart, which waits. */
static void __attribute__((noreturn)) serve(void)
{
	char byte = 0;

	if (remains_outlive())
		_exit(EXIT_FAILURE);
	if (write(ready[1], &byte, 1) != 1)
		_exit(EXIT_FAILURE);
	for (;;)
		(void)pause();
}

static void setup(void)
{
	char byte;

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	ck_assert_int_eq(pipe(ready), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (!server)
		serve();
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
}

static void teardown(void)
{
	close(ready[0]);
}

/* --- what the companion is ------------------------------------------------- */

static unsigned nr_fds_of(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	unsigned nr = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	(void)closedir(dir);
	return nr;
}

static void read_name(pid_t pid, char *name, size_t bytes)
{
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(name, (int)bytes, file));
	(void)fclose(file);
}

/* It may have just begun. */
static void wait_until_settled(pid_t companion)
{
	while (nr_fds_of(companion))
		(void)sched_yield();
}

START_TEST(a_companion_has_the_map_and_no_file)
{
	pid_t companion = only_child_of(server);
	char name[32];

	wait_until_settled(companion);
	read_name(companion, name, sizeof(name));
	ck_assert_str_eq(name, "zsd-remains\n");
	ck_assert_int_eq(syscall(SYS_kcmp, server, companion, KCMP_VM, 0, 0),
			 0);
	ck_assert_int_eq(kill(server, SIGKILL), 0);
	ck_assert_int_eq(waitpid(server, NULL, 0), server);
	ck_assert_int_eq(waitpid(companion, NULL, 0), companion);
}
END_TEST

START_TEST(it_ends_after_its_server_however_that_ends)
{
	pid_t companion = only_child_of(server);
	int status;

	/* A signal that would end it is not its own. */
	wait_until_settled(companion);
	ck_assert_int_eq(kill(companion, SIGUSR1), 0);
	ck_assert_int_eq(kill(server, SIGUSR1), 0);
	ck_assert_int_eq(waitpid(server, &status, 0), server);
	ck_assert_int_eq(WTERMSIG(status), SIGUSR1);
	ck_assert_int_eq(waitpid(companion, &status, 0), companion);
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("remains");
	TCase *tc = tcase_create("remains");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_companion_has_the_map_and_no_file);
	tcase_add_test(tc, it_ends_after_its_server_however_that_ends);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuspent - runs a client and tells what processor time was spent meanwhile
 *
 * By the server that the client puts load on, by the client, by all others:
 * for clients that, unlike nbdload, do not look themselves. One line of JSON,
 * in nanoseconds; what the client prints goes to standard error.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "bench_frame.h"
#include "cpu_time.h"

#define NS_PER_US 1000u

/* What a shell returns for a command that it cannot run, and for a signal. */
#define EXIT_CANNOT_RUN 127
#define EXIT_BY_SIGNAL	128

struct spent {
	uint64_t elapsed_ns;
	uint64_t server_ns;
	uint64_t client_ns;
	uint64_t other_ns;
};

static uint64_t timeval_ns(struct timeval time)
{
	return (uint64_t)time.tv_sec * NS_PER_S +
	       (uint64_t)time.tv_usec * NS_PER_US;
}

/* Starts @command with its standard output where errors go. */
static pid_t start_client(char **command)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int err;

	err = posix_spawn_file_actions_init(&actions);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
						       STDOUT_FILENO);
	if (!err)
		err = posix_spawnp(&pid, command[0], &actions, NULL, command,
				   environ);
	if (err)
		error(EXIT_CANNOT_RUN, err, "%s", command[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Ends this process as the client ended, unless all was well. */
static void wait_for_client(pid_t pid, uint64_t *client_ns)
{
	struct rusage usage; /* of the client and of those it waited for */
	int status;

	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			error(EXIT_FAILURE, errno, "wait4");
	if (WIFSIGNALED(status))
		exit(EXIT_BY_SIGNAL + WTERMSIG(status));
	if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
	*client_ns = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
}

static struct spent run(pid_t server_pid, char **command)
{
	struct cpu_time before = cpu_time_now(server_pid);
	uint64_t start_ns = bench_now_ns(CLOCK_MONOTONIC);
	struct spent spent;
	struct cpu_time cpu, after;
	uint64_t known_ns;

	wait_for_client(start_client(command), &spent.client_ns);
	spent.elapsed_ns = bench_now_ns(CLOCK_MONOTONIC) - start_ns;
	after = cpu_time_now(server_pid);
	cpu = cpu_time_between(&before, &after);
	spent.server_ns = cpu.server_ns;
	/* The machine is counted in coarse ticks: never less than is known. */
	known_ns = cpu.server_ns + cpu.client_ns + spent.client_ns;
	spent.other_ns = max_u64(cpu.machine_ns, known_ns) - known_ns;
	return spent;
}

static pid_t parse_pid(const char *text)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || end == text || *end || pid < 1 || pid > INT32_MAX)
		error(2, 0, "'%s' is not a process id", text);
	return (pid_t)pid;
}

int main(int argc, char **argv)
{
	struct spent spent;

	if (argc < 3) {
		(void)fprintf(stderr, "usage: cpuspent SERVER-PID CLIENT "
				      "[ARGUMENT...]\n");
		return 2;
	}
	spent = run(parse_pid(argv[1]), argv + 2);
	printf("{\"elapsed_ns\":%ju,\"server_ns\":%ju,\"client_ns\":%ju"
	       ",\"other_ns\":%ju}\n",
	       (uintmax_t)spent.elapsed_ns, (uintmax_t)spent.server_ns,
	       (uintmax_t)spent.client_ns, (uintmax_t)spent.other_ns);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

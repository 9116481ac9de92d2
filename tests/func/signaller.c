/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signaller - sends a signal by its number, any that the kernel has
 *
 * Usage: signaller PID NUMBER [threads]; to the process, or to each of its
 * threads, one after the other. Shells know neither all numbers nor threads.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <error.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void send_to_thread(pid_t pid, pid_t tid, int number)
{
	/* One may have ended meanwhile. */
	if (syscall(SYS_tgkill, pid, tid, number) < 0 && errno != ESRCH)
		error(1, errno, "signal %d to thread %d", number, (int)tid);
}

static void send_to_threads(pid_t pid, int number)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		error(1, errno, "%s", path);
	while ((entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid)
			send_to_thread(pid, tid, number);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	pid_t pid;
	int number;

	if (argc < 3)
		error(2, 0, "usage: signaller PID NUMBER [threads]");
	pid = atoi(argv[1]);
	number = atoi(argv[2]);
	if (argc > 3)
		send_to_threads(pid, number);
	else if (syscall(SYS_kill, pid, number) < 0)
		error(1, errno, "signal %d", number);
	return EXIT_SUCCESS;
}

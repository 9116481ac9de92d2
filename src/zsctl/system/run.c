/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zsctl/system/run.h"

static int set_streams(posix_spawn_file_actions_t *actions, bool is_quiet)
{
	static const char null[] = "/dev/null";
	int err;

	err = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, null,
					       O_RDONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO,
						       null, O_WRONLY, 0);
	if (!err && is_quiet)
		err = posix_spawn_file_actions_addopen(actions, STDERR_FILENO,
						       null, O_WRONLY, 0);
	return -err;
}

/* With no signal held back, whatever we hold back ourselves. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none;
	int err;

	(void)sigemptyset(&none);
	err = posix_spawnattr_setsigmask(attributes, &none);
	if (!err)
		err = posix_spawnattr_setflags(attributes,
					       POSIX_SPAWN_SETSIGMASK);
	return -err;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int run(const char *const argv[], bool is_quiet)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid = 0;
	int err;

	err = -posix_spawn_file_actions_init(&actions);
	if (err)
		return err;
	err = -posix_spawnattr_init(&attributes);
	if (err) {
		posix_spawn_file_actions_destroy(&actions);
		return err;
	}
	err = set_streams(&actions, is_quiet);
	if (!err)
		err = set_signals(&attributes);
	/* It takes its arguments as if it would change them, and does not. */
	if (!err)
		err = -posix_spawnp(&pid, argv[0], &actions, &attributes,
				    (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return err ? err : wait_for(pid);
}

int run_program(const char *const argv[])
{
	return run(argv, false);
}

int run_quietly(const char *const argv[])
{
	return run(argv, true);
}

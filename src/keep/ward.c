/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "keep/ward.h"

/* How long a server may not read what it is told, ms. It reads in a thread that
 * does nothing else for long. */
#define PATIENCE_MS 5000

uint64_t ward_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)now.tv_nsec;
}

void ward_set_state(struct ward *w, enum ward_state state)
{
	w->state = state;
	w->since_ns = ward_now_ns();
}

/* In the child. Its end of the channel is where it will look for it. */
static void __attribute__((noreturn))
become_server(int channel, int program, char *const *argv)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* What has the number of the channel by now may be the program. */
	if (program == KEEP_CHANNEL_FD)
		program = fcntl(program, F_DUPFD_CLOEXEC, KEEP_CHANNEL_FD + 1);
	if (channel == KEEP_CHANNEL_FD)
		(void)fcntl(channel, F_SETFD, 0);
	else
		(void)dup2(channel, KEEP_CHANNEL_FD);
	(void)fexecve(program, argv, environ);
	_exit(EXIT_FAILURE);
}

int ward_start(struct ward *w, enum ward_state state, int program,
	       char *const *argv)
{
	int fds[2], err = keep_channel_pair(fds);
	pid_t pid;

	if (err)
		return err;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (!pid)
		become_server(fds[1], program, argv);
	close(fds[1]);
	w->pid = pid;
	w->channel = fds[0];
	ward_set_state(w, state);
	return 0;
}

static bool has_room(const struct ward *w)
{
	struct pollfd poll_fd = {.fd = w->channel, .events = POLLOUT};
	int n;

	do {
		n = poll(&poll_fd, 1, PATIENCE_MS);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

void ward_tell(const struct ward *w, const struct keep_message *message, int fd)
{
	const uint64_t end_ns = ward_now_ns() + PATIENCE_MS * UINT64_C(1000000);
	int err;

	do {
		err = keep_send(w->channel, message, fd, false);
		if (keep_is_short(err))
			(void)usleep(KEEP_SHORT_US);
	} while ((err == -EAGAIN && has_room(w)) ||
		 (keep_is_short(err) && ward_now_ns() < end_ns));
	if (err && err != -EPIPE)
		(void)kill(w->pid, SIGKILL);
}

bool ward_reap(const struct ward *w, int *status)
{
	return w->state != WARD_NONE &&
	       waitpid(w->pid, status, WNOHANG) == w->pid;
}

void ward_reap_others(const struct ward *one, const struct ward *other)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    !info.si_pid || info.si_pid == one->pid ||
		    info.si_pid == other->pid)
			return;
		(void)waitpid(info.si_pid, NULL, WNOHANG);
	}
}

void ward_describe_death(int status, char *text, size_t bytes)
{
	if (WIFSIGNALED(status))
		(void)snprintf(text, bytes, "signal %d, %s", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else
		(void)snprintf(text, bytes, "exit status %d",
			       WEXITSTATUS(status));
}

void ward_forget(struct ward *w)
{
	close(w->channel);
	*w = (struct ward){.state = WARD_NONE, .channel = -1};
}

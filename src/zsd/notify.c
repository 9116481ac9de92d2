/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What they are told who started us. Source: sd_notify(3), daemon(7). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "zsd/server_internal.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* Room for what is told of a disk, bytes. */
#define DISK_TEXT_BYTES 96

/* --- the process that waits ------------------------------------------------- */

/* End as the child does: at once when it is ready. */
static void wait_for_child(pid_t child, int fd)
{
	int status = 0;
	ssize_t n;
	char byte;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

int daemon_begin(int *ready_fd)
{
	int fds[2], err;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (child > 0) {
		close(fds[1]);
		wait_for_child(child, fds[0]);
	}
	close(fds[0]);
	(void)setsid();
	*ready_fd = fds[1];
	return 0;
}

/* Whoever reads what we write to @last_fd and those below is not kept from
 * going on. */
static void let_go_of_descriptors(int last_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	for (int fd = STDIN_FILENO; fd <= last_fd; fd++)
		(void)dup2(null, fd);
	close(null);
}

void notify_detach(struct io_log *log)
{
	int err = io_log_to_syslog(log, IO_LOG_SYSLOG);

	if (err)
		io_log(log, IO_LOG_WARNING,
		       "warning: cannot reach the system's log: %s; messages "
		       "go to standard error",
		       strerror(-err));
	let_go_of_descriptors(err ? STDOUT_FILENO : STDERR_FILENO);
}

static void tell_parent(int ready_fd, struct io_log *log)
{
	notify_detach(log);
	/* If it is gone, nobody waits. */
	(void)!write(ready_fd, "r", 1);
	close(ready_fd);
}

/* --- the service manager -----------------------------------------------------
 */

/* Nothing can be done where the manager cannot be told: all are hints. */
static void tell_manager(const char *state)
{
#ifdef HAVE_SYSTEMD
	(void)sd_notify(0, state);
#else
	(void)state;
#endif
}

static void notify_ready(const struct server_params *params, struct io_log *log)
{
	tell_manager("READY=1");
	if (params->ready_fd >= 0)
		tell_parent(params->ready_fd, log);
}

void notify_stopping(void)
{
	tell_manager("STOPPING=1");
}

void notify_status(const char *text, unsigned patience_s)
{
	char state[KEEP_TEXT_BYTES + 64];

	if (patience_s)
		(void)snprintf(state, sizeof(state),
			       "STATUS=%s\nEXTEND_TIMEOUT_USEC=%u000000", text,
			       patience_s);
	else
		(void)snprintf(state, sizeof(state), "STATUS=%s", text);
	tell_manager(state);
}

/* --- people ---------------------------------------------------------------- */

/* "64.0 MiB disk, lz4:1" */
static const char *describe_disk(const struct disk_params *disk,
				 char text[DISK_TEXT_BYTES])
{
	char size[UNITS_TEXT_BYTES], codec[ZCOMP_NAME_BYTES];

	(void)snprintf(text, DISK_TEXT_BYTES, "%s disk, %s",
		       units_format(disk->store.disk_bytes, size),
		       zcomp_format(&disk->store.zcomp, codec));
	return text;
}

void notify_announce(const struct server *s)
{
	const struct server_params *params = s->params;
	char address[256], disk[DISK_TEXT_BYTES];

	for (size_t i = 0; i < s->listeners.nr_nbd; i++)
		io_log(s->log, IO_LOG_INFO, "listening on %s",
		       io_listen_describe(&s->listeners, i, address,
					  sizeof(address)));
	if (params->nr_disks == 1) {
		io_log(s->log, IO_LOG_INFO, "ready: %s, %u threads",
		       describe_disk(&params->disks[0], disk),
		       params->nr_threads);
	} else {
		for (size_t i = 0; i < params->nr_disks; i++)
			io_log(s->log, IO_LOG_INFO, "export '%s': %s",
			       params->disks[i].name,
			       describe_disk(&params->disks[i], disk));
		io_log(s->log, IO_LOG_INFO, "ready: %zu exports, %u threads",
		       params->nr_disks, params->nr_threads);
	}
	notify_ready(params, s->log);
}

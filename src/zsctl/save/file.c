/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zsctl/save/file.h"

#define TEMP_SUFFIX ".tmp"

static void close_signals(struct save_file *file)
{
	if (file->signals >= 0)
		close(file->signals);
	(void)sigprocmask(SIG_SETMASK, &file->old_signals, NULL);
}

static int open_signals(struct save_file *file)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigaddset(&ending, SIGQUIT);
	if (sigprocmask(SIG_BLOCK, &ending, &file->old_signals))
		return -errno;
	file->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
	return file->signals < 0 ? -errno : 0;
}

/* A device, say, must not become a file. */
static int check_place(const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : -errno;
	return S_ISREG(status.st_mode) ? 0 : -EEXIST;
}

int save_file_open(struct save_file *file, const char *path)
{
	int err, n;

	*file = (struct save_file){.path = path, .fd = -1, .signals = -1};
	err = check_place(path);
	if (err)
		return err;
	n = snprintf(file->temp, sizeof(file->temp), "%s.XXXXXX" TEMP_SUFFIX,
		     path);
	if (n < 0 || (size_t)n >= sizeof(file->temp))
		return -ENAMETOOLONG;
	err = open_signals(file);
	if (!err) {
		file->fd = mkostemps(file->temp, sizeof(TEMP_SUFFIX) - 1,
				     O_CLOEXEC);
		err = file->fd < 0 ? -errno : 0;
	}
	if (err)
		close_signals(file);
	return err;
}

int save_file_write(struct save_file *file, const void *src, size_t bytes)
{
	const unsigned char *from = src;
	ssize_t n;

	while (bytes) {
		n = write(file->fd, from, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		from += n;
		bytes -= (size_t)n;
	}
	return 0;
}

int save_file_wait(const struct save_file *file, int fd, unsigned timeout_s)
{
	struct pollfd fds[] = {
		{.fd = file->signals, .events = POLLIN},
		{.fd = fd, .events = POLLIN},
	};
	int n;

	do {
		n = poll(fds, 2, timeout_s ? (int)timeout_s * 1000 : -1);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ETIMEDOUT;
	return fds[0].revents ? -EINTR : 0;
}

static bool is_interrupted(const struct save_file *file)
{
	struct pollfd fds = {.fd = file->signals, .events = POLLIN};

	return poll(&fds, 1, 0) > 0;
}

/* So that the name is there after a power cut, too. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	int fd, err = 0;

	if (slash) /* the root keeps its slash */
		(void)snprintf(folder, sizeof(folder), "%.*s",
			       (int)(slash - path) + (slash == path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Some file systems do not know how, and need not. */
	if (fsync(fd) && errno != EINVAL)
		err = -errno;
	close(fd);
	return err;
}

int save_file_commit(struct save_file *file)
{
	int err = 0;

	if (fsync(file->fd) || close(file->fd))
		err = -errno;
	else
		file->fd = -1;
	if (!err && is_interrupted(file))
		err = -EINTR;
	if (!err && rename(file->temp, file->path))
		err = -errno;
	if (err) {
		save_file_abandon(file);
		return err;
	}
	err = sync_folder(file->path);
	close_signals(file);
	return err;
}

void save_file_abandon(struct save_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	(void)unlink(file->temp);
	close_signals(file);
}

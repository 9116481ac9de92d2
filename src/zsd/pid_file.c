/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zsd/pid_file.h"

#define PID_FILE_MODE (S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH)

/* Bytes of a process id, a newline and the final 0, rounded up. */
#define PID_TEXT_BYTES 16

static int error_of(int result)
{
	return result < 0 ? -errno : 0;
}

static int write_pid(int fd)
{
	char text[PID_TEXT_BYTES];
	int bytes = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	ssize_t written = write(fd, text, (size_t)bytes);

	if (written < 0)
		return -errno;
	return written == bytes ? 0 : -ENOSPC;
}

/* A file of our own, locked, that has yet to get its name. */
static int make(const char *temporary, int *out)
{
	int fd = open(temporary,
		      O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		      PID_FILE_MODE);
	int err;

	if (fd < 0)
		return -errno;
	err = error_of(flock(fd, LOCK_EX | LOCK_NB));
	if (!err)
		err = write_pid(fd);
	if (err) {
		close(fd);
		unlink(temporary);
		return err;
	}
	*out = fd;
	return 0;
}

static bool is_at(const char *path, int fd)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !lstat(path, &there) &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static pid_t read_pid(int fd)
{
	char text[PID_TEXT_BYTES] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}

/* Put our file in the place of another, if nobody holds that. Return: -EAGAIN
 * where it is not there any more. */
static int replace(const char *temporary, const char *path, pid_t *owner)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	err = error_of(flock(fd, LOCK_EX | LOCK_NB));
	if (err == -EWOULDBLOCK) {
		*owner = read_pid(fd);
		err = -EEXIST;
	} else if (!err && !is_at(path, fd)) {
		err = -EAGAIN;
	} else if (!err) {
		err = error_of(rename(temporary, path));
	}
	close(fd);
	return err;
}

static int give_name(const char *temporary, const char *path, pid_t *owner)
{
	int err;

	do {
		err = error_of(renameat2(AT_FDCWD, temporary, AT_FDCWD, path,
					 RENAME_NOREPLACE));
		if (err == -EEXIST)
			err = replace(temporary, path, owner);
	} while (err == -EAGAIN);
	return err;
}

int pid_file_take(const char *path, int *fd, pid_t *owner)
{
	char temporary[PATH_MAX];
	int bytes, err;

	*owner = 0;
	bytes = snprintf(temporary, sizeof(temporary), "%s.%d", path,
			 (int)getpid());
	if (bytes < 0 || (size_t)bytes >= sizeof(temporary))
		return -ENAMETOOLONG;
	err = make(temporary, fd);
	if (err)
		return err;
	err = give_name(temporary, path, owner);
	if (err) {
		unlink(temporary);
		close(*fd);
	}
	return err;
}

void pid_file_remove(const char *path, int fd)
{
	if (is_at(path, fd))
		unlink(path);
	close(fd);
}

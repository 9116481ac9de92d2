/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zsd/pid_file.h"

#define PID_FILE_MODE (S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH)

static int write_pid(const char *path)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	ssize_t written;
	int fd, err = 0;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		  PID_FILE_MODE);
	if (fd < 0)
		return -errno;
	written = write(fd, text, (size_t)bytes);
	if (written < 0)
		err = -errno;
	else if (written != bytes)
		err = -ENOSPC;
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

int pid_file_write(const char *path)
{
	char temporary[PATH_MAX];
	int bytes, err;

	bytes = snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (bytes < 0 || (size_t)bytes >= sizeof(temporary))
		return -ENAMETOOLONG;
	err = write_pid(temporary);
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

void pid_file_remove(const char *path)
{
	unlink(path);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * activate - starts a program as systemd's socket units do
 *
 * Usage: activate NAME=PATH... -- PROGRAM [ARGUMENT...]
 *
 * Makes a listening Unix socket at each PATH and becomes PROGRAM, which finds
 * them as descriptors 3 and up, with LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID
 * in its environment. Source: sd_listen_fds(3).
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3

static int listen_at(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		error(1, ENAMETOOLONG, "%s", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		error(1, errno, "%s", path);
	return fd;
}

static void set_number(const char *name, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	if (setenv(name, text, 1) < 0)
		error(1, errno, "%s", name);
}

int main(int argc, char **argv)
{
	char names[256] = "";
	int i, fd;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *path = strchr(argv[i], '=');
		size_t used = strlen(names);
		int name_bytes;

		if (!path)
			error(2, 0, "not of the form NAME=PATH: %s", argv[i]);
		name_bytes = (int)(path - argv[i]);
		snprintf(names + used, sizeof(names) - used, "%s%.*s",
			 used ? ":" : "", name_bytes, argv[i]);
		fd = listen_at(path + 1);
		/* A shell may have left something open at this number. */
		if (fd != FIRST_FD + i - 1 && dup2(fd, FIRST_FD + i - 1) < 0)
			error(1, errno, "dup2");
		if (fd != FIRST_FD + i - 1)
			close(fd);
	}
	if (i + 1 >= argc)
		error(2, 0, "usage: activate NAME=PATH... -- PROGRAM...");
	set_number("LISTEN_FDS", i - 1);
	set_number("LISTEN_PID", getpid());
	if (setenv("LISTEN_FDNAMES", names, 1) < 0)
		error(1, errno, "LISTEN_FDNAMES");
	execv(argv[i + 1], argv + i + 1);
	error(1, errno, "%s", argv[i + 1]);
}

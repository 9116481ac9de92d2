/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets from a service manager. Source: sd_listen_fds(3). */
#include "config.h"

#include "io/listen.h"

#ifdef HAVE_SYSTEMD

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

static int take(int fd, const char *name, struct io_passed *out)
{
	int flags;

	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		return -ENOTSOCK;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	out->fd = fd;
	out->is_control = name && strcmp(name, "control") == 0;
	return 0;
}

int io_listen_take_passed(struct io_passed *passed, size_t max, size_t *nr)
{
	char **names = NULL;
	int found, err = 0;

	*nr = 0;
	found = sd_listen_fds_with_names(1, &names);
	if (found < 0)
		return found;
	if ((size_t)found > max)
		err = -E2BIG;
	for (int i = 0; i < found && !err; i++) {
		err = take(SD_LISTEN_FDS_START + i, names ? names[i] : NULL,
			   &passed[i]);
		if (!err)
			(*nr)++;
	}
	for (int i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
	return err;
}

#else

int io_listen_take_passed(struct io_passed *passed, size_t max, size_t *nr)
{
	(void)passed;
	(void)max;
	*nr = 0;
	return 0;
}

#endif

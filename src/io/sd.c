/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#ifdef HAVE_SYSTEMD

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "io/sd.h"

static int take(int fd, const char *name, struct sd_socket *out)
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

int sd_take_sockets(struct sd_socket *sockets, size_t max, size_t *nr)
{
	char **names = NULL;
	int passed, err = 0;

	*nr = 0;
	passed = sd_listen_fds_with_names(1, &names);
	if (passed < 0)
		return passed;
	if ((size_t)passed > max)
		err = -E2BIG;
	for (int i = 0; i < passed && !err; i++) {
		err = take(SD_LISTEN_FDS_START + i, names ? names[i] : NULL,
			   &sockets[i]);
		if (!err)
			(*nr)++;
	}
	for (int i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
	return err;
}

/* Nothing can be done where the manager cannot be told: all are hints. */

void sd_notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void sd_notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void sd_notify_waiting(unsigned nr, unsigned patience_s)
{
	(void)sd_notifyf(0,
			 "STATUS=Waiting for %u connections to be closed: "
			 "swapoff, then nbd-client -d\n"
			 "EXTEND_TIMEOUT_USEC=%u000000",
			 nr, patience_s);
}

#else

#include "io/sd.h"

int sd_take_sockets(struct sd_socket *sockets, size_t max, size_t *nr)
{
	(void)sockets;
	(void)max;
	*nr = 0;
	return 0;
}

void sd_notify_ready(void)
{
}

void sd_notify_stopping(void)
{
}

void sd_notify_waiting(unsigned nr, unsigned patience_s)
{
	(void)nr;
	(void)patience_s;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sd - what zsd has to say to, and gets from, a service manager
 *
 * Without libsystemd at configure time it gets nothing and says nothing.
 * Source: sd_listen_fds(3), sd_notify(3).
 */
#ifndef ZSD_IO_SD_H
#define ZSD_IO_SD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* A listening stream socket that was passed in. */
struct sd_socket {
	int fd;
	bool is_control; /* its name is "control" */
};

/**
 * sd_take_sockets() - take over the sockets of LISTEN_FDS
 * @sockets, @max: receives at most that many
 * @nr:            receives how many; 0 where there is no LISTEN_FDS for us
 *
 * Return: 0, -E2BIG for more than @max, -ENOTSOCK where one of them is no
 * listening stream socket, or the -errno of sd_listen_fds(3).
 */
int sd_take_sockets(struct sd_socket *sockets, size_t max,
		    size_t *nr) ZSD_MUST_CHECK;

void sd_notify_ready(void);
void sd_notify_stopping(void);

/* sd_notify_waiting() - stopping waits for @nr connections; hear from us again
 * within @patience_s before you lose yours. */
void sd_notify_waiting(unsigned nr, unsigned patience_s);

#endif

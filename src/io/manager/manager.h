/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manager - what the service manager is told, and what it passes
 *
 * sd_notify(3) waits where the manager does not read. It may be swapped out
 * onto a disk of ours, and who tells it something be the one that must go on
 * before anybody can read: here nothing waits.
 *
 * Threads: any for telling, which allocates nothing; main for the rest.
 * Source: sd_notify(3), "Notes", for the protocol; sd_listen_fds(3).
 */
#ifndef ZSD_IO_MANAGER_MANAGER_H
#define ZSD_IO_MANAGER_MANAGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* io_manager_open() - make a socket to tell it by, closed by execve(2). Return:
 * 0 or -errno of socket(2). */
int io_manager_open(int *socket) ZSD_MUST_CHECK;

/**
 * io_manager_tell() - send assignments such as "FDSTORE=1"
 * @state: lines
 * @fd:    a descriptor to go with it, or -1; stays the caller's
 *
 * Return: 0; -EDESTADDRREQ where there is no $NOTIFY_SOCKET; -EAGAIN where the
 * manager has not read what was sent before; or another -errno of sendmsg(2).
 */
int io_manager_tell(int socket, const char *state, int fd) ZSD_MUST_CHECK;

/* A listening stream socket that was passed in. */
struct io_passed {
	int fd;
	bool is_control; /* its name is "control" */
};

/*
 * What the service manager was told to keep for us comes with LISTEN_FDS as
 * well, under names that begin so. It is no listening socket.
 */
#define IO_MANAGER_KEPT "kept-"

/* io_manager_each_kept() - call @take with the rest of each such name and a
 * descriptor, which is the receiver's. Before io_manager_take_passed(), which
 * closes the ones that were passed. */
void io_manager_each_kept(void (*take)(void *arg, const char *name, int fd),
			  void *arg);

/**
 * io_manager_take_passed() - take over the sockets of LISTEN_FDS
 * @passed, @max: receives at most that many
 * @nr:           receives how many; 0 where there is no LISTEN_FDS for us
 *
 * Without libsystemd at configure time there are none.
 * Return: 0, -E2BIG for more than @max, -ENOTSOCK where one of them is no
 * listening stream socket, or the -errno of sd_listen_fds(3).
 */
int io_manager_take_passed(struct io_passed *passed, size_t max,
			   size_t *nr) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acceptor - takes connections from listening sockets
 *
 * Waits with uv_poll, takes those that are pending with accept4(2), and hands
 * each on. Where the process or the system has no descriptor or memory left,
 * it leaves the rest in the queue and tries again a little later, instead of
 * being told about them over and over.
 *
 * Ownership: the sockets stay the caller's. Threads: the loop's.
 */
#ifndef ZSD_IO_ACCEPT_H
#define ZSD_IO_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/compiler.h"
#include "io/listen.h"

struct acceptor {
	uv_poll_t polls[LISTENER_MAX_SOCKETS];
	int fds[LISTENER_MAX_SOCKETS];
	size_t nr;
	uv_timer_t pause; /* while it runs no socket is waited for */
	bool is_open;
	bool is_short; /* of descriptors or memory: it was said once */
	void (*accepted)(void *arg, int fd);
	void *arg;
};

/**
 * acceptor_open() - accept from @fds in @loop
 * @fds, @nr: non-blocking listening sockets; they stay open until after
 *            acceptor_close()
 * @accepted: is given each connection: a non-blocking, close-on-exec socket
 *            that is its own from then on
 *
 * Return: 0 or -errno, with handles left in the loop that acceptor_close()
 * and a run of the loop take away.
 */
int acceptor_open(struct acceptor *acceptor, uv_loop_t *loop, const int *fds,
		  size_t nr, void (*accepted)(void *arg, int fd),
		  void *arg) ZSD_MUST_CHECK;

/* acceptor_close() - stop; the handles go with the next run of the loop. */
void acceptor_close(struct acceptor *acceptor);

#endif

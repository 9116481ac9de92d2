/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listener - all the sockets that the server listens on
 *
 * They come from LISTEN_FDS where the service manager passes some, and from
 * the parameters otherwise; the control socket likewise.
 *
 * Ownership: the listeners own the NBD sockets and all the files they made;
 * the control socket is handed on with listener_take_control().
 * Threads: main.
 */
#ifndef ZSD_IO_LISTEN_H
#define ZSD_IO_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "io/unix_socket.h"

/*
 * NBD sockets at most. A name that stands for more addresses is served on the
 * first of them.
 */
#define LISTENER_MAX_SOCKETS 16u

/* Where to listen, if no sockets were passed. Strings are not copied. */
struct listen_params {
	const char *socket_path; /* NBD on a Unix socket, or NULL */
	const char *listen_address; /* NBD on TCP, "HOST[:PORT]", or NULL */
	const char *control_path; /* control socket, or NULL */
};

struct listeners {
	int fds[LISTENER_MAX_SOCKETS]; /* for NBD */
	size_t nr;
	bool are_passed; /* by LISTEN_FDS: somebody else listens there, too */
	struct unix_file file;
	int control_fd; /* -1: none */
	struct unix_file control_file;
};

/**
 * listener_open() - start to listen
 * @out: receives the sockets
 *
 * Says on standard error what is wrong, if anything is.
 * Return: 0 or -errno; -EDESTADDRREQ where there is nothing to listen on.
 * Release: listener_close().
 */
int listener_open(const struct listen_params *params,
		  struct listeners *out) ZSD_MUST_CHECK;
void listener_close(struct listeners *listeners);

/* listener_close_nbd() - listen for NBD no more. What waits to be accepted is
 * refused, unless the sockets were passed. */
void listener_close_nbd(struct listeners *listeners);

/* listener_take_control() - the control socket, which is the caller's from
 * now on. Return: -1 if there is none. */
int listener_take_control(struct listeners *listeners);

/**
 * listener_describe() - the address of the NBD socket @index, for people
 * @text, @bytes: receives it, always terminated
 *
 * Return: @text.
 */
char *listener_describe(const struct listeners *listeners, size_t index,
			char *text, size_t bytes);

#endif

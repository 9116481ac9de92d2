/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen - the sockets that the server listens on, and what connects to them
 *
 * They come from LISTEN_FDS where the service manager passes some, and from
 * the parameters otherwise; control sockets likewise. A socket that was passed
 * under the name "control" is a control socket, however many there are: what it
 * is for must not depend on how many came before it.
 *
 * An acceptor takes connections from some of them with accept4(2), and hands
 * each on. Where the process or the system has no descriptor or memory left, it
 * leaves the rest in the queue and tries again a little later.
 *
 * Ownership: the listeners own the NBD sockets and all the files they made; the
 * control sockets are handed on with io_listen_take_control().
 * Threads: main; an acceptor is its loop's.
 */
#ifndef ZSD_IO_LISTEN_H
#define ZSD_IO_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "io/log.h"
#include "io/loop.h"
#include "io/unix_socket.h"

/* Sockets of each kind at most, NBD and control. A name that stands for more
 * addresses is served on the first of them. */
#define IO_LISTEN_MAX 16u

/* Where to listen, if no sockets were passed. Strings are not copied. */
struct io_listen_params {
	const char *socket_path; /* NBD on a Unix socket, or NULL */
	const char *listen_address; /* NBD on TCP, see tcp_address_parse() */
	const char *control_path; /* control socket, or NULL */
};

struct io_listeners {
	int nbd[IO_LISTEN_MAX];
	size_t nr_nbd;
	bool are_passed; /* by LISTEN_FDS: somebody else listens there, too */
	struct unix_file file;
	int control[IO_LISTEN_MAX];
	size_t nr_control;
	struct unix_file control_file;
};

/**
 * io_listen_open() - start to listen
 * @out: receives the sockets; all zero on error
 *
 * Logs what is wrong, if anything is.
 * Return: 0 or -errno; -EDESTADDRREQ where there is nothing to listen on.
 * Release: io_listen_close().
 */
int io_listen_open(const struct io_listen_params *params, struct io_log *log,
		   struct io_listeners *out) ZSD_MUST_CHECK;
void io_listen_close(struct io_listeners *listeners);

/* io_listen_close_nbd() - listen for NBD no more. What waits to be accepted is
 * refused, unless the sockets were passed. */
void io_listen_close_nbd(struct io_listeners *listeners);

/* io_listen_take_control() - the control sockets, which are the caller's from
 * now on. Return: how many. */
size_t io_listen_take_control(struct io_listeners *listeners,
			      int fds[IO_LISTEN_MAX]);

/* io_listen_is_mixed() - whether NBD is listened for both on this machine and
 * on a network */
bool io_listen_is_mixed(const struct io_listeners *listeners);

/* io_socket_is_local() - whether a socket is a Unix socket */
bool io_socket_is_local(int fd);

/**
 * io_listen_describe() - the address of the NBD socket @index, for people
 * @text, @bytes: receives it, always terminated
 *
 * Return: @text.
 */
char *io_listen_describe(const struct io_listeners *listeners, size_t index,
			 char *text, size_t bytes);

/* --- accepting ------------------------------------------------------------ */

struct io_acceptor;

/* One of the sockets that connections are taken from. */
struct io_accept_socket {
	struct io_watch watch;
	struct io_acceptor *acceptor;
	bool may_have_more; /* it was not asked until it had none */
};

struct io_acceptor {
	struct io_accept_socket sockets[IO_LISTEN_MAX];
	size_t nr;
	struct io_loop *loop;
	struct io_log *log;
	uv_timer_t again; /* runs while some may have more */
	bool is_open;
	bool is_short; /* of descriptors or memory: it was said once */
	void (*accepted)(void *arg, int fd);
	void *arg;
};

/**
 * io_accept_open() - accept from @fds in @loop
 * @fds, @nr: non-blocking listening sockets, at most IO_LISTEN_MAX; they stay
 *            open until after io_accept_close()
 * @accepted: is given each connection: a non-blocking, close-on-exec socket
 *            that is its own from then on
 *
 * Return: 0 or -errno; in either case io_accept_close() must follow.
 */
int io_accept_open(struct io_acceptor *acceptor, struct io_loop *loop,
		   struct io_log *log, const int *fds, size_t nr,
		   void (*accepted)(void *arg, int fd),
		   void *arg) ZSD_MUST_CHECK;

/* io_accept_close() - stop. Nothing where it is not open. */
void io_accept_close(struct io_acceptor *acceptor);

#endif

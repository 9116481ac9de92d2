/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "io/listen.h"
#include "io/manager/manager.h"
#include "io/tcp_socket.h"

/* TCP port of NBD. Source: IANA. */
#define DEFAULT_PORT "10809"

/*
 * Connections taken in one go. Clients that connect as fast as we accept must
 * not keep the loop from everything else; the rest is taken in its next turn.
 */
#define MAX_ACCEPTS 64u

/* How long to leave the queue alone when there is no descriptor, ms. */
#define PAUSE_MS 100u

/* --- where they come from ----------------------------------------------- */

static int add(int *fds, size_t *nr, int fd)
{
	if (*nr == IO_LISTEN_MAX)
		return -E2BIG;
	fds[(*nr)++] = fd;
	return 0;
}

static int add_passed(struct io_listeners *l, struct io_log *log)
{
	struct io_passed passed[2 * IO_LISTEN_MAX];
	size_t nr;
	int err;

	err = io_manager_take_passed(passed, ARRAY_SIZE(passed), &nr);
	for (size_t i = 0; i < nr && !err; i++) {
		if (passed[i].is_control)
			err = add(l->control, &l->nr_control, passed[i].fd);
		else
			err = add(l->nbd, &l->nr_nbd, passed[i].fd);
	}
	if (err == -E2BIG)
		io_log(log, IO_LOG_ERROR,
		       "LISTEN_FDS: at most %u sockets for NBD and as many for "
		       "control can be passed",
		       IO_LISTEN_MAX);
	else if (err)
		io_log(log, IO_LOG_ERROR, "LISTEN_FDS: %s", strerror(-err));
	l->are_passed = l->nr_nbd > 0;
	return err;
}

static int listen_unix(const char *path, struct io_log *log,
		       struct unix_file *file, int *fd)
{
	int err = unix_listen(path, file, fd);

	if (err == -EADDRINUSE)
		io_log(log, IO_LOG_ERROR,
		       "%s: another server listens there, or it is not a "
		       "socket",
		       path);
	else if (err == -EPERM)
		io_log(log, IO_LOG_ERROR,
		       "cannot listen on %s: the lock file %s" UNIX_LOCK_SUFFIX
		       " belongs to another user: remove it",
		       path, path);
	else if (err)
		io_log(log, IO_LOG_ERROR, "cannot listen on %s: %s", path,
		       strerror(-err));
	return err;
}

static int add_unix(struct io_listeners *l, struct io_log *log,
		    const char *path)
{
	int err = listen_unix(path, log, &l->file, &l->nbd[l->nr_nbd]);

	l->nr_nbd += !err;
	return err;
}

static int add_tcp(struct io_listeners *l, struct io_log *log, const char *text)
{
	struct tcp_address address;
	char reason[TCP_REASON_BYTES];
	size_t nr;
	int err;

	err = tcp_address_parse(text, DEFAULT_PORT, &address);
	if (err) {
		io_log(log, IO_LOG_ERROR,
		       "--listen '%s': must be HOST, HOST:PORT, :PORT or PORT, "
		       "with a port from 1 to 65535",
		       text);
		return err;
	}
	err = tcp_listen(&address, l->nbd + l->nr_nbd,
			 IO_LISTEN_MAX - l->nr_nbd, &nr, reason);
	if (err) {
		io_log(log, IO_LOG_ERROR, "cannot listen on %s: %s", text,
		       reason);
		return err;
	}
	l->nr_nbd += nr;
	return 0;
}

static int add_nbd(struct io_listeners *l, struct io_log *log,
		   const struct io_listen_params *params)
{
	int err = 0;

	if (l->are_passed) {
		if (params->socket_path || params->listen_address)
			io_log(log, IO_LOG_NOTICE,
			       "listening on the sockets of LISTEN_FDS instead "
			       "of --socket or --listen");
		return 0;
	}
	if (params->socket_path)
		err = add_unix(l, log, params->socket_path);
	if (!err && params->listen_address)
		err = add_tcp(l, log, params->listen_address);
	if (!err && l->nr_nbd == 0) {
		io_log(log, IO_LOG_ERROR,
		       "nothing to listen on: give --socket PATH or --listen "
		       "ADDRESS, or pass sockets by LISTEN_FDS");
		err = -EDESTADDRREQ;
	}
	return err;
}

static int add_control(struct io_listeners *l, struct io_log *log,
		       const char *path)
{
	int err;

	if (l->nr_control || !path)
		return 0;
	err = listen_unix(path, log, &l->control_file, &l->control[0]);
	l->nr_control += !err;
	return err;
}

int io_listen_open(const struct io_listen_params *params, struct io_log *log,
		   struct io_listeners *out)
{
	int err;

	memset(out, 0, sizeof(*out));
	err = add_passed(out, log);
	if (!err)
		err = add_nbd(out, log, params);
	if (!err)
		err = add_control(out, log, params->control_path);
	if (err)
		io_listen_close(out);
	return err;
}

void io_listen_close_nbd(struct io_listeners *l)
{
	unix_file_remove(&l->file);
	while (l->nr_nbd)
		close(l->nbd[--l->nr_nbd]);
}

void io_listen_close(struct io_listeners *l)
{
	io_listen_close_nbd(l);
	unix_file_remove(&l->control_file);
	while (l->nr_control)
		close(l->control[--l->nr_control]);
}

size_t io_listen_take_control(struct io_listeners *l, int fds[IO_LISTEN_MAX])
{
	size_t nr = l->nr_control;

	memcpy(fds, l->control, nr * sizeof(fds[0]));
	l->nr_control = 0;
	return nr;
}

/* --- of what kind they are ------------------------------------------------ */

bool io_socket_is_local(int fd)
{
	int domain = AF_UNIX;
	socklen_t bytes = sizeof(domain);

	(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes);
	return domain == AF_UNIX;
}

bool io_listen_is_mixed(const struct io_listeners *l)
{
	size_t nr_local = 0;

	for (size_t i = 0; i < l->nr_nbd; i++)
		nr_local += io_socket_is_local(l->nbd[i]);
	return nr_local && nr_local < l->nr_nbd;
}

char *io_listen_describe(const struct io_listeners *l, size_t index, char *text,
			 size_t bytes)
{
	char host[TCP_HOST_BYTES] = "?", port[TCP_PORT_BYTES] = "?";
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	struct sockaddr *any = (struct sockaddr *)&addr;

	(void)getsockname(l->nbd[index], any, &len);
	if (addr.ss_family == AF_UNIX) {
		(void)snprintf(text, bytes, "%s",
			       ((struct sockaddr_un *)any)->sun_path);
		return text;
	}
	/* Where this fails, the question marks stay. */
	(void)getnameinfo(any, len, host, sizeof(host), port, sizeof(port),
			  NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(text, bytes, strchr(host, ':') ? "[%s]:%s" : "%s:%s",
		       host, port);
	return text;
}

/* --- accepting ------------------------------------------------------------ */

static void on_again(uv_timer_t *timer);

static void again_in(struct io_acceptor *a, uint64_t ms)
{
	BUG_ON(uv_timer_start(&a->again, on_again, ms, 0));
}

static void pause_all(struct io_acceptor *a, int err)
{
	if (!a->is_short)
		io_log(a->log, IO_LOG_WARNING,
		       "connections have to wait: %s; trying again",
		       strerror(-err));
	a->is_short = true;
	again_in(a, PAUSE_MS);
}

/* Errors that say something about one client, who is gone, but nothing about
 * the next. Source: accept(2), "Error handling". */
static bool is_transient(int err)
{
	switch (-err) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM: /* a firewall rule */
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return true;
	default:
		return false;
	}
}

/* Return: 0 where no connection is left, or there may be more; or -errno. */
static int take(struct io_accept_socket *socket)
{
	struct io_acceptor *a = socket->acceptor;
	int fd, err;

	for (unsigned i = 0; i < MAX_ACCEPTS; i++) {
		fd = accept4(socket->watch.fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			a->is_short = false;
			a->accepted(a->arg, fd);
			/* What is told may have closed the acceptor. */
			if (!a->is_open)
				return 0;
			continue;
		}
		err = -errno;
		if (err == -EAGAIN) {
			socket->may_have_more = false;
			return 0;
		}
		if (!is_transient(err))
			return err;
	}
	again_in(a, 0);
	return 0;
}

static void on_ready(struct io_watch *watch, uint32_t events)
{
	struct io_accept_socket *socket =
		container_of(watch, struct io_accept_socket, watch);
	int err;

	(void)events; /* accept4() finds out what is wrong, if anything is */
	socket->may_have_more = true;
	err = take(socket);
	if (err)
		pause_all(socket->acceptor, err);
}

static void on_again(uv_timer_t *timer)
{
	struct io_acceptor *a = timer->data;

	for (size_t i = 0; i < a->nr && a->is_open; i++) {
		if (a->sockets[i].may_have_more)
			on_ready(&a->sockets[i].watch, 0);
	}
}

int io_accept_open(struct io_acceptor *a, struct io_loop *loop,
		   struct io_log *log, const int *fds, size_t nr,
		   void (*accepted)(void *arg, int fd), void *arg)
{
	int err;

	BUG_ON(nr > IO_LISTEN_MAX);
	memset(a, 0, sizeof(*a));
	a->loop = loop;
	a->log = log;
	a->accepted = accepted;
	a->arg = arg;
	uv_timer_init(&loop->uv, &a->again); /* cannot fail */
	a->again.data = a;
	a->is_open = true;
	for (size_t i = 0; i < nr; i++) {
		a->sockets[i].acceptor = a;
		a->sockets[i].watch.ready = on_ready;
		err = io_watch_add(loop, &a->sockets[i].watch, fds[i]);
		if (err)
			return err;
		a->nr++;
	}
	return 0;
}

void io_accept_close(struct io_acceptor *a)
{
	if (!a->is_open)
		return;
	a->is_open = false;
	uv_close((uv_handle_t *)&a->again, NULL);
	for (size_t i = 0; i < a->nr; i++)
		io_watch_del(a->loop, &a->sockets[i].watch);
}

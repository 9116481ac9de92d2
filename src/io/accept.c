/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "io/accept.h"
#include "io/log.h"

/*
 * Connections taken in one go. Clients that connect as fast as we accept must
 * not keep the loop from signals; the rest is taken in its next round.
 */
#define MAX_ACCEPTS 64u

/* How long to leave the queue alone when there is no descriptor, ms. */
#define PAUSE_MS 100u

static int start_polls(struct acceptor *a);

static void on_pause_over(uv_timer_t *timer)
{
	struct acceptor *a = timer->data;
	int err = start_polls(a);

	if (err) {
		log_line("cannot wait for connections: %s", strerror(-err));
		BUG_ON(uv_timer_start(timer, on_pause_over, PAUSE_MS, 0));
	}
}

static void pause_all(struct acceptor *a, int err)
{
	if (!a->is_short)
		log_line("connections wait: %s", strerror(-err));
	a->is_short = true;
	for (size_t i = 0; i < a->nr; i++)
		uv_poll_stop(&a->polls[i]);
	BUG_ON(uv_timer_start(&a->pause, on_pause_over, PAUSE_MS, 0));
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

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct acceptor *a = poll->data;
	size_t index = (size_t)(poll - a->polls);
	int fd, err;

	(void)status; /* accept4() says it too */
	(void)events;
	for (unsigned i = 0; i < MAX_ACCEPTS; i++) {
		fd = accept4(a->fds[index], NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			a->is_short = false;
			a->accepted(a->arg, fd);
			continue;
		}
		err = -errno;
		if (err == -EAGAIN)
			return;
		if (!is_transient(err)) {
			pause_all(a, err);
			return;
		}
	}
}

static int start_polls(struct acceptor *a)
{
	int err;

	for (size_t i = 0; i < a->nr; i++) {
		err = uv_poll_start(&a->polls[i], UV_READABLE, on_connection);
		if (err)
			return err;
	}
	return 0;
}

int acceptor_open(struct acceptor *a, uv_loop_t *loop, const int *fds,
		  size_t nr, void (*accepted)(void *arg, int fd), void *arg)
{
	int err;

	BUG_ON(nr > LISTENER_MAX_SOCKETS);
	memset(a, 0, sizeof(*a));
	a->accepted = accepted;
	a->arg = arg;
	uv_timer_init(loop, &a->pause); /* cannot fail */
	a->pause.data = a;
	a->is_open = true;
	for (size_t i = 0; i < nr; i++) {
		err = uv_poll_init(loop, &a->polls[i], fds[i]);
		if (err)
			return err;
		a->polls[i].data = a;
		a->fds[i] = fds[i];
		a->nr++;
	}
	return start_polls(a);
}

void acceptor_close(struct acceptor *a)
{
	if (!a->is_open)
		return;
	a->is_open = false;
	uv_close((uv_handle_t *)&a->pause, NULL);
	for (size_t i = 0; i < a->nr; i++)
		uv_close((uv_handle_t *)&a->polls[i], NULL);
}

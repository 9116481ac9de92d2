/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <poll.h>

#include "load_loop.h"
#include "load_options.h"

static bool any_is_busy(struct load_conn *const *conns, unsigned nr_conns)
{
	for (unsigned i = 0; i < nr_conns; i++)
		if (load_conn_is_busy(conns[i]))
			return true;
	return false;
}

static int wait_for_any(struct load_conn *const *conns, unsigned nr_conns,
			struct pollfd *ready, unsigned timeout_s)
{
	int nr;

	for (unsigned i = 0; i < nr_conns; i++) {
		ready[i].fd = load_conn_fd(conns[i]);
		ready[i].events = POLLIN;
		if (load_conn_has_unsent(conns[i]))
			ready[i].events |= POLLOUT;
	}
	nr = poll(ready, nr_conns, (int)timeout_s * 1000);
	if (nr < 0)
		return errno == EINTR ? 0 : -errno;
	return nr ? 0 : -ETIMEDOUT;
}

static int loop_over_many(struct load_conn *const *conns, unsigned nr_conns,
			  struct load_work *work, unsigned timeout_s)
{
	struct pollfd ready[LOAD_MAX_CONNECTIONS] = {0};
	int err = wait_for_any(conns, nr_conns, ready, timeout_s);

	for (unsigned i = 0; !err && i < nr_conns; i++) {
		if (ready[i].revents & ~POLLOUT)
			err = load_conn_receive(conns[i], work, false);
		if (!err && ready[i].revents)
			err = load_conn_send(conns[i], work);
	}
	return err;
}

static int loop_over_one(struct load_conn *conn, struct load_work *work,
			 unsigned timeout_s)
{
	int err;

	if (load_conn_has_unsent(conn))
		return loop_over_many(&conn, 1, work, timeout_s);
	err = load_conn_receive(conn, work, true);
	return err ? err : load_conn_send(conn, work);
}

int load_loop(struct load_conn *const *conns, unsigned nr_conns,
	      struct load_work *work, unsigned timeout_s)
{
	int err = 0;

	for (unsigned i = 0; !err && i < nr_conns; i++)
		err = load_conn_send(conns[i], work);
	while (!err && any_is_busy(conns, nr_conns)) {
		if (nr_conns == 1)
			err = loop_over_one(conns[0], work, timeout_s);
		else
			err = loop_over_many(conns, nr_conns, work, timeout_s);
	}
	return err;
}

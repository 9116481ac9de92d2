/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "io/loop.h"

/* How long to leave the kernel alone where epoll_wait(2) fails, us. */
#define RETRY_US 1000

/* What is always told of a socket. Errors and hang-ups come unasked. */
#define INPUT_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLET)

static int control(const struct io_loop *loop, int op, int fd, uint32_t events,
		   void *whose)
{
	struct epoll_event event = {.events = events, .data.ptr = whose};

	return epoll_ctl(loop->epoll_fd, op, fd, &event) ? -errno : 0;
}

int io_loop_init(struct io_loop *loop)
{
	int err;

	loop->nr_events = loop->next_event = 0;
	loop->has_run = false;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	err = uv_loop_init(&loop->uv);
	if (err)
		goto err_epoll;
	/* Not by its edges: libuv may leave something for its next run. */
	err = control(loop, EPOLL_CTL_ADD, uv_backend_fd(&loop->uv), EPOLLIN,
		      NULL);
	if (err)
		goto err_uv;
	return 0;

err_uv:
	BUG_ON(uv_loop_close(&loop->uv));
err_epoll:
	close(loop->epoll_fd);
	return err;
}

void io_loop_fini(struct io_loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	BUG_ON(uv_loop_close(&loop->uv));
	close(loop->epoll_fd);
}

int io_watch_add(struct io_loop *loop, struct io_watch *watch, int fd)
{
	watch->fd = fd;
	return control(loop, EPOLL_CTL_ADD, fd, INPUT_EVENTS, watch);
}

int io_watch_room(struct io_loop *loop, struct io_watch *watch, bool wanted)
{
	uint32_t events = wanted ? INPUT_EVENTS | EPOLLOUT : INPUT_EVENTS;

	return control(loop, EPOLL_CTL_MOD, watch->fd, events, watch);
}

void io_watch_del(struct io_loop *loop, struct io_watch *watch)
{
	(void)control(loop, EPOLL_CTL_DEL, watch->fd, 0, NULL);
	/* It may be about to be told of what was found before. */
	for (int i = loop->next_event; i < loop->nr_events; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].events = 0;
	}
}

/* How many events there are, having waited for them for @timeout_ms at most. */
static int look(struct io_loop *loop, int timeout_ms)
{
	int n = epoll_wait(loop->epoll_fd, loop->events, (int)IO_LOOP_EVENTS,
			   timeout_ms);

	if (n >= 0)
		return n;
	BUG_ON(errno == EBADF || errno == EINVAL || errno == EFAULT);
	if (errno != EINTR)
		(void)usleep(RETRY_US);
	return -1;
}

/* Tell of what was found. Return: whether libuv is to be told something. */
static bool tell(struct io_loop *loop)
{
	bool is_for_uv = false;

	for (loop->next_event = 0; loop->next_event < loop->nr_events;) {
		const struct epoll_event event =
			loop->events[loop->next_event++];
		struct io_watch *watch = event.data.ptr;

		if (!watch)
			is_for_uv = true;
		else if (event.events)
			watch->ready(watch, event.events);
	}
	return is_for_uv;
}

void io_loop_turn(struct io_loop *loop, bool may_wait)
{
	int timeout_ms;
	bool is_due;

	uv_update_time(&loop->uv);
	timeout_ms = uv_backend_timeout(&loop->uv); /* until the next timer */
	if (!loop->has_run)
		timeout_ms = 0;
	loop->has_run = true;
	is_due = timeout_ms == 0;
	loop->nr_events = look(loop, may_wait ? timeout_ms : 0);
	/* Timers count from here on. */
	uv_update_time(&loop->uv);
	if (loop->nr_events == 0 && may_wait)
		is_due = true; /* it has waited that long */
	if (tell(loop) || is_due)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
}

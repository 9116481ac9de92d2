/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>
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

/* --- wake-ups ------------------------------------------------------------- */

/* Each write is an edge, so the count is of no interest; reading keeps it from
 * growing for ever. */
static void on_wake(struct io_watch *watch, uint32_t events)
{
	struct io_waker *waker = container_of(watch, struct io_waker, watch);
	uint64_t count;

	(void)events;
	(void)!read(watch->fd, &count, sizeof(count));
	waker->woken(waker);
}

int io_waker_open(struct io_loop *loop, struct io_waker *waker,
		  void (*woken)(struct io_waker *waker))
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	waker->loop = loop;
	waker->woken = woken;
	waker->watch.ready = on_wake;
	err = io_watch_add(loop, &waker->watch, fd);
	if (err)
		close(fd);
	return err;
}

void io_waker_close(struct io_waker *waker)
{
	io_watch_del(waker->loop, &waker->watch);
	close(waker->watch.fd);
}

/* With EAGAIN it is woken often enough already. */
void io_wake(const struct io_waker *waker)
{
	const uint64_t once = 1;
	ssize_t n;

	do {
		n = write(waker->watch.fd, &once, sizeof(once));
	} while (n < 0 && errno == EINTR);
	BUG_ON(n < 0 && errno != EAGAIN);
}

/* --- turns ---------------------------------------------------------------- */

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
	/* Until the next timer; libuv says 0 where there is nothing. */
	timeout_ms =
		uv_loop_alive(&loop->uv) ? uv_backend_timeout(&loop->uv) : -1;
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "io/listen.h"
#include "keep/held.h"
#include "keep/link.h"

/* How long to leave the keeper alone where it does not read, ms. */
#define AGAIN_MS 10u

struct keep_link {
	int channel;
	bool is_first;
	struct held held; /* until it is taken */
	int controls[IO_LISTEN_MAX];
	size_t nr_controls;

	struct io_watch watch;
	struct io_waker due; /* any thread's: something is to be told */
	uv_timer_t again;
	struct io_loop *loop; /* or NULL: it is not watched */
	struct keep_link_events events;
	bool is_gone; /* the keeper is */

	_Atomic bool is_ready_due; /* any thread's: it is to be told */
	_Atomic uint32_t ready_since_us; /* the same: with it */
	_Atomic bool *to_drop; /* any thread's: by number, it is to be told */
	pthread_mutex_t lock; /* the one below */
	struct keep_figures figures;
};

/* --- starting -------------------------------------------------------------- */

bool keep_link_is_wanted(void)
{
	const char *text = getenv(KEEP_VARIABLE);
	int type = 0;
	socklen_t bytes = sizeof(type);
	bool is_wanted;

	if (!text)
		return false;
	is_wanted = strtol(text, NULL, 10) == getppid() &&
		    getsockopt(KEEP_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type,
			       &bytes) == 0 &&
		    type == SOCK_SEQPACKET;
	(void)unsetenv(KEEP_VARIABLE);
	return is_wanted;
}

static void note_figures(struct keep_link *link,
			 const struct keep_figures *figures)
{
	pthread_mutex_lock(&link->lock);
	link->figures = *figures;
	pthread_mutex_unlock(&link->lock);
}

/* The keeper numbers connections; here they have the same places. */
static void put_conn(struct keep_link *link, uint32_t number, int fd)
{
	if (number < link->held.max_conns && link->held.conns[number] < 0)
		link->held.conns[number] = fd;
	else
		close(fd);
}

static void put_control(struct keep_link *link, int fd)
{
	if (link->nr_controls < IO_LISTEN_MAX)
		link->controls[link->nr_controls++] = fd;
	else
		close(fd);
}

/* Keep what came. */
static void take(struct keep_link *link, const struct keep_message *message,
		 int fd)
{
	switch ((enum keep_kind)message->kind) {
	case KEEP_IMAGE:
		held_put_image(&link->held, message->number, fd);
		break;
	case KEEP_AREA:
		held_put_area(&link->held, fd);
		break;
	case KEEP_CONTROL:
		put_control(link, fd);
		break;
	case KEEP_HELD:
		put_conn(link, message->number, fd);
		break;
	default:
		if (fd >= 0)
			close(fd);
		break;
	}
}

/* Until one of two kinds comes. Return: 0, -EPIPE, -EPROTO. */
static int take_until(struct keep_link *link, enum keep_kind one,
		      enum keep_kind other, struct keep_message *message)
{
	int fd, err;

	do {
		err = keep_receive(link->channel, message, &fd, true);
		if (keep_is_short(err))
			(void)usleep(KEEP_SHORT_US);
		else if (err)
			return err;
		else
			take(link, message, fd);
	} while (err || (message->kind != one && message->kind != other));
	return 0;
}

static struct keep_link *make_link(unsigned nr_disks, unsigned max_connections)
{
	struct keep_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->channel = KEEP_CHANNEL_FD;
	(void)fcntl(link->channel, F_SETFD, FD_CLOEXEC);
	lock_init(&link->lock, false);
	link->to_drop = calloc(max_connections, sizeof(*link->to_drop));
	if (link->to_drop && !held_init(&link->held, nr_disks, max_connections))
		return link;
	keep_link_close(link);
	return NULL;
}

int keep_link_open(unsigned nr_disks, unsigned max_connections,
		   struct keep_link **out)
{
	struct keep_link *link = make_link(nr_disks, max_connections);
	struct keep_message message;
	int err;

	if (!link)
		return -ENOMEM;
	err = take_until(link, KEEP_BEGIN, KEEP_STAND_BY, &message);
	if (err) {
		keep_link_close(link);
		return err;
	}
	link->is_first = message.kind == KEEP_BEGIN;
	*out = link;
	return 0;
}

void keep_link_close(struct keep_link *link)
{
	if (!link)
		return;
	for (size_t i = 0; i < link->nr_controls; i++)
		close(link->controls[i]);
	close(link->channel);
	held_fini(&link->held);
	pthread_mutex_destroy(&link->lock);
	free(link->to_drop);
	free(link);
}

/* --- what was kept --------------------------------------------------------- */

bool keep_link_is_first(const struct keep_link *link)
{
	return link->is_first;
}

int keep_link_image(const struct keep_link *link, unsigned number)
{
	return number < link->held.nr_images ? link->held.images[number] : -1;
}

int keep_link_area(const struct keep_link *link)
{
	return link->held.area;
}

size_t keep_link_take_controls(struct keep_link *link, int *fds, size_t max)
{
	size_t nr = 0;

	while (link->nr_controls && nr < max)
		fds[nr++] = link->controls[--link->nr_controls];
	return nr;
}

int keep_link_take_held(struct keep_link *link, uint32_t number)
{
	int fd = -1;

	if (number < link->held.max_conns) {
		fd = link->held.conns[number];
		link->held.conns[number] = -1;
	}
	return fd;
}

/* Say something that must be heard. */
static int give(struct keep_link *link, enum keep_kind kind, unsigned number,
		int fd)
{
	const struct keep_message message = {.kind = kind, .number = number};
	int err;

	do {
		err = keep_send(link->channel, &message, fd, true);
		if (keep_is_short(err))
			(void)usleep(KEEP_SHORT_US);
	} while (keep_is_short(err));
	return err;
}

int keep_link_wait(struct keep_link *link)
{
	struct keep_message message;
	int err = give(link, KEEP_READY, 0, -1);

	if (!err)
		err = take_until(link, KEEP_SERVE, KEEP_SERVE, &message);
	if (!err)
		note_figures(link, &message.figures);
	return err;
}

/* --- telling the keeper ---------------------------------------------------- */

int keep_link_give_image(struct keep_link *link, unsigned number, int fd)
{
	return give(link, KEEP_IMAGE, number, fd);
}

int keep_link_give_area(struct keep_link *link, int fd)
{
	return give(link, KEEP_AREA, 0, fd);
}

void keep_link_status(struct keep_link *link, const char *text,
		      unsigned patience_s)
{
	struct keep_message message = {.kind = KEEP_STATUS,
				       .number = patience_s};

	(void)snprintf(message.text, sizeof(message.text), "%s", text);
	/* A hint: where it does not get there, another one comes. */
	(void)!keep_send(link->channel, &message, -1, false);
}

int keep_link_upgrade(struct keep_link *link)
{
	const struct keep_message message = {.kind = KEEP_UPGRADE};

	return keep_send(link->channel, &message, -1, false);
}

static void on_again(uv_timer_t *timer);

static void go_on_later(struct keep_link *link)
{
	BUG_ON(uv_timer_start(&link->again, on_again, AGAIN_MS, 0));
}

/* Say what is due, if it is. Return: whether the keeper took it, or is gone,
 * which is told by the loop. */
static bool say(struct keep_link *link, enum keep_kind kind, uint32_t number,
		_Atomic bool *is_due)
{
	const struct keep_message message = {.kind = kind, .number = number};
	int err;

	if (!atomic_exchange(is_due, false))
		return true;
	err = keep_send(link->channel, &message, -1, false);
	if (!err || err == -EPIPE)
		return true;
	atomic_store(is_due, true);
	return false;
}

static bool say_ready(struct keep_link *link)
{
	return say(link, KEEP_READY, atomic_load(&link->ready_since_us),
		   &link->is_ready_due);
}

/* Say all that is due. Where the keeper takes no more, go on a little later. */
static void say_all(struct keep_link *link)
{
	bool was_taken = say_ready(link);

	for (uint32_t i = 0; was_taken && i < link->held.max_conns; i++)
		was_taken = say(link, KEEP_DROP, i, &link->to_drop[i]);
	if (!was_taken)
		go_on_later(link);
}

static void on_due(struct io_waker *waker)
{
	say_all(container_of(waker, struct keep_link, due));
}

/* At once where that goes: it ends a pause, and the main thread may be busy. */
void keep_link_ready(struct keep_link *link, uint64_t since_us)
{
	atomic_store(&link->ready_since_us,
		     (uint32_t)min_u64(since_us, UINT32_MAX));
	atomic_store(&link->is_ready_due, true);
	if (!say_ready(link))
		io_wake(&link->due);
}

void keep_link_drop(struct keep_link *link, uint32_t number)
{
	atomic_store(&link->to_drop[number], true);
	io_wake(&link->due);
}

/* --- being told ------------------------------------------------------------ */

static void on_message(struct keep_link *link,
		       const struct keep_message *message, int fd)
{
	if (message->kind == KEEP_CONN && fd >= 0) {
		link->events.conn(link->events.arg, message->number, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (message->kind == KEEP_FIGURES)
		note_figures(link, &message->figures);
	else if (message->kind == KEEP_END)
		link->events.end(link->events.arg);
}

static void hear(struct keep_link *link)
{
	struct keep_message message;
	int fd, err;

	while (!(err = keep_receive(link->channel, &message, &fd, false)))
		on_message(link, &message, fd);
	if (keep_is_short(err)) {
		go_on_later(link);
	} else if (err != -EAGAIN && !link->is_gone) {
		link->is_gone = true;
		link->events.gone(link->events.arg);
	}
}

static void on_ready(struct io_watch *watch, uint32_t events)
{
	(void)events;
	hear(container_of(watch, struct keep_link, watch));
}

/* What could not be said, or heard, a little earlier. */
static void on_again(uv_timer_t *timer)
{
	struct keep_link *link = timer->data;

	say_all(link);
	hear(link);
}

int keep_link_watch(struct keep_link *link, struct io_loop *loop,
		    const struct keep_link_events *events)
{
	int err;

	link->events = *events;
	link->watch.ready = on_ready;
	err = io_waker_open(loop, &link->due, on_due);
	if (err)
		return err;
	err = io_watch_add(loop, &link->watch, link->channel);
	if (err) {
		io_waker_close(&link->due);
		return err;
	}
	uv_timer_init(&loop->uv, &link->again); /* cannot fail */
	link->again.data = link;
	link->loop = loop;
	return 0;
}

void keep_link_unwatch(struct keep_link *link)
{
	if (!link->loop)
		return;
	io_watch_del(link->loop, &link->watch);
	io_waker_close(&link->due);
	uv_close((uv_handle_t *)&link->again, NULL);
	link->loop = NULL;
}

void keep_link_figures(struct keep_link *link, struct keep_figures *out)
{
	pthread_mutex_lock(&link->lock);
	*out = link->figures;
	pthread_mutex_unlock(&link->lock);
}

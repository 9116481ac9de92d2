/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/check.h"
#include "serve/conn_internal.h"
#include "io/log.h"
#include "serve/worker_internal.h"

/*
 * recv(2) calls in one turn. Two see whether more came in while the first lot
 * was run; more than that lets a busy client keep its thread to itself.
 */
#define MAX_RECVS 4u

#define BUFFERS_BYTES (CONN_RX_BYTES + CONN_TX_BYTES)

/* The mapping is made of whole pages. */
_Static_assert(BUFFERS_BYTES + ZSD_PAGE_BYTES + sizeof(struct conn) <=
		       CONN_MAX_BYTES,
	       "a connection takes no more memory than it is said to");
_Static_assert(CONN_RX_BYTES >= NBD_HANDSHAKE_IN_BYTES,
	       "an option fits the receive buffer");
_Static_assert(CONN_TX_BYTES - CONN_BACKLOG_BYTES >= NBD_HANDSHAKE_OUT_BYTES,
	       "an option's answer fits the send buffer");

/* --- life --------------------------------------------------------------- */

int conn_create(int fd, uint64_t id, struct conn **out)
{
	struct conn *c;
	unsigned char *buffers;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	/* A mapping, so that what a quiet client never needs costs nothing. */
	buffers = mmap(NULL, BUFFERS_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffers == MAP_FAILED) {
		free(c);
		return -ENOMEM;
	}
	buf_init(&c->rx, buffers, CONN_RX_BYTES);
	buf_init(&c->tx, buffers + CONN_RX_BYTES, CONN_TX_BYTES);
	list_init(&c->node);
	list_init(&c->runnable);
	c->fd = fd;
	c->id = id;
	*out = c;
	return 0;
}

static void conn_free(struct conn *c)
{
	munmap(c->rx.base, BUFFERS_BYTES);
	free(c);
}

void conn_destroy(struct conn *c)
{
	close(c->fd);
	conn_free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	if (--c->nr_handles)
		return;
	worker_closed(c->worker, c);
	conn_free(c);
}

static void log_end(const struct conn *c)
{
	const char *phase = c->was_served ? "served" : "handshake";

	if (c->worker->params.verbose)
		log_line("connection %" PRIu64 ": closed (%s: %s)", c->id,
			 phase, c->reason ? strerror(-c->reason) : "done");
}

/* Takes the client's socket away at once; the memory lives until libuv has
 * let go of the handles, so the caller may go on to return. */
static void conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	worker_not_runnable(c->worker, c);
	log_end(c);
	if (c->nr_handles > 1) /* conn_attach() may have failed in between */
		uv_close((uv_handle_t *)&c->poll, on_handle_closed);
	uv_close((uv_handle_t *)&c->deadline, on_handle_closed);
	close(c->fd);
}

static void conn_close_for(struct conn *c, int reason)
{
	if (!c->reason)
		c->reason = reason;
	conn_close(c);
}

static void on_deadline(uv_timer_t *timer)
{
	struct conn *c = timer->data;

	if (c->state == CONN_LINGERING)
		conn_close(c); /* all was sent: no failure of ours */
	else
		conn_close_for(c, -ETIMEDOUT);
}

static void conn_set_deadline(struct conn *c, uint64_t ms)
{
	BUG_ON(uv_timer_start(&c->deadline, on_deadline, ms, 0));
}

/* Nothing more is received; close when all is sent. */
static void conn_drain(struct conn *c, int reason)
{
	if (c->state == CONN_DRAINING)
		return;
	c->state = CONN_DRAINING;
	if (!c->reason)
		c->reason = reason;
	conn_set_deadline(c, CONN_LINGER_MS);
}

/* --- the socket --------------------------------------------------------- */

static int conn_send(struct conn *c)
{
	ssize_t n;

	if (buf_used(&c->tx) == 0)
		return 0;
	do {
		n = send(c->fd, buf_data(&c->tx), buf_used(&c->tx),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	buf_consume(&c->tx, (size_t)n);
	return 0;
}

/* How much may be received now. What is incomplete is at the start of the
 * buffer, so that there is always room for the rest of it. */
static size_t recv_limit(struct conn *c)
{
	size_t room;

	buf_reserve(&c->rx, c->rx.size - buf_used(&c->rx));
	room = buf_room(&c->rx);
	CHECK(room > 0);
	if (!c->is_stopping)
		return room;
	if (c->stop_bytes == 0)
		c->stop_bytes =
			transmission_missing_bytes(&c->transmission, &c->rx);
	return min_u64(room, c->stop_bytes);
}

/*
 * Return: 0, -EAGAIN if nothing is there, -ENODATA if nothing will come any
 * more, or the -errno of recv(2).
 */
static int conn_recv(struct conn *c)
{
	size_t limit = recv_limit(c);
	ssize_t n;

	if (limit == 0)
		return -ENODATA;
	do {
		n = recv(c->fd, buf_free_data(&c->rx), limit, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0) {
		c->at_end = true;
		if (!c->was_served)
			c->reason = -ECONNABORTED;
		return -ENODATA;
	}
	buf_fill(&c->rx, (size_t)n);
	if (c->is_stopping)
		c->stop_bytes -= (size_t)n;
	return 0;
}

/* --- a turn ------------------------------------------------------------- */

static enum step run_handshake(struct conn *c)
{
	enum nbd_handshake_result result;
	struct nbd_out out = {0};
	size_t consumed;

	buf_reserve(&c->tx, NBD_HANDSHAKE_OUT_BYTES);
	out.data = buf_free_data(&c->tx);
	out.room = buf_room(&c->tx);
	result = nbd_handshake_feed(&c->handshake, buf_data(&c->rx),
				    buf_used(&c->rx), &consumed, &out);
	buf_fill(&c->tx, out.bytes);
	buf_consume(&c->rx, consumed);
	switch (result) {
	case NBD_HANDSHAKE_MORE:
		return out.room - out.bytes < NBD_HANDSHAKE_OUT_BYTES
			       ? STEP_NEEDS_ROOM
			       : STEP_NEEDS_INPUT;
	case NBD_HANDSHAKE_TRANSMISSION:
		c->state = CONN_TRANSMISSION;
		c->was_served = true;
		uv_timer_stop(&c->deadline);
		return STEP_YIELDS;
	case NBD_HANDSHAKE_CLOSE:
		break;
	}
	c->reason = c->handshake.close_reason;
	return STEP_ENDS;
}

static enum step conn_step(struct conn *c, int64_t *budget)
{
	enum step step;

	if (c->state == CONN_HANDSHAKE)
		return run_handshake(c);
	if (c->state == CONN_DRAINING)
		return STEP_ENDS;
	step = transmission_run(&c->transmission, &c->rx, &c->tx, budget);
	if (step == STEP_ENDS)
		c->reason = c->transmission.reason;
	return step;
}

/*
 * Is another recv(2) in this turn worth its while? With one request at a time
 * the client waits for the answer, and only the socket can tell when the next
 * one is there. A connection that stops must not wait: it is at its end when
 * it has received what there was.
 */
static bool should_recv(const struct conn *c, unsigned nr_recvs,
			uint64_t nr_answered_before)
{
	const struct transmission *t = &c->transmission;

	if (nr_recvs == 0 || c->is_stopping)
		return true;
	if (nr_recvs == MAX_RECVS)
		return false;
	return t->nr_answered - nr_answered_before > 1 ||
	       transmission_missing_bytes(t, &c->rx);
}

/*
 * Runs, sends and receives until the socket or another connection must be
 * waited for. Returns the last step; STEP_ENDS also for a stream at its end.
 */
static enum step conn_go(struct conn *c)
{
	int64_t budget = TRANSMISSION_BUDGET;
	unsigned nr_recvs = 0;
	uint64_t before;
	enum step step;
	int err;

	for (;;) {
		before = c->transmission.nr_answered;
		step = conn_step(c, &budget);
		err = conn_send(c);
		if (err)
			goto broken;
		if (step == STEP_ENDS || step == STEP_YIELDS ||
		    buf_used(&c->tx) > CONN_BACKLOG_BYTES)
			return step;
		if (step == STEP_NEEDS_ROOM)
			continue; /* there is some now */
		if (!should_recv(c, nr_recvs++, before))
			return step;
		err = conn_recv(c);
		if (err == -EAGAIN)
			return step;
		if (err == -ENODATA)
			return STEP_ENDS;
		if (err)
			goto broken;
	}

broken:
	conn_close_for(c, err);
	return STEP_ENDS;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void conn_watch(struct conn *c, int events)
{
	int err;

	BUG_ON(!events);
	if (events == c->watched)
		return;
	c->watched = events;
	err = uv_poll_start(&c->poll, events, on_poll);
	if (err)
		conn_close_for(c, err);
}

/* All is sent, and all is said. */
static void conn_finish(struct conn *c)
{
	if (!c->is_tcp || c->at_end || shutdown(c->fd, SHUT_WR) < 0) {
		conn_close(c);
		return;
	}
	conn_drain(c, 0); /* for its deadline */
	c->state = CONN_LINGERING;
	conn_watch(c, UV_READABLE);
}

/* A buffer at a time, so that the others have their turns. */
static void conn_drop_input(struct conn *c)
{
	ssize_t n = recv(c->fd, c->rx.base, c->rx.size, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_close(c);
}

static void conn_turn(struct conn *c)
{
	size_t unsent;
	int events = 0;
	enum step step;

	step = conn_go(c);
	if (c->state == CONN_CLOSED)
		return;
	if (step == STEP_YIELDS) {
		worker_runnable(c->worker, c);
		return;
	}
	unsent = buf_used(&c->tx);
	if (step == STEP_ENDS) {
		if (unsent == 0) {
			conn_finish(c);
			return;
		}
		conn_drain(c, 0);
	}
	if (unsent)
		events |= UV_WRITABLE;
	if (step == STEP_NEEDS_INPUT && unsent <= CONN_BACKLOG_BYTES)
		events |= UV_READABLE;
	conn_watch(c, events);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;
	struct busy_poll *busy_poll = &c->worker->busy_poll;

	(void)events; /* a turn finds out by itself what can be done */
	busy_poll_found(busy_poll);
	if (status < 0)
		conn_close_for(c, -ECONNRESET);
	else if (c->state == CONN_LINGERING)
		conn_drop_input(c);
	else if (list_is_empty(&c->runnable))
		conn_turn(c);
	busy_poll_waits(busy_poll);
}

void conn_run(struct conn *c)
{
	conn_turn(c);
	busy_poll_waits(&c->worker->busy_poll);
}

/* --- first and last ----------------------------------------------------- */

static bool is_tcp(int fd)
{
	int domain = AF_UNIX;
	socklen_t bytes = sizeof(domain);

	(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes);
	return domain != AF_UNIX;
}

void conn_attach(struct conn *c, struct worker *w)
{
	const struct worker_params *params = &w->params;
	struct nbd_out out = {.data = buf_free_data(&c->tx),
			      .room = buf_room(&c->tx)};
	int err;

	c->worker = w;
	c->state = CONN_HANDSHAKE;
	c->is_tcp = is_tcp(c->fd);
	if (params->verbose)
		log_line("connection %" PRIu64 ": opened", c->id);
	uv_timer_init(&w->loop, &c->deadline); /* cannot fail */
	c->deadline.data = c;
	c->nr_handles = 1;
	err = uv_poll_init(&w->loop, &c->poll, c->fd);
	if (err) {
		conn_close_for(c, err);
		return;
	}
	c->poll.data = c;
	c->nr_handles = 2;
	conn_set_deadline(c, (uint64_t)params->handshake_timeout_s * 1000);
	transmission_init(&c->transmission, &c->handshake.session, w->store_ctx,
			  &w->requests);
	nbd_handshake_start(&c->handshake, params->exports, &out);
	buf_fill(&c->tx, out.bytes);
	conn_turn(c);
}

void conn_stop(struct conn *c)
{
	int here = 0;

	if (c->is_stopping || c->state >= CONN_DRAINING)
		return;
	if (c->state == CONN_HANDSHAKE) {
		conn_close_for(c, -ESHUTDOWN);
		return;
	}
	/* What is in the socket by now was sent to a server that was there. */
	if (ioctl(c->fd, FIONREAD, &here) < 0 || here < 0)
		here = 0;
	c->is_stopping = true;
	c->stop_bytes = (size_t)here;
	conn_set_deadline(c, CONN_LINGER_MS);
	if (list_is_empty(&c->runnable))
		conn_turn(c);
}

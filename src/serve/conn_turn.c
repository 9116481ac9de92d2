/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection's turn: receive, run, send. */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "base/check.h"
#include "serve/kept/kept.h"
#include "serve/worker.h"

/* recv(2) calls in one turn: enough to see whether more came in while the last
 * lot was run, again and again. */
#define MAX_RECVS 8u

/* What is received at a time until the ring has all its memory, bytes: as many
 * writes of a page as clients commonly have under way. */
#define RECV_BYTES ((size_t)(256 * KIB))

_Static_assert(CONN_TX_BYTES - CONN_BACKLOG_BYTES >= NBD_HANDSHAKE_OUT_BYTES &&
		       CONN_TX_BYTES - CONN_BACKLOG_BYTES >=
			       TRANSMISSION_ROOM_BYTES,
	       "an answer fits the send ring, whatever is unsent");

/* --- the socket --------------------------------------------------------- */

/* What the kernel says where it has no memory for a call: tried again. */
static bool is_shortage(int err)
{
	return err == -ENOMEM || err == -ENOBUFS;
}

/* A call has failed. Return: -EAGAIN where it is to be made again: when the
 * socket is ready for it, or in a moment; or @err. */
static int try_again(struct conn *c, int err)
{
	if (!is_shortage(err))
		return err;
	worker_pause(c->worker, c);
	return -EAGAIN;
}

/* The same, of a send. Where all sockets of the system together have too much,
 * TCP refuses with EAGAIN, and tells nobody when that is over. */
static int send_again(struct conn *c, int err)
{
	if (err == -EAGAIN && c->has_room)
		worker_pause(c->worker, c);
	return try_again(c, err);
}

static ssize_t send_some(struct conn *c, size_t bytes)
{
	if (c->is_kept)
		return stream_send(c->stream, c->fd, &c->tx);
	return send(c->fd, io_ring_at(&c->tx, c->tx.head), bytes,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t recv_some(struct conn *c, size_t bytes)
{
	if (c->is_kept)
		return stream_recv(c->stream, c->fd, &c->rx, bytes);
	return recv(c->fd, io_ring_end(&c->rx), bytes, MSG_DONTWAIT);
}

/* Return: 0, also where the client takes no more for now; or -errno. */
static int conn_send(struct conn *c)
{
	size_t used = io_ring_used(&c->tx);
	ssize_t n;
	int err;

	if (used == 0) {
		c->has_room = false;
		return 0;
	}
	do {
		n = send_some(c, used);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		err = send_again(c, -errno);
		return err == -EAGAIN ? 0 : err;
	}
	c->has_room = false;
	io_ring_consume_to(&c->tx, c->tx.head + (uint64_t)n);
	return 0;
}

/* Return: how much may be received now, 0 if the ring is full, or -ENOMEM. A
 * client that sends little needs little. */
static ssize_t recv_room(struct conn *c)
{
	size_t room = io_ring_room(&c->rx), bytes;

	if (c->rx.committed < c->rx.bytes)
		room = min_u64(room, c->state == CONN_HANDSHAKE
					     ? CONN_FIRST_BYTES
					     : RECV_BYTES);
	bytes = io_ring_prepare(&c->rx, room);
	if (!bytes && room) {
		transmission_squeeze(&c->transmission);
		bytes = io_ring_prepare(&c->rx, room);
	}
	return bytes || !room ? (ssize_t)bytes : -ENOMEM;
}

/* The end of what is received. */
static int end_input(struct conn *c)
{
	c->input_ended = true;
	return 0;
}

/* The same, of a connection that stops: to the end of the last request that it
 * has a part of. */
static ssize_t stop_room(struct conn *c)
{
	ssize_t room = recv_room(c);

	if (c->stop_bytes == 0)
		c->stop_bytes = transmission_missing_bytes(&c->transmission);
	return room < 0 ? room : (ssize_t)min_u64((size_t)room, c->stop_bytes);
}

/* Whether a connection that stops has received what it had to. */
static bool has_stopped(const struct conn *c)
{
	return c->is_stopping && !c->stop_bytes &&
	       transmission_has_all(&c->transmission);
}

/*
 * Return: 0, -EAGAIN if nothing can be received for now, or the -errno of
 * recv(2).
 */
static int conn_recv(struct conn *c)
{
	ssize_t room = c->is_stopping ? stop_room(c) : recv_room(c), n;

	if (room < 0)
		return try_again(c, (int)room);
	if (room == 0)
		return has_stopped(c) ? end_input(c) : -EAGAIN;
	do {
		n = recv_some(c, (size_t)room);
	} while (n < 0 && errno == EINTR);
	/* With less than was asked for there is no more, but an edge to come. */
	c->may_recv = n < 0 ? errno != EAGAIN : n == room || c->has_hung_up;
	if (n < 0)
		return try_again(c, -errno);
	if (n == 0) {
		c->at_end = true;
		if (!c->was_served)
			c->reason = -ECONNABORTED;
		return end_input(c);
	}
	io_ring_fill(&c->rx, (size_t)n);
	if (c->is_stopping)
		c->stop_bytes -= (size_t)n;
	return 0;
}

/* --- a turn ------------------------------------------------------------- */

void conn_begin_transmission(struct conn *c)
{
	struct export *export = export_of(c->worker->params->exports,
					  c->handshake.session.export);

	c->state = CONN_TRANSMISSION;
	c->was_served = true;
	export_attach(export);
	c->transmission.crew = &c->worker->member;
	if (c->is_kept) {
		c->transmission.view = c->worker->views[export->index];
		return;
	}
	transmission_begin(&c->transmission, c->worker->views[export->index]);
	uv_timer_stop(&c->deadline);
	kept_begin(c);
}

static enum step run_handshake(struct conn *c)
{
	enum nbd_handshake_result result;
	struct nbd_out out = {.data = io_ring_end(&c->tx)};
	size_t consumed;

	out.room = io_ring_prepare(&c->tx, min_u64(io_ring_room(&c->tx),
						   NBD_HANDSHAKE_OUT_BYTES));
	result = nbd_handshake_feed(&c->handshake,
				    io_ring_at(&c->rx, c->rx.head),
				    io_ring_used(&c->rx), &consumed, &out);
	io_ring_fill(&c->tx, out.bytes);
	io_ring_consume_to(&c->rx, c->rx.head + consumed);
	switch (result) {
	case NBD_HANDSHAKE_MORE:
		/* One answer at a time: there may be more to be answered. */
		return consumed || out.bytes ||
				       out.room < NBD_HANDSHAKE_OUT_BYTES
			       ? STEP_NEEDS_ROOM
			       : STEP_NEEDS_INPUT;
	case NBD_HANDSHAKE_TRANSMISSION:
		conn_begin_transmission(c);
		return STEP_SENDS;
	case NBD_HANDSHAKE_CLOSE:
		break;
	}
	c->reason = c->handshake.close_reason;
	return STEP_ENDS;
}

static enum step conn_step(struct conn *c, uint64_t deadline_ns)
{
	enum step step;

	if (c->state == CONN_HANDSHAKE)
		return run_handshake(c);
	if (c->state == CONN_DRAINING)
		return STEP_ENDS;
	step = transmission_run(&c->transmission, deadline_ns);
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
			uint64_t nr_answered)
{
	if (c->is_stopping)
		return true;
	if (nr_recvs == MAX_RECVS || !list_is_empty(&c->paused))
		return false;
	return c->may_recv || nr_answered > 1 ||
	       transmission_missing_bytes(&c->transmission);
}

/* Whether to look for more at the start of a turn. */
static bool may_recv(const struct conn *c)
{
	return c->state < CONN_DRAINING && !c->input_ended &&
	       (c->may_recv || c->is_stopping);
}

/* Whether more can be sent before anything else is answered. */
static bool has_backlog(const struct conn *c)
{
	return io_ring_used(&c->tx) > CONN_BACKLOG_BYTES;
}

/*
 * Receives, runs and sends until the socket, another connection or time must be
 * waited for. @step receives the last step. Return: 0 or a -errno of the
 * socket's.
 */
static int conn_go(struct conn *c, enum step *step)
{
	const uint64_t deadline_ns = transmission_now_ns() + CONN_TURN_NS;
	struct transmission *t = &c->transmission;
	unsigned nr_recvs = 0;
	uint64_t before;
	int err = conn_send(c);

	*step = STEP_NEEDS_ROOM;
	if (!err && may_recv(c))
		err = conn_recv(c);
	while ((!err || err == -EAGAIN) && !has_backlog(c)) {
		transmission_rewind(t);
		before = t->nr_answered;
		*step = conn_step(c, deadline_ns);
		kept_commit(c);
		err = conn_send(c);
		if (*step == STEP_YIELDS) /* what has come may be a read */
			c->may_recv = true;
		if (err || *step == STEP_ENDS || *step == STEP_YIELDS)
			return err;
		if (*step == STEP_NEEDS_ROOM && io_ring_used(&c->tx))
			return 0;
		if (*step != STEP_NEEDS_INPUT)
			continue;
		if (c->input_ended) {
			*step = transmission_waits(t) ? STEP_NEEDS_INPUT
						      : STEP_ENDS;
			return 0;
		}
		if (!should_recv(c, ++nr_recvs, t->nr_answered - before))
			return 0;
		/* A lot that is begun late is cut into two by the deadline, and
		 * so are its answers. */
		if (transmission_now_ns() + CONN_TURN_NS / 2 >= deadline_ns) {
			c->may_recv = true; /* first thing in the next turn */
			*step = STEP_YIELDS;
			return 0;
		}
		err = conn_recv(c);
		if (err == -EAGAIN)
			return 0;
	}
	return err == -EAGAIN ? 0 : err;
}

/* All is sent, and all is said. */
static void conn_finish(struct conn *c)
{
	if (!c->is_tcp || c->at_end || shutdown(c->fd, SHUT_WR) < 0) {
		conn_close(c);
		return;
	}
	kept_end(c); /* all was said: nothing is left to go on with */
	conn_drain(c, 0); /* for its deadline */
	c->state = CONN_LINGERING;
	worker_runnable(c->worker, c);
}

/* A buffer at a time, so that the others have their turns. */
static void drop_input(struct conn *c)
{
	ssize_t n = recv(c->fd, c->rx.base, CONN_FIRST_BYTES, MSG_DONTWAIT);

	if (n > 0 || (n < 0 && errno == EINTR))
		worker_runnable(c->worker, c);
	else if (n < 0 && is_shortage(-errno))
		worker_pause(c->worker, c);
	else if (n == 0 || errno != EAGAIN)
		conn_close(c);
}

/* Be told when the client has read, or not any more. */
static void watch_room(struct conn *c, bool is_wanted)
{
	if (is_wanted == c->wants_room)
		return;
	if (io_watch_room(&c->worker->loop, &c->watch, is_wanted))
		worker_pause(c->worker, c); /* and try again then */
	else
		c->wants_room = is_wanted;
}

/* Whether there is more to be received, and room for it by now: what waits for
 * memory, or for a request that waits, comes back when it is there. */
static bool can_recv_more(const struct conn *c)
{
	return c->may_recv && !c->input_ended && io_ring_room(&c->rx) &&
	       list_is_empty(&c->paused);
}

void conn_turn(struct conn *c)
{
	enum step step;
	int err = conn_go(c, &step);
	size_t unsent = io_ring_used(&c->tx);

	if (err) {
		conn_close_for(c, err);
		return;
	}
	if (step == STEP_ENDS) {
		if (!unsent) {
			conn_finish(c);
			return;
		}
		conn_drain(c, 0);
	}
	if (step == STEP_YIELDS ||
	    (step == STEP_NEEDS_INPUT && can_recv_more(c)))
		worker_runnable(c->worker, c);
	else
		watch_room(c, unsent);
}

void conn_run(struct conn *c)
{
	crew_serve(&c->worker->member);
	if (unlikely(!c->is_watched) && conn_watch(c))
		worker_pause(c->worker, c);
	else if (c->state == CONN_LINGERING)
		drop_input(c);
	else if (c->state != CONN_CLOSED)
		conn_turn(c);
	busy_poll_waits(&c->worker->busy_poll);
}

void conn_ready(struct io_watch *watch, uint32_t events)
{
	struct conn *c = container_of(watch, struct conn, watch);

	if (events & EPOLLOUT)
		c->has_room = true;
	if (events & ~(uint32_t)EPOLLOUT)
		c->may_recv = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->has_hung_up = true; /* of which there is no edge to come */
	busy_poll_found(&c->worker->busy_poll);
	if (list_is_empty(&c->runnable))
		conn_run(c);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "io/listen.h"
#include "serve/worker.h"

/* recv(2) calls in one turn: enough to see whether more came in while the last
 * lot was run, again and again. */
#define MAX_RECVS 8u

/* What a connection has memory for from its start, bytes of each ring: an
 * option of the handshake, and its answer. */
#define FIRST_BYTES ((size_t)(64 * KIB) + NBD_HANDSHAKE_OUT_BYTES)

/* What is received at a time until the ring has all its memory, bytes: as many
 * writes of a page as clients commonly have under way. */
#define RECV_BYTES ((size_t)(256 * KIB))

/* Each ring is made of whole pages. */
_Static_assert(CONN_RX_BYTES + CONN_TX_BYTES + sizeof(struct conn) +
			       2 * ZSD_PAGE_BYTES <=
		       CONN_MAX_BYTES,
	       "a connection takes no more memory than it is said to");
_Static_assert(CONN_RX_BYTES >= NBD_HANDSHAKE_IN_BYTES,
	       "an option fits the receive ring");
_Static_assert(CONN_TX_BYTES - CONN_BACKLOG_BYTES >= NBD_HANDSHAKE_OUT_BYTES &&
		       CONN_TX_BYTES - CONN_BACKLOG_BYTES >=
			       TRANSMISSION_ROOM_BYTES,
	       "an answer fits the send ring, whatever is unsent");

/* --- memory --------------------------------------------------------------- */

static void free_memory(struct conn *c)
{
	io_ring_destroy(&c->rx);
	io_ring_destroy(&c->tx);
	free(c);
}

/* Take memory for @bytes of each ring at once. */
static int take_memory(size_t bytes, struct conn **out)
{
	struct conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	err = io_ring_create(&c->rx, CONN_RX_BYTES);
	if (err)
		goto err_free;
	err = io_ring_create(&c->tx, CONN_TX_BYTES);
	if (err)
		goto err_rx;
	if (io_ring_prepare(&c->rx, min_u64(bytes, CONN_RX_BYTES)) < bytes ||
	    io_ring_prepare(&c->tx, min_u64(bytes, CONN_TX_BYTES)) <
		    min_u64(bytes, CONN_TX_BYTES)) {
		err = -ENOMEM;
		goto err_tx;
	}
	*out = c;
	return 0;

err_tx:
	io_ring_destroy(&c->tx);
err_rx:
	io_ring_destroy(&c->rx);
err_free:
	free(c);
	return err;
}

int conn_pool_init(struct conn_pool *pool, unsigned nr_kept, bool is_full,
		   bool inherit_priority)
{
	struct conn *c;
	int err = 0;

	*pool = (struct conn_pool){.nr_kept = nr_kept};
	list_init(&pool->ready);
	lock_init(&pool->lock, inherit_priority);
	while (pool->nr < nr_kept && !err) {
		err = take_memory(is_full ? CONN_RX_BYTES : FIRST_BYTES, &c);
		if (err)
			break;
		list_add_tail(&pool->ready, &c->node);
		pool->nr++;
	}
	if (err)
		conn_pool_fini(pool);
	return err;
}

void conn_pool_fini(struct conn_pool *pool)
{
	struct conn *c, *next;

	list_for_each_safe (c, next, &pool->ready, struct conn, node) {
		list_del(&c->node);
		free_memory(c);
	}
	pthread_mutex_destroy(&pool->lock);
}

/* Return: a connection of the pool, or NULL. */
static struct conn *pool_take(struct conn_pool *pool)
{
	struct conn *c = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->nr) {
		c = list_first(&pool->ready, struct conn, node);
		list_del(&c->node);
		pool->nr--;
	}
	pthread_mutex_unlock(&pool->lock);
	return c;
}

/* As good as new, but for the memory that its rings have. */
static void forget(struct conn *c)
{
	struct io_ring rx = c->rx, tx = c->tx;

	memset(c, 0, sizeof(*c));
	rx.head = rx.tail = tx.head = tx.tail = 0;
	c->rx = rx;
	c->tx = tx;
}

/* Back to the pool, if it is not full. */
static void conn_free(struct conn *c)
{
	struct conn_pool *pool = c->pool;
	bool is_kept;

	forget(c);
	pthread_mutex_lock(&pool->lock);
	is_kept = pool->nr < pool->nr_kept;
	if (is_kept) {
		list_add_tail(&pool->ready, &c->node);
		pool->nr++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!is_kept)
		free_memory(c);
}

int conn_create(struct conn_pool *pool, int fd, uint64_t id, struct conn **out)
{
	struct conn *c = pool_take(pool);
	int err;

	if (!c) {
		err = take_memory(FIRST_BYTES, &c);
		if (err)
			return err;
	}
	list_init(&c->node);
	list_init(&c->runnable);
	list_init(&c->paused);
	c->pool = pool;
	c->fd = fd;
	c->id = id;
	*out = c;
	return 0;
}

void conn_destroy(struct conn *c)
{
	close(c->fd);
	conn_free(c);
}

/* --- the end -------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	worker_closed(c->worker, c);
	conn_free(c);
}

static void log_end(const struct conn *c)
{
	const struct serve_params *params = c->worker->params;

	if (params->verbose)
		io_log(params->log, IO_LOG_INFO,
		       "connection %" PRIu64 ": closed (%s: %s)", c->id,
		       c->was_served ? "served" : "handshake",
		       c->reason ? strerror(-c->reason) : "done");
}

/* Takes the client's socket away at once; the memory lives until libuv has
 * let go of the timer, so the caller may go on to return. */
static void conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	worker_forget(c->worker, c);
	log_end(c);
	if (c->was_served)
		atomic_fetch_sub(&c->transmission.view->export->nr_clients, 1);
	if (c->is_watched)
		io_watch_del(&c->worker->loop, &c->watch);
	uv_close((uv_handle_t *)&c->deadline, on_timer_closed);
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

static void set_deadline(struct conn *c, uint64_t ms)
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
	set_deadline(c, CONN_LINGER_MS);
}

/* --- the socket --------------------------------------------------------- */

/* What the kernel says where it has no memory for a call: tried again. */
static bool is_shortage(int err)
{
	return err == -ENOMEM || err == -ENOBUFS;
}

/* Return: 0, also where the client takes no more for now; or -errno. */
static int conn_send(struct conn *c)
{
	size_t used = io_ring_used(&c->tx);
	ssize_t n;

	if (used == 0)
		return 0;
	do {
		n = send(c->fd, io_ring_at(&c->tx, c->tx.head), used,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	io_ring_consume_to(&c->tx, c->tx.head + (uint64_t)n);
	return 0;
}

/* How much may be received now: a client that sends little needs little. */
static size_t recv_limit(struct conn *c)
{
	size_t room = io_ring_room(&c->rx);

	if (c->rx.committed < c->rx.bytes)
		room = min_u64(room, c->state == CONN_HANDSHAKE ? FIRST_BYTES
								: RECV_BYTES);
	room = io_ring_prepare(&c->rx, room);
	if (!c->is_stopping)
		return room;
	if (c->stop_bytes == 0)
		c->stop_bytes = transmission_missing_bytes(&c->transmission);
	return min_u64(room, c->stop_bytes);
}

/* The end of what is received. */
static int end_input(struct conn *c)
{
	c->input_ended = true;
	return 0;
}

/*
 * Return: 0, -EAGAIN if nothing can be received for now, or the -errno of
 * recv(2).
 */
static int conn_recv(struct conn *c)
{
	size_t limit = recv_limit(c);
	ssize_t n;

	if (limit == 0)
		return c->is_stopping && !c->stop_bytes ? end_input(c)
							: -EAGAIN;
	do {
		n = recv(c->fd, io_ring_end(&c->rx), limit, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	/* With less than was asked for there is no more, but an edge to come. */
	c->may_recv =
		n < 0 ? errno != EAGAIN : (size_t)n == limit || c->has_hung_up;
	if (n < 0)
		return -errno;
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

/* The handshake is over, and has chosen an export. */
static void begin_transmission(struct conn *c)
{
	struct export *export = export_of(c->worker->params->exports,
					  c->handshake.session.export);

	c->state = CONN_TRANSMISSION;
	c->was_served = true;
	atomic_fetch_add(&export->nr_clients, 1);
	transmission_begin(&c->transmission, c->worker->views[export->index]);
	uv_timer_stop(&c->deadline);
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
		begin_transmission(c);
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
	if (nr_recvs == MAX_RECVS)
		return false;
	return c->may_recv || nr_answered > 1 ||
	       transmission_missing_bytes(&c->transmission);
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
	if (!err && !c->input_ended && (c->may_recv || c->is_stopping))
		err = conn_recv(c);
	while ((!err || err == -EAGAIN) && !has_backlog(c)) {
		transmission_rewind(t);
		before = t->nr_answered;
		*step = conn_step(c, deadline_ns);
		err = conn_send(c);
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
	conn_drain(c, 0); /* for its deadline */
	c->state = CONN_LINGERING;
	worker_runnable(c->worker, c);
}

/* A buffer at a time, so that the others have their turns. */
static void drop_input(struct conn *c)
{
	ssize_t n = recv(c->fd, c->rx.base, FIRST_BYTES, MSG_DONTWAIT);

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

static void conn_turn(struct conn *c)
{
	enum step step;
	int err = conn_go(c, &step);
	size_t unsent = io_ring_used(&c->tx);

	if (is_shortage(err)) {
		worker_pause(c->worker, c);
		return;
	}
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
	    (step == STEP_NEEDS_INPUT && c->may_recv && !c->input_ended))
		worker_runnable(c->worker, c);
	else
		watch_room(c, unsent);
}

void conn_run(struct conn *c)
{
	if (c->state == CONN_LINGERING)
		drop_input(c);
	else if (c->state != CONN_CLOSED)
		conn_turn(c);
	busy_poll_waits(&c->worker->busy_poll);
}

static void on_ready(struct io_watch *watch, uint32_t events)
{
	struct conn *c = container_of(watch, struct conn, watch);

	if (events & ~(uint32_t)EPOLLOUT)
		c->may_recv = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->has_hung_up = true; /* of which there is no edge to come */
	busy_poll_found(&c->worker->busy_poll);
	if (list_is_empty(&c->runnable))
		conn_run(c);
}

/* --- first and last ----------------------------------------------------- */

void conn_attach(struct conn *c, struct worker *w)
{
	const struct serve_params *params = w->params;
	struct nbd_out out = {.data = io_ring_end(&c->tx), .room = FIRST_BYTES};
	int err;

	c->worker = w;
	c->state = CONN_HANDSHAKE;
	c->is_tcp = !io_socket_is_local(c->fd);
	c->may_recv = true;
	if (params->verbose)
		io_log(params->log, IO_LOG_INFO,
		       "connection %" PRIu64 ": opened", c->id);
	uv_timer_init(&w->loop.uv, &c->deadline); /* cannot fail */
	c->deadline.data = c;
	c->watch.ready = on_ready;
	err = io_watch_add(&w->loop, &c->watch, c->fd);
	if (err) {
		conn_close_for(c, err);
		return;
	}
	c->is_watched = true;
	set_deadline(c, (uint64_t)params->handshake_timeout_s * 1000);
	transmission_init(&c->transmission, &c->handshake.session, &c->rx,
			  &c->tx);
	nbd_handshake_start(&c->handshake, &params->exports->offered, &out);
	io_ring_fill(&c->tx, out.bytes);
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
	set_deadline(c, CONN_LINGER_MS);
	if (list_is_empty(&c->runnable))
		conn_turn(c);
}

void conn_wake(struct conn *c, uint64_t number)
{
	transmission_wake(&c->transmission, number);
	worker_runnable(c->worker, c);
}

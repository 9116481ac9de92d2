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
#include "serve/kept/kept.h"
#include "serve/worker.h"

/* Each ring is made of whole pages. */
_Static_assert(CONN_RX_BYTES + CONN_TX_BYTES + sizeof(struct conn) +
			       sizeof(struct stream) + 3 * ZSD_PAGE_BYTES <=
		       CONN_MAX_BYTES,
	       "a connection takes no more memory than it is said to");
_Static_assert(CONN_RX_BYTES >= NBD_HANDSHAKE_IN_BYTES,
	       "an option fits the receive ring");

/* --- memory --------------------------------------------------------------- */

static void free_memory(struct conn_pool *pool, struct conn *c)
{
	if (c->stream) {
		stream_area_unmap(c->stream, &c->rx, &c->tx);
		stream_area_free(pool->area, c->slot);
	} else {
		io_ring_destroy(&c->rx);
		io_ring_destroy(&c->tx);
	}
	free(c);
}

/* Map a slot that is taken. */
static int map_slot(struct conn_pool *pool, unsigned slot, struct conn **out)
{
	struct conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->slot = slot;
	err = stream_area_map(pool->area, slot, &c->stream, &c->rx, &c->tx);
	if (err)
		free(c);
	else
		*out = c;
	return err;
}

static int take_slot(struct conn_pool *pool, struct conn **out)
{
	unsigned slot;
	int err = stream_area_take(pool->area, &slot);

	if (err)
		return err;
	err = map_slot(pool, slot, out);
	if (err)
		stream_area_free(pool->area, slot);
	return err;
}

/* Take memory for @bytes of each ring at once. */
static int take_memory(struct conn_pool *pool, size_t bytes, struct conn **out)
{
	struct conn *c;
	int err;

	if (pool->area)
		return take_slot(pool, out);
	c = calloc(1, sizeof(*c));
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
		   bool inherit_priority, struct stream_area *area)
{
	struct conn *c;
	int err = 0;

	*pool = (struct conn_pool){.nr_kept = nr_kept, .area = area};
	list_init(&pool->ready);
	lock_init(&pool->lock, inherit_priority);
	while (pool->nr < nr_kept && !err) {
		err = take_memory(
			pool, is_full ? CONN_RX_BYTES : CONN_FIRST_BYTES, &c);
		if (err)
			break;
		list_add_tail(&pool->ready, &c->node);
		pool->nr++;
	}
	if (err == -ENOSPC) /* those to be adopted have all other slots */
		return 0;
	if (err)
		conn_pool_fini(pool);
	return err;
}

void conn_pool_fini(struct conn_pool *pool)
{
	struct conn *c, *next;

	list_for_each_safe (c, next, &pool->ready, struct conn, node) {
		list_del(&c->node);
		free_memory(pool, c);
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
	struct stream *stream = c->stream;
	unsigned slot = c->slot;

	memset(c, 0, sizeof(*c));
	rx.head = rx.tail = tx.head = tx.tail = 0;
	c->rx = rx;
	c->tx = tx;
	c->stream = stream;
	c->slot = slot;
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
		free_memory(pool, c);
}

static void init(struct conn *c, struct conn_pool *pool, int fd, uint64_t id)
{
	list_init(&c->node);
	list_init(&c->runnable);
	list_init(&c->paused);
	c->pool = pool;
	c->fd = fd;
	c->id = id;
}

int conn_create(struct conn_pool *pool, int fd, uint64_t id, struct conn **out)
{
	struct conn *c = pool_take(pool);
	int err;

	if (!c) {
		err = take_memory(pool, CONN_FIRST_BYTES, &c);
		if (err)
			return err == -ENOSPC ? -ENOMEM : err;
	}
	init(c, pool, fd, id);
	*out = c;
	return 0;
}

int conn_adopt(struct conn_pool *pool, unsigned slot, int fd, uint64_t id,
	       const struct serve_params *params, bool was_killed,
	       struct conn **out)
{
	struct conn *c;
	int err;

	if (!stream_area_is_kept(pool->area, slot))
		return -ENOENT;
	err = map_slot(pool, slot, &c);
	if (err)
		return err;
	init(c, pool, fd, id);
	err = kept_resume(c, params, was_killed);
	if (err) {
		stream_area_unmap(c->stream, &c->rx, &c->tx);
		free(c);
		return err;
	}
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

/* Where somebody else holds the socket, too, that does not keep it open. */
static void let_go_of_socket(struct conn *c)
{
	const struct serve_params *params = c->worker->params;

	if (params->closed)
		(void)shutdown(c->fd, SHUT_RDWR);
	close(c->fd);
	if (params->closed)
		params->closed(params->closed_arg, c->number);
}

void conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	worker_forget(c->worker, c);
	log_end(c);
	if (c->was_served)
		export_detach(c->transmission.view->export);
	if (c->is_watched)
		io_watch_del(&c->worker->loop, &c->watch);
	kept_end(c);
	uv_close((uv_handle_t *)&c->deadline, on_timer_closed);
	let_go_of_socket(c);
}

void conn_close_for(struct conn *c, int reason)
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

void conn_drain(struct conn *c, int reason)
{
	if (c->state == CONN_DRAINING)
		return;
	c->state = CONN_DRAINING;
	if (!c->reason)
		c->reason = reason;
	set_deadline(c, CONN_LINGER_MS);
}

/* --- first and last ----------------------------------------------------- */

/* The client gets a greeting, and a while to answer it. */
static void greet(struct conn *c)
{
	const struct serve_params *params = c->worker->params;
	struct nbd_out out = {.data = io_ring_end(&c->tx),
			      .room = CONN_FIRST_BYTES};

	set_deadline(c, (uint64_t)params->handshake_timeout_s * 1000);
	transmission_init(&c->transmission, &c->handshake.session, &c->rx,
			  &c->tx);
	nbd_handshake_start(&c->handshake, &params->exports->offered, &out);
	io_ring_fill(&c->tx, out.bytes);
}

int conn_watch(struct conn *c)
{
	int err = io_watch_add(&c->worker->loop, &c->watch, c->fd);

	c->is_watched = !err;
	return err;
}

/* Go on with it. Nothing ends it but its client: where the kernel has no memory
 * to watch it, it is tried again. */
static void take_over(struct conn *c)
{
	conn_begin_transmission(c);
	if (conn_watch(c))
		worker_pause(c->worker, c);
	else
		conn_turn(c);
}

void conn_attach(struct conn *c, struct worker *w)
{
	const struct serve_params *params = w->params;
	int err;

	c->worker = w;
	c->state = CONN_HANDSHAKE;
	c->is_tcp = !io_socket_is_local(c->fd);
	c->may_recv = true;
	if (params->verbose)
		io_log(params->log, IO_LOG_INFO, "connection %" PRIu64 ": %s",
		       c->id, c->is_kept ? "adopted" : "opened");
	uv_timer_init(&w->loop.uv, &c->deadline); /* cannot fail */
	c->deadline.data = c;
	c->watch.ready = conn_ready;
	if (c->is_kept) {
		take_over(c);
		return;
	}
	err = conn_watch(c);
	if (err) {
		conn_close_for(c, err);
		return;
	}
	greet(c);
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

void conn_wake(struct conn *c)
{
	if (c->state < CONN_LINGERING && transmission_wake(&c->transmission))
		worker_runnable(c->worker, c);
}

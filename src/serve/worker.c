/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "serve/conn_internal.h"
#include "serve/worker_internal.h"

/* --- turns -------------------------------------------------------------- */

/* One turn for each that is runnable now; those that are so again afterwards
 * wait until the sockets were looked at. */
static void on_idle(uv_idle_t *idle)
{
	struct worker *w = idle->data;
	unsigned nr = w->nr_runnable;
	struct conn *conn;

	while (nr--) {
		conn = list_first(&w->runnable, struct conn, runnable);
		worker_not_runnable(w, conn);
		conn_run(conn);
	}
}

void worker_runnable(struct worker *w, struct conn *conn)
{
	CHECK(list_is_empty(&conn->runnable));
	list_add_tail(&w->runnable, &conn->runnable);
	if (w->nr_runnable++ == 0)
		BUG_ON(uv_idle_start(&w->idle, on_idle));
}

void worker_not_runnable(struct worker *w, struct conn *conn)
{
	if (list_is_empty(&conn->runnable))
		return;
	list_del(&conn->runnable);
	if (--w->nr_runnable == 0)
		uv_idle_stop(&w->idle);
}

/* --- the inbox ---------------------------------------------------------- */

/* With nothing left to wait for, uv_run() returns. */
static void end_if_done(struct worker *w)
{
	if (!w->is_stopping || !list_is_empty(&w->conns) ||
	    uv_is_closing((uv_handle_t *)&w->wakeup))
		return;
	uv_close((uv_handle_t *)&w->wakeup, NULL);
	uv_close((uv_handle_t *)&w->idle, NULL);
	busy_poll_close(&w->busy_poll);
}

static void stop_if_negotiating(struct conn *conn)
{
	if (conn->state == CONN_HANDSHAKE)
		conn_stop(conn);
}

static void attach(struct worker *w, struct conn *conn)
{
	list_add_tail(&w->conns, &conn->node);
	conn_attach(conn, w);
	if (w->is_draining)
		stop_if_negotiating(conn);
}

static void drain(struct worker *w)
{
	struct conn *conn, *next;

	w->is_draining = true;
	list_for_each_safe (conn, next, &w->conns, struct conn, node)
		stop_if_negotiating(conn);
}

static void stop(struct worker *w)
{
	struct conn *conn, *next;

	w->is_stopping = true;
	list_for_each_safe (conn, next, &w->conns, struct conn, node)
		conn_stop(conn);
}

static void on_wakeup(uv_async_t *wakeup)
{
	struct worker *w = wakeup->data;
	struct conn *conn, *next;
	struct list_node given;
	bool is_drain, is_stop;

	list_init(&given);
	uv_mutex_lock(&w->inbox_lock);
	list_for_each_safe (conn, next, &w->inbox, struct conn, node) {
		list_del(&conn->node);
		list_add_tail(&given, &conn->node);
	}
	is_drain = w->inbox_drain;
	is_stop = w->inbox_stop;
	uv_mutex_unlock(&w->inbox_lock);

	list_for_each_safe (conn, next, &given, struct conn, node) {
		list_del(&conn->node);
		attach(w, conn);
	}
	if (is_drain && !w->is_draining)
		drain(w);
	if (is_stop && !w->is_stopping)
		stop(w);
	end_if_done(w);
}

int worker_give(struct worker *w, int fd, uint64_t id)
{
	struct conn *conn;
	int err;

	err = conn_create(fd, id, &conn);
	if (err)
		return err;
	atomic_fetch_add(&w->nr_conns, 1);
	uv_mutex_lock(&w->inbox_lock);
	list_add_tail(&w->inbox, &conn->node);
	uv_mutex_unlock(&w->inbox_lock);
	BUG_ON(uv_async_send(&w->wakeup));
	return 0;
}

/* @order: inbox_drain or inbox_stop */
static void give_order(struct worker *w, bool *order)
{
	uv_mutex_lock(&w->inbox_lock);
	*order = true;
	uv_mutex_unlock(&w->inbox_lock);
	BUG_ON(uv_async_send(&w->wakeup));
}

void worker_drain(struct worker *w)
{
	give_order(w, &w->inbox_drain);
}

void worker_stop(struct worker *w)
{
	give_order(w, &w->inbox_stop);
}

void worker_closed(struct worker *w, struct conn *conn)
{
	list_del(&conn->node);
	if (!conn->was_served && conn->reason)
		atomic_fetch_add(&w->handshake_failures, 1);
	/* Last, so that whoever sees it gone sees all that it counted. */
	atomic_fetch_sub(&w->nr_conns, 1);
	if (w->params.left)
		w->params.left(w->params.left_arg);
	end_if_done(w);
}

/* --- life --------------------------------------------------------------- */

static void thread_main(void *arg)
{
	struct worker *w = arg;

	residence_join(w->params.residence, "worker", true);
	uv_run(&w->loop, UV_RUN_DEFAULT);
}

static int init_handles(struct worker *w)
{
	int err;

	err = uv_async_init(&w->loop, &w->wakeup, on_wakeup);
	if (err)
		return err;
	w->wakeup.data = w;
	uv_idle_init(&w->loop, &w->idle); /* cannot fail */
	w->idle.data = w;
	busy_poll_init(&w->busy_poll, &w->loop, w->params.poll_us);
	return 0;
}

static void fini_handles(struct worker *w)
{
	uv_close((uv_handle_t *)&w->wakeup, NULL);
	uv_close((uv_handle_t *)&w->idle, NULL);
	busy_poll_close(&w->busy_poll);
	uv_run(&w->loop, UV_RUN_DEFAULT);
}

static int init(struct worker *w, const struct worker_params *params)
{
	int err;

	w->params = *params;
	list_init(&w->conns);
	list_init(&w->runnable);
	list_init(&w->inbox);
	err = zstore_ctx_create(params->store, &w->store_ctx);
	if (err)
		return err;
	err = uv_mutex_init(&w->inbox_lock);
	if (err)
		goto err_ctx;
	err = uv_loop_init(&w->loop);
	if (err)
		goto err_mutex;
	err = init_handles(w);
	if (err)
		goto err_loop;
	err = uv_thread_create(&w->thread, thread_main, w);
	if (err)
		goto err_handles;
	return 0;

err_handles:
	fini_handles(w);
err_loop:
	BUG_ON(uv_loop_close(&w->loop));
err_mutex:
	uv_mutex_destroy(&w->inbox_lock);
err_ctx:
	zstore_ctx_destroy(w->store_ctx);
	return err;
}

int worker_create(const struct worker_params *params, struct worker **out)
{
	struct worker *w;
	int err;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	err = init(w, params);
	if (err) {
		free(w);
		return err;
	}
	*out = w;
	return 0;
}

void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	uv_thread_join(&w->thread);
	BUG_ON(uv_loop_close(&w->loop));
	BUG_ON(!list_is_empty(&w->inbox));
	uv_mutex_destroy(&w->inbox_lock);
	zstore_ctx_destroy(w->store_ctx);
	free(w);
}

unsigned worker_nr_conns(const struct worker *w)
{
	return atomic_load(&w->nr_conns);
}

void worker_count(const struct worker *w, struct server_counts *counts)
{
	request_counters_sum(&w->requests, &counts->requests);
	busy_poll_sum(&w->busy_poll, &counts->polling);
	counts->connections.open += worker_nr_conns(w);
	counts->connections.handshake_failures +=
		atomic_load(&w->handshake_failures);
}

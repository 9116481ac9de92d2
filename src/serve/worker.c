/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/lock.h"
#include "serve/worker.h"

_Static_assert(SERVE_MAX_THREADS <= CREW_MAX_MEMBERS,
	       "each worker is a member of the crew");

/* Turns that a connection has in a row where there is no other, at most: timers
 * are that late. */
#define TURNS_ALONE 16u

/* How long to leave the kernel alone that had no memory, ms. */
#define PAUSE_MS 5u

/* --- turns -------------------------------------------------------------- */

void worker_runnable(struct worker *w, struct conn *conn)
{
	if (!list_is_empty(&conn->runnable))
		return;
	list_add_tail(&w->runnable, &conn->runnable);
	w->nr_runnable++;
}

static void on_pause_over(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	struct conn *conn, *next;

	list_for_each_safe (conn, next, &w->paused, struct conn, paused) {
		list_del(&conn->paused);
		worker_runnable(w, conn);
	}
}

void worker_pause(struct worker *w, struct conn *conn)
{
	if (!list_is_empty(&conn->paused))
		return;
	list_add_tail(&w->paused, &conn->paused);
	if (!uv_is_active((uv_handle_t *)&w->pause))
		BUG_ON(uv_timer_start(&w->pause, on_pause_over, PAUSE_MS, 0));
}

void worker_forget(struct worker *w, struct conn *conn)
{
	list_del(&conn->paused);
	if (list_is_empty(&conn->runnable))
		return;
	list_del(&conn->runnable);
	w->nr_runnable--;
}

/* One turn for each that is runnable now; those that are so again afterwards
 * wait until the sockets were looked at. */
static void run_runnable(struct worker *w)
{
	unsigned nr = w->nr_runnable;

	while (nr-- && w->nr_runnable) {
		struct conn *conn =
			list_first(&w->runnable, struct conn, runnable);

		list_del(&conn->runnable);
		w->nr_runnable--;
		conn_run(conn);
	}
}

static bool is_done(const struct worker *w)
{
	return w->is_stopping && list_is_empty(&w->conns);
}

static void on_window(uv_timer_t *window);

/* A worker that sleeps must have real time again by the next window. */
static void keep_share(struct worker *w)
{
	struct share *share = &w->share;
	const uint64_t now_ms = uv_now(&w->loop.uv);

	share_keep(share, now_ms);
	if (unlikely(share->is_given_up) &&
	    !uv_is_active((uv_handle_t *)&w->window))
		BUG_ON(uv_timer_start(&w->window, on_window,
				      share->ends_ms - now_ms, 0));
}

static void on_window(uv_timer_t *window)
{
	keep_share(window->data);
}

/* Whether it is time to look at the sockets. Between two turns of a connection
 * that is alone there is nothing else to be served. */
static bool should_look(struct worker *w)
{
	bool is_alone = w->nr_runnable == 1 && atomic_load(&w->nr_conns) == 1;

	if (is_alone && !atomic_load(&w->is_called) &&
	    ++w->nr_turns < TURNS_ALONE)
		return false;
	w->nr_turns = 0;
	return true;
}

/* Look at the sockets, and sleep until there is something where there is
 * nothing else to do; or help somebody. */
static void look(struct worker *w)
{
	bool may_sleep = busy_poll_may_sleep(&w->busy_poll) && !w->nr_runnable;

	if (!w->nr_runnable)
		crew_rest(&w->member, may_sleep);
	io_loop_turn(&w->loop, may_sleep);
	crew_resume(&w->member);
}

static void thread_main(void *arg)
{
	struct worker *w = arg;

	residence_join(w->params->residence, "worker", RESIDENCE_URGENT);
	share_begin(&w->share);
	crew_join(&w->member);
	while (!is_done(w)) {
		if (should_look(w))
			look(w);
		else
			uv_update_time(&w->loop.uv);
		run_runnable(w);
		keep_share(w);
	}
	uv_timer_stop(&w->window);
}

/* --- the inbox ---------------------------------------------------------- */

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

static void wake(struct worker *w)
{
	struct conn *conn, *next;

	list_for_each_safe (conn, next, &w->conns, struct conn, node)
		conn_wake(conn);
}

static void on_woken(struct io_waker *waker)
{
	struct worker *w = container_of(waker, struct worker, waker);
	struct conn *conn, *next;
	struct list_node given;
	bool is_drain, is_stop, is_wake;
	unsigned nr_adopted = 0;

	list_init(&given);
	atomic_store(&w->is_called, false);
	pthread_mutex_lock(&w->inbox_lock);
	list_for_each_safe (conn, next, &w->inbox, struct conn, node) {
		list_del(&conn->node);
		list_add_tail(&given, &conn->node);
	}
	is_drain = w->inbox_drain;
	is_stop = w->inbox_stop;
	is_wake = w->inbox_wake;
	w->inbox_wake = false;
	pthread_mutex_unlock(&w->inbox_lock);

	list_for_each_safe (conn, next, &given, struct conn, node) {
		list_del(&conn->node);
		nr_adopted += conn->is_kept;
		attach(w, conn); /* and gives those their first turn */
	}
	if (nr_adopted && w->params->resumed)
		w->params->resumed(w->params->resumed_arg, nr_adopted);
	if (is_wake)
		wake(w);
	if (is_drain && !w->is_draining)
		drain(w);
	if (is_stop && !w->is_stopping)
		stop(w);
}

void worker_give(struct worker *w, struct conn *conn)
{
	atomic_fetch_add(&w->nr_conns, 1);
	pthread_mutex_lock(&w->inbox_lock);
	list_add_tail(&w->inbox, &conn->node);
	pthread_mutex_unlock(&w->inbox_lock);
	io_wake(&w->waker);
}

/* @order: inbox_drain, inbox_stop or inbox_wake */
static void give_order(struct worker *w, bool *order)
{
	pthread_mutex_lock(&w->inbox_lock);
	*order = true;
	pthread_mutex_unlock(&w->inbox_lock);
	atomic_store(&w->is_called, true);
	io_wake(&w->waker);
}

void worker_drain(struct worker *w)
{
	give_order(w, &w->inbox_drain);
}

void worker_wake(struct worker *w)
{
	give_order(w, &w->inbox_wake);
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
	if (w->params->left)
		w->params->left(w->params->left_arg);
}

/* --- helping ------------------------------------------------------------- */

/* With this worker's own memory. */
static void pack(void *arg, struct crew_job *job)
{
	struct worker *w = arg;

	job->err = zstore_write(w->views[job->export_index]->store, job->offset,
				ZSD_PAGE_BYTES, job->src);
}

static void wake_to_help(void *arg)
{
	struct worker *w = arg;

	io_wake(&w->waker);
}

/* --- life --------------------------------------------------------------- */

static void destroy_views(struct worker *w)
{
	for (size_t i = 0; i < w->params->exports->nr; i++)
		export_view_destroy(w->views[i]);
	zstore_scratch_destroy(w->scratch);
}

static int create_views(struct worker *w)
{
	const struct export_table *exports = w->params->exports;
	int err = zstore_scratch_create(&w->scratch);

	for (size_t i = 0; i < exports->nr && !err; i++)
		err = export_view_create(exports->all[i], w->scratch,
					 &w->views[i]);
	if (err)
		destroy_views(w);
	return err;
}

static void close_timers(struct worker *w)
{
	uv_close((uv_handle_t *)&w->pause, NULL);
	uv_close((uv_handle_t *)&w->window, NULL);
}

static int init_loop(struct worker *w)
{
	int err = io_loop_init(&w->loop);

	if (err)
		return err;
	uv_timer_init(&w->loop.uv, &w->pause); /* cannot fail */
	w->pause.data = w;
	uv_timer_init(&w->loop.uv, &w->window);
	w->window.data = w;
	err = io_waker_open(&w->loop, &w->waker, on_woken);
	if (err) {
		close_timers(w);
		io_loop_fini(&w->loop);
		return err;
	}
	return 0;
}

static void fini_loop(struct worker *w)
{
	io_waker_close(&w->waker);
	close_timers(w);
	io_loop_fini(&w->loop);
}

static int init(struct worker *w)
{
	int err;

	list_init(&w->conns);
	list_init(&w->runnable);
	list_init(&w->paused);
	list_init(&w->inbox);
	lock_init(&w->inbox_lock, w->params->is_swapped_on);
	busy_poll_init(&w->busy_poll, w->params->poll_us, &w->commons->crowd);
	crew_member_init(&w->member, &w->commons->crew,
			 w->params->is_swapped_on, pack, wake_to_help, w);
	err = create_views(w);
	if (err)
		goto err_lock;
	if (w->params->is_swapped_on)
		err = share_open(&w->share);
	if (err)
		goto err_views;
	err = init_loop(w);
	if (err)
		goto err_share;
	err = uv_thread_create(&w->thread, thread_main, w);
	if (err)
		goto err_loop;
	return 0;

err_loop:
	fini_loop(w);
err_share:
	share_close(&w->share);
err_views:
	destroy_views(w);
err_lock:
	crew_member_fini(&w->member);
	pthread_mutex_destroy(&w->inbox_lock);
	return err;
}

int worker_create(const struct serve_params *params,
		  struct worker_commons *commons, unsigned index,
		  struct worker **out)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->params = params;
	w->commons = commons;
	w->index = index;
	err = init(w);
	if (err) {
		free(w);
		return err;
	}
	*out = w;
	return 0;
}

void worker_join(struct worker *w)
{
	uv_thread_join(&w->thread);
}

void worker_destroy(struct worker *w)
{
	BUG_ON(!list_is_empty(&w->inbox));
	fini_loop(w);
	share_close(&w->share);
	destroy_views(w);
	crew_member_fini(&w->member);
	pthread_mutex_destroy(&w->inbox_lock);
	free(w);
}

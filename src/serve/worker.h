/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker - a thread with an event loop that serves some of the connections
 *
 * Requests are run by the thread that received them: there is no queue between
 * threads. But where it has a lot of pages to pack, workers that wait for their
 * sockets help (crew.h). What the main thread hands over (new connections, the
 * order to stop) goes through an inbox under a lock, which the data path never
 * takes.
 *
 * Connections that have work left after their turn are runnable: each gets one
 * turn between two looks at the sockets, so that neither they nor the others
 * starve. One that is alone has several. Those that the kernel had no memory
 * for are paused for a moment.
 *
 * Ownership: serve owns the workers; a worker owns its connections.
 * Threads: named with each function.
 */
#ifndef ZSD_SERVE_WORKER_H
#define ZSD_SERVE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/compiler.h"
#include "base/list.h"
#include "export/export.h"
#include "guard/share.h"
#include "io/loop.h"
#include "serve/busy_poll.h"
#include "serve/conn.h"
#include "serve/crew.h"
#include "serve/serve.h"

/* What all workers share. */
struct worker_commons {
	struct conn_pool pool; /* connections are taken from, and go back to */
	struct busy_poll_crowd crowd;
	struct crew crew;
};

/* All of it belongs to the worker's thread, but for what says otherwise. */
struct worker {
	const struct serve_params *params; /* immutable */
	struct worker_commons *commons;
	unsigned index;
	uv_thread_t thread; /* main thread's */
	struct io_loop loop;
	struct zstore_scratch *scratch; /* of all views */
	struct export_view *views[EXPORT_MAX]; /* by the export's index */
	struct list_node conns; /* attached, not freed yet */
	bool is_draining;
	bool is_stopping;

	struct list_node runnable; /* struct conn.runnable */
	unsigned nr_runnable;
	unsigned nr_turns; /* since it looked at the sockets */
	struct list_node paused; /* struct conn.paused */
	uv_timer_t pause; /* runs while there are some */

	struct crew_member member; /* of the crew */
	struct busy_poll busy_poll;
	struct share share; /* of its processor */
	uv_timer_t window; /* runs while real time is given up */

	struct io_waker waker; /* any thread's: the inbox has something */
	pthread_mutex_t inbox_lock;
	struct list_node inbox; /* under inbox_lock: struct conn.node */
	bool inbox_drain; /* under inbox_lock: the order to drain */
	bool inbox_stop; /* under inbox_lock: the order to stop */
	bool inbox_wake; /* under inbox_lock: requests that wait may go on */

	_Atomic bool is_called; /* any thread's: the inbox has an order */
	_Atomic unsigned nr_conns; /* any thread's */
	_Atomic uint64_t handshake_failures;
};

/**
 * worker_create() - start a worker
 * @params, @commons: outlive it
 *
 * Return: 0 or -errno. End: worker_stop(), worker_join(), worker_destroy().
 * Context: main thread.
 */
int worker_create(const struct serve_params *params,
		  struct worker_commons *commons, unsigned index,
		  struct worker **out) ZSD_MUST_CHECK;

/* worker_give() - hand a connection over, which is the worker's from now on.
 * Context: main thread. */
void worker_give(struct worker *worker, struct conn *conn);

/* Connections given to it that are not closed yet. Context: any thread. */
static inline unsigned worker_nr_conns(const struct worker *worker)
{
	return atomic_load(&worker->nr_conns);
}

/**
 * worker_drain() - serve those that are attached, but nobody else
 *
 * Closes connections that still negotiate, now and when they are given.
 * Returns at once. Context: main thread.
 */
void worker_drain(struct worker *worker);

/* worker_wake() - see serve_wake(). Context: any thread. */
void worker_wake(struct worker *worker);

/**
 * worker_stop() - tell it to finish what its clients sent, and end
 *
 * Returns at once, so that all workers can stop at the same time.
 * Context: main thread; nothing may be given to it any more.
 */
void worker_stop(struct worker *worker);

/* worker_join() - wait for a worker that was stopped. Context: main thread. */
void worker_join(struct worker *worker);

/* worker_destroy() - after worker_join() of all. Context: main thread. */
void worker_destroy(struct worker *worker);

/* --- for its connections -------------------------------------------------- */

/* worker_runnable() - give @conn another turn soon, if it does not wait for one
 * already. */
void worker_runnable(struct worker *worker, struct conn *conn);

/* worker_pause() - give @conn another turn in a moment: the kernel had no
 * memory for it. */
void worker_pause(struct worker *worker, struct conn *conn);

/* worker_forget() - take back both of the above. */
void worker_forget(struct worker *worker, struct conn *conn);

/* worker_closed() - @conn has let go of everything and is about to be freed. */
void worker_closed(struct worker *worker, struct conn *conn);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_internal - what a worker and its connections share
 *
 * All of it belongs to the worker's thread, but for what says otherwise.
 */
#ifndef ZSD_SERVE_WORKER_INTERNAL_H
#define ZSD_SERVE_WORKER_INTERNAL_H

#include <stdatomic.h>
#include <uv.h>

#include "base/list.h"
#include "serve/busy_poll.h"
#include "export/request_counters.h"
#include "serve/worker.h"

struct conn;

struct worker {
	struct worker_params params; /* immutable */
	uv_thread_t thread; /* main thread's */
	uv_loop_t loop;
	struct zstore_ctx *store_ctx;
	struct list_node conns; /* attached, not freed yet */
	bool is_draining;
	bool is_stopping;

	uv_idle_t idle; /* active while there are runnable ones */
	struct list_node runnable;
	unsigned nr_runnable;

	struct busy_poll busy_poll;

	uv_async_t wakeup; /* any thread's: the inbox has something */
	uv_mutex_t inbox_lock;
	struct list_node inbox; /* under inbox_lock: struct conn */
	bool inbox_drain; /* under inbox_lock: the order to drain */
	bool inbox_stop; /* under inbox_lock: the order to stop */

	struct request_counters requests;
	_Atomic unsigned nr_conns; /* any thread's */
	_Atomic uint64_t handshake_failures;
};

/* worker_runnable() - give @conn another turn soon. It must not wait for one
 * already. */
void worker_runnable(struct worker *worker, struct conn *conn);

/* worker_not_runnable() - take back worker_runnable(), if it was called. */
void worker_not_runnable(struct worker *worker, struct conn *conn);

/* worker_closed() - @conn has let go of everything and is about to be freed. */
void worker_closed(struct worker *worker, struct conn *conn);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker - a thread with an event loop that serves some of the connections
 *
 * Requests run to completion on the thread that received them: no queue
 * between threads, no thread pool. What the main thread hands over (new
 * connections, the order to stop) goes through an inbox under a mutex, which
 * the data path never takes.
 *
 * Connections that have work left after their turn are runnable: each gets
 * one turn between two looks at the sockets, so that neither they nor the
 * others starve.
 *
 * Ownership: the main thread owns the worker; the worker owns its connections.
 * Threads: named with each function.
 */
#ifndef ZSD_SERVE_WORKER_H
#define ZSD_SERVE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "nbd/nbd_export.h"
#include "export/counters.h"
#include "guard/residence.h"
#include "zstore/zstore.h"

struct worker;

struct worker_params {
	struct zstore *store; /* outlives the worker */
	struct residence *residence; /* to join; outlives the worker */
	const struct nbd_exports *exports; /* outlive the worker */
	unsigned handshake_timeout_s;
	unsigned poll_us; /* see busy_poll_init() */
	bool verbose; /* log connections as they come and go */
	/* Called from the worker's thread when worker_nr_conns() fell; must not
	 * block. May be NULL. */
	void (*left)(void *arg);
	void *left_arg;
};

/**
 * worker_create() - start a worker
 * @params: copied
 *
 * Return: 0 or -errno. End: worker_stop(), then worker_destroy().
 * Context: main thread.
 */
int worker_create(const struct worker_params *params,
		  struct worker **out) ZSD_MUST_CHECK;

/**
 * worker_give() - hand a connection over
 * @fd: a connected, non-blocking stream socket; the worker's if it succeeds
 * @id: names the connection in the log
 *
 * Return: 0 or -ENOMEM. Context: main thread.
 */
int worker_give(struct worker *worker, int fd, uint64_t id) ZSD_MUST_CHECK;

/* Connections given to it that are not closed yet. Context: any thread. */
unsigned worker_nr_conns(const struct worker *worker);

/* Add what it counted to the sums. Context: any thread. */
void worker_count(const struct worker *worker, struct server_counts *counts);

/**
 * worker_drain() - serve those that are attached, but nobody else
 *
 * Closes connections that still negotiate, now and when they are given.
 * Returns at once. Context: main thread.
 */
void worker_drain(struct worker *worker);

/**
 * worker_stop() - tell it to finish what its clients sent, and end
 *
 * Returns at once, so that all workers can stop at the same time.
 * Context: main thread; nothing may be given to it any more.
 */
void worker_stop(struct worker *worker);

/* worker_destroy() - wait for a worker that was stopped. Takes NULL too.
 * Context: main thread. */
void worker_destroy(struct worker *worker);

#endif

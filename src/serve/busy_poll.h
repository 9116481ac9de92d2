/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * busy_poll - looking for the next request instead of sleeping until it comes
 *
 * With one request at a time a client waits for the answer, and we for its
 * next request. Going to sleep and being woken then takes longer than reading
 * a page. A worker that polls keeps its event loop turning for a while, its
 * window, after it has served its sockets; what comes in within that time is
 * seen at once.
 *
 * It adapts by one rule: whoever had to wait for longer than the window last
 * time goes to sleep at once. So polling costs nothing while clients are quiet
 * or slow, one window when they fall quiet, and up to a whole core while they
 * ask again and again.
 *
 * Ownership: a worker's. Threads: the worker's, but for busy_poll_sum().
 * Source: KVM's halt polling, which tells by the same measure whether to spin.
 */
#ifndef ZSD_SERVE_BUSY_POLL_H
#define ZSD_SERVE_BUSY_POLL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/compiler.h"
#include "export/counters.h"

/*
 * The longest window, microseconds. Waking up takes some ten of them, which
 * is all there is to win; a worker with real-time priority keeps others from
 * its core for as long.
 */
#define BUSY_POLL_MAX_US 1000u

struct busy_poll {
	uv_idle_t spin; /* active: the loop does not sleep */
	uint64_t window_ns; /* 0: never polls */
	uint64_t waits_since_ns; /* uv_hrtime() of when there was no more to do */
	_Atomic uint64_t hits;
	_Atomic uint64_t misses;
	_Atomic uint64_t spun_ns;
};

/* busy_poll_init() - @window_us: 0 (never) to BUSY_POLL_MAX_US. Takes a handle
 * of @loop, until busy_poll_close(). */
void busy_poll_init(struct busy_poll *poll, uv_loop_t *loop,
		    unsigned window_us);
void busy_poll_close(struct busy_poll *poll);

/* Add what it counted to the sums. Context: any thread. */
void busy_poll_sum(const struct busy_poll *poll, struct server_polling *sum);

/* The two below, for a worker that polls. */
void busy_poll_end_wait(struct busy_poll *poll);
void busy_poll_begin_wait(struct busy_poll *poll);

/* busy_poll_found() - a socket has something. Some 50 ns where it polls. */
static inline void busy_poll_found(struct busy_poll *poll)
{
	if (unlikely(poll->window_ns))
		busy_poll_end_wait(poll);
}

/* busy_poll_waits() - that was served, and there is nothing to do for it. */
static inline void busy_poll_waits(struct busy_poll *poll)
{
	if (unlikely(poll->window_ns))
		busy_poll_begin_wait(poll);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * busy_poll - looking for the next request instead of sleeping until it comes
 *
 * With one request at a time a client waits for the answer, and we for its
 * next request. Going to sleep and being woken then takes longer than reading
 * a page. A worker that polls does not sleep for a while, its window, after it
 * has served its sockets; what comes in within that time is seen at once.
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
#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "base/compiler.h"
#include "ctl/schema.h"

/*
 * The longest window, microseconds. Waking up takes some ten of them, which
 * is all there is to win; a worker with real-time priority keeps others from
 * its core for as long.
 */
#define BUSY_POLL_MAX_US 1000u

struct busy_poll {
	uint64_t window_ns; /* 0: never polls */
	uint64_t waits_since_ns; /* when there was no more to do */
	bool is_spinning; /* the worker does not sleep */
	_Atomic uint64_t hits;
	_Atomic uint64_t misses;
	_Atomic uint64_t spun_ns;
};

/* --- inside -------------------------------------------------- */

/* By the only writer, so that no locked instruction is needed. */
static inline void busy_poll_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter,
		atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

static inline void busy_poll_end_wait(struct busy_poll *poll)
{
	uint64_t waited_ns = uv_hrtime() - poll->waits_since_ns;

	if (poll->is_spinning) {
		busy_poll_add(&poll->hits, 1);
		busy_poll_add(&poll->spun_ns, waited_ns);
	}
	poll->is_spinning = poll->is_spinning || waited_ns <= poll->window_ns;
}

static inline bool busy_poll_spins_on(struct busy_poll *poll)
{
	uint64_t waited_ns = uv_hrtime() - poll->waits_since_ns;

	if (waited_ns <= poll->window_ns)
		return true;
	poll->is_spinning = false;
	busy_poll_add(&poll->misses, 1);
	busy_poll_add(&poll->spun_ns, waited_ns);
	return false;
}

/* --- for its worker ------------------------------------------------------- */

/* busy_poll_init() - @window_us: 0 (never) to BUSY_POLL_MAX_US */
static inline void busy_poll_init(struct busy_poll *poll, unsigned window_us)
{
	CHECK(window_us <= BUSY_POLL_MAX_US);
	memset(poll, 0, sizeof(*poll));
	poll->window_ns = (uint64_t)window_us * 1000;
}

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
		poll->waits_since_ns = uv_hrtime();
}

/* busy_poll_may_sleep() - asked before each look at the sockets */
static inline bool busy_poll_may_sleep(struct busy_poll *poll)
{
	return likely(!poll->is_spinning) || !busy_poll_spins_on(poll);
}

/* --- for everybody -------------------------------------------------------- */

/* busy_poll_sum() - add what it counted to the sums. Context: any thread. */
static inline void busy_poll_sum(const struct busy_poll *poll,
				 struct ctl_polling *sum)
{
	sum->window_us = poll->window_ns / 1000;
	sum->hits += atomic_load_explicit(&poll->hits, memory_order_relaxed);
	sum->misses +=
		atomic_load_explicit(&poll->misses, memory_order_relaxed);
	sum->spun_us +=
		atomic_load_explicit(&poll->spun_ns, memory_order_relaxed) /
		1000;
}

#endif

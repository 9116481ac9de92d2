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
 * ask again and again. Two bounds:
 *
 *   crowd   Not all processors are polled on: one at least is for the clients.
 *   rest    Who has polled for BUSY_POLL_AWAKE_NS on end sleeps until the next
 *           request once, and leaves its place to others meanwhile. A worker in
 *           real time keeps what the kernel runs on its processor alone from
 *           running for no longer than that.
 *
 * Ownership: a worker's; the crowd, serve's. Threads: the worker's, but for
 * busy_poll_sum().
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
 * Windows, us. The longest: a tenth of what somebody would notice. By default:
 * between an answer and the next fault of the same program the kernel wakes
 * three threads, of which each takes 3 to 50 us on real and virtual machines;
 * it is what KVM spins for (halt_poll_ns). An emulated one needs the longest.
 */
#define BUSY_POLL_MAX_US     1000u
#define BUSY_POLL_DEFAULT_US 200u

/* The longest time without sleep, ns. A hundred faults, and a tenth of the time
 * after which somebody would notice. */
#define BUSY_POLL_AWAKE_NS UINT64_C(4000000)

/* Who polls, of all workers. */
struct busy_poll_crowd {
	unsigned max;
	_Atomic unsigned nr;
};

struct busy_poll {
	uint64_t window_ns; /* 0: never polls */
	struct busy_poll_crowd *crowd;
	uint64_t waits_since_ns; /* when there was no more to do */
	uint64_t awake_since_ns; /* where it spins */
	bool spins; /* or sleeps until there is something */
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

/* Return: whether there was a place. */
static inline bool busy_poll_join(struct busy_poll_crowd *crowd)
{
	if (atomic_fetch_add(&crowd->nr, 1) < crowd->max)
		return true;
	atomic_fetch_sub(&crowd->nr, 1);
	return false;
}

static inline void busy_poll_spin(struct busy_poll *poll, uint64_t now_ns)
{
	poll->spins = true;
	poll->awake_since_ns = now_ns;
}

static inline void busy_poll_sleep(struct busy_poll *poll)
{
	atomic_fetch_sub(&poll->crowd->nr, 1);
	poll->spins = false;
}

static inline void busy_poll_end_wait(struct busy_poll *poll)
{
	uint64_t now_ns = uv_hrtime();
	uint64_t waited_ns = now_ns - poll->waits_since_ns;

	if (poll->spins) {
		busy_poll_add(&poll->hits, 1);
		busy_poll_add(&poll->spun_ns, waited_ns);
	} else if (waited_ns <= poll->window_ns &&
		   busy_poll_join(poll->crowd)) {
		busy_poll_spin(poll, now_ns);
	}
}

static inline bool busy_poll_spins_on(struct busy_poll *poll)
{
	uint64_t now_ns = uv_hrtime();
	uint64_t waited_ns = now_ns - poll->waits_since_ns;
	bool is_long = waited_ns > poll->window_ns;

	if (!is_long && now_ns - poll->awake_since_ns <= BUSY_POLL_AWAKE_NS)
		return true;
	busy_poll_add(&poll->spun_ns, waited_ns);
	busy_poll_add(&poll->misses, is_long);
	busy_poll_sleep(poll);
	return false;
}

/* --- for its worker ------------------------------------------------------- */

/* busy_poll_init() - @window_us: 0 (never) to BUSY_POLL_MAX_US */
static inline void busy_poll_init(struct busy_poll *poll, unsigned window_us,
				  struct busy_poll_crowd *crowd)
{
	CHECK(window_us <= BUSY_POLL_MAX_US);
	memset(poll, 0, sizeof(*poll));
	poll->window_ns = (uint64_t)window_us * 1000;
	poll->crowd = crowd;
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
	return likely(!poll->spins) || !busy_poll_spins_on(poll);
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

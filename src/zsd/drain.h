/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drain - waits for attached clients to leave before the server ends
 *
 * A client may be the kernel, and what it swapped out is nowhere else: a
 * server that ends under it takes the machine along. Who is told to end
 * therefore goes on serving those that are attached until they have left by
 * themselves. Meanwhile the log says whom it waits for and what to do about
 * it, and the service manager is kept from losing its patience.
 *
 * Ownership: the caller's memory, its loop. Threads: the loop's, but for what
 * says otherwise.
 */
#ifndef ZSD_ZSD_DRAIN_H
#define ZSD_ZSD_DRAIN_H

#include <stdbool.h>
#include <uv.h>

#include "base/compiler.h"

struct drain {
	uv_async_t left; /* any thread's: somebody has left */
	uv_timer_t tick; /* from drain_start() on: the end, or a report */
	unsigned timeout_s; /* 0: none */
	uint64_t end_ms; /* of the loop's clock, with a timeout */
	bool is_open;
	bool is_under_way;
	bool was_logged; /* that somebody is waited for */
	unsigned (*count)(void *arg);
	void (*over)(void *arg);
	void *arg;
};

/**
 * drain_open() - be ready to wait
 * @timeout_s: wait no longer than that; 0: as long as it takes
 * @count: tells how many clients are still attached
 * @over: is called once, from the loop or from drain_start(), when none is or
 *        when the time is over
 *
 * Return: 0 or -errno. Release: drain_close().
 */
int drain_open(struct drain *drain, uv_loop_t *loop, unsigned timeout_s,
	       unsigned (*count)(void *arg), void (*over)(void *arg),
	       void *arg) ZSD_MUST_CHECK;

/* drain_start() - begin to wait. Once. */
void drain_start(struct drain *drain);

/* drain_left() - somebody has left; @arg is the drain. Context: any thread,
 * between drain_open() and drain_close(); never blocks. */
void drain_left(void *arg);

/* drain_stop() - wait no more; over() is not called any more. */
void drain_stop(struct drain *drain);

/* drain_close() - drain_stop(), and let go; the handles go with the next run
 * of the loop. Nothing where drain_open() failed or was not called. */
void drain_close(struct drain *drain);

#endif

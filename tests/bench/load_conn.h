/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_conn - one connection that keeps a number of requests under way
 *
 * Made to cost little, so that what is measured is the server: all memory is
 * taken at open; a batch of requests is one sendmsg(2) whose pieces point
 * into the pool of pages; replies are taken off the socket in bulk and their
 * data is compared, or dropped, where it landed.
 *
 * The latency of a request runs from just before the system call that sends
 * its batch to just after the one that brought the end of its reply.
 *
 * Threads: one.
 */
#ifndef ZSD_BENCH_LOAD_CONN_H
#define ZSD_BENCH_LOAD_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "histogram.h"
#include "load_plan.h"
#include "nbd/nbdc_conn.h"

/*
 * Most requests under way on one connection: a header and a payload each
 * must fit the 1024 pieces that one sendmsg(2) takes.
 */
#define LOAD_MAX_DEPTH 512u

struct load_conn;

/* What happened, over all connections. */
struct load_tally {
	struct histogram latency[LOAD_NR_OPS]; /* answered without error */
	uint64_t nr_enospc; /* refused with ENOSPC */
	uint64_t nr_errors; /* refused otherwise */
	uint32_t first_error; /* the server's number for it */
	uint64_t nr_mismatches; /* reads that returned wrong bytes */
	uint64_t first_mismatch_block; /* the first such block */
};

/* What is to be done, shared by all connections. */
struct load_work {
	struct load_plan *plan;
	struct load_mix mix;
	uint64_t nr_left; /* requests not started yet */
	uint64_t deadline_ns; /* none is started after this (CLOCK_MONOTONIC) */
	bool verify; /* compare what reads return */
	struct load_tally tally;
};

/* Take over @conn, which is in the transmission phase; @depth: how many requests
 * to keep under way, at most LOAD_MAX_DEPTH. Release: load_conn_close(). */
struct load_conn *load_conn_open(const struct nbdc_conn *conn, unsigned depth);
void load_conn_close(struct load_conn *c);

/* Both return 0 or -errno, as nbdc_conn.h has them. */

/* Start as many requests as depth allows, and send them. Never waits: what the
 * socket does not take is sent by a later call. */
int load_conn_send(struct load_conn *c, struct load_work *work) ZSD_MUST_CHECK;

/* Take replies off the socket, once. @wait: block until some are there. */
int load_conn_receive(struct load_conn *c, struct load_work *work,
		      bool wait) ZSD_MUST_CHECK;

const struct nbdc_conn *load_conn_base(const struct load_conn *c);
/* Whether part of a batch waits for room in the socket. */
bool load_conn_has_unsent(const struct load_conn *c);
/* Whether requests wait for their reply. */
bool load_conn_is_busy(const struct load_conn *c);

#endif

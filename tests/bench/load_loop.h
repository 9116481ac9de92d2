/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_loop - drives all connections until the work is done
 */
#ifndef ZSD_BENCH_LOAD_LOOP_H
#define ZSD_BENCH_LOAD_LOOP_H

#include "base/compiler.h"
#include "load_conn.h"

/**
 * load_loop() - send and receive until nothing is left or under way
 * @conns:     @nr_conns open ones, at most LOAD_MAX_CONNECTIONS
 * @work:      what to do; receives the tally
 * @timeout_s: longest silence of the server that is borne
 *
 * A single connection that has sent all it may blocks in recv(2): a loop of
 * two system calls. Otherwise poll(2) waits for all of them.
 *
 * Return: 0, -ETIMEDOUT, or what load_conn_send() or load_conn_receive()
 * returned; requests may then be under way.
 */
int load_loop(struct load_conn *const *conns, unsigned nr_conns,
	      struct load_work *work, unsigned timeout_s) ZSD_MUST_CHECK;

#endif

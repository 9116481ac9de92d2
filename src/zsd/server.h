/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server - zsd's running half: sockets, threads, signals
 *
 * Threads and what each owns:
 *   main          listeners, signals, the lifetime of all others
 *   worker 0..N-1 a uv loop, the connections given to it, a zstore_ctx; runs
 *                 every request of its connections to completion
 *   control       a uv loop, the control socket and its clients
 *   housekeeper   refills and shrinks the store's reserve, off the data path
 *
 * Source: docs/architecture.md draws it.
 */
#ifndef ZSD_ZSD_SERVER_H
#define ZSD_ZSD_SERVER_H

#include <stdbool.h>

#include "base/compiler.h"
#include "serve/busy_poll.h"
#include "guard/residence.h"
#include "io/listen.h"
#include "zstore/zstore.h"

/* Bounds on what a command line may ask for. */
#define SERVER_MAX_THREADS     256u
#define SERVER_MAX_CONNECTIONS 4096u

/* Longest name or description, bytes: what the NBD protocol allows. */
#define SERVER_MAX_NAME_BYTES 4096u

struct server_params {
	struct zstore_params store; /* callbacks are the server's */
	struct listen_params listen;
	const char *export_name; /* at most MAX_NAME_BYTES; "": default */
	const char *description; /* of it, for people; same bound */
	const char *dictionary; /* file with one to begin with, or NULL */
	const char *pid_file; /* written when ready, or NULL */
	unsigned nr_threads; /* worker threads, 1 .. MAX_THREADS */
	unsigned max_connections; /* 1 .. MAX_CONNECTIONS */
	unsigned handshake_timeout_s; /* at least 1 */
	unsigned stop_timeout_s; /* 0: none */
	unsigned poll_us; /* 0 .. BUSY_POLL_MAX_US, see busy_poll.h */
	enum swap_mode swap; /* whether this machine swaps on the disk */
	bool read_only; /* clients may not change the disk */
	bool verbose; /* log connections as they come and go */
};

/**
 * server_run() - serve until SIGTERM or SIGINT
 * @params: must stay valid; strings are not copied
 *
 * Such a signal ends it when the clients that are attached by then have left,
 * who are served until they do; or after stop_timeout_s; or by a second one,
 * when what its clients have sent is answered.
 *
 * Takes listening sockets from LISTEN_FDS where there are some. Prints what
 * goes wrong, and one line when ready, to standard error.
 * Return: 0 after a clean shutdown, or the -errno that kept it from starting
 * (already explained on standard error).
 */
int server_run(const struct server_params *params) ZSD_MUST_CHECK;

#endif

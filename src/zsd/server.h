/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server - all of zsd put together: exports, threads, sockets, signals
 *
 * Threads and what each owns:
 *   main          the listening sockets, signals, the lifetime of all others
 *   worker 0..N-1 an event loop, the connections given to it, its views of the
 *                 exports; runs every request of its connections
 *   control       an event loop, the control socket and its clients; a thread
 *                 beside it runs commands that take long
 *   housekeeper   refills and shrinks the reserves of the stores
 *   log           writes the log
 *
 * docs/architecture.md draws it.
 */
#ifndef ZSD_ZSD_SERVER_H
#define ZSD_ZSD_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "export/export.h"
#include "guard/residence.h"
#include "io/listen.h"
#include "io/log.h"
#include "policy/policy.h"
#include "serve/serve.h"
#include "zstore/zstore.h"

/* Whether there is a keeper, and a second server, so that none is missed. */
enum survive_mode {
	SURVIVE_AS_SWAP, /* on with --swap, else off; not after options_parse() */
	SURVIVE_OFF,
	SURVIVE_ON, /* a condition that does not hold is warned of */
	SURVIVE_STRICT, /* and here ends the start */
};

/* Whether equal pages share memory. */
enum share_mode {
	SHARE_AS_RECOMPRESS, /* on with --recompress; not after options_parse() */
	SHARE_OFF,
	SHARE_ON,
};

/* Where pages go that do not compress. */
enum incompressible_mode {
	INCOMPRESSIBLE_AS_BACKING, /* there, where there is one */
	INCOMPRESSIBLE_STORE, /* they stay in memory */
	INCOMPRESSIBLE_BACKING, /* to the backing, which there must be */
};

/* One disk that is served. Strings are not copied. */
struct disk_params {
	const char *name; /* UTF-8, at most EXPORT_MAX_NAME_BYTES */
	const char *description; /* for people; same bound */
	const char *dictionary; /* file with one to begin with, or NULL */
	const char *restore; /* file to begin with, which `zsctl save` wrote; or
			      * NULL. disk_bytes may be 0: that says it */
	const char *backing; /* file or device behind it, or NULL */
	bool encrypt; /* what is written there */
	enum incompressible_mode incompressible; /* sets policy.writes_huge */
	uint64_t writeback_day_bytes; /* that may be written a day; 0: any */
	bool read_only; /* clients may not change it */
	enum share_mode share; /* store.share is set by it */
	struct zstore_params store; /* callbacks are the server's */
	struct policy_disk policy; /* .writeback is the server's */
};

struct server_params {
	struct disk_params disks[EXPORT_MAX];
	size_t nr_disks; /* at least 1; the first is the default one */
	struct io_listen_params listen;
	const char *pid_file; /* written when ready, or NULL */
	unsigned nr_threads; /* workers, 1 .. SERVE_MAX_THREADS */
	unsigned max_connections; /* 1 .. SERVE_MAX_CONNECTIONS */
	unsigned handshake_timeout_s; /* at least 1 */
	unsigned stop_timeout_s; /* 0: none */
	unsigned poll_us; /* 0 .. BUSY_POLL_MAX_US, see busy_poll.h */
	enum swap_mode swap; /* whether this machine swaps on a disk */
	bool verbose; /* log connections as they come and go */
	bool daemon; /* go to the background when ready */
	int ready_fd; /* who waits for that is told there; -1: nobody */
	enum survive_mode survive;
	bool is_kept; /* a keeper has started this process, to serve */
};

/**
 * survive_run() - keep servers, each of which does server_run()
 * @params: with .survive on or strict
 * @log:    not started yet
 * @argv:   of the program
 *
 * Return: as server_run().
 */
int survive_run(const struct server_params *params, struct io_log *log,
		char *const *argv) ZSD_MUST_CHECK;

/**
 * server_run() - serve until a signal ends it
 * @params: must stay valid; strings are not copied
 * @log:    not started yet
 *
 * SIGTERM, SIGINT or SIGQUIT ends it when the clients that are attached by then
 * have left, who are served until they do; or after stop_timeout_s. A second
 * one closes them, if it does not come right behind the first, and if this
 * machine does not swap on a disk. No other signal ends it.
 *
 * Takes listening sockets from LISTEN_FDS where there are some. Logs what goes
 * wrong, and one line when ready.
 * Return: 0 after a clean shutdown, or the -errno that kept it from starting
 * (already explained in the log).
 */
int server_run(const struct server_params *params,
	       struct io_log *log) ZSD_MUST_CHECK;

#endif

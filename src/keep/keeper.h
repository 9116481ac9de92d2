/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper - the process that survives: it holds what a server leaves
 *
 *                .--- keeper: images, connections, listening sockets
 *      fork, exec|            \  channels (channel.h)
 *                |-- server ---'     serves
 *                `-- server ---'     stands by: all is mapped, and it waits
 *
 * When the server dies, the one that stands by is given everything and goes on.
 * The sockets never close, so that no client notices. Another server is started
 * to stand by then.
 *
 * The keeper accepts connections, and holds a descriptor of each until its
 * server says that it is closed. It never reads a byte of a client, nor looks
 * at an image: what could kill it is not there. It starts servers by running
 * its own program once more, with the same arguments.
 *
 * A server that ends by itself with status 0 was told to, or may: the keeper
 * ends, too. One that dies before the first was ready has said why: the keeper
 * ends with an error.
 *
 * A request that kills whoever serves it is refused after the third time
 * (stream.h). If servers die for all that, soon after they began,
 * KEEPER_MAX_SHORT_LIVES times one after the other, no more are started, and
 * everything is kept, until somebody sends SIGHUP. Those that were killed by
 * somebody do not count. One that cannot get ready to stand by is tried again
 * and again.
 *
 * If the keeper dies, the server goes on for the clients that it has, and the
 * one that stands by ends. If all die, a keeper that is started with what was
 * on the shelf (held.h) begins as after the death of a server.
 *
 * SIGHUP otherwise, or KEEP_UPGRADE from the server, hands over to the program
 * that is installed by then, where this one was: an upgrade is a death at a
 * moment of our choice. Nothing changes where that program cannot get ready, as
 * it cannot where the image, the area of connections, or the messages of the
 * channel have another version.
 *
 * Signals: SIGTERM, SIGINT and SIGQUIT are passed on as KEEP_END.
 * Threads: one; the log has another. After the start it allocates nothing but
 * what fork(2) and accept(2) take.
 */
#ifndef ZSD_KEEP_KEEPER_H
#define ZSD_KEEP_KEEPER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "io/log.h"
#include "keep/held.h"

/* What was on the shelf when the keeper began; see held.h. */
struct keeper_kept {
	char name[HELD_NAME_BYTES];
	int fd;
};

struct keeper_params {
	char *const *argv; /* the program's own */
	const struct held_shelf *shelf; /* or NULL */
	const struct keeper_kept *kept; /* the keeper's from now on */
	size_t nr_kept;
	const int *listeners; /* non-blocking; the caller's */
	size_t nr_listeners;
	const int *controls; /* control sockets, for the servers; the caller's */
	size_t nr_controls;
	unsigned nr_disks;
	unsigned max_connections; /* to be held at a time */
	struct io_log *log;
	/* The first server serves. */
	void (*ready)(void *arg);
	/* It was told to end. Return: whether connections are still to be
	 * accepted, to be refused. */
	bool (*ending)(void *arg);
	/* What the server says of itself; see KEEP_STATUS. */
	void (*status)(void *arg, const char *text, unsigned patience_s);
	void *arg;
};

/* Servers that may die within SHORT_LIFE_S, one after the other. */
#define KEEPER_MAX_SHORT_LIVES 8u
#define KEEPER_SHORT_LIFE_S    10u

/* keeper_block_signals() - have the signals that the keeper waits for wait for
 * it. Before threads are started, each of which would be ended by one. */
void keeper_block_signals(void);

/**
 * keeper_run() - keep servers until one of them ends
 *
 * After keeper_block_signals(), in a process that has no threads but the log's,
 * and no other children. Return: 0, or -errno where it could not start, which
 * the log says; -ECHILD where the first server could not, or where one ended
 * with an error of its own.
 */
int keeper_run(const struct keeper_params *params) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client - one request to zsd and its reply, over a blocking socket
 *
 * A server that is stopped, stuck or not zsd is given up after a time without a
 * byte of it. A command may take longer than that: then zsd is asked for its
 * version over another connection, and as long as it answers that in time the
 * reply is waited for.
 */
#ifndef ZSD_ZSCTL_CLIENT_H
#define ZSD_ZSCTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "ctl/ctl_lines.h"

/* A connection that has more to bring than the reply. */
struct client_rest {
	int fd;
	struct ctl_lines lines; /* what came with the reply */
};

/**
 * client_exchange() - send a request line to the socket at @path, read the reply
 * @timeout_s: wait that long for a sign of life; 0: for ever
 * @request:   @bytes with the newline
 * @may_repeat: it changes nothing: where the server hangs up, ask the next one,
 *              which a zsd that survives has
 * @reply:     receives the line, terminated, without its newline; release with
 *             free(3); untouched on error
 * @rest:      receives the connection, for client_rest_read(); or NULL, where
 *             nothing comes behind the reply. Release: client_rest_close()
 *
 * Explains an error, and what can be done about it, on standard error.
 * Return: 0 or -errno; -ETIMEDOUT where the server does not answer.
 */
int client_exchange(const char *path, unsigned timeout_s, const char *request,
		    size_t bytes, bool may_repeat, char **reply,
		    struct client_rest *rest) ZSD_MUST_CHECK;

/**
 * client_rest_read() - read some of what comes behind a reply
 * @bytes: at most
 *
 * Return: how many; 0 at its end; -errno, -ETIMEDOUT as above.
 */
int client_rest_read(struct client_rest *rest, void *dst,
		     size_t bytes) ZSD_MUST_CHECK;

/* Whether that waits for the socket: nothing is there that came with the
 * reply. */
bool client_rest_is_waiting(const struct client_rest *rest);

void client_rest_close(struct client_rest *rest);

/**
 * client_connect() - a connection to the Unix socket at @path
 * @timeout_s: for this, and for each call that sends or receives; 0: none
 * @fd:        receives it; untouched on error
 *
 * Explains nothing, allocates nothing. Return: 0, -ENAMETOOLONG, -ETIMEDOUT, or
 * the -errno of connect(2).
 */
int client_connect(const char *path, unsigned timeout_s,
		   int *fd) ZSD_MUST_CHECK;

#endif

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

#include <stddef.h>

#include "base/compiler.h"

/**
 * client_exchange() - send a request line to the socket at @path, read the reply
 * @timeout_s: wait that long for a sign of life; 0: for ever
 * @request:   @bytes with the newline
 * @reply:     receives the line, terminated, without its newline; release with
 *             free(3); untouched on error
 *
 * Explains an error, and what can be done about it, on standard error.
 * Return: 0 or -errno; -ETIMEDOUT where the server does not answer.
 */
int client_exchange(const char *path, unsigned timeout_s, const char *request,
		    size_t bytes, char **reply) ZSD_MUST_CHECK;

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

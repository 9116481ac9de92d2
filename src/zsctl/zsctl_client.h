/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl_client - one request to zsd and its reply, over a blocking socket
 *
 * Waits for a connection for ZSCTL_CONNECT_TIMEOUT_S at most, and for a reply
 * as long as the server keeps the connection: a command may take long.
 */
#ifndef ZSD_ZSCTL_ZSCTL_CLIENT_H
#define ZSD_ZSCTL_ZSCTL_CLIENT_H

#include <stddef.h>

#include "base/compiler.h"

/*
 * Seconds. Only a server that accepts nothing makes anybody wait: it is
 * stopped, or not zsd.
 */
#define ZSCTL_CONNECT_TIMEOUT_S 5

/**
 * zsctl_ask() - send a request line to the socket at @path, read the reply
 * @request: @bytes with the newline
 * @reply:   receives the line, terminated, without its newline; release with
 *           free(3); untouched on error
 *
 * Explains an error, and what can be done about it, on standard error.
 * Return: 0 or -errno.
 */
int zsctl_ask(const char *path, const char *request, size_t bytes,
	      char **reply) ZSD_MUST_CHECK;

#endif

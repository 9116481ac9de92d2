/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_handshake - from a connected socket to the transmission phase
 *
 * Fixed newstyle, NBD_OPT_GO, no TLS, simple replies.
 */
#ifndef ZSD_BENCH_LOAD_HANDSHAKE_H
#define ZSD_BENCH_LOAD_HANDSHAKE_H

#include <stdint.h>

#include "base/compiler.h"

/* Longest export name, bytes: the limit of the specification. */
#define LOAD_MAX_EXPORT_NAME_BYTES 4096u

/* What the server says about the export. */
struct load_export {
	uint64_t size_bytes;
	uint16_t flags; /* WIRE_EXPORT_* and others */
};

/**
 * load_handshake() - negotiate on @fd
 * @fd:   connected and blocking; give it a receive timeout
 * @name: of the export, at most LOAD_MAX_EXPORT_NAME_BYTES; "" is the default
 * @out:  untouched on error
 *
 * Return: 0, or
 *   -EPROTO      the peer's bytes are not those of such a server
 *   -ENOENT      the server refused the export
 *   -ETIMEDOUT   it said nothing within the receive timeout
 *   -ECONNRESET  it closed the connection
 *   or the -errno of send(2) or recv(2)
 */
int load_handshake(int fd, const char *name,
		   struct load_export *out) ZSD_MUST_CHECK;

#endif

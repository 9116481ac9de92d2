/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * negotiate - the client's half of NBD's handshake, up to where requests begin
 *
 * Fixed newstyle, NBD_OPT_GO, and the block sizes asked for: what the kernel
 * needs to be told of a disk before it speaks for itself. No TLS, no structured
 * replies, which the kernel does not know.
 *
 * The other end may be anything. What it announces is compared with what the
 * specification allows before a byte of it is read, it is given a time for all
 * of it together, and so many replies; nothing is allocated.
 *
 * Threads: a function of its arguments and of the socket.
 * Source: NetworkBlockDevice/nbd doc/proto.md, "Newstyle negotiation", "Option
 * types", "Size constraints".
 */
#ifndef ZSD_ZSCTL_DEVICE_NEGOTIATE_H
#define ZSD_ZSCTL_DEVICE_NEGOTIATE_H

#include <stdint.h>

#include "base/compiler.h"

/* Longest reason, bytes with the final NUL; cut to fit. */
#define NEGOTIATE_TEXT_BYTES 160

/* What the server says of an export. */
struct negotiated {
	uint64_t size_bytes;
	uint16_t flags; /* NBD_FLAG_… of transmission */
	uint32_t min_block_bytes; /* 1 where it does not tell */
};

/**
 * negotiate() - choose an export
 * @fd:        connected, blocking or not; afterwards the first request may be
 *             sent. On an error it is of no use any more
 * @export:    its name; "" for what the server gives whoever names none
 * @timeout_ms: for all of it together
 * @out:       receives what the server says; untouched on error
 * @why:       receives on an error what went wrong, printable, for people
 *
 * Cost: a round trip or two.
 * Return: 0, or
 *   -ENOENT      there is no such export
 *   -EACCES      the server lets nobody in without TLS, or by its policy
 *   -EPROTO      that is no NBD server, or it breaks the protocol
 *   -EPROTONOSUPPORT  it speaks the protocol of before 2011, or knows no
 *                NBD_OPT_GO
 *   -ENAMETOOLONG  no export has such a long name
 *   -ETIMEDOUT, -ECONNRESET, or another -errno of the socket
 */
int negotiate(int fd, const char *export, unsigned timeout_ms,
	      struct negotiated *out,
	      char why[NEGOTIATE_TEXT_BYTES]) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_socket - listening TCP sockets for an address as people write it
 */
#ifndef ZSD_IO_TCP_SOCKET_H
#define ZSD_IO_TCP_SOCKET_H

#include <stddef.h>

#include "base/compiler.h"

/* Longest host name, bytes with the final NUL. Source: NI_MAXHOST. */
#define TCP_HOST_BYTES 1025

/* Longest port (a number or a service's name), with the final NUL. Source:
 * NI_MAXSERV. */
#define TCP_PORT_BYTES 32

/* Longest text of why it cannot be listened, with an address. */
#define TCP_REASON_BYTES 256

struct tcp_address {
	char host[TCP_HOST_BYTES]; /* "" is any address of the machine */
	char port[TCP_PORT_BYTES];
};

/**
 * tcp_address_parse() - read "HOST", "HOST:PORT", "[V6]:PORT", ":PORT", "PORT"
 * @default_port: where none is named
 *
 * A bare IPv6 address (with more than one colon) needs no brackets. "*", and no
 * host, is any address. What is a number is a port, and not the address that
 * getaddrinfo(3) makes of it. Port 0 is any that is free; it needs a host.
 * Return: 0, or -EINVAL where it is none of these, or not a port.
 */
int tcp_address_parse(const char *text, const char *default_port,
		      struct tcp_address *out) ZSD_MUST_CHECK;

/**
 * tcp_listen() - listen on all addresses that a name stands for
 * @fds, @max: receives at most that many sockets, non-blocking and
 *             close-on-exec
 * @nr:        receives how many, at least 1
 * @reason:    receives a text in case of an error: why, and on which address
 *
 * One that this machine does not have, a family that it does not know, and one
 * that the name stands for twice are passed over if there is another. One that
 * is taken is an error: clients would find another server there. Context: may
 * ask a name server: only at start. Return: 0 or -errno.
 */
int tcp_listen(const struct tcp_address *address, int *fds, size_t max,
	       size_t *nr, char reason[TCP_REASON_BYTES]) ZSD_MUST_CHECK;

/* tcp_tune() - make a TCP connection send small replies at once, and notice a
 * peer that is gone for good. */
void tcp_tune(int fd);

#endif

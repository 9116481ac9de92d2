/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw_conn - blocking sockets and single requests, for tests that misbehave
 *
 * Every receive is bounded, so that a server that says nothing fails a test
 * instead of hanging it. Nothing is checked that a test may want to be wrong.
 */
#ifndef ZSD_FUNC_RAW_CONN_H
#define ZSD_FUNC_RAW_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Longest silence of the server that is borne, unless a test says more. */
#define RAW_TIMEOUT_S 30u

/* What load_wire.h does without. Source: doc/proto.md of the NBD project. */
#define WIRE_CMD_FLUSH	      3u
#define WIRE_CMD_CACHE	      5u
#define WIRE_CMD_WRITE_ZEROES 6u
#define WIRE_CMD_BLOCK_STATUS 7u

#define WIRE_FLAG_FUA	    (1u << 0)
#define WIRE_FLAG_NO_HOLE   (1u << 1)
#define WIRE_FLAG_REQ_ONE   (1u << 3)
#define WIRE_FLAG_FAST_ZERO (1u << 4)

#define WIRE_EINVAL 22u

/* Type and flags stand as on the wire. */
struct raw_request {
	uint16_t flags;
	uint16_t type;
	uint64_t cookie;
	uint64_t offset;
	uint32_t length;
};

/**
 * raw_connect() - connect to a Unix socket
 * @timeout_s: longest silence of the server that is borne
 *
 * Return: a file descriptor, or -errno.
 */
int raw_connect(const char *path, unsigned timeout_s) ZSD_MUST_CHECK;

/**
 * raw_open() - connect and negotiate, up to the transmission phase
 * @disk_bytes: receives the size of the disk; may be NULL
 *
 * Return: a file descriptor, or -errno (-ECONNRESET where the server hangs up).
 */
int raw_open(const char *path, uint64_t *disk_bytes) ZSD_MUST_CHECK;

/* Return: 0 or -errno; a server that hangs up is an error, not a signal. */
int raw_send(int fd, const void *bytes, size_t nr_bytes) ZSD_MUST_CHECK;

/* Receives all of @nr_bytes. Return: 0, -ECONNRESET at the end, or -errno. */
int raw_receive(int fd, void *bytes, size_t nr_bytes) ZSD_MUST_CHECK;

/* Receives and drops all until the server hangs up. Return: 0 or -errno. */
int raw_drain(int fd) ZSD_MUST_CHECK;

/* Writes WIRE_REQUEST_BYTES to @bytes. */
void raw_encode(const struct raw_request *request, unsigned char *bytes);

/**
 * raw_run() - one request from its header to the end of its reply
 * @data: what a write carries, or receives what a read returns; else unused
 *
 * Ends the program where the request fails.
 */
void raw_run(int fd, const struct raw_request *request, void *data);

/**
 * raw_receive_reply() - one simple reply, without the data of a read
 * @error: receives the server's number for what went wrong; 0: nothing
 *
 * Return: 0, -EPROTO for bytes that are no reply, or -errno.
 */
int raw_receive_reply(int fd, uint64_t *cookie, uint32_t *error) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink - what is said to the kernel's nbd: connect, reconfigure, disconnect
 *
 * nbd is a family of generic netlink, and takes a socket on which the
 * negotiation is over. From then on the kernel holds it, whatever becomes of
 * the process that gave it.
 *
 * Terms:
 *   family       the number under which nbd listens in this boot
 *   identifier   a string that is given with a device, and must come again with
 *                whatever changes it; shown in /sys/block/nbdN/backend
 *
 * The kernel does what it is told before sendto(2) returns, and its answer is
 * there then. After netlink_open() nothing is allocated: messages are made and
 * read in the buffer of struct netlink. Answers are checked as if they came
 * from anybody.
 *
 * Threads: a struct netlink is one thread's.
 * Source: Linux include/uapi/linux/nbd-netlink.h, drivers/block/nbd.c; libmnl;
 * netlink(7), "NLMSG_ERROR".
 */
#ifndef ZSD_ZSCTL_DEVICE_NETLINK_H
#define ZSD_ZSCTL_DEVICE_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Longest message in either direction, bytes. What is asked for most takes some
 * 500; an answer repeats it. */
#define NETLINK_BUFFER_BYTES 4096u

/* Longest text of the kernel's about an error, bytes with the final NUL. */
#define NETLINK_TEXT_BYTES 128

/* Most connections of a device. The kernel knows no limit; beyond the number of
 * processors they are of no use. */
#define NETLINK_MAX_SOCKETS 16u

struct mnl_socket;

struct netlink {
	struct mnl_socket *socket;
	unsigned port; /* ours, which answers bear */
	unsigned seq; /* of the last message */
	uint16_t family;
	char why[NETLINK_TEXT_BYTES]; /* the kernel's words on the last error,
				       * printable; mostly it has none */
	uint8_t buffer[NETLINK_BUFFER_BYTES] __attribute__((aligned(8)));
};

/* What a device is to be. */
struct netlink_device {
	unsigned index; /* N of /dev/nbdN */
	uint64_t size_bytes;
	uint32_t block_bytes;
	uint16_t flags; /* NBD_FLAG_… that the server told */
	unsigned dead_timeout_s; /* how long requests wait for a connection
				  * where there is none; 0: they fail */
	const char *identifier; /* or NULL */
	int sockets[NETLINK_MAX_SOCKETS];
	size_t nr_sockets;
};

/**
 * netlink_open() - find nbd
 *
 * Return: 0, -ENOENT where the kernel has no nbd, or not in this network
 * namespace; or another -errno. Release: netlink_close(), also after an error.
 */
int netlink_open(struct netlink *n) ZSD_MUST_CHECK;
void netlink_close(struct netlink *n);

/**
 * netlink_connect() - attach a device
 *
 * With a request timeout of 0, which says that there is none: where it is not
 * said, the one of the device before stays.
 * Return: 0, -EBUSY where it is attached already, -EPERM without CAP_SYS_ADMIN,
 * -EINVAL, or what else the kernel answers.
 */
int netlink_connect(struct netlink *n,
		    const struct netlink_device *device) ZSD_MUST_CHECK;

/**
 * netlink_reconfigure() - give a device another socket for one that is lost
 * @identifier: of netlink_connect(), or NULL
 *
 * Where the kernel does not know yet that one is lost it drops the socket, and
 * says that all is well.
 * Return: 0, -EINVAL where the device is not attached or the identifier is
 * another one; or as above.
 */
int netlink_reconfigure(struct netlink *n, unsigned index,
			const char *identifier, int fd) ZSD_MUST_CHECK;

/* netlink_disconnect() - take a device off, whoever uses it. Return: 0, also
 * where it was not attached, or -errno as above. */
int netlink_disconnect(struct netlink *n, unsigned index);

/* --- messages, as bytes ------------------------------------------------------
 */

/* Put a message into the buffer, under the next number. Return: its length, or
 * 0 where it does not fit. */
size_t netlink_put_connect(struct netlink *n,
			   const struct netlink_device *device);
size_t netlink_put_reconfigure(struct netlink *n, unsigned index,
			       const char *identifier, int fd);
size_t netlink_put_disconnect(struct netlink *n, unsigned index);

/**
 * netlink_take() - read what has come into the buffer
 * @bytes:   how much there is
 * @is_last: receives whether our last message is answered
 *
 * Messages of other numbers are passed over. An answer that names a family sets
 * it. Return: 0, the kernel's -errno, or -EBADMSG for what is no answer of its.
 */
int netlink_take(struct netlink *n, size_t bytes, bool *is_last) ZSD_MUST_CHECK;

#endif

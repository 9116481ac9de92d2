/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channel - what the keeper and its servers say to each other
 *
 * Messages of one size over a pair of sequenced-packet sockets, some with a
 * descriptor. Both ends are the same program, so that they need no version but
 * the program's; a message that means nothing is an error of the sender.
 *
 * A server starts with what it is told before it is to BEGIN or to STAND_BY:
 *
 *   keeper   CONTROL..., BEGIN
 *   server   makes the disks: IMAGE..., AREA; serves: READY
 *   keeper   CONN, CONN...
 *   server   DROP, STATUS, UPGRADE...
 *
 *   keeper   CONTROL..., IMAGE..., AREA, STAND_BY
 *   server   gets ready: READY
 *   keeper   when the other has died: HELD..., SERVE
 *   server   takes over: READY
 *
 * Threads: each end is one thread's, but for what the callers see to.
 * Source: unix(7), SCM_RIGHTS.
 */
#ifndef ZSD_KEEP_CHANNEL_H
#define ZSD_KEEP_CHANNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* The server's end, in the server. */
#define KEEP_CHANNEL_FD 3

/* By this variable a server knows who keeps it: the number of a process. */
#define KEEP_VARIABLE "ZSD_KEEPER_PID"

enum keep_kind {
	/* Of both. */
	KEEP_IMAGE, /* with a descriptor: the image of disk .number */
	KEEP_AREA, /* with a descriptor: where connections are kept */

	/* The keeper's. */
	KEEP_CONTROL, /* with a descriptor: a control socket to listen on */
	KEEP_BEGIN, /* nothing was kept: begin */
	KEEP_STAND_BY, /* get ready, and wait */
	KEEP_HELD, /* with a descriptor: connection .number of the dead one */
	KEEP_SERVE, /* the other is dead: take over */
	KEEP_CONN, /* with a descriptor: connection .number, a new one */
	KEEP_FIGURES, /* .figures have changed */
	KEEP_END, /* as SIGTERM is meant */

	/* The server's. */
	KEEP_READY, /* stands by; or serves, and for .number us one client */
	KEEP_DROP, /* connection .number is closed */
	KEEP_UPGRADE, /* hand over to the program that is installed now */
	KEEP_STATUS, /* .text for the service manager; .number: hear from me
		      * within so many seconds, or 0 */
};

/* What there is to be told of survival. */
struct keep_figures {
	uint32_t generation; /* of servers: 0 is the first */
	uint32_t deaths; /* of servers that were serving */
	uint32_t is_standby_ready; /* 0 or 1: another one waits */
	uint32_t was_killed; /* 0 or 1: the last one, by somebody else */
	uint32_t nr_refused; /* upgrades that could not be made */
	uint64_t pause_us; /* from the last death to the first answer */
};

#define KEEP_TEXT_BYTES 200

struct keep_message {
	uint32_t kind; /* enum keep_kind */
	uint32_t number;
	struct keep_figures figures; /* of SERVE and FIGURES */
	char text[KEEP_TEXT_BYTES]; /* of STATUS; ends with a 0 */
};

/**
 * keep_channel_pair() - make a channel
 * @fds: receives both ends, which are closed by execve(2)
 *
 * Return: 0 or the -errno of socketpair(2).
 */
int keep_channel_pair(int fds[2]) ZSD_MUST_CHECK;

/**
 * keep_send() - send a message
 * @fd:       a descriptor to go with it, or -1; stays the caller's
 * @may_wait: for the other end to read
 *
 * Return: 0; -EAGAIN where it would have to wait and may not; -EPIPE where
 * there is no other end any more; or another -errno of sendmsg(2), of which
 * keep_is_short() says whether it passes.
 */
int keep_send(int channel, const struct keep_message *message, int fd,
	      bool may_wait) ZSD_MUST_CHECK;

/**
 * keep_receive() - receive a message
 * @fd: receives the descriptor that came with it, the caller's, closed by
 *      execve(2); or -1
 *
 * Return: 0; -EAGAIN; -EPIPE at the end; -EPROTO where it is no message; or
 * another -errno of recvmsg(2).
 */
int keep_receive(int channel, struct keep_message *message, int *fd,
		 bool may_wait) ZSD_MUST_CHECK;

/* How long to leave the kernel alone that has no memory for a message, us. */
#define KEEP_SHORT_US 1000

static inline bool keep_is_short(int err)
{
	return err == -ENOMEM || err == -ENOBUFS;
}

#endif

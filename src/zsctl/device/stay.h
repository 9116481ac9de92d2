/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stay - mend the connections of a device that was attached
 *
 * The kernel holds its connections to zsd, and waits where one is lost (see
 * --dead-timeout); it cannot open another one. `zsctl attach --stay` does: it
 * watches them, connects again, makes sure that it is the same disk, and hands
 * the new socket to the kernel.
 *
 * Whoever does that may be all that the machine's swap waits for. So it is
 * locked in memory, an I/O flusher, and the last that the kernel kills; all
 * memory that it needs is there before it begins; it does not wait for whoever
 * reads its messages.
 *
 * Terms:
 *   link    a connection of the kernel's, as it is watched
 *   lost    its other end has hung up
 *   taken   the kernel has a socket that was offered to it. It takes one only
 *           when it knows itself that another is lost, and says nothing where
 *           it does not
 *
 * Links are watched by epoll(7), which holds none of them open: what it was
 * given is closed here at once. So a link goes from it when the kernel lets go,
 * and a socket that was not taken is gone as soon as it is closed.
 *
 * Threads: there is one.
 * Source: epoll(7), "Will closing a file descriptor cause it to be removed from
 * all epoll interest lists?"; proc(5), "/proc/pid/fdinfo"; Linux
 * drivers/block/nbd.c.
 */
#ifndef ZSD_ZSCTL_DEVICE_STAY_H
#define ZSD_ZSCTL_DEVICE_STAY_H

#include <stddef.h>
#include <stdint.h>

#include "zsctl/device/device.h"

/* A link that is watched. */
struct stay_link {
	uint64_t serial; /* of its socket: no two ever have the same */
	bool is_lost;
};

struct stay {
	struct attachment *a;
	char *request; /* what asks zsd which disk it is, made beforehand */
	size_t request_bytes;
	int epoll;
	int signals; /* signalfd(2) */
	uint64_t last_serial;
	struct stay_link links[NETLINK_MAX_SOCKETS];
	size_t nr_links;
	bool has_news; /* a link was lost since the last try to mend */
	int said_err; /* why it failed the last time, which was said; 0 */
};

/**
 * stay_begin() - take all that is needed, before the device is attached
 * @a: filled by attach_device() before stay_on()
 *
 * Warns of each measure that cannot be taken. SIGTERM, SIGINT and SIGHUP are
 * blocked from now on. Explains what goes wrong.
 * Release: stay_fini(), also after an error.
 */
enum zsctl_exit stay_begin(struct stay *s, struct attachment *a) ZSD_MUST_CHECK;
void stay_fini(struct stay *s);

/**
 * stay_on() - watch and mend, until a signal comes or the device is detached
 *
 * Closes the sockets of the attachment: the kernel has them. Whoever started us
 * is told by sd_notify(3) when all is watched.
 */
enum zsctl_exit stay_on(struct stay *s) ZSD_MUST_CHECK;

#endif

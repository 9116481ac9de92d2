/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link - the keeper, as its server sees it
 *
 *   keep_link_open()    what was kept, if anything, is known
 *     the first:          keep_link_give_image(), keep_link_give_area()
 *     another one:        keep_link_wait(): until the one that serves is dead
 *   keep_link_watch()   from a loop: new connections, the order to end
 *   keep_link_ready()
 *
 * Threads: the main thread, but for what says otherwise.
 */
#ifndef ZSD_KEEP_LINK_H
#define ZSD_KEEP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "io/loop.h"
#include "keep/channel.h"

struct keep_link;

/* Whether a keeper has started this process. Looks at the environment, and
 * takes out of it what says so: in the first steps of main(). */
bool keep_link_is_wanted(void);

/**
 * keep_link_open() - hear what there is
 * @nr_disks, @max_connections: as the keeper has them
 *
 * Return: 0, -ENOMEM, -EPIPE where the keeper is gone, or -EPROTO.
 * Release: keep_link_close(), which takes NULL too.
 */
int keep_link_open(unsigned nr_disks, unsigned max_connections,
		   struct keep_link **out) ZSD_MUST_CHECK;
void keep_link_close(struct keep_link *link);

/* Whether nothing was kept: this is the first server. */
bool keep_link_is_first(const struct keep_link *link);

/* The image of a disk, or where connections are kept; the link's, or -1. */
int keep_link_image(const struct keep_link *link, unsigned number);
int keep_link_area(const struct keep_link *link);

/* keep_link_take_controls() - the control sockets, the caller's from now on, at
 * most @max. Return: how many. */
size_t keep_link_take_controls(struct keep_link *link, int *fds, size_t max);

/* Have the keeper hold a descriptor, which stays the caller's. 0 or -EPIPE. */
int keep_link_give_image(struct keep_link *link, unsigned number,
			 int fd) ZSD_MUST_CHECK;
int keep_link_give_area(struct keep_link *link, int fd) ZSD_MUST_CHECK;

/**
 * keep_link_wait() - stand by until the other server is dead
 *
 * Return: 0, or -EPIPE where the keeper is gone.
 */
int keep_link_wait(struct keep_link *link) ZSD_MUST_CHECK;

/* keep_link_take_held() - a connection that the dead one left, the caller's
 * from now on; -1: there is none of that number. */
int keep_link_take_held(struct keep_link *link, uint32_t number);

/**
 * keep_link_watch() - be told, by the loop
 * @conn: of a new connection, whose descriptor is the receiver's; it has that
 *        number until keep_link_drop()
 * @end:  to end, as by SIGTERM
 * @gone: that the keeper is no more
 *
 * Return: 0 or -errno. End: keep_link_unwatch(), also where it failed.
 */
struct keep_link_events {
	void (*conn)(void *arg, uint32_t number, int fd);
	void (*end)(void *arg);
	void (*gone)(void *arg);
	void *arg;
};

int keep_link_watch(struct keep_link *link, struct io_loop *loop,
		    const struct keep_link_events *events) ZSD_MUST_CHECK;
void keep_link_unwatch(struct keep_link *link);

/**
 * keep_link_ready() - it serves
 * @since_us: for so long already at least one client was answered
 *
 * Once. Context: any thread, after keep_link_watch(); never blocks.
 */
void keep_link_ready(struct keep_link *link, uint64_t since_us);

/* keep_link_status() - something for the service manager */
void keep_link_status(struct keep_link *link, const char *text,
		      unsigned patience_s);

/* keep_link_drop() - a connection is closed. Context: any thread, after
 * keep_link_watch(); never blocks. */
void keep_link_drop(struct keep_link *link, uint32_t number);

/**
 * keep_link_upgrade() - ask the keeper to hand over to the program that is
 * installed now
 *
 * Context: any thread; never blocks. What comes of it the figures tell: their
 * generation, or nr_refused, grows.
 * Return: 0, -EAGAIN where the keeper has not read what was sent before, or
 * another -errno of keep_send().
 */
int keep_link_upgrade(struct keep_link *link) ZSD_MUST_CHECK;

/* keep_link_figures() - of survival, as last told. Context: any thread. */
void keep_link_figures(struct keep_link *link, struct keep_figures *out);

#endif

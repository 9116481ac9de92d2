/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop - the event loop of one thread: sockets by epoll, the rest by libuv
 *
 * libuv adds a descriptor to its epoll anew each time that what is waited for
 * changes, and it aborts the process where that finds no memory. So sockets are
 * kept in an epoll of our own. Each is added once, and edge-triggered; an error
 * of that is an error of the one who adds it. After that there are no system
 * calls for a socket but those that move its bytes, and one each time that its
 * peer takes no more for a while, which allocates nothing. libuv keeps timers
 * and signals, whose descriptors are added when the loop is made; its own
 * descriptor is one of those in our epoll.
 *
 * Wake-ups from other threads are ours as well. libuv's receiver may spin until
 * the sender's call has returned; where the receiver's priority is real-time,
 * and the sender's is not, the sender never gets to that on the same processor.
 *
 * Terms:
 *   watch   a descriptor that the loop looks at, and whom it tells.
 *   edge    the moment in which a descriptor becomes ready. ready() is called
 *           for edges alone. Whoever is told must read, or write, until there
 *           is less than was asked for, or remember that more can be done.
 *   room    a socket's ability to take bytes. Its edges are told only on
 *           demand: there is one each time that the peer reads, and each would
 *           wake the thread.
 *   turn    one look at all descriptors, and all that follows from it.
 *   waker   what any thread may use to have something done in the loop's.
 *
 * Ownership: a watch is the caller's, and so is its descriptor. Both must stay
 * until io_watch_del(). Threads: one, but for what libuv itself allows.
 * Source: epoll(7), "Level-triggered and edge-triggered"; libuv's manual,
 * uv_backend_fd().
 */
#ifndef ZSD_IO_LOOP_H
#define ZSD_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <uv.h>

#include "base/compiler.h"

/* Events taken from the kernel at a time. What is more comes with the next
 * turn. */
#define IO_LOOP_EVENTS 64u

struct io_watch {
	int fd;
	/* Called with EPOLL* flags. May add and delete watches, this one too. */
	void (*ready)(struct io_watch *watch, uint32_t events);
};

struct io_loop {
	uv_loop_t uv;
	int epoll_fd;
	/* libuv adds its descriptors to its own epoll when it runs, and not
	 * every version of it says that it must. */
	bool has_run;
	/* Of the turn under way: events that are still to be told. */
	struct epoll_event events[IO_LOOP_EVENTS];
	int nr_events;
	int next_event;
};

/**
 * io_loop_init() - make a loop that watches nothing
 *
 * Return: 0 or -errno. Release: io_loop_fini().
 */
int io_loop_init(struct io_loop *loop) ZSD_MUST_CHECK;

/* io_loop_fini() - let go of a loop. All watches must be deleted, and
 * uv_close() must have been called for all handles: they go here. */
void io_loop_fini(struct io_loop *loop);

/**
 * io_watch_add() - tell of a descriptor from now on
 * @watch: its ready() is set
 * @fd:    non-blocking; if there is something to read by now, that is told, too
 *
 * Return: 0, or the -errno of epoll_ctl(2): -ENOMEM, -ENOSPC.
 */
int io_watch_add(struct io_loop *loop, struct io_watch *watch,
		 int fd) ZSD_MUST_CHECK;

/**
 * io_watch_room() - tell of room, or do not tell of it any more
 * @wanted: if there is room by now, that is told, too
 *
 * Return: 0 or the -errno of epoll_ctl(2), which no Linux that we know of gives
 * for this: it allocates nothing.
 */
int io_watch_room(struct io_loop *loop, struct io_watch *watch,
		  bool wanted) ZSD_MUST_CHECK;

/* io_watch_del() - tell of it no more. Before its descriptor is closed. */
void io_watch_del(struct io_loop *loop, struct io_watch *watch);

/* --- wake-ups ------------------------------------------------------------- */

struct io_waker {
	struct io_watch watch;
	struct io_loop *loop;
	void (*woken)(struct io_waker *waker);
};

/**
 * io_waker_open() - be ready to be woken
 * @woken: is called in a turn after each io_wake(), once for several that come
 *         close together; may close it
 *
 * Return: 0 or -errno. Release: io_waker_close().
 */
int io_waker_open(struct io_loop *loop, struct io_waker *waker,
		  void (*woken)(struct io_waker *waker)) ZSD_MUST_CHECK;

/* io_waker_close() - be woken no more. No other thread may use it any more. */
void io_waker_close(struct io_waker *waker);

/* io_wake() - have woken() called. Context: any thread; waits for nobody. */
void io_wake(const struct io_waker *waker);

/* --- turns ---------------------------------------------------------------- */

/**
 * io_loop_turn() - look at all descriptors, tell of edges, run what libuv has
 * @may_wait: sleep until there is something
 *
 * Cost: one system call; two more where libuv has something to run. Never
 * fails: what keeps epoll_wait(2) from working is waited out.
 */
void io_loop_turn(struct io_loop *loop, bool may_wait);

#endif

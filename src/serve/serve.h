/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve - the data path: workers that serve the connections given to them
 *
 *   serve        all workers; a connection goes to the one that has the fewest
 *   worker       a thread and its event loop
 *   conn         one client: its socket, its rings, its states
 *   transmission its requests, a piece at a time
 *   reqs         the table of them, and their order
 *   busy_poll    looking for requests instead of sleeping
 *   kept         what another process needs to go on with a client
 *
 * From receiving a request to answering it nothing is allocated, logged or
 * read from a file.
 *
 * Ownership: the caller's, from serve_create() to serve_destroy().
 * Threads: the main thread, but for what says otherwise.
 */
#ifndef ZSD_SERVE_SERVE_H
#define ZSD_SERVE_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "ctl/schema.h"
#include "export/export.h"
#include "guard/residence.h"
#include "io/log.h"
#include "stream/area.h"

/* Bounds on what a command line may ask for. */
#define SERVE_MAX_THREADS     256u
#define SERVE_MAX_CONNECTIONS 4096u

struct serve;

struct serve_params {
	struct export_table *exports; /* outlive it */
	struct residence *residence; /* that workers join; outlives it */
	struct io_log *log; /* outlives it */
	unsigned nr_threads; /* workers, 1 .. SERVE_MAX_THREADS */
	unsigned max_connections; /* 1 .. SERVE_MAX_CONNECTIONS */
	unsigned nr_local; /* of those, kept for clients of this machine */
	unsigned nr_ready; /* connections to keep memory ready for */
	unsigned handshake_timeout_s;
	unsigned poll_us; /* see busy_poll_init() */
	bool is_swapped_on; /* threads of different priority meet, and memory
			     * must be there before it is needed */
	bool verbose; /* log connections as they come and go */
	/* Where connections are kept, so that another process can go on with
	 * them; of serve_area_create(), and outlives it. NULL: nowhere, they
	 * end with the process. */
	struct stream_area *area;
	/* Called from any worker's thread when serve_nr_conns() fell; must not
	 * block. May be NULL. */
	void (*left)(void *arg);
	void *left_arg;
	/* Called from any worker's thread when a connection is closed, with its
	 * number: whoever holds the socket, too, is to let go of it. Must not
	 * block. NULL: nobody does. */
	void (*closed)(void *arg, uint32_t number);
	void *closed_arg;
	/* Called from any worker's thread when @nr connections of serve_adopt()
	 * have had their first turn: clients are answered again. Must not
	 * block. May be NULL. */
	void (*resumed)(void *arg, unsigned nr);
	void *resumed_arg;
};

/**
 * serve_create() - start the workers
 * @params: copied
 *
 * Return: 0 or -errno. End: serve_stop(), serve_join(), serve_destroy().
 */
int serve_create(const struct serve_params *params,
		 struct serve **out) ZSD_MUST_CHECK;

/**
 * serve_give() - hand a connection to a worker
 * @fd: a connected, non-blocking stream socket; the worker's if it succeeds
 * @number: for closed(), and for whoever goes on with it
 * @is_local: whether its client is on this machine: places are kept for those
 *
 * Return: 0, -EUSERS where there are max_connections, -ESHUTDOWN after
 * serve_drain(), -ENOMEM.
 */
int serve_give(struct serve *serve, int fd, uint32_t number,
	       bool is_local) ZSD_MUST_CHECK;

/**
 * serve_adopt() - go on with a connection whose server is dead
 * @slot: of the area, one that is kept: see stream_area_is_kept()
 * @fd:   its socket; the worker's if it succeeds
 * @was_killed: the server did not die by itself: see stream_blame()
 *
 * The client sees nothing of it. A request that killed its server
 * STREAM_MAX_DEATHS times is answered with EIO, which is logged. While pages of
 * several requests are packed side by side a death is blamed on none of them;
 * from then on they are done one by one.
 * To be called before serve_give(), for all that are kept; what is not adopted
 * is to be given back by stream_area_free().
 *
 * Return: 0, -ENOMEM, or
 *   -ENOENT   there was nothing to be kept yet: the client negotiated
 *   -ENXIO    there is no such export any more, or it has another size
 *   -EUCLEAN  what was kept is damaged
 */
int serve_adopt(struct serve *serve, unsigned slot, int fd,
		bool was_killed) ZSD_MUST_CHECK;

/**
 * serve_area_create() - make an area for as many connections as there may be
 * @params: max_connections, nr_threads and is_swapped_on count
 *
 * Return: see stream_area_create(). Release: stream_area_destroy().
 */
int serve_area_create(const struct serve_params *params,
		      struct stream_area **out) ZSD_MUST_CHECK;

/* serve_area_open() - the same with one that was made with the same @params:
 * see stream_area_open() */
int serve_area_open(const struct serve_params *params, int fd,
		    struct stream_area **out) ZSD_MUST_CHECK;

/* Connections that are not closed yet. Context: any thread. */
unsigned serve_nr_conns(const struct serve *serve);

/* What was counted of connections and polling. Context: any thread. */
void serve_count(const struct serve *serve, struct ctl_connections *connections,
		 struct ctl_polling *polling);

/* serve_drain() - go on for those that are attached, but for nobody else.
 * Returns at once. */
void serve_drain(struct serve *serve);

/*
 * serve_wake() - requests that wait for something slower than memory may go on
 *
 * Each that waits asks the store once more, and waits on where that says
 * -EINPROGRESS again: it need not be known whose turn it is, or whether its
 * client is still there. Context: any thread, until serve_destroy().
 */
void serve_wake(struct serve *serve);

/* serve_stop() - have all workers finish what their clients sent, and end.
 * Returns at once; takes NULL too. */
void serve_stop(struct serve *serve);

/* serve_join() - after serve_stop(), wait until the workers have ended. Who
 * calls the functions for any thread may do so yet. Takes NULL too. */
void serve_join(struct serve *serve);

/* serve_destroy() - after serve_join(). Takes NULL too. */
void serve_destroy(struct serve *serve);

#endif

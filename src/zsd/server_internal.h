/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server_internal - how the files of the server share its work
 *
 *   start.c    everything, in order, until it is ready; and its end
 *   limits.c   what the process may use
 *   needs.c    whether what the disks take at once is there
 *   disks/     the disks: their stores, what is behind them, what they begin
 *              with
 *   stop.c     signals, and what they begin
 *   drain.c    waiting for attached clients to leave
 *   notify.c   what they are told who started it
 *   survive/   being a keeper, and being a server that has one
 */
#ifndef ZSD_ZSD_SERVER_INTERNAL_H
#define ZSD_ZSD_SERVER_INTERNAL_H

#include <stdatomic.h>
#include <uv.h>

#include "control/control.h"
#include "guard/reserve.h"
#include "io/listen.h"
#include "io/loop.h"
#include "keep/link.h"
#include "zsd/server.h"
#include "zsd/survive/shelf.h"

/* --- drain.c -------------------------------------------------------------- */

/*
 * A client may be the kernel, and what it swapped out is nowhere else: a
 * server that ends under it takes the machine along. Who is told to end
 * therefore goes on serving those that are attached until they have left by
 * themselves. Meanwhile the log says whom it waits for and what to do about
 * it, and the service manager is kept from losing its patience.
 */
struct drain_calls {
	unsigned (*count)(void *arg); /* clients that are still attached */
	/* Once, from the loop or from drain_start(), when none is or when the
	 * time is over. */
	void (*over)(void *arg);
	/* See notify_status(). */
	void (*status)(void *arg, const char *text, unsigned patience_s);
};

struct drain {
	struct io_log *log;
	struct io_waker left; /* any thread's: somebody has left */
	uv_timer_t tick; /* from drain_start() on: the end, or a report */
	unsigned timeout_s; /* 0: none */
	uint64_t end_ms; /* of the loop's clock, with a timeout */
	bool is_open;
	bool is_under_way;
	bool was_logged; /* that somebody is waited for */
	struct drain_calls calls;
	void *arg; /* of them */
};

/**
 * drain_open() - be ready to wait
 * @timeout_s: wait no longer than that; 0: as long as it takes
 * @calls: copied
 *
 * Return: 0 or -errno. Release: drain_close().
 */
int drain_open(struct drain *drain, struct io_loop *loop, struct io_log *log,
	       unsigned timeout_s, const struct drain_calls *calls,
	       void *arg) ZSD_MUST_CHECK;

/* drain_start() - begin to wait. Once. */
void drain_start(struct drain *drain);

/* drain_report() - say again whom it waits for. */
void drain_report(struct drain *drain);

/* drain_left() - somebody has left; @arg is the drain. Context: any thread,
 * between drain_open() and drain_close(); never blocks. */
void drain_left(void *arg);

/* drain_stop() - wait no more; over() is not called any more. */
void drain_stop(struct drain *drain);

/* drain_close() - drain_stop(), and let go; the handles go with the next run
 * of the loop. Nothing where drain_open() failed or was not called. */
void drain_close(struct drain *drain);

/* --- the server ----------------------------------------------------------- */

/* The signals that are waited for; see stop.c. */
#define NR_SIGNALS 4u

/* What is told of damage to one disk. */
struct damage {
	struct io_log *log;
	const char *name; /* of its export */
	struct io_log_limit limit;
};

/* All of it is the main thread's. */
struct server {
	const struct server_params *params;
	struct io_log *log;
	struct io_listeners listeners;
	struct residence *residence;
	struct housekeeper *keeper;
	struct reserve *reserves[EXPORT_MAX]; /* by export; the keeper's */
	struct backing *backings[EXPORT_MAX]; /* by export, or NULL */
	struct writeback *writebacks[EXPORT_MAX]; /* the same */
	char *records[EXPORT_MAX]; /* files of their budgets, or NULL */
	struct export_table exports;
	struct damage damages[EXPORT_MAX]; /* by export */
	struct serve *serve;
	struct policy *policy;
	struct control *control;
	struct io_loop loop;
	uv_signal_t signals[NR_SIGNALS];
	struct io_acceptor acceptor;
	struct io_log_limit refusals;
	struct drain drain;
	bool is_over; /* the main loop ends */
	bool is_ending; /* told to */
	uint64_t told_ms; /* when, by the loop's clock */
	const char *pid_file; /* the one that was written, or NULL */
	int pid_fd; /* its lock */
	struct keep_link *link; /* to the keeper, if there is one */
	struct stream_area *area; /* with a keeper: of the connections */
	/* Any thread's; after a death: connections that had no turn yet, and
	 * when the first one had it, or 0. */
	_Atomic unsigned nr_resuming;
	_Atomic uint64_t first_turn_ns;
	struct shelf shelf; /* of a keeper */
};

/* server_complain() - log that @what failed. Return: @err. */
int server_complain(const struct server *server, const char *what, int err);

/* --- start.c -------------------------------------------------------------- */

/* server_tell_status() - as notify_status(), by way of the keeper if there is
 * one. */
void server_tell_status(struct server *server, const char *text,
			unsigned patience_s);

/*
 * server_take_connection() - have a new connection served
 * @fd:     the server's from now on
 * @number: with a keeper: by which it knows it
 *
 * Return: false where it is refused, and was closed.
 */
bool server_take_connection(struct server *server, int fd, uint32_t number);

/* The steps that a keeper takes as well. Return: 0 or -errno, which was
 * logged. */
int server_start_residence(struct server *server) ZSD_MUST_CHECK;
int server_start_log(struct server *server) ZSD_MUST_CHECK;
int server_write_pid_file(struct server *server) ZSD_MUST_CHECK;

/* --- survive/survive.c ---------------------------------------------------- */

/* survive_forget() - without a keeper: what was kept for one is of no use, and
 * is let go of. Before io_listen_open(). */
void survive_forget(const struct server *server);

/* --- survive/kept.c ------------------------------------------------------- */

/* The steps of a server that has a keeper; in this order. Each logs what goes
 * wrong. Return: 0 or -errno. */

/* Connections that a keeper holds besides --max-connections: those that are
 * being refused, or closed. */
#define KEPT_MORE_CONNECTIONS 16u

unsigned kept_max_connections(const struct server_params *params);

/* kept_join() - learn what there is */
int kept_join(struct server *server) ZSD_MUST_CHECK;

/* kept_have_stores() - have the keeper hold the disks that were made */
int kept_have_stores(struct server *server) ZSD_MUST_CHECK;

/* kept_wait_for_connections() - be told of new ones, and of the end; and be
 * able to say which are closed */
int kept_wait_for_connections(struct server *server) ZSD_MUST_CHECK;

/* kept_open_area() - and have @params say so */
int kept_open_area(struct server *server,
		   struct serve_params *params) ZSD_MUST_CHECK;

/*
 * kept_take_over() - wait until the other server is dead, and go on with its
 * disks and connections
 *
 * All threads that serve are there by then, with what they need. Nothing where
 * there was no other.
 */
int kept_take_over(struct server *server) ZSD_MUST_CHECK;

/* kept_count() - what is told of survival; zeros where there is no keeper.
 * Context: any thread. */
void kept_count(const struct server *server, struct ctl_survival *out);

/* kept_upgrade() - see keep_link_upgrade(); -EOPNOTSUPP where there is no
 * keeper. Context: any thread. */
int kept_upgrade(const struct server *server) ZSD_MUST_CHECK;

/* kept_leave() - be told no more. Nothing where there is no keeper. */
void kept_leave(struct server *server);

/* --- limits.c ------------------------------------------------------------- */

/**
 * limits_raise() - raise the limits of the process to what zsd needs
 *
 * The soft ones, and with CAP_SYS_RESOURCE the hard ones. Before anything that
 * is limited: descriptors, address space, memory. Logs each that stays too low.
 * Return: 0, or -EPERM where one did.
 */
int limits_raise(const struct server *server) ZSD_MUST_CHECK;

/*
 * limits_probe() - whether there are descriptors for a loop
 *
 * With the first one libuv makes a pipe for signals, and aborts where it
 * cannot. The other two are the epoll instances of io_loop and of libuv, which
 * come before it. Return: 0 or -errno.
 */
int limits_probe(void) ZSD_MUST_CHECK;

/* --- needs.c -------------------------------------------------------------- */

/**
 * needs_check() - with --swap: whether the tables of all disks fit what this
 * machine and the control groups have
 *
 * Before anything is locked. Logs what does not fit, or cannot be seen.
 * Return: 0 or -ENOMEM.
 */
int needs_check(const struct server *server) ZSD_MUST_CHECK;

/* --- disks/exports.c ------------------------------------------------------ */

/* exports_create() - make the stores and the table of exports. Logs what goes
 * wrong. Return: 0 or -errno; the server's end takes back what was made. */
int exports_create(struct server *server) ZSD_MUST_CHECK;

/* exports_give_models() - codecs that live by a model begin with the one that
 * comes with zsd, unless they have one: after restore_disks(). Logs where there
 * is no room for it. Return: 0. */
int exports_give_models(struct server *server) ZSD_MUST_CHECK;

/* exports_watch() - start the policy: what is done with disks by itself. Logs
 * what goes wrong. Return: 0 or -errno. End: policy_stop(). */
int exports_watch(struct server *server) ZSD_MUST_CHECK;

/* --- disks/backings.c ------------------------------------------------------ */

/* backings_open() - get the backing of a disk ready, if it has one; @params
 * receives what the store is to know of it. Logs what goes wrong. Return: 0 or
 * -errno; backings_close() in any case. */
int backings_open(struct server *server, size_t index,
		  struct zstore_params *params) ZSD_MUST_CHECK;

/* backings_start() - get all ready to work: the stores are there. Those of
 * another server's disks are claimed later. Logs what goes wrong. Return: 0 or
 * -errno. */
int backings_start(struct server *server) ZSD_MUST_CHECK;

/* backings_claim() - the stores are ours, and so are they. As that. */
int backings_claim(struct server *server) ZSD_MUST_CHECK;

/* Threads of all of them. */
unsigned backings_nr_threads(const struct server_params *params);

/* backings_close() - nobody asks for blocks any more */
void backings_close(struct server *server);

/* --- disks/restore.c ------------------------------------------------------ */

/**
 * restore_check() - see that all files that disks begin with are whole
 * @params: receives the sizes that are not there
 * @log:    not started yet
 *
 * In the process that was started, before anything is made of the sizes.
 * Return: 0 or -errno, which was logged.
 */
int restore_check(struct server_params *params,
		  struct io_log *log) ZSD_MUST_CHECK;

/* restore_describe() - put into @params what a disk that is not new has of its
 * own. Nothing for one that is. Return: 0 or -errno, which was logged. */
int restore_describe(const struct server *server, size_t index,
		     struct zstore_params *params) ZSD_MUST_CHECK;

/* restore_disks() - fill them. A step of the start: the housekeeper runs, and
 * nobody has the disks yet. Nothing where they are another server's. */
int restore_disks(struct server *server) ZSD_MUST_CHECK;

/* --- stop.c --------------------------------------------------------------- */

/**
 * signals_prepare() - let no signal end the process by its default
 * @is_kept: a keeper has started it, to whom those are meant that zsd waits for
 *
 * First thing in main(). Signals that zsd waits for keep their default until
 * stop_open(); with a keeper they are ignored.
 */
void signals_prepare(bool is_kept);

/* stop_begin() - begin the end, or hear of it once more, because of @why: "the
 * keeper is gone", … */
void stop_begin(struct server *server, const char *why);

/* stop_open() - wait for signals. With a keeper: once that is gone. Return: 0
 * or -errno. Release: stop_close(), in any case. */
int stop_open(struct server *server) ZSD_MUST_CHECK;
void stop_close(struct server *server);

/* --- notify.c --------------------------------------------------------------- */

/*
 * Who started us is told how we do: the service manager, or with --daemon the
 * process that waits for us to be ready. Where libsystemd was not there at
 * configure time the service manager is told nothing.
 */

/**
 * daemon_begin() - go on as a child, for a zsd that goes to the background
 * @ready_fd: receives where notify_ready() tells the parent
 *
 * The parent waits for the child to be ready, and ends with status 0 then, or
 * with the child's. In the first steps of main(): no thread may run yet.
 * Return: 0 in the child, or -errno.
 */
int daemon_begin(int *ready_fd) ZSD_MUST_CHECK;

/* notify_detach() - a daemon lets go of its standard descriptors, and writes to
 * the system's log. */
void notify_detach(struct io_log *log);

/* notify_announce() - the server serves: say so in the log, and to who started
 * it. A daemon detaches. */
void notify_announce(const struct server *server);

/* notify_stopping() - nobody is served any more. Not while clients are waited
 * for: systemd does not run ExecStop= for a service that stops already, which
 * is what makes them leave. */
void notify_stopping(void);

/* notify_status() - @text is what we do; unless @patience_s is 0, hear from us
 * again within so many seconds before you lose your patience. */
void notify_status(const char *text, unsigned patience_s);

#endif

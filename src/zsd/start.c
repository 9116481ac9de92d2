/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "io/tcp_socket.h"
#include "zsd/pid_file.h"
#include "zsd/server_internal.h"

/* Besides the workers: main, housekeeper, policy and control. */
#define THREADS_FIXED 4u

/* Connections whose memory is kept ready: that of the machine that swaps on a
 * disk, and one that takes its place. */
#define READY_CONNECTIONS 2u

int server_complain(const struct server *s, const char *what, int err)
{
	io_log(s->log, IO_LOG_ERROR, "%s: %s", what, strerror(-err));
	return err;
}

/* The same, of what starts threads. */
static int complain_of_thread(const struct server *s, const char *what, int err)
{
	if (err != -EAGAIN)
		return server_complain(s, what, err);
	io_log(s->log, IO_LOG_ERROR,
	       "%s: a limit on threads, or on the memory for them, is met: "
	       "raise LimitNPROC=, TasksMax= and LimitDATA= in the unit (ulimit "
	       "-u and -d in a shell), or give fewer --threads",
	       what);
	return err;
}

/* --- connections -------------------------------------------------------- */

static const char *reason(int err)
{
	switch (err) {
	case -EUSERS:
		return "there are as many as --max-connections allows";
	case -ESHUTDOWN:
		return "zsd is shutting down";
	default:
		return strerror(-err);
	}
}

bool server_take_connection(struct server *s, int fd, uint32_t number)
{
	const bool is_local = io_socket_is_local(fd);
	int err;

	if (!is_local)
		tcp_tune(fd);
	err = serve_give(s->serve, fd, number, is_local);
	if (!err)
		return true;
	close(fd);
	io_log_some(s->log, &s->refusals, IO_LOG_WARNING,
		    "refused a connection over %s: %s",
		    is_local ? "a Unix socket" : "TCP", reason(err));
	return false;
}

static void on_accepted(void *arg, int fd)
{
	(void)server_take_connection(arg, fd, 0);
}

/* For the control thread: workers are neither made nor ended meanwhile. */
static void count(void *arg, struct ctl_connections *connections,
		  struct ctl_polling *polling, struct ctl_survival *survival)
{
	struct server *s = arg;

	serve_count(s->serve, connections, polling);
	kept_count(s, survival);
}

static int upgrade(void *arg)
{
	return kept_upgrade(arg);
}

/* --- the steps of a start ------------------------------------------------- */

/* A keeper comes before the server that it keeps, and that comes when it takes
 * over. Without one nobody waits for the main thread. */
static enum residence_rank main_rank(const struct server_params *params)
{
	if (params->survive == SURVIVE_OFF)
		return RESIDENCE_ORDINARY;
	return params->is_kept ? RESIDENCE_URGENT : RESIDENCE_FOREMOST;
}

/* Before anything else: what comes later is to be covered by it. */
int server_start_residence(struct server *s)
{
	int err = residence_begin(s->params->swap,
				  s->params->nr_threads + THREADS_FIXED +
					  backings_nr_threads(s->params),
				  s->log, &s->residence);

	if (err)
		return server_complain(s, "cannot start", err);
	residence_join(s->residence, "main", main_rank(s->params));
	return 0;
}

int server_start_log(struct server *s)
{
	int err = io_log_start(s->log);

	return err ? complain_of_thread(s, "cannot start the log", err) : 0;
}

/* Or hear of what the keeper has. */
static int open_listeners(struct server *s)
{
	if (s->params->is_kept)
		return kept_join(s);
	survive_forget(s);
	return io_listen_open(&s->params->listen, s->log, &s->listeners);
}

static int start_stores(struct server *s)
{
	int err = housekeeper_create(s->residence, &s->keeper);

	if (err == -ENOENT) {
		io_log(s->log, IO_LOG_ERROR,
		       "--swap: /proc/zoneinfo is not there, by which zsd sees "
		       "how much memory the kernel has to give: set "
		       "ProcSubset=all in the unit");
		return err;
	}
	if (err)
		return server_complain(s, "cannot make the housekeeper", err);
	err = exports_create(s);
	if (!err)
		residence_settle(s->residence);
	return err;
}

static int start_housekeeper(struct server *s)
{
	int err = housekeeper_start(s->keeper);

	return err ? complain_of_thread(s, "cannot start the housekeeper", err)
		   : 0;
}

/* From then on another server would go on with them. */
static int have_stores(struct server *s)
{
	return s->link ? kept_have_stores(s) : 0;
}

/* Where a network is listened to as well, clients that say nothing must not
 * take all places: an eighth is kept for this machine's, one at least. */
static unsigned places_for_local(const struct server_params *params)
{
	return params->max_connections > 1
		       ? (unsigned)max_u64(1, params->max_connections / 8)
		       : 0;
}

static int start_serving(struct server *s)
{
	struct serve_params params = {
		.exports = &s->exports,
		.residence = s->residence,
		.log = s->log,
		.nr_threads = s->params->nr_threads,
		.max_connections = s->params->max_connections,
		.nr_local = io_listen_is_mixed(&s->listeners)
				    ? places_for_local(s->params)
				    : 0,
		.nr_ready = READY_CONNECTIONS,
		.handshake_timeout_s = s->params->handshake_timeout_s,
		.poll_us = s->params->poll_us,
		.is_swapped_on = s->params->swap != SWAP_OFF,
		.verbose = s->params->verbose,
		.left = drain_left,
		.left_arg = &s->drain,
	};
	int err;

	if (params.poll_us && uv_available_parallelism() < 2) {
		io_log(s->log, IO_LOG_ERROR,
		       "--poll needs a second processor: on the only one, the "
		       "client could not run meanwhile; leave it out");
		return -EINVAL;
	}
	if (s->link) {
		err = kept_wait_for_connections(s);
		if (!err)
			err = kept_open_area(s, &params);
		if (err)
			return err;
	}
	err = serve_create(&params, &s->serve);
	return err ? complain_of_thread(s, "cannot start the workers", err) : 0;
}

static int start_control(struct server *s)
{
	struct control_params params = {
		.exports = &s->exports,
		.residence = s->residence,
		.reserves = s->reserves,
		.policy = s->policy,
		.writebacks = s->writebacks,
		.log = s->log,
		.nr_threads = s->params->nr_threads,
		.idle_ms = CONTROL_IDLE_MS,
		.count = count,
		.count_arg = s,
		.upgrade = upgrade,
	};
	int err;

	params.nr_listen_fds =
		s->link ? keep_link_take_controls(s->link, params.listen_fds,
						  IO_LISTEN_MAX)
			: io_listen_take_control(&s->listeners,
						 params.listen_fds);
	if (!params.nr_listen_fds)
		return 0;
	err = control_start(&params, &s->control);
	return err ? complain_of_thread(s, "cannot start the control thread",
					err)
		   : 0;
}

static int wait_for_signals(struct server *s)
{
	int err = s->link ? 0 : stop_open(s);

	return err ? server_complain(s, "cannot wait for signals", err) : 0;
}

static int wait_for_connections(struct server *s)
{
	int err;

	if (s->link) /* and has been told of them for long */
		return 0;
	err = io_accept_open(&s->acceptor, &s->loop, s->log, s->listeners.nbd,
			     s->listeners.nr_nbd, on_accepted, s);
	return err ? server_complain(s, "cannot wait for connections", err) : 0;
}

static int check_residence(struct server *s)
{
	unsigned nr = s->params->nr_threads + THREADS_FIXED +
		      backings_nr_threads(s->params) - (s->control ? 0 : 1);
	int err = residence_check(s->residence, nr, s->link);

	return err ? server_complain(s, "cannot serve swap", err) : 0;
}

int server_write_pid_file(struct server *s)
{
	const char *path = s->params->pid_file;
	pid_t owner;
	int err;

	if (!path || s->link)
		return 0;
	err = pid_file_take(path, &s->pid_fd, &owner);
	if (err == -EEXIST) {
		io_log(s->log, IO_LOG_ERROR,
		       "--pid-file %s: the zsd that wrote it still runs, as "
		       "process %d: give another file",
		       path, (int)owner);
		return err;
	}
	if (err)
		return server_complain(s, path, err);
	s->pid_file = path;
	return 0;
}

/* In order: each may count on those before it. */
static int (*const steps[])(struct server *s) = {
	server_start_residence,
	server_start_log,
	open_listeners,
	start_stores,
	start_housekeeper,
	backings_start,
	restore_disks,
	exports_give_models,
	have_stores,
	start_serving,
	kept_take_over,
	exports_watch,
	start_control,
	wait_for_signals,
	wait_for_connections,
	check_residence,
	server_write_pid_file,
};

static int start(struct server *s)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = steps[i](s);
	return err;
}

/* --- end ---------------------------------------------------------------- */

/* Also of what was started only in part. */
static void stop(struct server *s)
{
	io_accept_close(&s->acceptor);
	stop_close(s);
	io_listen_close(&s->listeners);
	serve_stop(s->serve);
	/* The control counts over the workers, and the housekeeper wakes them,
	 * which they need to the end. */
	control_stop(s->control);
	policy_stop(s->policy);
	serve_join(s->serve);
	backings_close(s); /* they wake the workers, too */
	housekeeper_destroy(s->keeper);
	serve_destroy(s->serve);
	kept_leave(s);
	drain_close(&s->drain);
	io_loop_fini(&s->loop);
	keep_link_close(s->link);
	stream_area_destroy(s->area);
	export_table_fini(&s->exports);
	residence_end(s->residence);
	if (s->pid_file)
		pid_file_remove(s->pid_file, s->pid_fd);
}

static unsigned nr_attached(void *arg)
{
	struct server *s = arg;

	return serve_nr_conns(s->serve);
}

static void end(void *arg)
{
	struct server *s = arg;

	s->is_over = true;
}

static void tell_status(void *arg, const char *text, unsigned patience_s)
{
	server_tell_status(arg, text, patience_s);
}

static int init_loop(struct server *s)
{
	static const struct drain_calls calls = {
		.count = nr_attached, .over = end, .status = tell_status};
	int err = limits_probe();

	if (!err)
		err = io_loop_init(&s->loop);
	if (err)
		return err;
	for (size_t i = 0; i < NR_SIGNALS; i++) {
		BUG_ON(uv_signal_init(&s->loop.uv, &s->signals[i]));
		s->signals[i].data = s;
	}
	err = drain_open(&s->drain, &s->loop, s->log, s->params->stop_timeout_s,
			 &calls, s);
	if (err) {
		stop_close(s);
		io_loop_fini(&s->loop);
	}
	return err;
}

/* Where there is a keeper, that tells the rest of the world. */
static void tell_ready(struct server *s)
{
	if (!s->link) {
		notify_announce(s);
		return;
	}
	if (s->params->daemon)
		notify_detach(s->log);
	if (keep_link_is_first(s->link))
		keep_link_ready(s->link, 0);
}

int server_run(const struct server_params *params, struct io_log *log)
{
	struct server *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		io_log(log, IO_LOG_ERROR, "cannot start: out of memory");
		return -ENOMEM;
	}
	s->params = params;
	s->log = log;
	err = limits_raise(s);
	if (!err)
		err = needs_check(s);
	if (err) {
		free(s);
		return err;
	}
	err = init_loop(s);
	if (err) {
		server_complain(s, "cannot make an event loop", err);
		free(s);
		return err;
	}
	err = start(s);
	if (!err) {
		tell_ready(s);
		while (!s->is_over)
			io_loop_turn(&s->loop, true);
	}
	if (!s->link)
		notify_stopping();
	stop(s);
	free(s);
	return err;
}

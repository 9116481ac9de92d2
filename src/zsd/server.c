/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "nbd/nbd_export.h"
#include "nbd/nbd_proto.h"
#include "io/accept.h"
#include "control/control.h"
#include "zsd/damage_log.h"
#include "zsd/dictionary.h"
#include "zsd/drain.h"
#include "guard/reserve.h"
#include "io/listen.h"
#include "io/log.h"
#include "zsd/pid_file.h"
#include "guard/residence.h"
#include "io/sd.h"
#include "zsd/server.h"
#include "io/tcp_socket.h"
#include "serve/worker.h"

/*
 * What the export can do. FLUSH and FUA cost nothing, and clients that know
 * them expect them; CAN_MULTI_CONN holds because a write is visible to all
 * threads before it is answered; zeroing is always fast. What changes the disk
 * is not offered where that is not allowed.
 */
#define EXPORT_FLAGS                                                    \
	(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | \
	 NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_CACHE)
#define EXPORT_FLAGS_WRITABLE                              \
	(NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES | \
	 NBD_FLAG_SEND_FAST_ZERO)

/* Descriptors besides connections: standard ones, listeners, memfd, and for
 * each loop its epoll, eventfd and signal pipe. Rounded up. */
#define FDS_FIXED    64u
#define FDS_A_WORKER 8u

/* Besides the workers: main, housekeeper and control. */
#define THREADS_FIXED 3u

_Static_assert(SERVER_MAX_NAME_BYTES <= NBD_MAX_STRING_BYTES,
	       "the protocol can carry the name");

static const int end_signals[] = {SIGTERM, SIGINT};

/* Everything but the atomics is the main thread's. */
struct server {
	const struct server_params *params;
	struct nbd_export export;
	const struct nbd_export *all_exports[1];
	struct nbd_exports exports;
	struct listeners listeners;
	struct residence *residence;
	struct housekeeper *keeper;
	struct zstore *store;
	struct worker *workers[SERVER_MAX_THREADS];
	unsigned nr_workers; /* those that run */
	struct control *control;
	uv_loop_t loop;
	uv_signal_t signals[ARRAY_SIZE(end_signals)];
	struct acceptor acceptor;
	struct drain drain;
	struct damage_log damage;
	uv_async_t damaged; /* something is in it */
	bool is_ending; /* told to */
	const char *pid_file; /* the one that was written, or NULL */
	_Atomic uint64_t nr_accepted;
	_Atomic uint64_t nr_refused;
};

static int complain(const char *what, int err)
{
	log_line("%s: %s", what, strerror(-err));
	return err;
}

/* --- damage ------------------------------------------------------------- */

/* Here, where a log that takes no more for now keeps no request waiting. */
static void on_damaged(uv_async_t *damaged)
{
	struct server *s = damaged->data;

	damage_log_flush(&s->damage, uv_hrtime());
}

/* The store's callback: any thread, under any lock. */
static void note_damage(void *arg, uint64_t index)
{
	struct server *s = arg;

	if (damage_log_note(&s->damage, index))
		(void)uv_async_send(&s->damaged);
}

/* --- connections -------------------------------------------------------- */

/* The worker with the fewest connections, and how many all have. */
static struct worker *pick_worker(struct server *s, unsigned *nr_all)
{
	struct worker *best = NULL;
	unsigned nr, nr_best = 0;

	*nr_all = 0;
	for (unsigned i = 0; i < s->nr_workers; i++) {
		nr = worker_nr_conns(s->workers[i]);
		*nr_all += nr;
		if (!best || nr < nr_best) {
			best = s->workers[i];
			nr_best = nr;
		}
	}
	return best;
}

static void on_accepted(void *arg, int fd)
{
	struct server *s = arg;
	uint64_t id = s->nr_accepted + s->nr_refused + 1;
	struct worker *worker;
	unsigned nr_all;

	worker = pick_worker(s, &nr_all);
	tcp_tune(fd);
	if (s->is_ending || nr_all >= s->params->max_connections ||
	    worker_give(worker, fd, id)) {
		atomic_fetch_add(&s->nr_refused, 1);
		close(fd);
		return;
	}
	atomic_fetch_add(&s->nr_accepted, 1);
}

/* For the control thread: workers are neither made nor ended meanwhile. */
static void count(void *arg, struct server_counts *counts)
{
	struct server *s = arg;

	memset(counts, 0, sizeof(*counts));
	for (unsigned i = 0; i < s->nr_workers; i++)
		worker_count(s->workers[i], counts);
	counts->connections.max = s->params->max_connections;
	counts->connections.accepted = atomic_load(&s->nr_accepted);
	counts->connections.refused = atomic_load(&s->nr_refused);
}

/* --- start -------------------------------------------------------------- */

/* The soft limit is there for programs that use select(2). */
static void raise_fd_limit(const struct server_params *params)
{
	rlim_t needed = FDS_FIXED + params->nr_threads * FDS_A_WORKER +
			params->max_connections;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = min_u64(needed, limit.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < needed)
		log_line("warning: %llu file descriptors may be too few for "
			 "--max-connections=%u",
			 (unsigned long long)limit.rlim_cur,
			 params->max_connections);
}

static int start_store(struct server *s)
{
	struct zstore_params params = s->params->store;
	int err;

	err = housekeeper_create(s->residence, &s->keeper);
	if (err)
		return complain("cannot make the housekeeper", err);
	params.wake = housekeeper_wake;
	params.wake_arg = s->keeper;
	params.damaged = note_damage;
	params.damaged_arg = s;
	if (s->params->swap != SWAP_OFF) {
		params.starve = housekeeper_starve;
		params.inherit_priority = true; /* compaction's is lower */
	}
	err = zstore_create(&params, &s->store);
	if (err)
		return complain("cannot make the store", err);
	if (s->params->dictionary) {
		err = dictionary_load(s->store, s->params->dictionary);
		if (err)
			return err;
	}
	if (s->params->swap != SWAP_OFF) {
		err = zstore_populate(s->store);
		if (err)
			return complain("no memory for slots and handles", err);
	}
	residence_settle(s->residence);
	err = housekeeper_start(s->keeper, s->store);
	if (err)
		return complain("cannot start the housekeeper", err);
	return 0;
}

static int start_workers(struct server *s)
{
	const struct worker_params params = {
		.store = s->store,
		.residence = s->residence,
		.exports = &s->exports,
		.handshake_timeout_s = s->params->handshake_timeout_s,
		.poll_us = s->params->poll_us,
		.verbose = s->params->verbose,
		.left = drain_left,
		.left_arg = &s->drain,
	};
	int err;

	if (params.poll_us && sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		log_line("--poll needs a second processor: on the only one, "
			 "the client could not run meanwhile; leave it out");
		return -EINVAL;
	}
	while (s->nr_workers < s->params->nr_threads) {
		err = worker_create(&params, &s->workers[s->nr_workers]);
		if (err)
			return complain("cannot start a worker", err);
		s->nr_workers++;
	}
	return 0;
}

static int start_control(struct server *s)
{
	const struct control_params params = {
		.listen_fd = listener_take_control(&s->listeners),
		.store = s->store,
		.residence = s->residence,
		.keeper = s->keeper,
		.nr_threads = s->nr_workers,
		.idle_ms = CONTROL_IDLE_MS,
		.count = count,
		.count_arg = s,
	};
	int err;

	if (params.listen_fd < 0)
		return 0;
	err = control_start(&params, &s->control);
	if (err) {
		close(params.listen_fd);
		return complain("cannot start the control thread", err);
	}
	return 0;
}

/* Not the drain's: workers may still call it. */
static void close_handles(struct server *s)
{
	acceptor_close(&s->acceptor);
	drain_stop(&s->drain);
	for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++) {
		if (!uv_is_closing((uv_handle_t *)&s->signals[i]))
			uv_close((uv_handle_t *)&s->signals[i], NULL);
	}
}

static unsigned nr_attached(void *arg)
{
	struct server *s = arg;
	unsigned nr;

	(void)pick_worker(s, &nr);
	return nr;
}

/* What now takes too long ends by one more signal: it finds its default
 * action when the handles are closed. */
static void end_loop(void *arg)
{
	struct server *s = arg;

	close_handles(s);
	uv_stop(&s->loop);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct server *s = signal->data;

	if (s->is_ending) {
		log_line("%s again: closing %u connections", strsignal(number),
			 nr_attached(s));
		end_loop(s);
		return;
	}
	log_line("%s: shutting down", strsignal(number));
	s->is_ending = true;
	sd_notify_stopping();
	/* On a socket that was passed clients would wait for the next server:
	 * those are accepted, and refused. */
	if (!s->listeners.are_passed) {
		acceptor_close(&s->acceptor);
		listener_close_nbd(&s->listeners);
	}
	for (unsigned i = 0; i < s->nr_workers; i++)
		worker_drain(s->workers[i]);
	drain_start(&s->drain);
}

static int start_loop(struct server *s)
{
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(end_signals); i++) {
		err = uv_signal_start(&s->signals[i], on_signal,
				      end_signals[i]);
		if (err)
			return complain("cannot wait for signals", err);
	}
	err = acceptor_open(&s->acceptor, &s->loop, s->listeners.fds,
			    s->listeners.nr, on_accepted, s);
	if (err)
		return complain("cannot wait for connections", err);
	return 0;
}

static int write_pid_file(struct server *s)
{
	int err;

	if (!s->params->pid_file)
		return 0;
	err = pid_file_write(s->params->pid_file);
	if (err)
		return complain(s->params->pid_file, err);
	s->pid_file = s->params->pid_file;
	return 0;
}

/* Before anything else: what comes later is to be covered by it. */
static int start_residence(struct server *s)
{
	int err = residence_begin(s->params->swap,
				  s->params->nr_threads + THREADS_FIXED,
				  &s->residence);

	if (err)
		return complain("cannot start", err);
	residence_join(s->residence, "main", false);
	return 0;
}

/* When all threads run: whether they are as swapping asks. */
static int check_residence(struct server *s)
{
	unsigned nr = s->nr_workers + THREADS_FIXED - (s->control ? 0 : 1);
	int err = residence_check(s->residence, nr);

	return err ? complain("cannot serve swap", err) : 0;
}

static int start(struct server *s)
{
	int err;

	err = start_residence(s);
	if (err)
		return err;
	raise_fd_limit(s->params);
	err = listener_open(&s->params->listen, &s->listeners);
	if (err)
		return err;
	err = start_store(s);
	if (err)
		return err;
	err = start_workers(s);
	if (err)
		return err;
	err = start_control(s);
	if (err)
		return err;
	err = start_loop(s);
	if (err)
		return err;
	err = check_residence(s);
	if (err)
		return err;
	return write_pid_file(s);
}

static void announce(const struct server *s)
{
	char size[UNITS_TEXT_BYTES], codec[ZCOMP_NAME_BYTES];
	char address[256];

	for (size_t i = 0; i < s->listeners.nr; i++)
		log_line("listening on %s",
			 listener_describe(&s->listeners, i, address,
					   sizeof(address)));
	log_line("ready: %s disk, %s, %u threads",
		 units_format(s->export.size_bytes, size),
		 zcomp_format(&s->params->store.zcomp, codec), s->nr_workers);
	sd_notify_ready();
}

/* --- end ---------------------------------------------------------------- */

static void stop_workers(struct server *s)
{
	for (unsigned i = 0; i < s->nr_workers; i++)
		worker_stop(s->workers[i]);
	/* The control counts over them, so they all stay until it is gone. */
	control_stop(s->control);
	for (unsigned i = 0; i < s->nr_workers; i++)
		worker_destroy(s->workers[i]);
}

/* Also of what was started only in part. */
static void stop(struct server *s)
{
	close_handles(s);
	listener_close(&s->listeners);
	stop_workers(s);
	damage_log_flush(&s->damage, uv_hrtime());
	uv_close((uv_handle_t *)&s->damaged, NULL);
	drain_close(&s->drain);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	BUG_ON(uv_loop_close(&s->loop));
	damage_log_fini(&s->damage);
	housekeeper_destroy(s->keeper);
	zstore_destroy(s->store);
	residence_end(s->residence);
	if (s->pid_file)
		pid_file_remove(s->pid_file);
}

/*
 * With the first loop libuv makes a pipe for signals, and aborts where it
 * cannot: find out before whether there are that many descriptors.
 */
static int probe_descriptors(void)
{
	int fds[2], loop_fd, err = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	loop_fd = dup(fds[0]);
	if (loop_fd < 0)
		err = -errno;
	else
		close(loop_fd);
	close(fds[0]);
	close(fds[1]);
	return err;
}

static void init_export(struct nbd_export *export,
			const struct server_params *params)
{
	export->name = params->export_name;
	export->description = params->description;
	export->size_bytes = params->store.disk_bytes;
	export->flags = EXPORT_FLAGS;
	export->flags |=
		params->read_only ? NBD_FLAG_READ_ONLY : EXPORT_FLAGS_WRITABLE;
}

static int init_damage(struct server *s)
{
	int err = uv_async_init(&s->loop, &s->damaged, on_damaged);

	if (err)
		return err;
	s->damaged.data = s;
	uv_unref((uv_handle_t *)&s
			 ->damaged); /* nothing to wait for at the end */
	return damage_log_init(&s->damage);
}

static int init(struct server *s, const struct server_params *params)
{
	int err;

	s->params = params;
	s->listeners.control_fd = -1;
	init_export(&s->export, params);
	s->all_exports[0] = &s->export;
	s->exports = (struct nbd_exports){.all = s->all_exports, .nr = 1};
	err = probe_descriptors();
	if (!err)
		err = uv_loop_init(&s->loop);
	if (err)
		return complain("cannot make an event loop", err);
	for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++) {
		err = uv_signal_init(&s->loop, &s->signals[i]);
		if (err)
			return complain("cannot make an event loop", err);
		s->signals[i].data = s;
	}
	err = init_damage(s);
	if (!err)
		err = drain_open(&s->drain, &s->loop, params->stop_timeout_s,
				 nr_attached, end_loop, s);
	if (err)
		return complain("cannot make an event loop", err);
	return 0;
}

int server_run(const struct server_params *params)
{
	struct server *s;
	int err;

	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for these two */
	s = calloc(1, sizeof(*s));
	if (!s)
		return complain("cannot start", -ENOMEM);
	err = init(s, params);
	if (err)
		goto out;
	err = start(s);
	if (!err) {
		announce(s);
		uv_run(&s->loop, UV_RUN_DEFAULT);
	}
	stop(s);
out:
	free(s);
	return err;
}

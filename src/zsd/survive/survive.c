/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --survive: this process is the keeper, and runs the program once more for
 * each server.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "guard/around.h"
#include "keep/keeper.h"
#include "zsd/pid_file.h"
#include "zsd/server_internal.h"

static void on_ready(void *arg)
{
	notify_announce(arg);
}

static bool on_ending(void *arg)
{
	struct server *s = arg;

	/* On a socket that was passed clients would wait for the next keeper. */
	if (!s->listeners.are_passed)
		io_listen_close_nbd(&s->listeners);
	return s->listeners.are_passed;
}

static void on_status(void *arg, const char *text, unsigned patience_s)
{
	(void)arg;
	notify_status(text, patience_s);
}

static int open_shelf(struct server *s)
{
	int err = shelf_open(&s->shelf, s->log,
			     EXPORT_MAX + 1 + kept_max_connections(s->params));

	return err ? server_complain(s, "cannot see what was kept", err) : 0;
}

void survive_forget(const struct server *s)
{
	struct shelf shelf;

	if (shelf_open(&shelf, s->log, SERVE_MAX_CONNECTIONS))
		return; /* it stays, and harms nobody */
	if (shelf.nr_kept)
		io_log(s->log, IO_LOG_WARNING,
		       "warning: --survive=off: what was kept of the zsd "
		       "before is let go of");
	shelf_clear(&shelf);
	shelf_close(&shelf);
}

static int open_listeners(struct server *s)
{
	return io_listen_open(&s->params->listen, s->log, &s->listeners);
}

/* What servers need is raised and checked here: they are children. */
static int check_limits(struct server *s)
{
	int err = limits_raise(s);

	return err ? err : needs_check(s);
}

/*
 * Between two servers nobody has locked the disks' memory: it is the limit of
 * the control group alone that keeps the kernel from swapping it out, onto one
 * of these very disks, from where nobody could bring it back.
 */
static int check_swap_limit(struct server *s)
{
	const bool is_strict = s->params->survive == SURVIVE_STRICT;
	struct around around;
	bool holds;

	if (s->params->swap == SWAP_OFF)
		return 0;
	around_open(&around, "");
	holds = around.is_never_swapped;
	around_close(&around);
	if (holds)
		return 0;
	io_log(s->log, is_strict ? IO_LOG_ERROR : IO_LOG_WARNING,
	       "%s: while one server takes over from another the kernel may "
	       "swap the disks' memory out, and never bring it back: set "
	       "MemorySwapMax=0 in zsd's unit (memory.swap.max 0 in its control "
	       "group)",
	       is_strict ? "--survive=strict" : "warning: --survive");
	return is_strict ? -EPERM : 0;
}

static int (*const steps[])(struct server *s) = {
	check_limits,
	server_start_residence,
	server_start_log,
	check_swap_limit,
	open_shelf,
	open_listeners,
	server_write_pid_file,
};

/* The measures that --swap takes, but for the ones that are a server's. */
static int check_residence(struct server *s)
{
	int err = residence_check(s->residence, 1, false);

	return err ? server_complain(s, "cannot keep swap", err) : 0;
}

static int keep(struct server *s, char *const *argv)
{
	struct keeper_params params = {
		.argv = argv,
		.shelf = &s->shelf.calls,
		.kept = s->shelf.kept,
		.nr_kept = s->shelf.nr_kept,
		.listeners = s->listeners.nbd,
		.nr_listeners = s->listeners.nr_nbd,
		.controls = s->listeners.control,
		.nr_controls = s->listeners.nr_control,
		.nr_disks = (unsigned)s->params->nr_disks,
		.max_connections = kept_max_connections(s->params),
		.log = s->log,
		.ready = on_ready,
		.ending = on_ending,
		.status = on_status,
		.arg = s,
	};

	return keeper_run(&params);
}

static void stop(struct server *s)
{
	io_listen_close(&s->listeners);
	if (s->shelf.kept)
		shelf_close(&s->shelf);
	residence_end(s->residence);
	if (s->pid_file)
		pid_file_remove(s->pid_file, s->pid_fd);
}

int survive_run(const struct server_params *params, struct io_log *log,
		char *const *argv)
{
	struct server *s = calloc(1, sizeof(*s));
	int err = 0;

	if (!s) {
		io_log(log, IO_LOG_ERROR, "cannot start: out of memory");
		return -ENOMEM;
	}
	keeper_block_signals();
	s->params = params;
	s->log = log;
	for (size_t i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = steps[i](s);
	if (!err)
		err = check_residence(s);
	if (!err)
		err = keep(s, argv);
	notify_stopping();
	stop(s);
	free(s);
	return err;
}

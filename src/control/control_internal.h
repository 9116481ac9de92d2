/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_internal - the control thread and its clients
 *
 * All of it belongs to the control's thread, except that the runner, the thread
 * for long commands, writes its client's result and err, and nobody else
 * touches that client's request meanwhile.
 *
 * A client has one command under way at most. From the moment that a line is
 * taken until its reply is written nothing is read from it, so it holds one
 * buffer of input and one reply, and one that does not read its replies waits
 * for itself alone. While it is the client's turn, to send a line or to take
 * the reply, its patience timer runs, and closes it in the end: pieces of a
 * line do not start it anew. Long commands of all clients run one after the
 * other: they take one core from the workers at most.
 */
#ifndef ZSD_CONTROL_CONTROL_INTERNAL_H
#define ZSD_CONTROL_CONTROL_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "base/list.h"
#include "ctl/ctl.h"
#include "ctl/ctl_lines.h"
#include "control/control_commands.h"

/* Most control clients: people and monitors, not crowds. */
#define CONTROL_MAX_CLIENTS 16u

struct control_client {
	struct control *control;
	uv_pipe_t pipe;
	uv_timer_t patience; /* runs while the client keeps us waiting */
	bool in_use;
	bool closing; /* uv_close() was called */
	unsigned nr_handles; /* that are open, or still being closed */
	struct ctl_lines lines;

	struct ctl_request request; /* under way */
	const struct control_command *command;
	struct list_node waiting; /* in control->waiting, if a long one */
	json_t *result; /* of a long one: an object, or NULL */
	int err; /* then why not */
	struct ctl_error error; /* and more about it, if its text is not empty */

	uv_write_t write;
	char *reply; /* what is being written, or NULL */
};

struct control {
	struct control_env env;
	uv_thread_t thread;
	uv_loop_t loop;
	uv_async_t stop;
	uv_pipe_t listener;
	bool stopping;
	bool accept_waits; /* a connection found a refusal under way */

	struct control_client clients[CONTROL_MAX_CLIENTS];
	uv_pipe_t refusal; /* for the one that is being turned away */
	bool refusing;

	/* Not libuv's pool, which aborts where it cannot make its threads. */
	uv_thread_t runner;
	uv_sem_t run; /* posted: there is a command to run, or the end */
	uv_async_t ran; /* the runner's: it is done */
	/* Goes with @ran. libuv orders what one thread did before what the other
	 * one does, but where a tool that looks for races cannot see it. */
	atomic_bool has_run;
	bool runner_ends; /* before the last post */
	struct control_client *running; /* whose command runs, or NULL */
	struct list_node waiting; /* clients, in order of asking */
};

/* Take the connection that the listener announces into a free slot. */
void control_client_open(struct control_client *client);

/* Let go of a client; a command of its that runs goes on to its end. */
void control_client_close(struct control_client *client);

/* Run the command of control->running. On the runner. */
void control_run_long(struct control *control);

/* Answer what it gave, and have the next one run. On the control's thread. */
void control_long_done(struct control *control);

#endif

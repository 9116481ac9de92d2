/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_internal - the control thread and its clients
 *
 * All of it belongs to the control's thread, except that the runner, the thread
 * for long commands, writes its client's result and err, and nobody else
 * touches that client's request meanwhile.
 *
 * A client has one command under way at most. From the moment that a line is
 * taken until its reply is sent, and the stream behind that if there is one,
 * nothing is read from it, so it holds one buffer of input and one reply or
 * piece, and one that does not read its replies waits for itself alone. While
 * it is the client's turn, to send a line or to take the reply, its patience
 * timer runs, and closes it in the end: pieces of a line do not start it anew.
 * Long commands of all clients run one after the other: they take one core from
 * the workers at most.
 */
#ifndef ZSD_CONTROL_CONTROL_INTERNAL_H
#define ZSD_CONTROL_CONTROL_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "base/list.h"
#include "control/commands.h"
#include "ctl/ctl.h"
#include "ctl/ctl_lines.h"
#include "io/loop.h"

/* Most control clients: people and monitors, not crowds. */
#define CONTROL_MAX_CLIENTS 16u

struct control_client {
	struct control *control;
	int fd;
	struct io_watch watch;
	uv_timer_t patience; /* runs while the client keeps us waiting */
	bool in_use;
	bool is_closing;
	bool is_timer_open; /* patience is not let go of yet */
	bool is_under_way; /* a line was taken, and is not answered yet */
	bool may_recv; /* there may be more to be received */
	bool wants_room; /* is told when the client has read */
	bool is_due; /* to be served again, when the others were */
	struct ctl_lines lines;

	struct ctl_request request; /* under way */
	const struct control_command *command;
	struct list_node waiting; /* in control->waiting, if a long one */
	json_t *result; /* of a long one: an object, or NULL */
	int err; /* then why not */
	struct ctl_error error; /* and more about it, if its text is not empty */

	char *reply; /* as long as it is sent, or NULL */
	struct control_stream *stream; /* what follows it, or NULL */
	const char *out; /* what is being sent: either; or NULL */
	size_t out_bytes;
	size_t sent_bytes; /* of it */
};

struct control {
	struct control_env env;
	struct zstore_scratch *scratch; /* of env.ctx */
	uv_thread_t thread;
	struct io_loop loop;
	uv_async_t stop;
	struct io_acceptor acceptor;
	bool is_stopping;
	bool is_over; /* the loop ends */

	struct control_client clients[CONTROL_MAX_CLIENTS];

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

/* Take a connection into a free slot. */
void control_client_open(struct control_client *client, int fd);

/* Go on with a client until something must be waited for. */
void control_client_serve(struct control_client *client);

/* Let go of a client; a command of its that runs goes on to its end. */
void control_client_close(struct control_client *client);

/* Run the command of control->running. On the runner. */
void control_run_long(struct control *control);

/* Answer what it gave, and have the next one run. On the control's thread. */
void control_long_done(struct control *control);

#endif

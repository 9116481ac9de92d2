/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "control/control_internal.h"

/* Every slot is taken: say so, and hang up. */
static void refuse(int fd)
{
	struct ctl_error error;
	size_t bytes;
	char *line;

	ctl_error_set(&error, -EBUSY,
		      "there are %u control clients already: try again",
		      CONTROL_MAX_CLIENTS);
	if (ctl_reply_format(CTL_NO_ID, NULL, &error, &line, &bytes) == 0) {
		/* Fits the empty socket buffer; nobody waits if it does not. */
		(void)send(fd, line, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		free(line);
	}
	close(fd);
}

static void on_accepted(void *arg, int fd)
{
	struct control *control = arg;

	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (!control->clients[i].in_use) {
			control_client_open(&control->clients[i], fd);
			return;
		}
	}
	refuse(fd);
}

static void on_stop(uv_async_t *stop)
{
	struct control *control = stop->data;

	control->is_stopping = true;
	io_accept_close(&control->acceptor);
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (control->clients[i].in_use)
			control_client_close(&control->clients[i]);
	}
	/* The command that runs, if one does, is waited for. */
	control->is_over = !control->running;
}

/* Clients that wait were closed, so that no other command begins then. */
static void on_ran(uv_async_t *ran)
{
	struct control *control = ran->data;

	if (!atomic_exchange_explicit(&control->has_run, false,
				      memory_order_acquire))
		return;
	control_long_done(control);
	control->is_over = control->is_stopping;
}

static void runner_main(void *arg)
{
	struct control *control = arg;

	for (;;) {
		uv_sem_wait(&control->run);
		if (control->runner_ends)
			return;
		control_run_long(control);
		atomic_store_explicit(&control->has_run, true,
				      memory_order_release);
		uv_async_send(&control->ran);
	}
}

static bool is_due(const struct control_client *client)
{
	return client->in_use && client->is_due;
}

/* Return: whether some are due again. */
static bool serve_due(struct control *control)
{
	bool is_any = false;

	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (is_due(client))
			control_client_serve(client);
		is_any |= is_due(client);
	}
	return is_any;
}

static void control_main(void *arg)
{
	struct control *control = arg;
	bool is_any_due = false;

	residence_join(control->env.params.residence, "control",
		       RESIDENCE_ORDINARY);
	while (!control->is_over) {
		io_loop_turn(&control->loop, !is_any_due);
		is_any_due = serve_due(control);
	}
}

/* --- life ----------------------------------------------------------------- */

static void close_loop(struct control *control)
{
	io_accept_close(&control->acceptor);
	uv_close((uv_handle_t *)&control->stop, NULL);
	uv_close((uv_handle_t *)&control->ran, NULL);
	io_loop_fini(&control->loop);
}

static int open_loop(struct control *control)
{
	const struct control_params *params = &control->env.params;
	int err = io_loop_init(&control->loop);

	if (err)
		return err;
	/* The second of its kind finds what the first one made. */
	BUG_ON(uv_async_init(&control->loop.uv, &control->stop, on_stop));
	control->stop.data = control;
	BUG_ON(uv_async_init(&control->loop.uv, &control->ran, on_ran));
	control->ran.data = control;
	err = io_accept_open(&control->acceptor, &control->loop, params->log,
			     params->listen_fds, params->nr_listen_fds,
			     on_accepted, control);
	if (err)
		close_loop(control);
	return err;
}

static void free_control(struct control *control)
{
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++)
		ctl_lines_fini(&control->clients[i].lines);
	control_env_fini(&control->env);
	free(control);
}

static struct control *new_control(const struct control_params *params)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	list_init(&control->waiting);
	if (control_env_init(&control->env, params))
		goto err;
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		control->clients[i].control = control;
		if (ctl_lines_init(&control->clients[i].lines,
				   CTL_MAX_REQUEST_BYTES))
			goto err;
	}
	return control;
err:
	free_control(control);
	return NULL;
}

static int start_runner(struct control *control)
{
	int err = uv_sem_init(&control->run, 0);

	if (err)
		return err;
	err = uv_thread_create(&control->runner, runner_main, control);
	if (err)
		uv_sem_destroy(&control->run);
	return err;
}

static void end_runner(struct control *control)
{
	control->runner_ends = true;
	uv_sem_post(&control->run);
	uv_thread_join(&control->runner);
	uv_sem_destroy(&control->run);
}

static void close_listeners(const struct control_params *params)
{
	for (size_t i = 0; i < params->nr_listen_fds; i++)
		close(params->listen_fds[i]);
}

int control_start(const struct control_params *params, struct control **out)
{
	struct control *control = new_control(params);
	int err = -ENOMEM;

	if (!control)
		goto err_listeners;
	err = open_loop(control);
	if (err)
		goto err_free;
	err = start_runner(control);
	if (err)
		goto err_loop;
	err = uv_thread_create(&control->thread, control_main, control);
	if (err)
		goto err_runner;
	*out = control;
	return 0;

err_runner:
	end_runner(control);
err_loop:
	close_loop(control);
err_free:
	free_control(control);
err_listeners:
	close_listeners(params);
	return err;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	uv_async_send(&control->stop);
	uv_thread_join(&control->thread);
	end_runner(control);
	close_loop(control);
	close_listeners(&control->env.params);
	free_control(control);
}

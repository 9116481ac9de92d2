/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "control/control_internal.h"

static void on_connection(uv_stream_t *listener, int status);

/* Go on with the one that came meanwhile, if any. */
static void on_refusal_closed(uv_handle_t *handle)
{
	struct control *control = handle->data;

	control->refusing = false;
	if (!control->accept_waits || control->stopping)
		return;
	control->accept_waits = false;
	on_connection((uv_stream_t *)&control->listener, 0);
}

/* Every slot is taken: say so, and hang up. */
static void refuse(struct control *control)
{
	struct ctl_error error;
	size_t bytes;
	uv_buf_t buf;
	char *line;

	control->refusing = true;
	uv_pipe_init(&control->loop, &control->refusal, 0);
	control->refusal.data = control;
	if (uv_accept((uv_stream_t *)&control->listener,
		      (uv_stream_t *)&control->refusal))
		goto out;
	ctl_error_set(&error, -EBUSY,
		      "there are %u control clients already: try again",
		      CONTROL_MAX_CLIENTS);
	if (ctl_reply_format(CTL_NO_ID, NULL, &error, &line, &bytes))
		goto out;
	/* Fits the empty socket buffer; nobody waits for it if it did not. */
	buf = uv_buf_init(line, (unsigned)bytes);
	(void)uv_try_write((uv_stream_t *)&control->refusal, &buf, 1);
	free(line);
out:
	uv_close((uv_handle_t *)&control->refusal, on_refusal_closed);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;

	if (status < 0)
		return;
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (!control->clients[i].in_use) {
			control_client_open(&control->clients[i]);
			return;
		}
	}
	/* libuv announces no other connection until this one is accepted. */
	if (control->refusing)
		control->accept_waits = true;
	else
		refuse(control);
}

static void on_stop(uv_async_t *stop)
{
	struct control *control = stop->data;

	control->stopping = true;
	uv_close((uv_handle_t *)&control->stop, NULL);
	/* The command that runs, if one does, is waited for. */
	if (!control->running)
		uv_close((uv_handle_t *)&control->ran, NULL);
	uv_close((uv_handle_t *)&control->listener, NULL);
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (control->clients[i].in_use)
			control_client_close(&control->clients[i]);
	}
}

/* Clients that wait were closed, so that no other command begins then. */
static void on_ran(uv_async_t *ran)
{
	struct control *control = ran->data;

	if (!atomic_exchange_explicit(&control->has_run, false,
				      memory_order_acquire))
		return;
	control_long_done(control);
	if (control->stopping)
		uv_close((uv_handle_t *)&control->ran, NULL);
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

static void control_run(void *arg)
{
	struct control *control = arg;
	sigset_t set;

	residence_join(control->env.params.residence, "control", false);

	/* A client that hangs up is an error code. */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	uv_run(&control->loop, UV_RUN_DEFAULT);
}

/*
 * Open the loop with its three lasting handles. The listening socket is
 * duplicated, so that the caller's stays the caller's if a later step fails.
 */
static int open_loop(struct control *control)
{
	int err, fd;

	err = uv_loop_init(&control->loop);
	if (err)
		return err;
	err = uv_async_init(&control->loop, &control->stop, on_stop);
	if (err)
		goto err_loop;
	control->stop.data = control;
	err = uv_async_init(&control->loop, &control->ran, on_ran);
	if (err)
		goto err_stop;
	control->ran.data = control;
	uv_pipe_init(&control->loop, &control->listener, 0);
	control->listener.data = control;
	fd = fcntl(control->env.params.listen_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		err = -errno;
		goto err_handles;
	}
	err = uv_pipe_open(&control->listener, fd);
	if (err) {
		close(fd);
		goto err_handles;
	}
	err = uv_listen((uv_stream_t *)&control->listener, SOMAXCONN,
			on_connection);
	if (err)
		goto err_handles;
	return 0;

err_handles:
	uv_close((uv_handle_t *)&control->listener, NULL);
	uv_close((uv_handle_t *)&control->ran, NULL);
err_stop:
	uv_close((uv_handle_t *)&control->stop, NULL);
	uv_run(&control->loop, UV_RUN_DEFAULT);
err_loop:
	uv_loop_close(&control->loop);
	return err;
}

static void free_control(struct control *control)
{
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++)
		ctl_lines_fini(&control->clients[i].lines);
	zstore_ctx_destroy(control->env.ctx);
	free(control);
}

static struct control *new_control(const struct control_params *params)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->env.params = *params;
	control->env.started_ns = uv_hrtime();
	list_init(&control->waiting);
	for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		control->clients[i].control = control;
		if (ctl_lines_init(&control->clients[i].lines,
				   CTL_MAX_REQUEST_BYTES))
			goto err;
	}
	if (zstore_ctx_create(params->store, &control->env.ctx))
		goto err;
	return control;
err:
	free_control(control);
	return NULL;
}

/* Close what open_loop() opened, where no thread runs it. */
static void close_loop(struct control *control)
{
	uv_async_send(&control->stop);
	uv_run(&control->loop, UV_RUN_DEFAULT);
	BUG_ON(uv_loop_close(&control->loop));
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

int control_start(const struct control_params *params, struct control **out)
{
	struct control *control = new_control(params);
	int err;

	if (!control)
		return -ENOMEM;
	err = open_loop(control);
	if (err)
		goto err_free;
	err = start_runner(control);
	if (err)
		goto err_loop;
	err = uv_thread_create(&control->thread, control_run, control);
	if (err)
		goto err_runner;
	close(params->listen_fd);
	*out = control;
	return 0;

err_runner:
	end_runner(control);
err_loop:
	close_loop(control);
err_free:
	free_control(control);
	return err;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	uv_async_send(&control->stop);
	uv_thread_join(&control->thread);
	end_runner(control);
	/* Whatever is left open would be a leak, and use freed memory. */
	BUG_ON(uv_loop_close(&control->loop));
	free_control(control);
}

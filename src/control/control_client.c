/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "control/control_internal.h"

static void serve_next(struct control_client *client);

/* Make the slot free again, once nothing refers to it. */
static void release_slot(struct control_client *client)
{
	if (client->nr_handles || client->control->running == client)
		return;
	ctl_request_fini(&client->request);
	client->in_use = false;
}

static void on_closed(uv_handle_t *handle)
{
	struct control_client *client = handle->data;

	client->nr_handles--;
	release_slot(client);
}

void control_client_close(struct control_client *client)
{
	if (client->closing)
		return;
	client->closing = true;
	list_del(&client->waiting);
	uv_close((uv_handle_t *)&client->pipe, on_closed);
	uv_close((uv_handle_t *)&client->patience, on_closed);
}

static void on_patience_ends(uv_timer_t *timer)
{
	control_client_close(timer->data);
}

/* From now on it is the client's turn. */
static void wait_for_client(struct control_client *client)
{
	const unsigned ms = client->control->env.params.idle_ms;

	BUG_ON(uv_timer_start(&client->patience, on_patience_ends, ms, 0));
}

static void on_written(uv_write_t *write, int status)
{
	struct control_client *client = write->data;

	free(client->reply);
	client->reply = NULL;
	if (status < 0 || client->closing) {
		control_client_close(client);
		return;
	}
	serve_next(client);
}

/* Answer the request under way with @result, or with @error if it is NULL. */
static void reply(struct control_client *client, json_t *result,
		  struct ctl_error *error)
{
	const json_int_t id = client->request.id;
	size_t bytes;
	uv_buf_t buf;
	int err;

	err = ctl_reply_format(id, result, error, &client->reply, &bytes);
	if (err == -EMSGSIZE) {
		ctl_error_set(error, -EIO, "the result is too long for a line");
		err = ctl_reply_format(id, NULL, error, &client->reply, &bytes);
	}
	ctl_request_fini(&client->request);
	if (err) {
		control_client_close(client);
		return;
	}
	buf = uv_buf_init(client->reply, (unsigned)bytes);
	client->write.data = client;
	wait_for_client(client);
	err = uv_write(&client->write, (uv_stream_t *)&client->pipe, &buf, 1,
		       on_written);
	if (err)
		on_written(&client->write, err);
}

/* Run the client's command; what comes of it is in the client. */
static void run(struct control_client *client)
{
	client->error.text[0] = '\0';
	client->err = client->command->run(&client->control->env,
					   client->request.arguments,
					   &client->result, &client->error);
}

/* Answer with what its command gave. */
static void reply_with_outcome(struct control_client *client)
{
	json_t *result = client->result;

	client->result = NULL;
	if (client->err && !client->error.text[0])
		ctl_error_set(&client->error, client->err,
			      "command '%s' failed: %s", client->command->name,
			      uv_strerror(client->err));
	reply(client, result, &client->error);
	json_decref(result);
}

static void run_next_long(struct control *control);

/* On the runner. */
void control_run_long(struct control *control)
{
	run(control->running);
}

void control_long_done(struct control *control)
{
	struct control_client *client = control->running;

	control->running = NULL;
	if (client->closing) {
		json_decref(client->result);
		client->result = NULL;
		release_slot(client);
	} else {
		reply_with_outcome(client);
	}
	run_next_long(control);
}

static void run_next_long(struct control *control)
{
	struct control_client *client;

	if (control->running || list_is_empty(&control->waiting))
		return;
	client = list_first(&control->waiting, struct control_client, waiting);
	list_del(&client->waiting);
	control->running = client;
	uv_sem_post(&control->run);
}

static void run_command(struct control_client *client)
{
	const struct control_command *command = client->command;
	struct control *control = client->control;

	if (command->is_long) {
		list_add_tail(&control->waiting, &client->waiting);
		run_next_long(control);
		return;
	}
	run(client);
	reply_with_outcome(client);
}

static void take_line(struct control_client *client, const char *line,
		      size_t bytes)
{
	struct ctl_request *request = &client->request;
	struct ctl_error error;
	int err;

	uv_timer_stop(&client->patience);
	err = ctl_request_parse(line, bytes, request, &error);
	if (err)
		goto refuse;
	client->command = control_command_find(request->command);
	if (!client->command) {
		ctl_error_set(&error, -EOPNOTSUPP, "unknown command '%.80s'",
			      request->command);
		goto refuse;
	}
	err = ctl_arguments_check(request->arguments,
				  client->command->arguments, &error);
	if (err)
		goto refuse;
	run_command(client);
	return;

refuse:
	reply(client, NULL, &error);
}

static void refuse_overlong(struct control_client *client)
{
	struct ctl_error error;

	client->request = (struct ctl_request){.id = CTL_NO_ID};
	ctl_error_set(&error, -EMSGSIZE,
		      "a request line has at most %zu bytes, newline included",
		      CTL_MAX_REQUEST_BYTES);
	reply(client, NULL, &error);
}

/*
 * Take the next line, if there is one. Its command then is under way, and the
 * end of its reply is what takes the line after it. Nothing is read before
 * there is none.
 */
static bool take_next(struct control_client *client)
{
	const char *line;
	size_t bytes;

	switch (ctl_lines_next(&client->lines, &line, &bytes)) {
	case CTL_LINES_LINE:
		take_line(client, line, bytes);
		return true;
	case CTL_LINES_OVERLONG:
		refuse_overlong(client);
		return true;
	case CTL_LINES_NONE:
		break;
	}
	return false;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct control_client *client = handle->data;

	(void)suggested;
	buf->len = ctl_lines_space(&client->lines, &buf->base);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct control_client *client = stream->data;

	(void)buf;
	/* At the end of the stream there is no whole line left: see above. */
	if (nread < 0) {
		control_client_close(client);
		return;
	}
	ctl_lines_add(&client->lines, (size_t)nread);
	if (take_next(client))
		uv_read_stop(stream);
}

/* Nothing is under way and nothing is read: go on. */
static void serve_next(struct control_client *client)
{
	uv_stream_t *stream = (uv_stream_t *)&client->pipe;

	if (take_next(client))
		return;
	wait_for_client(client);
	if (uv_read_start(stream, on_alloc, on_read))
		control_client_close(client);
}

void control_client_open(struct control_client *client)
{
	struct control *control = client->control;

	client->in_use = true;
	client->closing = false;
	client->nr_handles = 2;
	list_init(&client->waiting);
	ctl_lines_reset(&client->lines);
	uv_pipe_init(&control->loop, &client->pipe, 0);
	client->pipe.data = client;
	uv_timer_init(&control->loop, &client->patience); /* cannot fail */
	client->patience.data = client;
	if (uv_accept((uv_stream_t *)&control->listener,
		      (uv_stream_t *)&client->pipe))
		control_client_close(client);
	else
		serve_next(client);
}

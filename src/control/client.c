/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "control/control_internal.h"

/* Lines taken from one client before others have their turn. */
#define MAX_LINES 16u

/* --- life ----------------------------------------------------------------- */

/* Make the slot free again, once nothing refers to it. */
static void release_slot(struct control_client *client)
{
	if (client->is_timer_open || client->control->running == client)
		return;
	ctl_request_fini(&client->request);
	client->in_use = false;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct control_client *client = handle->data;

	client->is_timer_open = false;
	release_slot(client);
}

static void drop_output(struct control_client *client)
{
	free(client->reply);
	client->reply = NULL;
	client->out = NULL;
	if (client->stream)
		client->stream->close(client->stream);
	client->stream = NULL;
}

void control_client_close(struct control_client *client)
{
	if (client->is_closing)
		return;
	client->is_closing = true;
	list_del(&client->waiting);
	io_watch_del(&client->control->loop, &client->watch);
	close(client->fd);
	drop_output(client);
	uv_close((uv_handle_t *)&client->patience, on_timer_closed);
}

static void on_patience_ends(uv_timer_t *timer)
{
	control_client_close(timer->data);
}

/* From now on it is the client's turn. */
static void wait_for_client(struct control_client *client)
{
	const unsigned ms = client->control->env.params.idle_ms;

	if (!uv_is_active((uv_handle_t *)&client->patience))
		BUG_ON(uv_timer_start(&client->patience, on_patience_ends, ms,
				      0));
}

/* --- commands ------------------------------------------------------------- */

/* Answer the request under way with @result, or with @error if it is NULL. */
static void reply(struct control_client *client, json_t *result,
		  struct ctl_error *error)
{
	const json_int_t id = client->request.id;
	int err;

	err = ctl_reply_format(id, result, error, &client->reply,
			       &client->out_bytes);
	if (err == -EMSGSIZE) {
		ctl_error_set(error, -EIO, "the result is too long for a line");
		err = ctl_reply_format(id, NULL, error, &client->reply,
				       &client->out_bytes);
	}
	ctl_request_fini(&client->request);
	client->out = client->reply;
	client->sent_bytes = 0;
	if (err)
		control_client_close(client);
}

/* Run the client's command; what comes of it is in the client. */
static void run(struct control_client *client)
{
	const struct control_env *env = &client->control->env;
	const json_t *arguments = client->request.arguments;

	client->error.text[0] = '\0';
	if (client->command->open)
		client->err =
			client->command->open(env, arguments, &client->result,
					      &client->stream, &client->error);
	else
		client->err = client->command->run(
			env, arguments, &client->result, &client->error);
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
	if (client->is_closing) {
		json_decref(client->result);
		client->result = NULL;
		release_slot(client);
	} else {
		reply_with_outcome(client);
		control_client_serve(client);
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
	struct control *control = client->control;

	if (client->command->is_long) {
		list_add_tail(&control->waiting, &client->waiting);
		run_next_long(control);
		return;
	}
	run(client);
	reply_with_outcome(client);
}

/* --- lines ---------------------------------------------------------------- */

static void take_line(struct control_client *client, const char *line,
		      size_t bytes)
{
	struct ctl_request *request = &client->request;
	struct ctl_error error;
	int err;

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

/* Take the next line, if there is one; it is under way then. */
static bool take_next(struct control_client *client)
{
	const char *line;
	size_t bytes;
	enum ctl_lines_next result =
		ctl_lines_next(&client->lines, &line, &bytes);

	if (result == CTL_LINES_NONE)
		return false;
	client->is_under_way = true;
	uv_timer_stop(&client->patience);
	if (result == CTL_LINES_LINE)
		take_line(client, line, bytes);
	else
		refuse_overlong(client);
	return true;
}

/* --- the socket ----------------------------------------------------------- */

/* Return: whether all of what is to be sent is. */
static bool send_out(struct control_client *client)
{
	ssize_t n = 0;

	while (client->sent_bytes < client->out_bytes) {
		n = send(client->fd, client->out + client->sent_bytes,
			 client->out_bytes - client->sent_bytes,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			client->sent_bytes += (size_t)n;
	}
	if (n < 0 && errno != EAGAIN)
		control_client_close(client);
	return n >= 0;
}

/* Go on with what follows the reply, when others had their turn. Return:
 * whether there is more of it. */
static bool has_piece(struct control_client *client)
{
	const void *piece;

	if (!client->stream)
		return false;
	uv_timer_stop(&client->patience); /* it took the last one */
	if (!client->stream->next(client->stream, &piece, &client->out_bytes))
		return false;
	client->out = piece;
	client->sent_bytes = 0;
	client->is_due = true;
	return true;
}

/* Whether the last of the reply has gone; if not, it is waited for. */
static bool is_answered(struct control_client *client)
{
	const bool is_sent = send_out(client);

	if (client->is_closing)
		return false;
	if (is_sent == client->wants_room) {
		client->wants_room = !is_sent;
		if (io_watch_room(&client->control->loop, &client->watch,
				  !is_sent)) {
			control_client_close(client);
			return false;
		}
	}
	if (!is_sent || has_piece(client))
		return false;
	drop_output(client);
	client->is_under_way = false;
	return true;
}

/* Return: whether something came. */
static bool receive(struct control_client *client)
{
	char *space;
	size_t bytes = ctl_lines_space(&client->lines, &space);
	ssize_t n;

	if (!client->may_recv)
		return false;
	do {
		n = recv(client->fd, space, bytes, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		ctl_lines_add(&client->lines, (size_t)n);
		return true;
	}
	client->may_recv = false;
	/* At the end of the stream there is no whole line left: all of them
	 * were taken before this was asked for. */
	if (n == 0 || errno != EAGAIN)
		control_client_close(client);
	return false;
}

/* Go on with a client until something must be waited for, or others should
 * have their turn. */
void control_client_serve(struct control_client *client)
{
	unsigned nr_lines = 0;

	client->is_due = false;
	while (!client->is_closing) {
		if (client->is_under_way) {
			if (!client->out) /* its command runs */
				return;
			wait_for_client(client);
			if (!is_answered(client))
				return;
			uv_timer_stop(&client->patience);
		}
		if (nr_lines == MAX_LINES) {
			client->is_due = true;
			return;
		}
		if (take_next(client)) {
			nr_lines++;
			continue;
		}
		wait_for_client(client);
		if (!receive(client))
			return;
	}
}

static void on_ready(struct io_watch *watch, uint32_t events)
{
	struct control_client *client =
		container_of(watch, struct control_client, watch);

	if (events & ~(uint32_t)EPOLLOUT)
		client->may_recv = true;
	control_client_serve(client);
}

void control_client_open(struct control_client *client, int fd)
{
	struct control *control = client->control;

	client->in_use = true;
	client->is_closing = client->is_under_way = false;
	client->wants_room = client->is_due = false;
	client->may_recv = true;
	client->fd = fd;
	client->watch.fd = fd;
	client->watch.ready = on_ready;
	list_init(&client->waiting);
	ctl_lines_reset(&client->lines);
	uv_timer_init(&control->loop.uv, &client->patience); /* cannot fail */
	client->patience.data = client;
	client->is_timer_open = true;
	if (io_watch_add(&control->loop, &client->watch, fd))
		control_client_close(client);
	else
		control_client_serve(client);
}

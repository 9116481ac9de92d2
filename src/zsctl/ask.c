/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zsctl/client.h"
#include "zsctl/text.h"
#include "zsctl/zsctl.h"

/* The one request of a connection needs no number of its own. */
#define REQUEST_ID 1

/*
 * Tell people that it takes its time; programs need no telling. The cursor
 * goes back, so that whatever comes next takes the place of it.
 */
static void show_progress(const char *progress)
{
	if (progress && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "%s\r", progress);
}

static void clear_progress(const char *progress)
{
	/* Erase to the end of the line (ECMA-48 EL). */
	if (progress && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\033[K");
}

static int exchange(const struct zsctl_options *options, const char *what,
		    json_t *arguments, const char *progress, char **line,
		    struct client_rest *rest)
{
	char *request;
	size_t bytes;
	int err = -ENOMEM;

	if (arguments)
		err = ctl_request_format(REQUEST_ID, what, arguments, &request,
					 &bytes);
	json_decref(arguments);
	if (err) {
		(void)fprintf(stderr, "zsctl: %s\n", strerror(-err));
		return err;
	}
	show_progress(progress);
	err = client_exchange(options->control_path, options->timeout_s,
			      request, bytes, strcmp(what, "stats") == 0, line,
			      rest);
	free(request);
	clear_progress(progress);
	return err;
}

/* Read a line as the reply to what was asked; where it is none, say so. */
static int parse(const struct zsctl_options *options,
		 struct zsctl_answer *answer)
{
	struct ctl_reply *reply = &answer->reply;
	struct ctl_error error;
	int err;

	err = ctl_reply_parse(answer->line, strlen(answer->line), reply,
			      &error);
	/* An error without an id is about the connection, not the request. */
	if (!err && reply->id != REQUEST_ID &&
	    (reply->result || reply->id != CTL_NO_ID)) {
		err = ctl_error_set(&error, -EPROTO, "its id is another one");
		ctl_reply_fini(reply);
	}
	if (err)
		(void)fprintf(stderr,
			      "zsctl: %s: the reply is not zsd's: %s\n"
			      "zsctl: name zsd's control socket with "
			      "--control\n",
			      options->control_path, error.text);
	return err;
}

/* Print what zsd refused, and why. */
static void print_refusal(const char *what, const struct ctl_reply *reply)
{
	char code[TEXT_BYTES], message[CTL_ERROR_TEXT_BYTES];

	(void)fprintf(stderr, "zsctl: zsd refused '%s': %s (%s)\n", what,
		      text_plain(reply->message, message, sizeof(message)),
		      text_plain(reply->code, code, sizeof(code)));
}

/* Whether the result lacks a member, which has been said then. */
static bool lacks(const json_t *result, const char *const *needed)
{
	for (; needed && *needed; needed++) {
		if (json_object_get(result, *needed))
			continue;
		(void)fprintf(stderr,
			      "zsctl: zsd's reply lacks '%s'\n"
			      "zsctl: use the zsctl that came with this zsd\n",
			      *needed);
		return true;
	}
	return false;
}

static enum zsctl_exit judge(const struct zsctl_options *options,
			     const char *what, const char *const *needed,
			     const struct zsctl_answer *answer)
{
	if (!answer->reply.result) {
		if (options->json)
			printf("%s\n", answer->line);
		print_refusal(what, &answer->reply);
		return ZSCTL_REFUSED;
	}
	return lacks(answer->reply.result, needed) ? ZSCTL_UNREACHABLE
						   : ZSCTL_OK;
}

static enum zsctl_exit ask(const struct zsctl_options *options,
			   const char *what, json_t *arguments,
			   const char *progress, const char *const *needed,
			   struct zsctl_answer *answer,
			   struct client_rest *rest)
{
	enum zsctl_exit code;

	if (exchange(options, what, arguments, progress, &answer->line, rest))
		return ZSCTL_UNREACHABLE;
	if (parse(options, answer)) {
		free(answer->line);
		return ZSCTL_UNREACHABLE;
	}
	code = judge(options, what, needed, answer);
	if (code != ZSCTL_OK)
		zsctl_answer_fini(answer);
	return code;
}

enum zsctl_exit zsctl_ask(const struct zsctl_options *options, const char *what,
			  json_t *arguments, const char *progress,
			  const char *const *needed,
			  struct zsctl_answer *answer)
{
	return ask(options, what, arguments, progress, needed, answer, NULL);
}

enum zsctl_exit zsctl_ask_more(const struct zsctl_options *options,
			       const char *what, json_t *arguments,
			       const char *const *needed,
			       struct zsctl_answer *answer,
			       struct client_rest *rest)
{
	enum zsctl_exit code;

	rest->fd = -1;
	code = ask(options, what, arguments, NULL, needed, answer, rest);
	if (code != ZSCTL_OK && rest->fd >= 0)
		client_rest_close(rest);
	return code;
}

void zsctl_answer_fini(struct zsctl_answer *answer)
{
	ctl_reply_fini(&answer->reply);
	free(answer->line);
}

void zsctl_print_json(json_t *document)
{
	char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

	if (text)
		printf("%s\n", text);
	else
		(void)fprintf(stderr, "zsctl: out of memory\n");
	free(text);
	json_decref(document);
}

json_t *zsctl_arguments(const char *name)
{
	json_t *arguments = json_object();

	if (!arguments || !name ||
	    json_object_set_new(arguments, "export", json_string(name)) == 0)
		return arguments;
	json_decref(arguments);
	return NULL;
}

/* --- all exports ----------------------------------------------------------- */

typedef enum zsctl_exit run_for_export(const struct zsctl_options *options,
				       const char *name, const char *title);

static enum zsctl_exit run_for_all(const struct zsctl_options *options,
				   const json_t *exports, run_for_export *run)
{
	const bool are_several = json_array_size(exports) > 1;
	enum zsctl_exit code = ZSCTL_OK, one;
	char title[TEXT_BYTES], plain[TEXT_BYTES - 8];
	const json_t *export;
	const char *name;
	size_t i;

	json_array_foreach(exports, i, export)
	{
		name = json_string_value(json_object_get(export, "name"));
		title[0] = '\0';
		if (are_several && name)
			(void)snprintf(title, sizeof(title), "'%s': ",
				       text_plain(name, plain, sizeof(plain)));
		one = run(options, name, title);
		if (code == ZSCTL_OK)
			code = one;
	}
	return code;
}

enum zsctl_exit zsctl_each_export(const struct zsctl_options *options,
				  run_for_export *run)
{
	static const char *const needed[] = {"exports", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;

	if (options->export)
		return run(options, options->export, "");
	code = zsctl_ask(options, "stats", zsctl_arguments(NULL), NULL, needed,
			 &answer);
	if (code != ZSCTL_OK)
		return code;
	code = run_for_all(
		options, json_object_get(answer.reply.result, "exports"), run);
	zsctl_answer_fini(&answer);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl - shows, compacts and checks what a running zsd holds
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "ctl/ctl.h"
#include "zsctl/zsctl_client.h"
#include "zsctl/zsctl_doctor.h"
#include "zsctl/zsctl_report.h"
#include "zsctl/zsctl_train.h"

#define DEFAULT_CONTROL_PATH "/run/zsd/control.sock"

/* The one request of a connection needs no number of its own. */
#define REQUEST_ID 1

struct options {
	const struct command *command;
	const char *control_path;
	const char *root;
	const char *output; /* file for a dictionary, or NULL */
	uint64_t dictionary_bytes; /* 0: as zsd likes */
	bool classes;
	bool json;
};

struct command {
	const char *name;
	const char *usage;
	const char *summary;
	const char *request; /* what zsd is asked for */
	bool takes_classes;
	bool takes_root;
	bool takes_training;
	const char *progress; /* shown until the reply comes, or NULL */
	enum zsctl_exit (*report)(json_t *result);
	/* Instead, where there is more to it than zsd's reply. */
	enum zsctl_exit (*examine)(const json_t *result, const char *root,
				   bool as_json);
};

static const struct command commands[] = {
	{.name = "stats",
	 .usage = "stats [--classes]",
	 .summary = "Show what is stored and what it costs",
	 .request = "stats",
	 .takes_classes = true,
	 .report = report_stats},
	{.name = "compact",
	 .usage = "compact",
	 .summary = "Free pages by moving objects together",
	 .request = "compact",
	 .progress = "compacting...",
	 .report = report_compact},
	{.name = "verify",
	 .usage = "verify",
	 .summary = "Check the store, and that every page reads",
	 .request = "verify",
	 .progress = "verifying...",
	 .report = report_verify},
	{.name = "train",
	 .usage = "train [--output=FILE]",
	 .summary = "Make a dictionary of what is stored, and use it",
	 .request = "train",
	 .takes_training = true,
	 .progress = "training...",
	 .report = report_train},
	{.name = "doctor",
	 .usage = "doctor [--root=DIR]",
	 .summary = "Find what is wrong for swapping on the disk",
	 .request = "stats",
	 .takes_root = true,
	 .examine = doctor_report},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* --- options -------------------------------------------------------------- */

enum {
	KEY_CONTROL = 'c',
	KEY_CLASSES = 0x100, /* above all characters: no short form */
	KEY_JSON,
	KEY_ROOT,
	KEY_DICTIONARY_BYTES,
	KEY_OUTPUT,
};

static const struct argp_option argp_options[] = {
	{"control", KEY_CONTROL, "PATH", 0,
	 "Control socket of zsd (default: $ZSD_CONTROL, "
	 "else " DEFAULT_CONTROL_PATH ")",
	 0},
	{"classes", KEY_CLASSES, NULL, 0,
	 "With stats: the table of the allocator's size classes", 0},
	{"json", KEY_JSON, NULL, 0,
	 "For programs: print the reply as it came, or what doctor found", 0},
	{"root", KEY_ROOT, "DIR", 0,
	 "With doctor: look into DIR/proc, DIR/sys and DIR/dev", 0},
	{"dictionary-bytes", KEY_DICTIONARY_BYTES, "SIZE", 0,
	 "With train: how large it may be, 1K to 112K (default 32K)", 0},
	{"output", KEY_OUTPUT, "FILE", 0,
	 "With train: write it to FILE, for zsd's --dictionary", 0},
	{0},
};

static void check_options(struct argp_state *state,
			  const struct options *options)
{
	if (!options->command)
		argp_error(state, "a command is missing");
	else if (options->classes && !options->command->takes_classes)
		argp_error(state, "'%s' does not take --classes",
			   options->command->name);
	else if (*options->root && !options->command->takes_root)
		argp_error(state, "'%s' does not take --root",
			   options->command->name);
	else if ((options->output || options->dictionary_bytes) &&
		 !options->command->takes_training)
		argp_error(state, "'%s' does not take %s",
			   options->command->name,
			   options->output ? "--output" : "--dictionary-bytes");
	else if (!*options->control_path)
		argp_error(state, "the path of the control socket is empty");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_CONTROL:
		options->control_path = arg;
		return 0;
	case KEY_CLASSES:
		options->classes = true;
		return 0;
	case KEY_JSON:
		options->json = true;
		return 0;
	case KEY_ROOT:
		options->root = arg;
		return 0;
	case KEY_DICTIONARY_BYTES:
		if (units_parse(arg, &options->dictionary_bytes) ||
		    !options->dictionary_bytes)
			argp_error(state, "'%s' is no size of a dictionary",
				   arg);
		return 0;
	case KEY_OUTPUT:
		options->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (options->command)
			argp_error(state, "'%s' takes no argument '%s'",
				   options->command->name, arg);
		options->command = find_command(arg);
		if (!options->command)
			argp_error(state, "there is no command '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		check_options(state, options);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Puts the table of commands in front of the options. */
static char *add_commands(int key, const char *text, void *input)
{
	char *all = NULL;
	FILE *stream;
	size_t bytes;

	(void)input;
	if (!text || key != ARGP_KEY_HELP_PRE_DOC)
		return text ? strdup(text) : NULL;
	stream = open_memstream(&all, &bytes);
	if (!stream)
		return strdup(text);
	(void)fprintf(stream, "%s\n\nCommands:\n", text);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void)fprintf(stream, "  %-26s %s\n", commands[i].usage,
			      commands[i].summary);
	(void)fprintf(stream, "\nOptions:");
	(void)fclose(stream);
	return all;
}

static void print_version(FILE *stream, struct argp_state *state)
{
	(void)state;
	(void)fprintf(stream, "zsctl %s\n", PACKAGE_VERSION);
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.args_doc = "COMMAND",
	.doc = "Shows, compacts and checks what a running zsd holds, and "
	       "whether this machine is fit to swap on it.",
	.help_filter = add_commands,
};

/* --- one command ---------------------------------------------------------- */

/*
 * Tell people that it takes its time; programs need no telling. The cursor
 * goes back, so that whatever comes next takes the place of it.
 */
static void show_progress(const struct command *command)
{
	if (command->progress && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "%s\r", command->progress);
}

static void clear_progress(const struct command *command)
{
	/* Erase to the end of the line (ECMA-48 EL). */
	if (command->progress && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\033[K");
}

static int make_arguments(const struct options *options, json_t **out)
{
	json_t *arguments = json_object();
	int failed = !arguments;

	if (options->classes)
		failed |=
			json_object_set_new(arguments, "classes", json_true());
	if (options->output)
		failed |=
			json_object_set_new(arguments, "contents", json_true());
	if (options->dictionary_bytes)
		failed |= json_object_set_new(
			arguments, "bytes",
			json_integer((json_int_t)options->dictionary_bytes));
	*out = arguments;
	return failed ? -ENOMEM : 0;
}

static int ask(const struct options *options, char **line)
{
	json_t *arguments;
	char *request;
	size_t bytes;
	int err;

	err = make_arguments(options, &arguments);
	if (!err)
		err = ctl_request_format(REQUEST_ID, options->command->request,
					 arguments, &request, &bytes);
	json_decref(arguments);
	if (err) {
		(void)fprintf(stderr, "zsctl: %s\n", strerror(-err));
		return err;
	}
	show_progress(options->command);
	err = zsctl_ask(options->control_path, request, bytes, line);
	free(request);
	clear_progress(options->command);
	return err;
}

/* verify found something wrong, or train nothing better. */
static bool is_bad(const json_t *result)
{
	return json_is_false(json_object_get(result, "ok")) ||
	       json_is_false(json_object_get(result, "used"));
}

static enum zsctl_exit report(const struct options *options,
			      const struct ctl_reply *reply, const char *line)
{
	const struct command *command = options->command;
	enum zsctl_exit code;

	if (options->json && !(reply->result && command->examine))
		printf("%s\n", line);
	if (!reply->result) {
		report_refusal(command->name, reply->code, reply->message);
		return ZSCTL_REFUSED;
	}
	if (command->examine)
		return command->examine(reply->result, options->root,
					options->json);
	if (options->output) {
		code = train_save(reply->result, options->output);
		if (code != ZSCTL_OK)
			return code;
	}
	if (options->json) /* some outcomes are exit codes too */
		return is_bad(reply->result) ? ZSCTL_REFUSED : ZSCTL_OK;
	if (options->classes)
		return report_classes(reply->result);
	return command->report(reply->result);
}

/* Read a line as the reply to what was asked; where it is none, say so. */
static int parse_reply(const struct options *options, const char *line,
		       struct ctl_reply *out)
{
	struct ctl_reply reply;
	struct ctl_error error;
	int err;

	err = ctl_reply_parse(line, strlen(line), &reply, &error);
	/* An error without an id is about the connection, not the request. */
	if (!err && reply.id != REQUEST_ID &&
	    (reply.result || reply.id != CTL_NO_ID)) {
		err = ctl_error_set(&error, -EPROTO, "the id is another one");
		ctl_reply_fini(&reply);
	}
	if (!err) {
		*out = reply;
		return 0;
	}
	(void)fprintf(stderr,
		      "zsctl: %s: no reply of zsd's: %s\n"
		      "zsctl: name zsd's control socket with --control\n",
		      options->control_path, error.text);
	return err;
}

static enum zsctl_exit run(const struct options *options)
{
	enum zsctl_exit code = ZSCTL_UNREACHABLE;
	struct ctl_reply reply;
	char *line;

	if (ask(options, &line))
		return code;
	if (!parse_reply(options, line, &reply)) {
		code = report(options, &reply, line);
		ctl_reply_fini(&reply);
	}
	free(line);
	if (fflush(stdout) || ferror(stdout)) {
		(void)fprintf(stderr, "zsctl: cannot write the result: %s\n",
			      strerror(errno));
		return ZSCTL_REFUSED;
	}
	return code;
}

int main(int argc, char **argv)
{
	struct options options = {
		.control_path = getenv("ZSD_CONTROL"),
		.root = "",
	};

	if (!options.control_path)
		options.control_path = DEFAULT_CONTROL_PATH;
	argp_err_exit_status = ZSCTL_USAGE;
	argp_program_version_hook = print_version;
	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return ZSCTL_USAGE;
	return (int)run(&options);
}

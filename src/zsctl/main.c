/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl - shows, compacts and checks what a running zsd holds, and attaches it
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "zsctl/device/netlink.h"
#include "zsctl/zsctl.h"

/* What no option can be. */
#define UNSET UINT_MAX

#define DEFAULT_CONTROL_PATH "/run/zsd/control.sock"
#define DEFAULT_SOCKET_PATH  "/run/zsd/nbd.sock"
#define DEFAULT_DEVICE	     "/dev/nbd0"

/* In the place of the default of an argument that must be given. */
#define NEEDED "?"

/* A server that is busy answers within milliseconds. */
#define DEFAULT_TIMEOUT_S 5u

/* A day. */
#define MAX_TIMEOUT_S 86400u

/* One cannot lose answers to the other: docs/safety.md, "Timeouts". */
#define DEFAULT_CONNECTIONS 1u

/* Longer than anybody takes to mend what is broken, seconds: where requests
 * fail, what is swapped out is lost. */
#define DEFAULT_DEAD_TIMEOUT_S 3600u

enum {
	KEY_CONTROL = 'c',
	KEY_EXPORT = 'e',
	KEY_SOCKET = 's',
	KEY_CLASSES = 0x100, /* above all characters: no short form */
	KEY_JSON,
	KEY_ROOT,
	KEY_DICTIONARY_BYTES,
	KEY_OUTPUT,
	KEY_TIMEOUT,
	KEY_LIVE,
	KEY_CONNECTIONS,
	KEY_DEAD_TIMEOUT,
	KEY_STAY,
	KEY_DEVICE,
};

/* --- commands --------------------------------------------------------------- */

static const int stats_options[] = {KEY_EXPORT, KEY_CLASSES, 0};
static const int export_options[] = {KEY_EXPORT, 0};
static const int train_options[] = {KEY_EXPORT, KEY_DICTIONARY_BYTES,
				    KEY_OUTPUT, 0};
static const int save_options[] = {KEY_EXPORT, KEY_LIVE, 0};
static const int attach_options[] = {
	KEY_SOCKET, KEY_EXPORT, KEY_CONNECTIONS, KEY_DEAD_TIMEOUT, KEY_STAY, 0};
static const int doctor_options[] = {KEY_ROOT, 0};
static const int up_options[] = {KEY_SOCKET,	   KEY_EXPORT, KEY_CONNECTIONS,
				 KEY_DEAD_TIMEOUT, KEY_DEVICE, 0};
static const int no_options[] = {0};

static const struct zsctl_command commands[] = {
	{"stats", "stats [--classes]", "Show what is stored and what it costs",
	 NULL, false, stats_options, zsctl_stats},
	{"policy", "policy", "Show what is done with pages that rest, and why",
	 NULL, false, export_options, zsctl_policy},
	{"compact", "compact", "Free pages by moving objects together", NULL,
	 false, export_options, zsctl_compact},
	{"idle", "idle all|SECONDS", "Mark pages that rest, as zram does",
	 NEEDED, false, export_options, zsctl_idle},
	{"recompress", "recompress [KEY=VALUE...]",
	 "Compress pages once more, as zram does", NULL, true, export_options,
	 zsctl_recompress},
	{"writeback", "writeback PAGES...",
	 "Write pages out to the backing, as zram's attribute does", NULL, true,
	 export_options, zsctl_writeback},
	{"blocks", "blocks", "List each page that is stored, as zram does",
	 NULL, false, export_options, zsctl_blocks},
	{"verify", "verify", "Check the store, and that every page reads", NULL,
	 false, export_options, zsctl_verify},
	{"train", "train [--output=FILE]",
	 "Make a dictionary of what is stored, and use it", NULL, false,
	 train_options, zsctl_train},
	{"reset-peak", "reset-peak",
	 "Measure the peak of memory use from now on", NULL, false,
	 export_options, zsctl_reset_peak},
	{"upgrade", "upgrade", "Hand over to the zsd that is installed now",
	 NULL, false, no_options, zsctl_upgrade},
	{"save", "save [--live] FILE",
	 "Save the disk to FILE, for zsd's --restore", NEEDED, false,
	 save_options, zsctl_save},
	{"attach", "attach [--stay] [DEVICE]", "Make a disk a block device",
	 DEFAULT_DEVICE, false, attach_options, zsctl_attach},
	{"detach", "detach [DEVICE]", "Take it off, unless it is in use",
	 DEFAULT_DEVICE, false, no_options, zsctl_detach},
	{"up", "up [SIZE]", "Swap on a disk: all that it takes", "", false,
	 up_options, zsctl_up},
	{"down", "down", "Undo what up has done", NULL, false, no_options,
	 zsctl_down},
	{"doctor", "doctor [--root=DIR]",
	 "Find what is wrong for swapping on the disk", NULL, false,
	 doctor_options, zsctl_doctor},
};

static const struct zsctl_command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool takes(const struct zsctl_command *command, int key)
{
	for (const int *option = command->options; *option; option++) {
		if (*option == key)
			return true;
	}
	return false;
}

/* --- options ---------------------------------------------------------------- */

static const struct argp_option argp_options[] = {
	{"control", KEY_CONTROL, "PATH", 0,
	 "Control socket of zsd (default: $ZSD_CONTROL, "
	 "else " DEFAULT_CONTROL_PATH ")",
	 0},
	{"export", KEY_EXPORT, "NAME", 0,
	 "With all but detach, down and doctor: only the export of that name "
	 "(default: all; with attach and up the first; save takes one)",
	 0},
	{"socket", KEY_SOCKET, "PATH", 0,
	 "With attach and up: where zsd listens for NBD (default " DEFAULT_SOCKET_PATH
	 ")",
	 0},
	{"timeout", KEY_TIMEOUT, "SECONDS", 0,
	 "Give up when zsd does not answer for that long (default 5; 0: never)",
	 0},
	{"classes", KEY_CLASSES, NULL, 0,
	 "With stats: the table of the allocator's size classes", 0},
	{"json", KEY_JSON, NULL, 0,
	 "For programs: print the reply as it came, or what was done or found",
	 0},
	{"root", KEY_ROOT, "DIR", 0,
	 "With doctor: look into DIR/proc, DIR/sys and DIR/dev", 0},
	{"dictionary-bytes", KEY_DICTIONARY_BYTES, "SIZE", 0,
	 "With train: how large it may be, 1K to 144K (default 32K)", 0},
	{"output", KEY_OUTPUT, "FILE", 0,
	 "With train: write it to FILE, for zsd's --dictionary", 0},
	{"live", KEY_LIVE, NULL, 0,
	 "With save: although clients are attached; a file system is then as "
	 "after a power cut: run fsfreeze(8) on it first",
	 0},
	{"connections", KEY_CONNECTIONS, "N", 0,
	 "With attach and up: how many the kernel is to have, 1 to 16 (default 1)",
	 0},
	{"dead-timeout", KEY_DEAD_TIMEOUT, "SECONDS", 0,
	 "With attach and up: how long requests wait where no connection is left "
	 "(default 3600; 0: they fail)",
	 0},
	{"device", KEY_DEVICE, "DEVICE", 0,
	 "With up: which one to swap on (default " DEFAULT_DEVICE ")", 0},
	{"stay", KEY_STAY, NULL, 0,
	 "With attach: do not end, and connect again where one is lost", 0},
	{0},
};

static bool is_given(const struct zsctl_options *options, int key)
{
	switch (key) {
	case KEY_EXPORT:
		return options->export;
	case KEY_CLASSES:
		return options->classes;
	case KEY_ROOT:
		return *options->root;
	case KEY_DICTIONARY_BYTES:
		return options->dictionary_bytes;
	case KEY_OUTPUT:
		return options->output;
	case KEY_LIVE:
		return options->live;
	case KEY_SOCKET:
		return options->socket_path;
	case KEY_CONNECTIONS:
		return options->nr_connections;
	case KEY_DEVICE:
		return options->device;
	case KEY_STAY:
		return options->stay;
	case KEY_DEAD_TIMEOUT:
		return options->dead_timeout_s != UNSET;
	default:
		return false;
	}
}

static void check_options(struct argp_state *state,
			  const struct zsctl_options *options)
{
	const struct argp_option *option;

	if (!options->command) {
		argp_error(state, "a command is missing");
		return;
	}
	for (option = argp_options; option->name; option++) {
		if (is_given(options, option->key) &&
		    !takes(options->command, option->key))
			argp_error(state, "'%s' does not take --%s",
				   options->command->name, option->name);
	}
	if (options->command->argument &&
	    strcmp(options->command->argument, NEEDED) == 0 &&
	    (!options->argument || !*options->argument))
		argp_error(state, "'%s' needs an argument: %s",
			   options->command->name, options->command->usage);
	if (!*options->control_path)
		argp_error(state, "the path of the control socket is empty");
}

/* What was not given, and what the command takes. */
static void fill_in(struct zsctl_options *options)
{
	if (!options->argument)
		options->argument = options->command->argument;
	if (!options->device)
		options->device = DEFAULT_DEVICE;
	if (!options->socket_path)
		options->socket_path = DEFAULT_SOCKET_PATH;
	if (!options->nr_connections)
		options->nr_connections = DEFAULT_CONNECTIONS;
	if (options->dead_timeout_s == UNSET)
		options->dead_timeout_s = DEFAULT_DEAD_TIMEOUT_S;
}

static void take_command(struct argp_state *state,
			 struct zsctl_options *options, const char *arg)
{
	if (options->command && options->command->takes_list &&
	    options->nr_list < ZSCTL_MAX_LIST) {
		options->list[options->nr_list++] = arg;
		return;
	}
	if (options->command) {
		if (!options->command->argument || options->argument)
			argp_error(state, "'%s' takes no argument '%s'",
				   options->command->name, arg);
		options->argument = arg;
		return;
	}
	options->command = find_command(arg);
	if (!options->command)
		argp_error(state, "there is no command '%s'", arg);
}

static void take_number(struct argp_state *state, const char *name,
			const char *arg, unsigned min, unsigned max,
			unsigned *out)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(arg, &end, 10);
	if (*arg < '0' || *arg > '9' || *end || errno || number < min ||
	    number > max)
		argp_error(state, "--%s: '%s' must be a number, %u to %u", name,
			   arg, min, max);
	*out = (unsigned)number;
}

static void take_dictionary_bytes(struct argp_state *state,
				  struct zsctl_options *options,
				  const char *arg)
{
	if (units_parse(arg, 0, &options->dictionary_bytes) ||
	    !options->dictionary_bytes)
		argp_error(state,
			   "--dictionary-bytes: '%s' must be a size, such as "
			   "32K",
			   arg);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct zsctl_options *options = state->input;

	switch (key) {
	case KEY_CONTROL:
		options->control_path = arg;
		return 0;
	case KEY_EXPORT:
		options->export = arg;
		return 0;
	case KEY_TIMEOUT:
		take_number(state, "timeout", arg, 0, MAX_TIMEOUT_S,
			    &options->timeout_s);
		return 0;
	case KEY_CONNECTIONS:
		take_number(state, "connections", arg, 1, NETLINK_MAX_SOCKETS,
			    &options->nr_connections);
		return 0;
	case KEY_DEAD_TIMEOUT:
		take_number(state, "dead-timeout", arg, 0, MAX_TIMEOUT_S,
			    &options->dead_timeout_s);
		return 0;
	case KEY_DEVICE:
		options->device = arg;
		return 0;
	case KEY_STAY:
		options->stay = true;
		return 0;
	case KEY_SOCKET:
		options->socket_path = arg;
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
		take_dictionary_bytes(state, options, arg);
		return 0;
	case KEY_OUTPUT:
		options->output = arg;
		return 0;
	case KEY_LIVE:
		options->live = true;
		return 0;
	case ARGP_KEY_ARG:
		take_command(state, options, arg);
		return 0;
	case ARGP_KEY_END:
		check_options(state, options);
		fill_in(options);
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
	.doc = "Shows, compacts and checks what a running zsd holds, makes it "
	       "a block device, and tells whether this machine is fit to swap "
	       "on it.",
	.help_filter = add_commands,
};

int main(int argc, char **argv)
{
	struct zsctl_options options = {
		.control_path = getenv("ZSD_CONTROL"),
		.root = "",
		.timeout_s = DEFAULT_TIMEOUT_S,
		.dead_timeout_s = UNSET,
	};
	enum zsctl_exit code;

	if (!options.control_path)
		options.control_path = DEFAULT_CONTROL_PATH;
	argp_err_exit_status = ZSCTL_USAGE;
	argp_program_version_hook = print_version;
	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return ZSCTL_USAGE;
	code = options.command->run(&options);
	if (fflush(stdout) || ferror(stdout)) {
		(void)fprintf(stderr, "zsctl: cannot write the result: %s\n",
			      strerror(errno));
		return ZSCTL_REFUSED;
	}
	return (int)code;
}

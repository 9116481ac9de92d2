/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "serve/busy_poll.h"
#include "zsd/options.h"

/* Options without a letter. */
enum {
	KEY_CHAIN_SIZE = 0x100,
	KEY_MAX_CONNECTIONS,
	KEY_HANDSHAKE_TIMEOUT,
	KEY_STOP_TIMEOUT,
	KEY_CHECKSUM,
	KEY_DICTIONARY,
	KEY_SWAP,
	KEY_DESCRIPTION,
	KEY_READ_ONLY,
	KEY_POLL,
};

/* No size that can be given: --reserve is not there. */
#define RESERVE_UNSET UINT64_MAX

/* A day: a bound that keeps milliseconds far from any overflow. */
#define MAX_TIMEOUT_S 86400u

/*
 * In the order of the manual page: argp sorts within a group by name, so each
 * option is a group of its own.
 */
static const struct argp_option argp_options[] = {
	{"size", 's', "SIZE", 0,
	 "Disk size the client sees, a multiple of 4096; K, M, G, T are "
	 "powers of 1024 (required)",
	 1},
	{"socket", 'u', "PATH", 0, "Listen for NBD on a Unix socket", 2},
	{"listen", 'l', "ADDRESS[:PORT]", 0,
	 "Listen for NBD on TCP, port 10809 by default", 3},
	{"control", 'c', "PATH", 0,
	 "Control socket (default: with --socket PATH it is PATH.ctl, "
	 "otherwise there is none)",
	 4},
	{"algorithm", 'a', "ALG[:LEVEL]", 0,
	 "lz4 (default; LEVEL is its acceleration, 1 to 65537, default 1) "
	 "or zstd (LEVEL -7 to 22, default 1)",
	 5},
	{"checksum", KEY_CHECKSUM, NULL, 0,
	 "Keep a checksum of what is stored and compare it at each read", 5},
	{"dictionary", KEY_DICTIONARY, "FILE", 0,
	 "With zstd: compress with this dictionary, which zsctl train or "
	 "zstd --train made",
	 5},
	{"mem-limit", 'm', "SIZE", 0,
	 "Bound on the memory really used, arena and metadata, at least 1M; "
	 "0 for none (default)",
	 6},
	{"reserve", 'r', "SIZE", 0,
	 "Free, already touched arena memory kept ready (default 4M; with "
	 "--swap 16M)",
	 7},
	{"threads", 't', "N", 0, "Worker threads (default: one per core)", 8},
	{"chain-size", KEY_CHAIN_SIZE, "N", 0,
	 "Pages per zspage at most, 4 to 16 (default 16)", 9},
	{"export-name", 'n', "NAME", 0,
	 "Name of the export (default: empty; that one is always accepted)",
	 10},
	{"description", KEY_DESCRIPTION, "TEXT", 0,
	 "What clients are told of the export (default: compressed memory)",
	 11},
	{"read-only", KEY_READ_ONLY, NULL, 0, "Let no client change the disk",
	 12},
	{"max-connections", KEY_MAX_CONNECTIONS, "N", 0,
	 "Connections at most (default 64)", 13},
	{"handshake-timeout", KEY_HANDSHAKE_TIMEOUT, "SECONDS", 0,
	 "Drop a client that has not negotiated by then (default 10)", 14},
	{"stop-timeout", KEY_STOP_TIMEOUT, "SECONDS", 0,
	 "When told to end, close clients that are still attached by then; "
	 "0 to wait for them as long as it takes (default)",
	 15},
	{"pid-file", 'P', "PATH", 0, "Write the process id when ready", 16},
	{"verbose", 'v', NULL, 0, "Log connections as they come and go", 17},
	{"swap", KEY_SWAP, "strict", OPTION_ARG_OPTIONAL,
	 "The disk is swapped on by this machine: lock memory, never wait for "
	 "what we are to free; strict: end where a measure fails instead of "
	 "warning",
	 18},
	{"poll", KEY_POLL, "MICROSECONDS", OPTION_ARG_OPTIONAL,
	 "Look for the next request for that long (default 50) before going to "
	 "sleep: less delay, for up to a core a worker while clients ask",
	 19},
	{"version", 'V', NULL, 0, "Print program version", -1},
	{0},
};

/* --- values ------------------------------------------------------------- */

/* How one option's argument becomes a field of struct server_params. */
struct value {
	int key;
	const char *name;
	/* Returns 0, or EINVAL after argp_error(). */
	error_t (*take)(const struct value *value, const char *arg, void *field,
			struct argp_state *state);
	size_t field; /* its offset */
	unsigned min; /* for take_number() */
	unsigned max;
};

static error_t take_number(const struct value *value, const char *arg,
			   void *field, struct argp_state *state)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(arg, &end, 10);
	if (!isdigit((unsigned char)*arg) || *end != '\0' || errno ||
	    number < value->min || number > value->max) {
		argp_error(state, "--%s: '%s' is no number from %u to %u",
			   value->name, arg, value->min, value->max);
		return EINVAL;
	}
	*(unsigned *)field = (unsigned)number;
	return 0;
}

static error_t take_size(const struct value *value, const char *arg,
			 void *field, struct argp_state *state)
{
	if (units_parse(arg, field) == 0)
		return 0;
	argp_error(state,
		   "--%s: '%s' is no size: give a number of bytes, or one with "
		   "a suffix K, M, G or T",
		   value->name, arg);
	return EINVAL;
}

static error_t take_limit(const struct value *value, const char *arg,
			  void *field, struct argp_state *state)
{
	const uint64_t *bytes = field;
	char min[UNITS_TEXT_BYTES];

	if (take_size(value, arg, field, state))
		return EINVAL;
	if (*bytes == 0 || *bytes >= ZSTORE_MIN_LIMIT_BYTES)
		return 0;
	argp_error(state,
		   "--%s: '%s' is less than %s, which metadata alone may take: "
		   "give at least that, or 0 for no limit",
		   value->name, arg, units_format(ZSTORE_MIN_LIMIT_BYTES, min));
	return EINVAL;
}

static error_t take_disk_size(const struct value *value, const char *arg,
			      void *field, struct argp_state *state)
{
	const uint64_t *bytes = field;
	char max[UNITS_TEXT_BYTES];

	if (take_size(value, arg, field, state))
		return EINVAL;
	if (*bytes && *bytes % ZSD_PAGE_BYTES == 0 &&
	    *bytes <= ZSTORE_MAX_DISK_BYTES)
		return 0;
	argp_error(state,
		   "--%s: '%s' is no multiple of %u bytes, from %u bytes to %s",
		   value->name, arg, ZSD_PAGE_BYTES, ZSD_PAGE_BYTES,
		   units_format(ZSTORE_MAX_DISK_BYTES, max));
	return EINVAL;
}

static error_t take_text(const struct value *value, const char *arg,
			 void *field, struct argp_state *state)
{
	if (*arg == '\0') {
		argp_error(state, "--%s must not be empty", value->name);
		return EINVAL;
	}
	*(const char **)field = arg;
	return 0;
}

static error_t take_name(const struct value *value, const char *arg,
			 void *field, struct argp_state *state)
{
	if (strlen(arg) > EXPORT_MAX_NAME_BYTES) {
		argp_error(state, "--%s: longer than %u bytes", value->name,
			   EXPORT_MAX_NAME_BYTES);
		return EINVAL;
	}
	*(const char **)field = arg;
	return 0;
}

static error_t take_algorithm(const struct value *value, const char *arg,
			      void *field, struct argp_state *state)
{
	char known[128] = "";
	const char *text;

	if (zcomp_parse(arg, field) == 0)
		return 0;
	for (size_t i = 0; (text = zcomp_describe(i)) != NULL; i++) {
		strncat(known, i ? " or " : "",
			sizeof(known) - strlen(known) - 1);
		strncat(known, text, sizeof(known) - strlen(known) - 1);
	}
	argp_error(state, "--%s: '%s' is not %s", value->name, arg, known);
	return EINVAL;
}

static error_t take_flag(const struct value *value, const char *arg,
			 void *field, struct argp_state *state)
{
	(void)value;
	(void)arg;
	(void)state;
	*(bool *)field = true;
	return 0;
}

static error_t take_swap(const struct value *value, const char *arg,
			 void *field, struct argp_state *state)
{
	if (arg && strcmp(arg, "strict") != 0) {
		argp_error(state, "--%s: '%s' is not strict", value->name, arg);
		return EINVAL;
	}
	*(enum swap_mode *)field = arg ? SWAP_STRICT : SWAP_ON;
	return 0;
}

static error_t take_poll(const struct value *value, const char *arg,
			 void *field, struct argp_state *state)
{
	if (arg)
		return take_number(value, arg, field, state);
	*(unsigned *)field = OPTIONS_POLL_US;
	return 0;
}

#define FIELD(name) offsetof(struct server_params, name)
#define DISK(name)  offsetof(struct server_params, disks[0].name)

static const struct value values[] = {
	{'s', "size", take_disk_size, DISK(store.disk_bytes), 0, 0},
	{'u', "socket", take_text, FIELD(listen.socket_path), 0, 0},
	{'l', "listen", take_text, FIELD(listen.listen_address), 0, 0},
	{'c', "control", take_text, FIELD(listen.control_path), 0, 0},
	{'a', "algorithm", take_algorithm, DISK(store.zcomp), 0, 0},
	{KEY_CHECKSUM, "checksum", take_flag, DISK(store.checksum), 0, 0},
	{KEY_DICTIONARY, "dictionary", take_text, DISK(dictionary), 0, 0},
	{'m', "mem-limit", take_limit, DISK(store.mem_limit_bytes), 0, 0},
	{'r', "reserve", take_size, DISK(store.reserve_bytes), 0, 0},
	{'t', "threads", take_number, FIELD(nr_threads), 1, SERVE_MAX_THREADS},
	{KEY_CHAIN_SIZE, "chain-size", take_number, DISK(store.chain_size),
	 ZS_CHAIN_SIZE_MIN, ZS_CHAIN_SIZE_MAX},
	{'n', "export-name", take_name, DISK(name), 0, 0},
	{KEY_DESCRIPTION, "description", take_name, DISK(description), 0, 0},
	{KEY_READ_ONLY, "read-only", take_flag, DISK(read_only), 0, 0},
	{KEY_MAX_CONNECTIONS, "max-connections", take_number,
	 FIELD(max_connections), 1, SERVE_MAX_CONNECTIONS},
	{KEY_HANDSHAKE_TIMEOUT, "handshake-timeout", take_number,
	 FIELD(handshake_timeout_s), 1, MAX_TIMEOUT_S},
	{KEY_STOP_TIMEOUT, "stop-timeout", take_number, FIELD(stop_timeout_s),
	 0, MAX_TIMEOUT_S},
	{'P', "pid-file", take_text, FIELD(pid_file), 0, 0},
	{'v', "verbose", take_flag, FIELD(verbose), 0, 0},
	{KEY_SWAP, "swap", take_swap, FIELD(swap), 0, 0},
	{KEY_POLL, "poll", take_poll, FIELD(poll_us), 0, BUSY_POLL_MAX_US},
};

/* --- the command line --------------------------------------------------- */

/* Defaults that depend on other options. */
static void complete(struct server_params *server)
{
	if (server->disks[0].store.reserve_bytes == RESERVE_UNSET)
		server->disks[0].store.reserve_bytes =
			server->swap == SWAP_OFF ? OPTIONS_RESERVE_BYTES
						 : OPTIONS_SWAP_RESERVE_BYTES;
}

/* What no single option can tell. */
static error_t check_all(struct options *options, struct argp_state *state)
{
	struct server_params *server = &options->server;

	if (server->disks[0].store.disk_bytes == 0) {
		argp_error(state, "--size is required");
		return EINVAL;
	}
	if (server->disks[0].dictionary && !zcomp_has_dicts(&server->disks[0].store.zcomp)) {
		argp_error(state,
			   "--dictionary: only zstd has dictionaries: give "
			   "--algorithm zstd with it");
		return EINVAL;
	}
	/* Whether LISTEN_FDS is meant for us the server finds out. */
	if (!server->listen.socket_path && !server->listen.listen_address &&
	    !getenv("LISTEN_FDS")) {
		argp_error(state,
			   "nothing to listen on: give --socket PATH or "
			   "--listen ADDRESS, or pass sockets by LISTEN_FDS");
		return EINVAL;
	}
	if (server->listen.control_path || !server->listen.socket_path)
		return 0;
	if (asprintf(&options->default_control_path, "%s.ctl",
		     server->listen.socket_path) < 0) {
		options->default_control_path = NULL;
		argp_failure(state, EXIT_FAILURE, ENOMEM, "--control");
		return ENOMEM;
	}
	server->listen.control_path = options->default_control_path;
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	char *params = (char *)&options->server;

	if (key == 'V') {
		printf("%s\n", PACKAGE_STRING);
		exit(EXIT_SUCCESS);
	}
	if (key == ARGP_KEY_END) {
		complete(&options->server);
		return check_all(options, state);
	}
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i].key != key)
			continue;
		return values[i].take(&values[i], arg, params + values[i].field,
				      state);
	}
	return ARGP_ERR_UNKNOWN;
}

/* As many as may run at once: of the machine's cores those we may use. */
static unsigned default_threads(void)
{
	cpu_set_t cores;
	int nr = 1;

	if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
		nr = CPU_COUNT(&cores);
	return min_u32((uint32_t)nr, SERVE_MAX_THREADS);
}

static void set_defaults(struct server_params *server)
{
	server->disks[0].store.reserve_bytes = RESERVE_UNSET;
	server->disks[0].store.chain_size = ZS_CHAIN_SIZE_DEFAULT;
	BUG_ON(zcomp_parse(OPTIONS_ALGORITHM, &server->disks[0].store.zcomp));
	server->disks[0].name = "";
	server->disks[0].description = OPTIONS_DESCRIPTION;
	server->nr_disks = 1;
	server->nr_threads = default_threads();
	server->max_connections = OPTIONS_MAX_CONNECTIONS;
	server->handshake_timeout_s = OPTIONS_HANDSHAKE_TIMEOUT_S;
}

void options_parse(int argc, char **argv, struct options *out)
{
	static const struct argp parser = {
		.options = argp_options,
		.parser = parse_option,
		.doc = "Serve a compressed disk in memory over NBD.\v"
		       "With sockets passed by LISTEN_FDS these take the place "
		       "of --socket and --listen; one that is named \"control\" "
		       "takes the place of --control.",
	};

	memset(out, 0, sizeof(*out));
	set_defaults(&out->server);
	argp_err_exit_status = OPTIONS_EXIT_USAGE;
	if (argp_parse(&parser, argc, argv, 0, NULL, out)) {
		fputs("zsd: out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
}

void options_fini(struct options *options)
{
	free(options->default_control_path);
	options->default_control_path = NULL;
}

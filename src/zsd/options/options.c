/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "policy/writeback/writeback.h"
#include "serve/busy_poll.h"
#include "zsd/options/options.h"
#include "zsd/options/values.h"

/*
 * In the order of the manual page: argp sorts within a group by name, so each
 * option is a group of its own.
 */
static const struct argp_option argp_options[] = {
	{"size", 's', "SIZE", 0,
	 "Disk size that the client sees, such as 512M, 1.5G, 50% or ram/2 of "
	 "this machine's memory; K, M, G, T are powers of 1024 (required)",
	 1},
	{"socket", 'u', "PATH", 0, "Listen for NBD on a Unix socket", 2},
	{"listen", 'l', "ADDRESS[:PORT]", 0,
	 "Listen for NBD on TCP, port 10809 by default", 3},
	{"control", 'c', "PATH", 0,
	 "Control socket (default: with --socket PATH it is PATH.ctl, "
	 "otherwise there is none)",
	 4},
	{"algorithm", 'a', "ALG[:LEVEL]", 0,
	 "lz4 (default; LEVEL is its acceleration, 1 to 65537, default 1), "
	 "zstd (LEVEL -7 to 22, default 1), or plz (LEVEL 1, or 2 for denser and "
	 "slower; default 1); auto is zstd:1 with --recompress plz",
	 5},
	{"recompress", KEY_RECOMPRESS, "ALG[:LEVEL]", 0,
	 "Compress what rests once more, by this one; off does not (default). "
	 "With plz as the first one, or zstd of a higher level, memory holds "
	 "more",
	 5},
	{"recompress-age", KEY_RECOMPRESS_AGE, "SECONDS", 0,
	 "How long pages rest at most before that (default 14400); the fuller "
	 "memory is, the shorter, down to a 120th",
	 5},
	{"recompress-threshold", KEY_RECOMPRESS_THRESHOLD, "SIZE", 0,
	 "Leave what is compressed to less (default 0)", 5},
	{"share", KEY_SHARE, "on|off", OPTION_ARG_OPTIONAL,
	 "Have equal pages that rest share memory (default: with "
	 "--recompress); off where clients must not find out what others "
	 "store",
	 5},
	{"backing", KEY_BACKING, "PATH", 0,
	 "Have a file or a block device behind the disk, for what has rested "
	 "longest and what does not compress. What it holds is of no use without "
	 "this zsd",
	 6},
	{"incompressible", KEY_INCOMPRESSIBLE, "store|backing", 0,
	 "Keep what does not compress in memory, or write it to the backing at "
	 "once (default where there is one)",
	 7},
	{"writeback-age", KEY_WRITEBACK_AGE, "SECONDS", 0,
	 "How long pages rest at most before they are written to the backing "
	 "(default 90000); the fuller memory is, the shorter, down to a 300th",
	 8},
	{"writeback-limit", KEY_WRITEBACK_LIMIT, "SIZE", 0,
	 "Most that may be written to the backing in 24 hours (default 1G); 0 "
	 "for no limit",
	 9},
	{"encrypt", KEY_ENCRYPT, "on|off", OPTION_ARG_OPTIONAL,
	 "Encrypt what is written to the backing, by a key that is in memory "
	 "alone (default on)",
	 10},
	{"checksum", KEY_CHECKSUM, NULL, 0,
	 "Keep a checksum of each object, and compare it at each read", 11},
	{"dictionary", KEY_DICTIONARY, "FILE", 0,
	 "With zstd or plz: compress with this dictionary, which zsctl train, "
	 "or for zstd zstd --train, made",
	 12},
	{"mem-limit", 'm', "SIZE", 0,
	 "Most memory that may be used, objects and metadata, at least 1M; "
	 "0 for no limit (default)",
	 13},
	{"reserve", 'r', "SIZE", 0,
	 "Free memory to keep ready for writes (default 4M; with --swap 16M)",
	 14},
	{"threads", 't', "N", 0, "Worker threads (default: one per core)", 15},
	{"chain-size", KEY_CHAIN_SIZE, "N", 0,
	 "Pages per zspage at most, 4 to 16 (default 16)", 16},
	{"export-name", 'n', "NAME", 0,
	 "Name of the export (default: empty; that one is always accepted)",
	 17},
	{"export", KEY_EXPORT, "NAME[,KEY=VALUE...]", 0,
	 "Serve a disk of that name; may be given for several. Keys are the "
	 "options of a disk: size, algorithm, backing, checksum, dictionary, "
	 "mem-limit, reserve, chain-size, description, read-only, restore and "
	 "others of a disk; the option itself is for those that lack the key",
	 18},
	{"description", KEY_DESCRIPTION, "TEXT", 0,
	 "What clients are told of the export (default: compressed memory)",
	 19},
	{"read-only", KEY_READ_ONLY, NULL, 0, "Let no client change the disk",
	 20},
	{"max-connections", KEY_MAX_CONNECTIONS, "N", 0,
	 "Connections at most (default 64)", 21},
	{"handshake-timeout", KEY_HANDSHAKE_TIMEOUT, "SECONDS", 0,
	 "Drop a client that has not negotiated by then (default 10)", 22},
	{"stop-timeout", KEY_STOP_TIMEOUT, "SECONDS", 0,
	 "When told to end, close clients that are still attached by then; "
	 "0 to wait for them as long as it takes (default)",
	 23},
	{"pid-file", 'P', "PATH", 0, "Write the process id when ready", 24},
	{"daemon", KEY_DAEMON, NULL, 0,
	 "Go to the background when ready, and log to the system's log", 25},
	{"verbose", 'v', NULL, 0, "Log connections as they come and go", 26},
	{"swap", KEY_SWAP, "strict", OPTION_ARG_OPTIONAL,
	 "This machine swaps on the disk: lock memory, and never wait for "
	 "memory that swapping is to free; strict: end where a measure fails, "
	 "instead of warning",
	 27},
	{"survive", KEY_SURVIVE, "strict|off", OPTION_ARG_OPTIONAL,
	 "Keep the disks and the connections in a process of its own: another "
	 "server goes on where one dies, and clients do not notice (default "
	 "with --swap; off otherwise); strict: end where the kernel may swap "
	 "out what is kept, instead of warning",
	 28},
	{"poll", KEY_POLL, "MICROSECONDS", OPTION_ARG_OPTIONAL,
	 "Look for the next request for that long before a worker sleeps: less "
	 "delay, but a core busy while requests come fast; 0: never. Without a "
	 "number 200, which is the default with --swap where there are two cores",
	 29},
	{"restore", KEY_RESTORE, "FILE", 0,
	 "Begin with what zsctl save wrote to FILE, which also says the size",
	 30},
	{"version", 'V', NULL, 0, "Print program version", -1},
	{0},
};

/* --- exports
 * ------------------------------------------------------------------ */

/*
 * Cut @text at its next comma, two of which stand for one. Return: what is
 * behind it, or NULL.
 */
static char *cut_at_comma(char *text)
{
	char *to = text;

	while (*text) {
		if (*text == ',' && *++text != ',') {
			*to = '\0';
			return text;
		}
		*to++ = *text++;
	}
	*to = '\0';
	return NULL;
}

static error_t take_key(char *text, const struct value_source *source,
			struct disk_params *disk)
{
	char *equals = strchr(text, '=');
	const struct value *value;

	if (equals)
		*equals++ = '\0';
	value = value_of_disk(text);
	if (value)
		return value_take(value, source, equals, NULL, disk);
	argp_error(source->state, "--export '%s': there is no key '%s'",
		   source->export, text);
	return EINVAL;
}

/* "NAME,KEY=VALUE,...": what it does not say is as in @disk by then. */
static error_t take_export(char *text, struct argp_state *state,
			   struct disk_params *disk)
{
	struct value_source source = {.state = state};
	char *rest = cut_at_comma(text), *key;
	error_t err;

	err = value_take_name(&source, text, disk);
	source.export = text;
	while (!err && rest) {
		key = rest;
		rest = cut_at_comma(key);
		err = take_key(key, &source, disk);
	}
	return err;
}

/* All that --export names have what the other options say, and their own. */
static error_t make_exports(struct options *options, struct argp_state *state)
{
	struct server_params *server = &options->server;
	const struct disk_params common = server->disks[0];
	error_t err = 0;

	if (options->nr_exports && *common.name) {
		argp_error(state, "--export-name and --export exclude each "
				  "other");
		return EINVAL;
	}
	for (size_t i = 0; i < options->nr_exports && !err; i++) {
		server->disks[i] = common;
		err = take_export(options->exports[i], state,
				  &server->disks[i]);
	}
	server->nr_disks = options->nr_exports ? options->nr_exports : 1;
	return err;
}

static error_t add_export(struct options *options, const char *arg,
			  struct argp_state *state)
{
	char **text = &options->exports[options->nr_exports];

	if (options->nr_exports == EXPORT_MAX) {
		argp_error(state, "--export: there must be at most %u",
			   EXPORT_MAX);
		return EINVAL;
	}
	*text = strdup(arg);
	if (!*text)
		return ENOMEM;
	options->nr_exports++;
	return 0;
}

/* --- the command line
 * --------------------------------------------------------- */

/* Of one disk: what no single option can tell. */
static error_t check_disk(const struct server_params *server,
			  const struct disk_params *disk,
			  struct argp_state *state)
{
	char who[EXPORT_MAX_NAME_BYTES + 32] = "";

	if (server->nr_disks > 1 || *disk->name)
		(void)snprintf(who, sizeof(who), "export '%s': ", disk->name);
	if (disk->store.disk_bytes == 0 && !disk->restore) {
		argp_error(state, "%s--size is required", who);
		return EINVAL;
	}
	if (disk->store.recomp.ops &&
	    disk->store.recomp.ops == disk->store.zcomp.ops &&
	    disk->store.recomp.level == disk->store.zcomp.level) {
		argp_error(state,
			   "%s--recompress: it must be another one than "
			   "--algorithm",
			   who);
		return EINVAL;
	}
	if (disk->dictionary && !zcomp_has_dicts(&disk->store.zcomp)) {
		argp_error(state,
			   "%s--dictionary: lz4 has none: give --algorithm "
			   "zstd or plz with it",
			   who);
		return EINVAL;
	}
	if (disk->incompressible == INCOMPRESSIBLE_BACKING && !disk->backing) {
		argp_error(state,
			   "%s--incompressible backing: give --backing PATH "
			   "with it",
			   who);
		return EINVAL;
	}
	for (const struct disk_params *other = server->disks; other < disk;
	     other++) {
		if (strcmp(other->name, disk->name) == 0) {
			argp_error(state, "--export: two have the name '%s'",
				   disk->name);
			return EINVAL;
		}
	}
	return 0;
}

/* Whether somebody may come. */
static error_t check_listening(const struct server_params *server,
			       struct argp_state *state)
{
	/* Whether LISTEN_FDS is meant for us the server finds out. */
	if (server->is_kept || server->listen.socket_path ||
	    server->listen.listen_address || getenv("LISTEN_FDS"))
		return 0;
	argp_error(state,
		   "nothing to listen on: give --socket PATH or --listen "
		   "ADDRESS, or pass sockets by LISTEN_FDS");
	return EINVAL;
}

static error_t complete_control(struct options *options)
{
	struct io_listen_params *listen = &options->server.listen;

	if (listen->control_path || !listen->socket_path)
		return 0;
	if (asprintf(&options->default_control_path, "%s.ctl",
		     listen->socket_path) < 0) {
		options->default_control_path = NULL;
		return ENOMEM;
	}
	listen->control_path = options->default_control_path;
	return 0;
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

/* A program that waits for its pages is a client that asks at once again. On
 * the only processor it could not run meanwhile. */
static unsigned default_poll_us(const struct server_params *server)
{
	return server->swap != SWAP_OFF && default_threads() > 1
		       ? BUSY_POLL_DEFAULT_US
		       : 0;
}

static error_t end(struct options *options, struct argp_state *state)
{
	struct server_params *server = &options->server;
	error_t err;

	err = make_exports(options, state);
	for (size_t i = 0; i < server->nr_disks && !err; i++) {
		struct disk_params *disk = &server->disks[i];

		if (disk->store.reserve_bytes == RESERVE_UNSET)
			disk->store.reserve_bytes =
				server->swap == SWAP_OFF
					? OPTIONS_RESERVE_BYTES
					: OPTIONS_SWAP_RESERVE_BYTES;
		disk->store.share = disk->share == SHARE_ON ||
				    (disk->share == SHARE_AS_RECOMPRESS &&
				     disk->store.recomp.ops);
		disk->policy.writes_huge =
			disk->backing &&
			disk->incompressible != INCOMPRESSIBLE_STORE;
		err = check_disk(server, disk, state);
	}
	if (server->poll_us == POLL_UNSET)
		server->poll_us = default_poll_us(server);
	if (server->survive == SURVIVE_AS_SWAP)
		server->survive =
			server->swap == SWAP_OFF ? SURVIVE_OFF : SURVIVE_ON;
	if (!err)
		err = check_listening(server, state);
	return err ? err : complete_control(options);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	const struct value_source source = {.state = state};
	struct options *options = state->input;
	const struct value *value;

	switch (key) {
	case 'V':
		printf("%s\n", PACKAGE_STRING);
		exit(EXIT_SUCCESS);
	case KEY_EXPORT:
		return add_export(options, arg, state);
	case ARGP_KEY_END:
		return end(options, state);
	default:
		value = value_of_option(key);
		if (!value)
			return ARGP_ERR_UNKNOWN;
		return value_take(value, &source, arg, &options->server,
				  &options->server.disks[0]);
	}
}

static void set_defaults(struct server_params *server)
{
	server->disks[0].store.reserve_bytes = RESERVE_UNSET;
	server->poll_us = POLL_UNSET;
	server->disks[0].policy.age_s = DECIDE_DEFAULT_AGE_S;
	server->disks[0].policy.writeback_age_s =
		DECIDE_DEFAULT_WRITEBACK_AGE_S;
	server->disks[0].writeback_day_bytes = WRITEBACK_DAY_BYTES;
	server->disks[0].encrypt = true;
	server->disks[0].store.chain_size = ZS_CHAIN_SIZE_DEFAULT;
	BUG_ON(zcomp_parse(OPTIONS_ALGORITHM, &server->disks[0].store.zcomp));
	server->disks[0].name = "";
	server->disks[0].description = OPTIONS_DESCRIPTION;
	server->nr_disks = 1;
	server->ready_fd = -1;
	server->nr_threads = default_threads();
	server->max_connections = OPTIONS_MAX_CONNECTIONS;
	server->handshake_timeout_s = OPTIONS_HANDSHAKE_TIMEOUT_S;
}

void options_parse(int argc, char **argv, bool is_kept, struct options *out)
{
	static const struct argp parser = {
		.options = argp_options,
		.parser = parse_option,
		.doc = "Serve compressed disks in memory over NBD.\v"
		       "With sockets passed by LISTEN_FDS these take the place "
		       "of --socket and --listen; one that is named \"control\" "
		       "takes the place of --control.",
	};

	memset(out, 0, sizeof(*out));
	set_defaults(&out->server);
	out->server.is_kept = is_kept;
	argp_err_exit_status = OPTIONS_EXIT_USAGE;
	if (argp_parse(&parser, argc, argv, 0, NULL, out)) {
		fputs("zsd: out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
}

void options_fini(struct options *options)
{
	for (size_t i = 0; i < options->nr_exports; i++)
		free(options->exports[i]);
	options->nr_exports = 0;
	free(options->default_control_path);
	options->default_control_path = NULL;
}

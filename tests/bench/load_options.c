/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "load_conn.h"
#include "load_options.h"

const char *argp_program_version = "nbdload (" PACKAGE_STRING ")";

#define NS_PER_S ((uint64_t)1000000000)

enum long_option {
	OPT_PAGES = 256,
	OPT_MIX,
	OPT_SEQUENTIAL,
	OPT_SECONDS,
	OPT_REQUESTS,
	OPT_SPAN,
	OPT_PREFILL,
	OPT_TRIM_SHARE,
	OPT_VERIFY,
	OPT_FRESH,
	OPT_TRIM_UNDEFINED,
	OPT_ALLOW_ENOSPC,
	OPT_SEED,
	OPT_SERVER_PID,
	OPT_TIMEOUT,
	OPT_JSON,
};

static const struct argp_option option_table[] = {
	{0, 0, 0, 0, "Where:", 1},
	{"socket", 'u', "PATH", 0, "the server's Unix socket", 0},
	{"export-name", 'n', "NAME", 0, "export to ask for (default: \"\")", 0},
	{"span", OPT_SPAN, "SIZE", 0,
	 "use the first SIZE bytes (default: the whole disk)", 0},
	{0, 0, 0, 0, "What:", 2},
	{"pages", OPT_PAGES, "FILE", 0,
	 "write pages of this file; repeatable (default: 16 MiB made up)", 0},
	{"mix", OPT_MIX, "R:W:T", 0,
	 "percentages of reads, writes and trims (default 0:100:0)", 0},
	{"block-bytes", 'b', "SIZE", 0, "4K (default) to 1M, multiple of 4K",
	 0},
	{"sequential", OPT_SEQUENTIAL, 0, 0, "blocks in order, not at random",
	 0},
	{"depth", 'd', "N", 0, "requests under way per connection (default 1)",
	 0},
	{"connections", 'c', "N", 0, "connections (default 1)", 0},
	{"seed", OPT_SEED, "N", 0, "of blocks and pages (default 1)", 0},
	{0, 0, 0, 0, "How long:", 3},
	{"prefill", OPT_PREFILL, 0, 0,
	 "write every block first, in order (not measured)", 0},
	{"trim-share", OPT_TRIM_SHARE, "PERCENT", 0,
	 "then trim so many of all blocks, drawn at random (not measured)", 0},
	{"seconds", OPT_SECONDS, "N", 0,
	 "measure for N seconds, 0.001 to 1000000 (default 5)", 0},
	{"requests", OPT_REQUESTS, "N", 0,
	 "measure N requests instead (0: none)", 0},
	{"timeout", OPT_TIMEOUT, "N", 0,
	 "seconds without a reply after which to give up (default 30)", 0},
	{0, 0, 0, 0, "Checks:", 4},
	{"verify", OPT_VERIFY, 0, 0,
	 "compare what every read returns with what was written", 0},
	{"fresh", OPT_FRESH, 0, 0,
	 "the disk is new: blocks not written yet must read as zeros", 0},
	{"trim-undefined", OPT_TRIM_UNDEFINED, 0, 0,
	 "trimmed blocks may read as anything (default: as zeros)", 0},
	{"allow-enospc", OPT_ALLOW_ENOSPC, 0, 0,
	 "requests refused for lack of space are no failure", 0},
	{0, 0, 0, 0, "Report:", 5},
	{"server-pid", OPT_SERVER_PID, "PID", 0,
	 "report the processor time that this process spends", 0},
	{"json", OPT_JSON, 0, 0, "one line of JSON", 0},
	{0},
};

static const char documentation[] =
	"Put load on an NBD server and measure it.\v"
	"Exit status: 0 all well; 1 requests failed, reads returned wrong "
	"bytes or the connection broke; 2 usage.";

static void parse_mix(const char *text, unsigned percent[LOAD_NR_OPS],
		      struct argp_state *state)
{
	static const enum load_op order[] = {LOAD_READ, LOAD_WRITE, LOAD_TRIM};
	const char *at = text;
	unsigned sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		char expected = i + 1 < ARRAY_SIZE(order) ? ':' : '\0';
		unsigned long value = 101;
		char *end = NULL;

		if (*at >= '0' && *at <= '9')
			value = strtoul(at, &end, 10);
		if (value > 100 || *end != expected)
			break;
		percent[order[i]] = (unsigned)value;
		sum += (unsigned)value;
		at = end + 1;
		if (!expected && sum == 100)
			return;
	}
	argp_error(state, "'%s' is not three percentages R:W:T", text);
}

static void check_options(const struct load_options *options,
			  struct argp_state *state)
{
	if (!options->socket_path)
		argp_error(state, "--socket is missing");
	if (strlen(options->export_name) > LOAD_MAX_EXPORT_NAME_BYTES)
		argp_error(state, "the export name is too long");
	if (options->block_bytes < LOAD_MIN_BLOCK_BYTES ||
	    options->block_bytes > LOAD_MAX_BLOCK_BYTES ||
	    options->block_bytes % ZSD_PAGE_BYTES)
		argp_error(state, "--block-bytes is not 4K to 1M in steps "
				  "of 4K");
	if (options->span_bytes % options->block_bytes)
		argp_error(state, "--span is not a multiple of "
				  "--block-bytes");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct load_options *options = state->input;

	switch (key) {
	case 'u':
		options->socket_path = arg;
		break;
	case 'n':
		options->export_name = arg;
		break;
	case 'b':
		options->block_bytes = bench_arg_size(arg, state);
		break;
	case 'd':
		options->depth = (unsigned)bench_arg_number(
			arg, 1, LOAD_MAX_DEPTH, state);
		break;
	case 'c':
		options->nr_connections = (unsigned)bench_arg_number(
			arg, 1, LOAD_MAX_CONNECTIONS, state);
		break;
	case OPT_SPAN:
		options->span_bytes = bench_arg_size(arg, state);
		break;
	case OPT_PAGES:
		bench_arg_page_file(arg, &options->page_files, state);
		break;
	case OPT_MIX:
		parse_mix(arg, options->percent, state);
		break;
	case OPT_SEQUENTIAL:
		options->sequential = true;
		break;
	case OPT_SEED:
		options->seed = bench_arg_number(arg, 0, UINT64_MAX, state);
		break;
	case OPT_PREFILL:
		options->prefill = true;
		break;
	case OPT_TRIM_SHARE:
		options->trim_percent =
			(unsigned)bench_arg_number(arg, 0, 100, state);
		break;
	case OPT_SECONDS:
		options->run_ns = bench_arg_ns(arg, state);
		break;
	case OPT_REQUESTS:
		options->nr_requests =
			bench_arg_number(arg, 0, UINT64_MAX, state);
		options->has_nr_requests = true;
		break;
	case OPT_TIMEOUT:
		options->timeout_s =
			(unsigned)bench_arg_number(arg, 1, 3600, state);
		break;
	case OPT_VERIFY:
		options->verify = true;
		break;
	case OPT_FRESH:
		options->fresh = true;
		break;
	case OPT_TRIM_UNDEFINED:
		options->trim_is_undefined = true;
		break;
	case OPT_ALLOW_ENOSPC:
		options->allow_enospc = true;
		break;
	case OPT_SERVER_PID:
		options->server_pid =
			(pid_t)bench_arg_number(arg, 1, INT32_MAX, state);
		break;
	case OPT_JSON:
		options->json = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "what is '%s'?", arg);
		break;
	case ARGP_KEY_END:
		check_options(options, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void load_options_parse(int argc, char **argv, struct load_options *out)
{
	static const struct argp argp = {
		option_table, parse_option, NULL, documentation,
		NULL,	      NULL,	    NULL,
	};

	*out = (struct load_options){
		.export_name = "",
		.depth = 1,
		.nr_connections = 1,
		.percent = {[LOAD_WRITE] = 100},
		.block_bytes = ZSD_PAGE_BYTES,
		.run_ns = 5 * NS_PER_S,
		.seed = 1,
		.timeout_s = 30,
	};
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, out);
}

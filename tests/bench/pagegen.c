/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pagegen - writes a file of made-up memory pages, for the benchmark
 *
 * The same seed and count give the same file; see synthetic.h for what is in
 * it.
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "synthetic.h"

/* Most that is asked for by mistake and still fits a small machine. */
#define MAX_FILE_BYTES (4 * GIB)

struct pagegen_options {
	const char *path;
	uint64_t bytes;
	uint64_t seed;
};

const char *argp_program_version = "pagegen (" PACKAGE_STRING ")";

static const struct argp_option option_table[] = {
	{"size", 's', "SIZE", 0, "size of the file (default 16M)", 0},
	{"seed", 'S', "N", 0, "which pages to make up (default 1)", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct pagegen_options *options = state->input;
	char *end;

	switch (key) {
	case 's':
		if (units_parse(arg, 0, &options->bytes) || !options->bytes ||
		    options->bytes % ZSD_PAGE_BYTES ||
		    options->bytes > MAX_FILE_BYTES)
			argp_error(state, "not a size of whole pages: %s", arg);
		return 0;
	case 'S':
		errno = 0;
		options->seed = strtoull(arg, &end, 0);
		if (errno || end == arg || *end)
			argp_error(state, "not a number: %s", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			return ARGP_ERR_UNKNOWN;
		options->path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int write_file(const char *path, const unsigned char *bytes,
		      size_t nr_bytes)
{
	FILE *file = fopen(path, "wb");
	int err = 0;

	if (!file)
		return -errno;
	if (fwrite(bytes, 1, nr_bytes, file) != nr_bytes)
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		option_table, parse_option,
		"FILE",	      "Write made-up memory pages to FILE.",
		NULL,	      NULL,
		NULL,
	};
	struct pagegen_options options = {.bytes = 16 * MIB, .seed = 1};
	unsigned char *pages;
	int err;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	pages = malloc(options.bytes);
	if (!pages)
		error(1, ENOMEM, "%s", options.path);
	synthetic_fill(pages, options.bytes / ZSD_PAGE_BYTES, options.seed);
	err = write_file(options.path, pages, options.bytes);
	if (err)
		error(1, -err, "%s", options.path);
	free(pages);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "bench_args.h"

#define NS_PER_S 1e9

/* Made-up pages, where no file is given: 16 MiB. */
#define NR_SYNTHETIC_PAGES 4096u

uint64_t bench_arg_number(const char *text, uint64_t min, uint64_t max,
			  struct argp_state *state)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-') || value < min ||
	    value > max)
		argp_error(state, "'%s' is not a number from %ju to %ju", text,
			   (uintmax_t)min, (uintmax_t)max);
	return value;
}

uint64_t bench_arg_ns(const char *text, struct argp_state *state)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 1e-3 && seconds <= 1e6))
		argp_error(state, "'%s' is not a time of 0.001 to 1000000 s",
			   text);
	return (uint64_t)(seconds * NS_PER_S);
}

uint64_t bench_arg_size(const char *text, struct argp_state *state)
{
	uint64_t bytes = 0;

	if (units_parse(text, 0, &bytes) || !bytes)
		argp_error(state, "'%s' is not a size", text);
	return bytes;
}

uint64_t bench_arg_disk_size(const char *text, struct argp_state *state)
{
	uint64_t bytes = bench_arg_size(text, state);

	if (bytes % ZSD_PAGE_BYTES)
		argp_error(state, "'%s' is not a size of whole pages", text);
	return bytes;
}

void bench_arg_page_file(const char *path, struct bench_page_files *files,
			 struct argp_state *state)
{
	if (files->nr == BENCH_MAX_PAGE_FILES)
		argp_error(state, "more than %u page files",
			   BENCH_MAX_PAGE_FILES);
	files->paths[files->nr++] = path;
}

void bench_open_pages(const struct bench_page_files *files, uint64_t seed,
		      struct load_pages *out)
{
	const char *path = "made-up pages";
	int err;

	if (files->nr)
		err = load_pages_init_files(files->paths, files->nr, out,
					    &path);
	else
		err = load_pages_init_synthetic(NR_SYNTHETIC_PAGES, seed, out);
	if (err)
		error(1, -err, "%s", path);
}

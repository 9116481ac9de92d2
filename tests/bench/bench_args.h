/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_args - what the command lines of the measuring programs share
 *
 * Each function reads the argument of an option. One that is wrong is told by
 * argp_error(), which ends the program.
 */
#ifndef ZSD_BENCH_BENCH_ARGS_H
#define ZSD_BENCH_BENCH_ARGS_H

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

#include "load_pages.h"

#define BENCH_MAX_PAGE_FILES 64u

/* What --pages names. */
struct bench_page_files {
	const char *paths[BENCH_MAX_PAGE_FILES];
	size_t nr; /* 0: made-up pages */
};

/* A number from @min to @max, decimal, or with 0x, or with 0 octal. */
uint64_t bench_arg_number(const char *text, uint64_t min, uint64_t max,
			  struct argp_state *state);

/* Seconds, from 0.001 to a million, in nanoseconds. */
uint64_t bench_arg_ns(const char *text, struct argp_state *state);

/* A size in bytes, not 0, with a suffix or without. */
uint64_t bench_arg_size(const char *text, struct argp_state *state);

/* The same, of whole pages. */
uint64_t bench_arg_disk_size(const char *text, struct argp_state *state);

/* One more file. */
void bench_arg_page_file(const char *path, struct bench_page_files *files,
			 struct argp_state *state);

/*
 * Read those files, or, if there are none, make 16 MiB of pages up from @seed.
 * Ends the program with 1 where that fails. Release: load_pages_fini().
 */
void bench_open_pages(const struct bench_page_files *files, uint64_t seed,
		      struct load_pages *out);

#endif

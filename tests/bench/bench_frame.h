/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_frame - what the measuring programs share: arguments, pages, clocks
 *
 * A program has a table of its options, each with the variable that it sets,
 * and writes one line of JSON. A wrong argument ends it with 2, all else that
 * goes wrong with 1.
 */
#ifndef ZSD_BENCH_BENCH_FRAME_H
#define ZSD_BENCH_BENCH_FRAME_H

#include <argp.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/compiler.h"
#include "rng.h"

#define NS_PER_S ((uint64_t)1000000000)

/* Nanoseconds of one of the system's clocks. */
uint64_t bench_now_ns(clockid_t clock);

/* --- pages --------------------------------------------------------------- */

/* Pages of memory, one after another: from files, or made up. */
struct load_pages {
	unsigned char *base;
	uint64_t nr_pages;
};

#define BENCH_MAX_PAGE_FILES 64u

/* What --pages names. */
struct bench_page_files {
	const char *paths[BENCH_MAX_PAGE_FILES];
	size_t nr; /* 0: made-up pages */
};

/* Read those files, in order, or, if there are none, make 16 MiB of pages up
 * from @seed. Release: load_pages_fini(). */
void bench_open_pages(const struct bench_page_files *files, uint64_t seed,
		      struct load_pages *out);
void load_pages_fini(struct load_pages *pages);

/* --- arguments ----------------------------------------------------------- */

struct bench_option;

/* Reads @text into the variable of an option, or calls argp_error(). */
typedef void bench_read_fn(const char *text, const struct bench_option *option,
			   struct argp_state *state);

struct bench_option {
	const char *name;
	int key; /* a letter, or 0 */
	const char *arg; /* what its argument is called; NULL: it has none */
	const char *help;
	bench_read_fn *read;
	void *to;
	uint64_t min, max; /* of a number */
};

bench_read_fn bench_read_algorithm; /* struct zcomp_params */
bench_read_fn bench_read_disk_size; /* uint64_t: bytes, whole pages */
bench_read_fn bench_read_number; /* uint64_t */
bench_read_fn bench_read_pages; /* struct bench_page_files: one more */
bench_read_fn bench_read_seconds; /* uint64_t: nanoseconds */
bench_read_fn bench_read_switch; /* bool: true */
bench_read_fn bench_read_text; /* const char * */

/*
 * Read the command line. @options end with one without a name. @word: receives
 * the one argument that is no option, named @word_name; both NULL where there
 * must be none.
 */
void bench_parse(int argc, char **argv, const struct bench_option *options,
		 const char *documentation, const char *word_name,
		 const char **word);

/* The same for programs that use argp themselves. */
uint64_t bench_arg_number(const char *text, uint64_t min, uint64_t max,
			  struct argp_state *state);
uint64_t bench_arg_ns(const char *text, struct argp_state *state);
uint64_t bench_arg_disk_size(const char *text, struct argp_state *state);
void bench_arg_page_file(const char *path, struct bench_page_files *files,
			 struct argp_state *state);

#endif

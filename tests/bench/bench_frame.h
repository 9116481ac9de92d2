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

bench_read_fn bench_read_algorithm; /* struct zcomp_params, lz4 at first */
bench_read_fn bench_read_disk_size; /* uint64_t: bytes, whole pages */
bench_read_fn bench_read_number; /* uint64_t */
bench_read_fn bench_read_pages; /* struct bench_page_files: one more */
bench_read_fn bench_read_seconds; /* uint64_t: nanoseconds */
bench_read_fn bench_read_switch; /* bool: true */
bench_read_fn bench_read_text; /* const char * */

/* Rows of a table of options; @kind: what follows bench_read_. */
#define BENCH_OPTION(name, key, arg, kind, to, help)              \
	{                                                         \
		name, key, arg, help, bench_read_##kind, to, 0, 0 \
	}
#define BENCH_NUMBER(name, key, to, min, max, help)                   \
	{                                                             \
		name, key, "N", help, bench_read_number, to, min, max \
	}
#define BENCH_PAGES(to)                             \
	BENCH_OPTION("pages", 0, "FILE", pages, to, \
		     "pages of this file; repeatable (default: made up)")
#define BENCH_ALGORITHM(to)                                          \
	BENCH_OPTION("algorithm", 'a', "ALG[:LEVEL]", algorithm, to, \
		     "codec (default lz4)")

/* Read the command line. @options end with one without a name. Return: the one
 * argument that is no option, @word; NULL: there must be none. */
const char *bench_parse(int argc, char **argv,
			const struct bench_option *options,
			const char *documentation, const char *word);

#endif

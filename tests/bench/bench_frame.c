/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/units.h"
#include "bench_frame.h"
#include "synthetic.h"
#include "zcomp/zcomp.h"

/* Made-up pages, where no file is given: 16 MiB. */
#define NR_SYNTHETIC_PAGES 4096u

#define MAX_OPTIONS 32u

uint64_t bench_now_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		error(1, errno, "clock_gettime");
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* --- pages --------------------------------------------------------------- */

/* Huge pages where there are: the client's own TLB misses are noise. */
static void map_pages(uint64_t nr_pages, struct load_pages *out)
{
	uint64_t bytes = nr_pages * ZSD_PAGE_BYTES;

	out->nr_pages = nr_pages;
	out->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out->base == MAP_FAILED)
		error(1, errno, "%ju pages", (uintmax_t)nr_pages);
	(void)madvise(out->base, bytes, MADV_HUGEPAGE);
}

/* At @to, or only counted where that is NULL. Return: pages of the file. */
static uint64_t read_pages(const char *path, unsigned char *to)
{
	FILE *file = fopen(path, "rbe");
	struct stat st;

	if (!file || fstat(fileno(file), &st))
		error(1, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size % ZSD_PAGE_BYTES)
		error(1, 0, "%s: no file of whole pages", path);
	if (to && fread(to, (size_t)st.st_size, 1, file) != 1)
		error(1, errno, "%s", path);
	(void)fclose(file);
	return (uint64_t)st.st_size / ZSD_PAGE_BYTES;
}

void bench_open_pages(const struct bench_page_files *files, uint64_t seed,
		      struct load_pages *out)
{
	uint64_t nr = 0;

	if (!files->nr) {
		map_pages(NR_SYNTHETIC_PAGES, out);
		synthetic_fill(out->base, NR_SYNTHETIC_PAGES, seed);
		return;
	}
	for (size_t i = 0; i < files->nr; i++)
		nr += read_pages(files->paths[i], NULL);
	map_pages(nr, out);
	nr = 0;
	for (size_t i = 0; i < files->nr; i++)
		nr += read_pages(files->paths[i],
				 out->base + nr * ZSD_PAGE_BYTES);
}

void load_pages_fini(struct load_pages *pages)
{
	munmap(pages->base, pages->nr_pages * ZSD_PAGE_BYTES);
}

/* --- what an argument says ----------------------------------------------- */

void bench_read_number(const char *text, const struct bench_option *option,
		       struct argp_state *state)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-') ||
	    value < option->min || value > option->max)
		argp_error(state, "'%s' is not a number from %ju to %ju", text,
			   (uintmax_t)option->min, (uintmax_t)option->max);
	*(uint64_t *)option->to = value;
}

void bench_read_seconds(const char *text, const struct bench_option *option,
			struct argp_state *state)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 1e-3 && seconds <= 1e6))
		argp_error(state, "'%s' is not a time of 0.001 to 1000000 s",
			   text);
	*(uint64_t *)option->to = (uint64_t)(seconds * (double)NS_PER_S);
}

void bench_read_disk_size(const char *text, const struct bench_option *option,
			  struct argp_state *state)
{
	uint64_t bytes = 0;

	if (units_parse(text, 0, &bytes) || !bytes || bytes % ZSD_PAGE_BYTES)
		argp_error(state, "'%s' is not a size of whole pages", text);
	*(uint64_t *)option->to = bytes;
}

void bench_read_pages(const char *text, const struct bench_option *option,
		      struct argp_state *state)
{
	struct bench_page_files *files = option->to;

	if (files->nr == BENCH_MAX_PAGE_FILES)
		argp_error(state, "more than %u page files",
			   BENCH_MAX_PAGE_FILES);
	files->paths[files->nr++] = text;
}

void bench_read_algorithm(const char *text, const struct bench_option *option,
			  struct argp_state *state)
{
	if (zcomp_parse(text, option->to))
		argp_error(state, "'%s' is no algorithm", text);
}

void bench_read_switch(const char *text, const struct bench_option *option,
		       struct argp_state *state)
{
	(void)text;
	(void)state;
	*(bool *)option->to = true;
}

void bench_read_text(const char *text, const struct bench_option *option,
		     struct argp_state *state)
{
	(void)state;
	*(const char **)option->to = text;
}

/* --- the command line ---------------------------------------------------- */

struct command_line {
	const struct bench_option *options;
	bool wants_word;
	const char *word;
};

/* Options without a letter have the key 256 + their place in the table. */
static int key_of(const struct bench_option *option, size_t index)
{
	return option->key ? option->key : 256 + (int)index;
}

static error_t parse_argument(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;
	const struct bench_option *option = line->options;

	if (key == ARGP_KEY_ARG && line->wants_word && !line->word)
		line->word = arg;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "what is '%s'?", arg);
	if (key == ARGP_KEY_END && line->wants_word && !line->word)
		argp_usage(state);
	for (size_t i = 0; option[i].name; i++) {
		if (key_of(&option[i], i) == key)
			option[i].read(arg, &option[i], state);
	}
	return 0;
}

const char *bench_parse(int argc, char **argv,
			const struct bench_option *options,
			const char *documentation, const char *word)
{
	struct command_line line = {.options = options, .wants_word = word};
	struct argp_option table[MAX_OPTIONS] = {{0}};
	const struct argp argp = {table, parse_argument, word, documentation,
				  NULL,	 NULL,		 NULL};

	for (size_t i = 0; options[i].name && i + 1 < MAX_OPTIONS; i++) {
		table[i].name = options[i].name;
		table[i].key = key_of(&options[i], i);
		table[i].arg = options[i].arg;
		table[i].doc = options[i].help;
		if (options[i].read == bench_read_algorithm)
			bench_read_algorithm("lz4", &options[i], NULL);
	}
	argp_program_version = PACKAGE_STRING;
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &line);
	return line.word;
}

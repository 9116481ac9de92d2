/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pagegrab - writes a running program's anonymous pages to a page file
 *
 * What swap would see of it: heap, stacks, anonymous memory, and what it
 * changed of files that it mapped privately. The program goes on meanwhile, so
 * pages are as they were when they were read, not all at one instant. What
 * nobody touched is left out; a page that was only read before anything was
 * written is zeros.
 *
 * Source: proc_pid_maps(5), proc_pid_mem(5), Linux
 * Documentation/admin-guide/mm/pagemap.rst.
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/units.h"

/*
 * Where not all is wanted, neighbours stay together: this many, as swap's
 * read-ahead and a compressor with a longer window see them.
 */
#define RUN_PAGES 64u

/* Entries of a pagemap that are read at a time. */
#define PAGEMAP_CHUNK 512u

/* Of a pagemap's entry. */
#define PAGEMAP_PRESENT	    ((uint64_t)1 << 63)
#define PAGEMAP_SWAPPED	    ((uint64_t)1 << 62)
#define PAGEMAP_FILE_OR_SHM ((uint64_t)1 << 61)

const char *argp_program_version = "pagegrab (" PACKAGE_STRING ")";

struct grab_options {
	pid_t pid;
	const char *path;
	uint64_t max_bytes;
};

struct grab {
	pid_t pid;
	int pagemap;
	int mem;
	FILE *maps;
	FILE *out;
	uint64_t nr_pages; /* that are there, of the pass before */
	uint64_t nr_wanted; /* of those */
	uint64_t nr_seen; /* so far, of this pass */
	uint64_t nr_swapped; /* so far */
	uint64_t nr_written;
	uint64_t nr_gone; /* between the look and the reading */
};

typedef void visit_fn(struct grab *grab, uint64_t address);

static const struct argp_option option_table[] = {
	{"max-bytes", 'm', "SIZE", 0,
	 "take so much at most, in runs of 64 pages from all over (default: all)",
	 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct grab_options *options = state->input;
	char *end;
	long pid;

	switch (key) {
	case 'm':
		if (units_parse(arg, 0, &options->max_bytes) ||
		    options->max_bytes < ZSD_PAGE_BYTES)
			argp_error(state,
				   "'%s' is not a size of a page or more", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0) {
			errno = 0;
			pid = strtol(arg, &end, 10);
			if (errno || end == arg || *end || pid < 1 ||
			    pid > INT32_MAX)
				argp_error(state, "'%s' is not a process id",
					   arg);
			options->pid = (pid_t)pid;
			return 0;
		}
		if (state->arg_num > 1)
			return ARGP_ERR_UNKNOWN;
		options->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->path)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void die_of_access(const struct grab *grab, const char *what, int err)
{
	if (err == ENOENT || err == ESRCH)
		error(1, 0, "there is no process %d", (int)grab->pid);
	if (err == EACCES || err == EPERM)
		error(1, 0,
		      "process %d may not be looked into: that takes root, or "
		      "its own user where kernel.yama.ptrace_scope is 0",
		      (int)grab->pid);
	error(1, err, "%s of process %d", what, (int)grab->pid);
}

static int open_proc(const struct grab *grab, const char *name)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)grab->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die_of_access(grab, name, errno);
	return fd;
}

static void open_all(struct grab *grab)
{
	grab->mem = open_proc(grab, "mem");
	grab->pagemap = open_proc(grab, "pagemap");
	grab->maps = fdopen(open_proc(grab, "maps"), "r");
	if (!grab->maps)
		error(1, errno, "maps");
}

/* --- finding pages -----------------------------------------------------------
 */

static void visit_entry(struct grab *grab, uint64_t entry, uint64_t address,
			visit_fn *visit)
{
	if (!(entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) ||
	    entry & PAGEMAP_FILE_OR_SHM)
		return;
	if (entry & PAGEMAP_SWAPPED)
		grab->nr_swapped++;
	visit(grab, address);
	grab->nr_seen++;
}

static void visit_mapping(struct grab *grab, uint64_t start, uint64_t end,
			  visit_fn *visit)
{
	uint64_t entry[PAGEMAP_CHUNK];

	while (start < end) {
		uint64_t nr =
			min_u64((end - start) / ZSD_PAGE_BYTES, PAGEMAP_CHUNK);
		off_t at = (off_t)(start / ZSD_PAGE_BYTES * sizeof(entry[0]));
		ssize_t got =
			pread(grab->pagemap, entry, nr * sizeof(entry[0]), at);

		if (got < 0)
			die_of_access(grab, "pagemap", errno);
		nr = (uint64_t)got / sizeof(entry[0]);
		if (!nr) /* the mapping is gone, or the program */
			return;
		for (uint64_t i = 0; i < nr; i++)
			visit_entry(grab, entry[i], start + i * ZSD_PAGE_BYTES,
				    visit);
		start += nr * ZSD_PAGE_BYTES;
	}
}

/* The kernel's own pages in every process are not the program's. */
static bool is_of_kernel(const char *line)
{
	return strstr(line, "[vdso]") || strstr(line, "[vvar") ||
	       strstr(line, "[vsyscall]");
}

/* "START-END FLAGS ...", both in hexadecimal, four flags. */
static bool parse_mapping(const char *line, uint64_t *start, uint64_t *end,
			  const char **flags)
{
	char *at;

	*start = strtoull(line, &at, 16);
	if (at == line || *at != '-')
		return false;
	*end = strtoull(at + 1, &at, 16);
	*flags = at + 1;
	return *at == ' ' && strnlen(*flags, 4) == 4;
}

static void visit_all(struct grab *grab, visit_fn *visit)
{
	char *line = NULL;
	size_t room = 0;

	grab->nr_seen = 0;
	grab->nr_swapped = 0;
	rewind(grab->maps);
	while (getline(&line, &room, grab->maps) > 0) {
		uint64_t start, end;
		const char *flags;

		if (!parse_mapping(line, &start, &end, &flags))
			error(1, 0, "maps: not understood: %s", line);
		if (flags[3] == 'p' && !is_of_kernel(line))
			visit_mapping(grab, start, end, visit);
	}
	free(line);
}

/* --- taking them
 * -------------------------------------------------------------- */

static void count_page(struct grab *grab, uint64_t address)
{
	(void)grab;
	(void)address;
}

/*
 * Whether page @index of all is in one of the runs that are wanted. One more
 * than it takes, since the last of all may be short.
 */
static bool is_wanted(const struct grab *grab, uint64_t index)
{
	uint64_t nr_runs = (grab->nr_pages + RUN_PAGES - 1) / RUN_PAGES;
	uint64_t enough = (grab->nr_wanted + RUN_PAGES - 1) / RUN_PAGES;
	uint64_t wanted = min_u64(nr_runs, enough + 1);
	uint64_t run = index / RUN_PAGES;

	return run * wanted / nr_runs != (run + 1) * wanted / nr_runs;
}

static void take_page(struct grab *grab, uint64_t address)
{
	unsigned char page[ZSD_PAGE_BYTES];
	ssize_t got;

	if (grab->nr_written == grab->nr_wanted ||
	    !is_wanted(grab, grab->nr_seen))
		return;
	got = pread(grab->mem, page, sizeof(page), (off_t)address);
	if (got != (ssize_t)sizeof(page)) {
		if (got < 0 && (errno == EACCES || errno == EPERM))
			die_of_access(grab, "mem", errno);
		grab->nr_gone++;
		return;
	}
	if (fwrite(page, sizeof(page), 1, grab->out) != 1)
		error(1, errno, "writing");
	grab->nr_written++;
}

static void grab_pages(struct grab *grab, const struct grab_options *options)
{
	visit_all(grab, count_page);
	grab->nr_pages = grab->nr_seen;
	if (!grab->nr_pages)
		error(1, 0, "process %d has no anonymous pages",
		      (int)options->pid);
	grab->nr_wanted =
		min_u64(grab->nr_pages, options->max_bytes / ZSD_PAGE_BYTES);
	grab->out = fopen(options->path, "wbe");
	if (!grab->out)
		error(1, errno, "%s", options->path);
	visit_all(grab, take_page);
	if (fclose(grab->out))
		error(1, errno, "%s", options->path);
	if (!grab->nr_written)
		error(1, 0, "process %d is gone", (int)options->pid);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		option_table,
		parse_option,
		"PID FILE",
		"Write the anonymous pages of a running program to a file, for "
		"nbdload --pages and its like.",
		NULL,
		NULL,
		NULL,
	};
	struct grab_options options = {.max_bytes = UINT64_MAX};
	struct grab grab = {0};

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	grab.pid = options.pid;
	open_all(&grab);
	grab_pages(&grab, &options);
	printf("%ju of %ju anonymous pages, of which %ju were swapped out",
	       (uintmax_t)grab.nr_written, (uintmax_t)grab.nr_pages,
	       (uintmax_t)grab.nr_swapped);
	if (grab.nr_gone)
		printf("; %ju were gone meanwhile", (uintmax_t)grab.nr_gone);
	printf("\n");
	return fflush(stdout) ? 1 : 0;
}

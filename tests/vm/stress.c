/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stress - fill memory with pages that can be checked, on command
 *
 * usage: stress MEBIBYTES SEED [PAGES]
 *
 * What it writes is made up, or taken from the file PAGES (see pages.h).
 *
 * Takes one command a line on standard input and answers each with one line
 * on standard output:
 *
 *   fill          write every page
 *   grow COUNT    write the next COUNT pages, beginning with the first
 *   touch COUNT   look at COUNT pages drawn at random, rewrite every other one
 *   free PERCENT  give that share of the pages back to the kernel (MADV_
 *                 DONTNEED) in runs of 1 to 2,048 pages at random places
 *   verify        look at every page
 *   pass PERCENT  look at that share of the pages, from the first on, and
 *                 rewrite every other one
 *   spoil         flip one bit of one page, so that the next look must fail
 *
 * The answer is "ok" or "corrupt", then the pages looked at, then the bytes in
 * them that were not what had been written, then the longest time that reading
 * or writing one page took, microseconds. The first few such pages are
 * described on standard error. A freed page must read as zeros. End of input
 * ends it.
 *
 * What tells right from wrong (a number for each page) is locked in memory:
 * it must not itself go the way that it is to judge.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/units.h"
#include "pages.h"

/* How many corrupt pages are described, so that a flood cannot bury them. */
#define MAX_DESCRIBED 5

/* A page that was never written or was freed; the kernel gives zeros. */
#define GENERATION_NONE 0

struct stress {
	struct page *pages;
	uint64_t nr_pages;
	uint16_t *generations; /* of each page, counted up by each rewrite */
	struct page *expected; /* scratch: what a page should hold */
	struct pages_recorded recorded; /* to take pages from; nr 0: none */
	uint64_t seed;
	uint64_t random; /* which pages to touch next */
	uint64_t grown; /* pages that "grow" wrote so far */
	uint64_t longest_us; /* that a page took since the last answer */
	unsigned described;
};

static void *map_or_exit(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("stress: mmap");
		exit(2);
	}
	return p;
}

static void *map_locked_or_exit(uint64_t bytes)
{
	void *p = map_or_exit(bytes);

	if (mlock(p, bytes)) {
		perror("stress: mlock");
		exit(2);
	}
	return p;
}

static void stress_init(struct stress *s, uint64_t mib, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->nr_pages = mib * MIB / ZSD_PAGE_BYTES;
	s->pages = map_or_exit(s->nr_pages * ZSD_PAGE_BYTES);
	s->generations =
		map_locked_or_exit(s->nr_pages * sizeof(*s->generations));
	s->expected = map_locked_or_exit(sizeof(*s->expected));
	s->seed = seed;
	s->random = ~seed;

	/* Single pages are swapped and freed one by one; huge ones are not. */
	if (madvise(s->pages, s->nr_pages * ZSD_PAGE_BYTES, MADV_NOHUGEPAGE) &&
	    errno != EINVAL) {
		perror("stress: madvise");
		exit(2);
	}
}

static uint64_t random_below(struct stress *s, uint64_t bound)
{
	return pages_random(&s->random) % bound;
}

static uint64_t key_of(const struct stress *s, uint64_t page)
{
	return pages_key(s->seed, page, s->generations[page]);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void note_time(struct stress *s, uint64_t start_us)
{
	uint64_t took_us = now_us() - start_us;

	if (took_us > s->longest_us)
		s->longest_us = took_us;
}

/* Have what a page should hold as the expected one. */
static void expect_page(struct stress *s, uint64_t page)
{
	if (s->generations[page] == GENERATION_NONE)
		memset(s->expected, 0, sizeof(*s->expected));
	else if (s->recorded.nr)
		pages_take(s->expected, &s->recorded, key_of(s, page));
	else
		pages_fill(s->expected, key_of(s, page));
}

static void write_page(struct stress *s, uint64_t page)
{
	uint64_t start_us;

	if (++s->generations[page] == GENERATION_NONE)
		s->generations[page]++;
	expect_page(s, page);
	start_us = now_us();
	s->pages[page] = *s->expected;
	note_time(s, start_us);
}

static const char *kind_name(const struct stress *s, uint64_t page)
{
	if (s->generations[page] == GENERATION_NONE)
		return "freed";
	return s->recorded.nr ? "recorded" : pages_kind_name(key_of(s, page));
}

static void describe(struct stress *s, uint64_t page, uint64_t wrong_bytes)
{
	if (s->described++ >= MAX_DESCRIBED)
		return;
	fprintf(stderr,
		"stress: page %" PRIu64 " (%s, written %u times): "
		"%" PRIu64 " bytes differ\n",
		page, kind_name(s, page), (unsigned)s->generations[page],
		wrong_bytes);
}

/* Returns how many bytes of the page are not what was written. */
static uint64_t check_page(struct stress *s, uint64_t page)
{
	const uint8_t *found = (const uint8_t *)&s->pages[page];
	const uint8_t *expected = (const uint8_t *)s->expected;
	uint64_t start_us, wrong = 0;
	bool is_right;

	expect_page(s, page);
	start_us = now_us();
	is_right = !memcmp(found, expected, ZSD_PAGE_BYTES);
	note_time(s, start_us);
	if (is_right)
		return 0;

	for (size_t i = 0; i < ZSD_PAGE_BYTES; i++)
		wrong += found[i] != expected[i];
	describe(s, page, wrong);
	return wrong;
}

static void answer(struct stress *s, uint64_t checked_pages,
		   uint64_t wrong_bytes)
{
	printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	       wrong_bytes ? "corrupt" : "ok", checked_pages, wrong_bytes,
	       s->longest_us);
	fflush(stdout);
	s->longest_us = 0;
}

static void cmd_fill(struct stress *s, uint64_t arg)
{
	(void)arg;
	for (uint64_t page = 0; page < s->nr_pages; page++)
		write_page(s, page);
	answer(s, 0, 0);
}

static void cmd_grow(struct stress *s, uint64_t count)
{
	for (; count && s->grown < s->nr_pages; count--)
		write_page(s, s->grown++);
	answer(s, 0, 0);
}

static void cmd_touch(struct stress *s, uint64_t count)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t page = random_below(s, s->nr_pages);

		wrong += check_page(s, page);
		if (i % 2 && s->generations[page] != GENERATION_NONE)
			write_page(s, page);
	}
	answer(s, count, wrong);
}

/* Returns how many pages of the run were not free yet. */
static uint64_t free_run(struct stress *s, uint64_t first, uint64_t count)
{
	uint64_t freed = 0;

	if (madvise(&s->pages[first], count * ZSD_PAGE_BYTES, MADV_DONTNEED)) {
		perror("stress: madvise");
		exit(2);
	}
	for (uint64_t page = first; page < first + count; page++) {
		freed += s->generations[page] != GENERATION_NONE;
		s->generations[page] = GENERATION_NONE;
	}
	return freed;
}

static uint64_t share_of_pages(const struct stress *s, uint64_t percent)
{
	return s->nr_pages * (percent < 100 ? percent : 100) / 100;
}

static void cmd_free(struct stress *s, uint64_t percent)
{
	uint64_t goal = share_of_pages(s, percent), freed = 0;

	for (unsigned i = 0; freed < goal; i++) {
		/* As programs do: many small pieces, now and then a big one. */
		uint64_t bound = i % 16 ? 16 : 2048;
		uint64_t first = random_below(s, s->nr_pages);
		uint64_t count = 1 + random_below(s, bound);

		if (count > s->nr_pages - first)
			count = s->nr_pages - first;
		freed += free_run(s, first, count);
	}
	answer(s, 0, 0);
}

static void cmd_verify(struct stress *s, uint64_t arg)
{
	uint64_t wrong = 0;

	(void)arg;
	for (uint64_t page = 0; page < s->nr_pages; page++)
		wrong += check_page(s, page);
	answer(s, s->nr_pages, wrong);
}

static void cmd_pass(struct stress *s, uint64_t percent)
{
	uint64_t nr = share_of_pages(s, percent), wrong = 0;

	for (uint64_t page = 0; page < nr; page++) {
		wrong += check_page(s, page);
		if (page % 2)
			write_page(s, page);
	}
	answer(s, nr, wrong);
}

static void cmd_spoil(struct stress *s, uint64_t arg)
{
	uint64_t page = random_below(s, s->nr_pages);

	(void)arg;
	s->pages[page].words[random_below(s, ARRAY_SIZE(s->pages->words))] ^= 1;
	answer(s, 0, 0);
}

static const struct command {
	const char *name;
	bool has_arg;
	void (*run)(struct stress *s, uint64_t arg);
} commands[] = {
	{"fill", false, cmd_fill},     {"grow", true, cmd_grow},
	{"touch", true, cmd_touch},    {"free", true, cmd_free},
	{"verify", false, cmd_verify}, {"pass", true, cmd_pass},
	{"spoil", false, cmd_spoil},
};

/* Returns false where the line is no command. */
static bool run_line(struct stress *s, const char *line)
{
	uint64_t arg = 0;
	char name[16];
	int nr_fields = sscanf(line, "%15s %" SCNu64, name, &arg);

	for (size_t i = 0; nr_fields > 0 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) ||
		    nr_fields != 1 + commands[i].has_arg)
			continue;
		commands[i].run(s, arg);
		return true;
	}
	return false;
}

/* A decimal number of at least 1 that the whole of @text is made of. */
static uint64_t number_or_exit(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || end == text || !n) {
		fprintf(stderr, "stress: not a number above 0: %s\n", text);
		exit(2);
	}
	return n;
}

static void open_or_exit(struct stress *s, const char *path)
{
	int err = pages_open(&s->recorded, path);

	if (err) {
		fprintf(stderr, "stress: %s: %s\n", path, strerror(-err));
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct stress s;
	char line[64];

	if (argc != 3 && argc != 4) {
		fputs("usage: stress MEBIBYTES SEED [PAGES]\n", stderr);
		return 2;
	}
	stress_init(&s, number_or_exit(argv[1]), number_or_exit(argv[2]));
	if (argc == 4)
		open_or_exit(&s, argv[3]);
	while (fgets(line, sizeof(line), stdin)) {
		if (!run_line(&s, line)) {
			fprintf(stderr, "stress: no such command: %s", line);
			return 2;
		}
	}
	return 0;
}

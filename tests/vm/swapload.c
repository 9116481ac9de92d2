/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * swapload - touch more memory than there is, and time each page fault
 *
 * usage: swapload MEBIBYTES SEED
 *
 * Takes one word a line on standard input, and answers each with a line of
 * JSON:
 *
 *   fill         write every page
 *   sequential   touch every page, in order
 *   random       as many pages, drawn at random
 *   hot          the same, nine of ten out of a tenth of all pages
 *   probe        read pages at random until enough had to be brought in, each
 *                fault by itself: the machine has time to come to rest between
 *
 * Touching reads a word of a page and checks it; every other time it writes
 * one, too. A touch counts as a fault if the kernel counted a major fault
 * during it: a page that had to be brought in. The answer:
 *
 *   touches, faults
 *   seconds     for all of it
 *   stall_us    the longest touch
 *   fault_us    {"mean", "p50", "p90", "p99", "p999", "max"} of faults
 *
 * Ends with 1 where a page is not what was written. What it counts with is
 * locked in memory.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/units.h"
#include "pages.h"

/* Of all pages, and of all touches. */
#define HOT_PAGES_PERCENT   10u
#define HOT_TOUCHES_PERCENT 90u

/* Of a probe: how many faults, and how long to rest after each, us. */
#define PROBE_FAULTS  200u
#define PROBE_REST_US 20000

struct load {
	struct page *pages;
	uint64_t nr_pages;
	uint64_t seed;
	uint64_t random; /* which pages to touch next */
	uint32_t *faults_us; /* of the phase, as they came */
	uint64_t nr_faults;
	uint64_t nr_touches;
	uint64_t stall_us;
};

static void *map_memory(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		error(2, errno, "mmap");
	return p;
}

static void init(struct load *l, uint64_t mib, uint64_t seed)
{
	uint64_t table_bytes;

	*l = (struct load){.nr_pages = mib * MIB / ZSD_PAGE_BYTES,
			   .seed = seed,
			   .random = ~seed};
	table_bytes = l->nr_pages * sizeof(*l->faults_us);
	l->pages = map_memory(l->nr_pages * ZSD_PAGE_BYTES);
	l->faults_us = map_memory(table_bytes);
	if (mlock(l->faults_us, table_bytes))
		error(2, errno, "mlock");
	/* Single pages are swapped one by one; huge ones are not. */
	if (madvise(l->pages, l->nr_pages * ZSD_PAGE_BYTES, MADV_NOHUGEPAGE) &&
	    errno != EINVAL)
		error(2, errno, "madvise");
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t major_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage); /* cannot fail */
	return (uint64_t)usage.ru_majflt;
}

/* --- touching ------------------------------------------------------------- */

/* The first word of a page stays; the last one is written again and again. */
static uint64_t first_word(const struct load *l, uint64_t page)
{
	return pages_key(l->seed, page, 1);
}

static void write_page(struct load *l, uint64_t page)
{
	struct page *p = &l->pages[page];

	pages_fill(p, first_word(l, page));
	p->words[0] = first_word(l, page);
}

static void touch_page(struct load *l, uint64_t page, uint64_t nr)
{
	struct page *p = &l->pages[page];
	volatile uint64_t *last = &p->words[ARRAY_SIZE(p->words) - 1];

	if (*(volatile uint64_t *)p->words != first_word(l, page))
		error(1, 0, "page %" PRIu64 " is not what was written", page);
	if (nr % 2)
		*last += 1;
}

static uint64_t take_sequential(struct load *l, uint64_t nr)
{
	(void)l;
	return nr;
}

static uint64_t take_random(struct load *l, uint64_t nr)
{
	(void)nr;
	return pages_random(&l->random) % l->nr_pages;
}

static uint64_t take_hot(struct load *l, uint64_t nr)
{
	uint64_t nr_hot = l->nr_pages * HOT_PAGES_PERCENT / 100;

	if (pages_random(&l->random) % 100 >= HOT_TOUCHES_PERCENT)
		return take_random(l, nr);
	return pages_random(&l->random) % nr_hot;
}

static void note(struct load *l, uint64_t took_us, uint64_t faults)
{
	l->nr_touches++;
	l->stall_us = max_u64(l->stall_us, took_us);
	if (faults)
		l->faults_us[l->nr_faults++] =
			(uint32_t)min_u64(took_us, UINT32_MAX);
}

/* --- answers -------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *l, unsigned permille)
{
	return l->nr_faults ? l->faults_us[(l->nr_faults - 1) * permille / 1000]
			    : 0;
}

static void answer(struct load *l, uint64_t took_us)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < l->nr_faults; i++)
		sum += l->faults_us[i];
	qsort(l->faults_us, l->nr_faults, sizeof(*l->faults_us), compare);
	printf("{\"touches\":%" PRIu64 ",\"faults\":%" PRIu64
	       ",\"seconds\":%.3f,\"stall_us\":%" PRIu64
	       ",\"fault_us\":{\"mean\":%.1f,\"p50\":%u,\"p90\":%u,\"p99\":%u,"
	       "\"p999\":%u,\"max\":%u}}\n",
	       l->nr_touches, l->nr_faults, (double)took_us / 1e6, l->stall_us,
	       l->nr_faults ? (double)sum / (double)l->nr_faults : 0,
	       percentile(l, 500), percentile(l, 900), percentile(l, 990),
	       percentile(l, 999), percentile(l, 1000));
	fflush(stdout);
}

static void fill(struct load *l)
{
	for (uint64_t i = 0; i < l->nr_pages; i++) {
		uint64_t start_us = now_us();

		write_page(l, i);
		note(l, now_us() - start_us, 0);
	}
}

static void touch_all(struct load *l,
		      uint64_t (*take)(struct load *l, uint64_t nr))
{
	uint64_t before = major_faults();

	for (uint64_t i = 0; i < l->nr_pages; i++) {
		uint64_t page = take(l, i), start_us = now_us(), took_us, now;

		touch_page(l, page, i);
		took_us = now_us() - start_us;
		now = major_faults();
		note(l, took_us, now - before);
		before = now;
	}
}

static void touch_in_order(struct load *l)
{
	touch_all(l, take_sequential);
}

static void touch_at_random(struct load *l)
{
	touch_all(l, take_random);
}

static void touch_what_is_hot(struct load *l)
{
	touch_all(l, take_hot);
}

/* Pages that are there are passed by without a rest. */
static void probe(struct load *l)
{
	uint64_t before = major_faults();

	while (l->nr_faults < PROBE_FAULTS) {
		uint64_t page = take_random(l, 0), start_us = now_us(), took_us;

		touch_page(l, page, 0);
		took_us = now_us() - start_us;
		if (major_faults() == before)
			continue;
		note(l, took_us, 1);
		(void)usleep(PROBE_REST_US);
		before = major_faults();
	}
}

static const struct {
	const char *word;
	void (*run)(struct load *l);
} phases[] = {
	{"fill\n", fill},
	{"sequential\n", touch_in_order},
	{"random\n", touch_at_random},
	{"hot\n", touch_what_is_hot},
	{"probe\n", probe},
};

static void run(struct load *l, const char *word)
{
	uint64_t start_us;
	size_t i = 0;

	while (i < ARRAY_SIZE(phases) && strcmp(phases[i].word, word) != 0)
		i++;
	if (i == ARRAY_SIZE(phases))
		error(2, 0, "there is no phase %s", word);
	l->nr_faults = l->nr_touches = l->stall_us = 0;
	start_us = now_us();
	phases[i].run(l);
	answer(l, now_us() - start_us);
}

int main(int argc, char **argv)
{
	struct load load;
	char word[32];

	if (argc != 3)
		error(2, 0, "usage: swapload MEBIBYTES SEED");
	init(&load, strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10));
	while (fgets(word, sizeof(word), stdin))
		run(&load, word);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE_WORDS ARRAY_SIZE(((struct page *)0)->words)

uint64_t pages_random(uint64_t *state)
{
	/* SplitMix64 (Steele, Lea, Flood, 2014): any seed will do. */
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t pages_key(uint64_t seed, uint64_t page, uint64_t generation)
{
	uint64_t state = seed;

	state = pages_random(&state) ^ page;
	state = pages_random(&state) ^ generation;
	return pages_random(&state);
}

static void fill_zero(struct page *page, uint64_t *random)
{
	(void)random;
	memset(page, 0, sizeof(*page));
}

static void fill_same(struct page *page, uint64_t *random)
{
	uint64_t word = pages_random(random);

	for (size_t i = 0; i < PAGE_WORDS; i++)
		page->words[i] = word;
}

/* Words of 7 letters and a blank, drawn from a dictionary of the page's own. */
static void fill_text(struct page *page, uint64_t *random)
{
	uint64_t dictionary[64];

	for (size_t i = 0; i < ARRAY_SIZE(dictionary); i++) {
		uint64_t r = pages_random(random);

		/* Letters '@' to 'O' in seven bytes, a blank in the last. */
		dictionary[i] = (r & 0x000f0f0f0f0f0f0fu) | 0x2040404040404040u;
	}
	for (size_t i = 0; i < PAGE_WORDS; i++)
		page->words[i] = dictionary[pages_random(random) % 64];
}

/* A heap: addresses close to each other, small sizes, null pointers. */
static void fill_pointers(struct page *page, uint64_t *random)
{
	uint64_t heap = 0x00007f0000000000u | (pages_random(random) >> 32 << 8);

	for (size_t i = 0; i < PAGE_WORDS; i++) {
		uint64_t r = pages_random(random);

		if (i % 4 == 0)
			page->words[i] = heap + (r & 0xfff0);
		else if (i % 4 == 1)
			page->words[i] = r & 0x3f;
		else
			page->words[i] = r & 3 ? 0 : heap;
	}
}

/* An array of records: a counter, flags, mostly the same fields. */
static void fill_records(struct page *page, uint64_t *random)
{
	uint64_t first = pages_random(random) & 0xffffffff;
	uint64_t type = pages_random(random);

	for (size_t i = 0; i < PAGE_WORDS; i++) {
		uint64_t r = pages_random(random);

		if (i % 8 == 0)
			page->words[i] = first + i / 8;
		else if (i % 8 == 1)
			page->words[i] = type;
		else
			page->words[i] = r % 5 ? 0 : r >> 48;
	}
}

/* What is compressed or encrypted already. */
static void fill_random(struct page *page, uint64_t *random)
{
	for (size_t i = 0; i < PAGE_WORDS; i++)
		page->words[i] = pages_random(random);
}

static const struct page_kind {
	unsigned percent; /* of all pages; they add up to 100 */
	const char *name;
	void (*fill)(struct page *page, uint64_t *random);
} page_kinds[] = {
	{14, "zero", fill_zero},       {4, "same-filled", fill_same},
	{26, "text", fill_text},       {26, "pointers", fill_pointers},
	{24, "records", fill_records}, {6, "random", fill_random},
};

static const struct page_kind *kind_of(uint64_t key)
{
	const struct page_kind *kind = page_kinds;
	unsigned percent = (unsigned)(key >> 32) % 100;

	while (percent >= kind->percent) {
		percent -= kind->percent;
		kind++;
	}
	return kind;
}

void pages_fill(struct page *page, uint64_t key)
{
	kind_of(key)->fill(page, &key);
}

const char *pages_kind_name(uint64_t key)
{
	return kind_of(key)->name;
}

int pages_open(struct pages_recorded *recorded, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *pages;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	recorded->nr = (uint64_t)st.st_size / sizeof(struct page);
	if (!recorded->nr || (uint64_t)st.st_size % sizeof(struct page))
		return -EINVAL;
	pages = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (pages == MAP_FAILED)
		return -errno;
	recorded->pages = pages;
	return 0;
}

void pages_take(struct page *page, const struct pages_recorded *recorded,
		uint64_t key)
{
	const uint32_t stamp = (uint32_t)key;

	*page = recorded->pages[(key >> 32) % recorded->nr];
	memcpy(page->words, &stamp, sizeof(stamp));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages - page contents that can be made again, mixed as in real memory
 *
 * A page's content follows from its key alone, so whoever knows the key can
 * tell each of its bytes; two keys give different pages (but for zero pages,
 * which are all alike).
 *
 * The mix, by kind: see page_kinds in pages.c. LZ4 makes a third of it, page
 * by page, about what it makes of a desktop's anonymous memory. To codecs that
 * know what real pages look like it means nothing: recorded ones, from a file,
 * stand in for it there.
 *
 * Threads: no state; from any.
 */
#ifndef ZSD_TESTS_VM_PAGES_H
#define ZSD_TESTS_VM_PAGES_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/units.h"

/* One page, as the words that it is made of. */
struct page {
	uint64_t words[ZSD_PAGE_BYTES / sizeof(uint64_t)];
};

/* The next of a sequence of well mixed numbers; @state may start anywhere. */
uint64_t pages_random(uint64_t *state);

/* pages_key() - the key of one page of one run at one time of its life */
uint64_t pages_key(uint64_t seed, uint64_t page, uint64_t generation);

/* pages_fill() - make the page that belongs to @key */
void pages_fill(struct page *page, uint64_t key);

/* The kind of page that belongs to @key, for messages. */
const char *pages_kind_name(uint64_t key);

/* Pages recorded of programs, as a file of them holds them. */
struct pages_recorded {
	const struct page *pages;
	uint64_t nr;
};

/**
 * pages_open() - have recorded pages in the place of made-up ones
 *
 * They stay until the program ends. Return: 0 or -errno; -EINVAL where the file
 * does not hold whole pages.
 */
int pages_open(struct pages_recorded *recorded,
	       const char *path) ZSD_MUST_CHECK;

/**
 * pages_take() - have the recorded page that belongs to @key
 *
 * Its first four bytes are of the key itself, so that pages differ that are the
 * same one in the file.
 */
void pages_take(struct page *page, const struct pages_recorded *recorded,
		uint64_t key);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_pages - the pages that a load run writes: a pool in memory
 *
 * Taken from files of 4 KiB pages, or made up. They lie one after another,
 * so that a block of several pages is one run of bytes which writev(2) can
 * take as it is.
 *
 * Ownership: the caller's, from init to fini. Read-only once filled.
 */
#ifndef ZSD_BENCH_LOAD_PAGES_H
#define ZSD_BENCH_LOAD_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct load_pages {
	unsigned char *base;
	uint64_t nr_pages;
};

/**
 * load_pages_init_files() - read page files, in order
 * @paths:    @nr_paths names; each file a multiple of 4 KiB, not empty
 * @nr_paths: at least 1
 * @out:      untouched on error
 *
 * Return: 0, -EINVAL for a file that is not whole pages, or the -errno of the
 * call that failed; @bad_path then names the file.
 */
int load_pages_init_files(const char *const *paths, size_t nr_paths,
			  struct load_pages *out,
			  const char **bad_path) ZSD_MUST_CHECK;

/* Makes up @nr_pages pages from @seed (synthetic.h). Return: 0 or -ENOMEM. */
int load_pages_init_synthetic(uint64_t nr_pages, uint64_t seed,
			      struct load_pages *out) ZSD_MUST_CHECK;

void load_pages_fini(struct load_pages *pages);

#endif

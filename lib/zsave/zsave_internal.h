/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsave_internal - where things stand in a stream; see zsave.h
 */
#ifndef ZSD_ZSAVE_ZSAVE_INTERNAL_H
#define ZSD_ZSAVE_ZSAVE_INTERNAL_H

#include "zsave/zsave.h"

/* Offsets, bytes. */
enum {
	PREFIX_SUM = 0,
	PREFIX_KIND = 8,
	PREFIX_BYTES = 12,

	HEAD_PAGE_BYTES = 0,
	HEAD_FLAGS = 4,
	HEAD_DISK_BYTES = 8,
	HEAD_TIME = 16,
	HEAD_UUID = 24,
	HEAD_NR_DICTS = 40,
	HEAD_DICT_CURRENT = 44, /* two */
	HEAD_ALGORITHMS = 52, /* two */

	DICT_NUMBER = 0,
	DICT_CODEC = 2,
	DICT_BYTES = 4,

	RECORD_SKIP = 0,
	RECORD_BYTES = 4,
	RECORD_FORM = 6,
	RECORD_DICT = 7,

	END_PAGES = 0,
	END_WORDS = 8,
	END_RAWS = 16,
	END_CONTENT_BYTES = 24,
};

#define ZSAVE_MAGIC_BYTES 8

extern const unsigned char zsave_magic[ZSAVE_MAGIC_BYTES];

/* The checksum that block @number, of @bytes in all, should have. */
uint64_t zsave_sum(const unsigned char *block, size_t bytes, uint64_t number);

static inline void zsave_count(struct zsave_counts *counts,
			       const struct zsave_page *page)
{
	counts->pages++;
	counts->words += page->form == ZSAVE_WORD;
	counts->raws += page->form == ZSAVE_RAW;
	counts->content_bytes += page->bytes;
}

#endif

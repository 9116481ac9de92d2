/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/units.h"
#include "zstore/fill.h"

bool fill_detect(const void *page, uint64_t *word)
{
	const unsigned char *p = page;
	uint64_t first, last;

	memcpy(&first, p, sizeof(first));
	memcpy(&last, p + ZSD_PAGE_BYTES - sizeof(last), sizeof(last));
	if (first != last)
		return false;
	/* Equal to itself one word on, so equal to its first word all along. */
	if (memcmp(p, p + sizeof(first), ZSD_PAGE_BYTES - sizeof(first)) != 0)
		return false;
	*word = first;
	return true;
}

void fill_page(void *page, uint64_t word)
{
	unsigned char *p = page;

	if (word == 0) {
		memset(p, 0, ZSD_PAGE_BYTES);
		return;
	}
	for (uint32_t at = 0; at < ZSD_PAGE_BYTES; at += sizeof(word))
		memcpy(p + at, &word, sizeof(word));
}

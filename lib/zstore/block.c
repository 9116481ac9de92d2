/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "zsmalloc/zsmalloc.h"
#include "zstore/block.h"

#define HEAD_BYTES  2u
#define ENTRY_BYTES 6u
#define MAX_ENTRIES ((ZSD_PAGE_BYTES - HEAD_BYTES) / ENTRY_BYTES)

uint32_t block_room(unsigned nr, uint32_t used_bytes)
{
	const uint32_t taken = HEAD_BYTES + ENTRY_BYTES * (nr + 1) + used_bytes;

	return taken < ZSD_PAGE_BYTES ? ZSD_PAGE_BYTES - taken : 0;
}

unsigned char *block_add(unsigned char *block, unsigned nr, uint32_t used_bytes,
			 uint32_t page, uint32_t len_bytes)
{
	unsigned char *entry = block + HEAD_BYTES + ENTRY_BYTES * nr;
	const uint16_t len = (uint16_t)len_bytes;

	memcpy(entry, &page, sizeof(page));
	memcpy(entry + sizeof(page), &len, sizeof(len));
	return block + ZSD_PAGE_BYTES - used_bytes - len_bytes;
}

void block_end(unsigned char *block, unsigned nr)
{
	const uint16_t count = (uint16_t)nr;

	memcpy(block, &count, sizeof(count));
}

const unsigned char *block_find(const unsigned char *block, uint32_t page,
				uint32_t len_bytes)
{
	uint32_t behind = ZSD_PAGE_BYTES;
	uint16_t nr;

	memcpy(&nr, block, sizeof(nr));
	for (unsigned i = 0; i < nr && i < MAX_ENTRIES; i++) {
		const unsigned char *entry =
			block + HEAD_BYTES + ENTRY_BYTES * i;
		uint32_t other;
		uint16_t len;

		memcpy(&other, entry, sizeof(other));
		memcpy(&len, entry + sizeof(other), sizeof(len));
		if (len > behind)
			return NULL;
		behind -= len;
		if (other == page && len == len_bytes)
			return block + behind;
	}
	return NULL;
}

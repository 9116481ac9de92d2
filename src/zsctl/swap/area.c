/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/swap.h>

#include "zsctl/swap/area.h"

/* Not in every <sys/swap.h>. Source: Linux include/linux/swap.h. */
#define FLAG_DISCARD	   0x10000 /* at all */
#define FLAG_DISCARD_PAGES 0x40000 /* what is freed, and not all of it now */

#define SIGNATURE	"SWAPSPACE2"
#define SIGNATURE_BYTES 10

#define AREA_VERSION 1u

/* Behind the boot block of some architectures. Numbers are the machine's. */
#define INFO_OFFSET 1024u

struct area_info {
	uint32_t version;
	uint32_t last_page;
	uint32_t nr_bad_pages;
	uint8_t uuid[AREA_UUID_BYTES];
	char label[AREA_LABEL_BYTES];
};

int area_format(uint64_t size_bytes, const uint8_t uuid[AREA_UUID_BYTES],
		const char *label, uint8_t page[AREA_PAGE_BYTES])
{
	const uint64_t nr_pages = size_bytes / AREA_PAGE_BYTES;
	struct area_info info = {.version = AREA_VERSION};

	if (nr_pages < AREA_MIN_PAGES || nr_pages > AREA_MAX_PAGES)
		return -ERANGE;
	info.last_page = (uint32_t)(nr_pages - 1);
	memcpy(info.uuid, uuid, sizeof(info.uuid));
	memcpy(info.label, label, strnlen(label, AREA_LABEL_BYTES - 1));
	memset(page, 0, AREA_PAGE_BYTES);
	memcpy(page + INFO_OFFSET, &info, sizeof(info));
	memcpy(page + AREA_PAGE_BYTES - SIGNATURE_BYTES, SIGNATURE,
	       SIGNATURE_BYTES);
	return 0;
}

bool area_is(const uint8_t page[AREA_PAGE_BYTES], uint64_t size_bytes)
{
	struct area_info info;

	memcpy(&info, page + INFO_OFFSET, sizeof(info));
	return memcmp(page + AREA_PAGE_BYTES - SIGNATURE_BYTES, SIGNATURE,
		      SIGNATURE_BYTES) == 0 &&
	       info.version == AREA_VERSION &&
	       (uint64_t)info.last_page + 1 == size_bytes / AREA_PAGE_BYTES;
}

int area_on(const char *path, unsigned priority)
{
	const int flags = FLAG_DISCARD | FLAG_DISCARD_PAGES | SWAP_FLAG_PREFER |
			  (int)(priority & SWAP_FLAG_PRIO_MASK);

	return swapon(path, flags) ? -errno : 0;
}

int area_off(const char *path)
{
	return swapoff(path) ? -errno : 0;
}

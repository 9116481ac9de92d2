/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watermark - how much memory the kernel would give at once
 *
 * Below a zone's "min" watermark the kernel makes those who ask for memory
 * reclaim some first, and where a disk of ours is swapped on, that waits for
 * us. A real-time thread may go below it by a quarter ("ALLOC_HARDER"). This
 * tells how far it is to half of that: the other half is left to the answers
 * of the threads that serve, which need socket buffers.
 *
 * Threads: one at a time for each struct. Allocates nothing after opening.
 * Source: proc(5), /proc/zoneinfo; Linux mm/page_alloc.c, zone_watermark_ok().
 */
#ifndef ZSD_GUARD_WATERMARK_H
#define ZSD_GUARD_WATERMARK_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * Most of /proc/zoneinfo that is looked at, bytes. A zone takes 1 to 2 KiB, and
 * 200 bytes for each core; what does not fit counts as having no room.
 */
#define WATERMARK_TEXT_BYTES (256u << 10)

struct watermark {
	int fd;
	char *text; /* of WATERMARK_TEXT_BYTES */
};

/* watermark_open() - Return: 0 or -errno. Release: watermark_close(). */
int watermark_open(struct watermark *w) ZSD_MUST_CHECK;
void watermark_close(struct watermark *w);

/*
 * watermark_room_pages() - pages to be had without waiting
 *
 * Cost: some 20 us, more on machines with many cores. 0 where it cannot be
 * read any more.
 */
uint64_t watermark_room_pages(struct watermark *w);

/* The same of a text as /proc/zoneinfo has it: what cannot be parsed counts
 * as having no room. */
uint64_t watermark_parse(const char *text);

#endif

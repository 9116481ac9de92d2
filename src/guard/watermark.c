/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "guard/watermark.h"

/* Of "min": how far below it we go, as a fraction. */
#define BELOW_MIN 8u

/* What stands in /proc/zoneinfo of one zone, pages. */
struct zone {
	bool is_whole; /* all of the fields below were seen */
	uint64_t free;
	uint64_t min;
	uint64_t protection; /* kept for those who can use no other zone */
};

static uint64_t zone_room(const struct zone *zone)
{
	uint64_t kept = zone->min - zone->min / BELOW_MIN + zone->protection;

	if (!zone->is_whole || zone->free <= kept)
		return 0;
	return zone->free - kept;
}

/* The largest of "(0, 321, 321)": for memory that may come from any zone. */
static uint64_t parse_protection(const char *list)
{
	uint64_t largest = 0;
	char *end;

	while (*list == '(' || *list == ',' || *list == ' ') {
		largest = max_u64(largest, strtoull(list + 1, &end, 10));
		list = end;
	}
	return largest;
}

static void parse_line(const char *line, struct zone *zone)
{
	unsigned long long pages;

	if (sscanf(line, " pages free %llu", &pages) == 1) {
		*zone = (struct zone){.free = pages};
	} else if (sscanf(line, " min %llu", &pages) == 1) {
		zone->min = pages;
	} else if (strncmp(line, "        protection: (", 21) == 0) {
		zone->protection = parse_protection(line + 20);
		zone->is_whole = true;
	}
}

uint64_t watermark_parse(const char *text)
{
	struct zone zone = {.is_whole = false};
	uint64_t room = 0;

	for (; text; text = strchr(text, '\n')) {
		bool was_whole = zone.is_whole;

		text += *text == '\n';
		parse_line(text, &zone);
		if (zone.is_whole && !was_whole)
			room += zone_room(&zone);
	}
	return room;
}

int watermark_open(struct watermark *w)
{
	w->text = malloc(WATERMARK_TEXT_BYTES);
	if (!w->text)
		return -ENOMEM;
	w->fd = open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC);
	if (w->fd >= 0)
		return 0;
	free(w->text);
	w->text = NULL;
	return -errno;
}

void watermark_close(struct watermark *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->text);
}

uint64_t watermark_room_pages(struct watermark *w)
{
	size_t bytes = 0;
	ssize_t n;

	/* A read gives one piece at most, of a page or so. */
	do {
		n = pread(w->fd, w->text + bytes,
			  WATERMARK_TEXT_BYTES - 1 - bytes, (off_t)bytes);
		if (n > 0)
			bytes += (size_t)n;
	} while (n > 0);
	w->text[bytes] = '\0';
	return watermark_parse(w->text);
}

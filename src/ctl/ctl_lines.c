/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "ctl/ctl_lines.h"

int ctl_lines_init(struct ctl_lines *lines, size_t max_bytes)
{
	CHECK(max_bytes >= 2);
	memset(lines, 0, sizeof(*lines));
	lines->buffer = malloc(max_bytes);
	if (!lines->buffer)
		return -ENOMEM;
	lines->size = max_bytes;
	return 0;
}

void ctl_lines_fini(struct ctl_lines *lines)
{
	free(lines->buffer);
	lines->buffer = NULL;
}

/* Forget what is unread, all of it part of one line. */
static void drop_rest(struct ctl_lines *lines)
{
	lines->start = 0;
	lines->scanned = 0;
	lines->end = 0;
}

void ctl_lines_reset(struct ctl_lines *lines)
{
	drop_rest(lines);
	lines->overlong = false;
}

size_t ctl_lines_space(struct ctl_lines *lines, char **out)
{
	if (lines->start) {
		memmove(lines->buffer, lines->buffer + lines->start,
			lines->end - lines->start);
		lines->scanned -= lines->start;
		lines->end -= lines->start;
		lines->start = 0;
	}
	*out = lines->buffer + lines->end;
	return lines->size - lines->end;
}

void ctl_lines_add(struct ctl_lines *lines, size_t bytes)
{
	CHECK(bytes <= lines->size - lines->end);
	lines->end += bytes;
}

enum ctl_lines_next ctl_lines_next(struct ctl_lines *lines, const char **line,
				   size_t *bytes)
{
	const char *newline;

	for (;;) {
		newline = memchr(lines->buffer + lines->scanned, '\n',
				 lines->end - lines->scanned);
		if (!newline)
			break;
		*line = lines->buffer + lines->start;
		*bytes = (size_t)(newline - *line);
		lines->start += *bytes + 1;
		lines->scanned = lines->start;
		if (!lines->overlong)
			return CTL_LINES_LINE;
		lines->overlong = false; /* that was its end */
	}
	lines->scanned = lines->end;
	if (lines->overlong) {
		drop_rest(lines);
		return CTL_LINES_NONE;
	}
	if (lines->end - lines->start < lines->size)
		return CTL_LINES_NONE;
	lines->overlong = true;
	drop_rest(lines);
	return CTL_LINES_OVERLONG;
}

size_t ctl_lines_take(struct ctl_lines *lines, void *dst, size_t bytes)
{
	if (bytes > lines->end - lines->start)
		bytes = lines->end - lines->start;
	memcpy(dst, lines->buffer + lines->start, bytes);
	lines->start += bytes;
	lines->scanned = lines->start;
	return bytes;
}

bool ctl_lines_has_rest(const struct ctl_lines *lines)
{
	return lines->overlong || lines->start < lines->end;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_lines - cut a stream of bytes into lines, in a buffer of fixed size
 *
 * The owner of a socket reads into the space that ctl_lines_space() shows,
 * says how much came, and takes lines out until there is none. A line that
 * does not fit the buffer is reported once and passed over up to its newline,
 * however long it is; the line after it is read as if nothing had happened.
 *
 *	buffer    | taken | unread: lines, then a part of one | space |
 *	          0     start                                end    size
 *
 * Ownership: the caller's struct; the buffer is its own until fini.
 * Threads: one at a time.
 */
#ifndef ZSD_CTL_CTL_LINES_H
#define ZSD_CTL_CTL_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct ctl_lines {
	char *buffer;
	size_t size; /* of the buffer: the longest line, with newline */
	size_t start; /* first byte not taken yet */
	size_t scanned; /* no newline in [start, scanned) */
	size_t end; /* one past the last byte read */
	bool overlong; /* what stands at start is the rest of such a line */
};

enum ctl_lines_next {
	CTL_LINES_NONE, /* no whole line here: read more */
	CTL_LINES_LINE, /* a line */
	CTL_LINES_OVERLONG, /* the beginning of a line that does not fit */
};

/**
 * ctl_lines_init() - make an empty buffer
 * @max_bytes: the longest line, with its newline; at least 2
 *
 * Return: 0 or -ENOMEM. Release: ctl_lines_fini().
 */
int ctl_lines_init(struct ctl_lines *lines, size_t max_bytes) ZSD_MUST_CHECK;
void ctl_lines_fini(struct ctl_lines *lines);

/* Forget what is in the buffer: another stream begins. */
void ctl_lines_reset(struct ctl_lines *lines);

/**
 * ctl_lines_space() - where to read to
 * @out: receives the address of the space
 *
 * Never 0 bytes after ctl_lines_next() returned CTL_LINES_NONE. Lines taken
 * before are invalid from here on.
 * Return: its size, bytes.
 */
size_t ctl_lines_space(struct ctl_lines *lines, char **out);

/* @bytes, at most the space's size, were read to where the space began. */
void ctl_lines_add(struct ctl_lines *lines, size_t bytes);

/**
 * ctl_lines_next() - take out the next line
 * @line:  receives its address, for CTL_LINES_LINE alone; any bytes, not
 *         terminated
 * @bytes: receives its length, without the newline
 */
enum ctl_lines_next ctl_lines_next(struct ctl_lines *lines, const char **line,
				   size_t *bytes);

/**
 * ctl_lines_take() - take out what comes behind the last line, which is no line
 * @dst, @bytes: room for it
 *
 * Return: how many bytes; 0 where all were taken.
 */
size_t ctl_lines_take(struct ctl_lines *lines, void *dst, size_t bytes);

/* Whether it holds a part of a line (what is left when the stream ends). */
bool ctl_lines_has_rest(const struct ctl_lines *lines);

#endif

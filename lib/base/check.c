/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

/* How long standard error may take to have room, ms: whoever reads it may have
 * stopped, and what this process holds must come free. */
#define PATIENCE_MS 200

/* Longest line, bytes: a pipe that can be written to takes as much at once. */
#define LINE_BYTES 512

struct line {
	char text[LINE_BYTES];
	size_t bytes;
};

static void put(struct line *line, const char *s)
{
	size_t bytes = strnlen(s, LINE_BYTES - line->bytes);

	memcpy(line->text + line->bytes, s, bytes);
	line->bytes += bytes;
}

static void put_number(struct line *line, int n)
{
	char digits[12];
	char *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	put(line, p);
}

static void say(const struct line *line)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t n;

	if (poll(&p, 1, PATIENCE_MS) <= 0 || !(p.revents & POLLOUT))
		return;
	n = write(STDERR_FILENO, line->text, line->bytes);
	(void)n; /* nothing better can be done while dying */
}

void check_failed(const char *file, int number, const char *expr)
{
	struct line line = {.bytes = 0};

	put(&line, "zsd: broken invariant at ");
	put(&line, file);
	put(&line, ":");
	put_number(&line, number);
	put(&line, ": ");
	put(&line, expr);
	if (line.bytes == LINE_BYTES)
		line.bytes--;
	put(&line, "\n");
	say(&line);
	abort();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zsctl/system/files.h"

/* A record of the kernel's log has no more. Source: Linux kernel/printk,
 * PRINTK_MESSAGE_MAX. */
#define CHUNK_BYTES 8192u

int files_read(const char *path, char text[FILES_TEXT_BYTES])
{
	size_t used = 0;
	ssize_t n;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, text + used, FILES_TEXT_BYTES - 1 - used);
		if (n > 0)
			used += (size_t)n;
	} while (n > 0);
	if (n < 0)
		err = -errno;
	close(fd);
	while (used && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	return err;
}

int files_read_number(const char *path, long long *out)
{
	char text[FILES_TEXT_BYTES], *end;
	long long number;
	int err = files_read(path, text);

	if (err)
		return err;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return -EINVAL;
	*out = number;
	return 0;
}

/* Hand over the lines of @text; what is left of it goes to its start. */
static bool take_lines(char *text, size_t *used,
		       bool (*line)(void *arg, char *text), void *arg)
{
	char *start = text, *end;
	bool goes_on = true;

	while (goes_on && (end = strchr(start, '\n')) != NULL) {
		*end = '\0';
		goes_on = line(arg, start);
		start = end + 1;
	}
	*used -= (size_t)(start - text);
	memmove(text, start, *used + 1);
	return goes_on;
}

int files_each_line(const char *path, bool (*line)(void *arg, char *text),
		    void *arg)
{
	static const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	char text[2 * CHUNK_BYTES + 1];
	size_t used = 0;
	bool goes_on = true;
	ssize_t n;
	int fd;

	fd = open(path, flags);
	if (fd < 0)
		return -errno;
	while (goes_on) {
		n = read(fd, text + used, CHUNK_BYTES);
		/* A record that was overwritten before we came to it. */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
		text[used] = '\0';
		goes_on = take_lines(text, &used, line, arg);
		if (used > CHUNK_BYTES) /* no such line is looked for */
			used = 0;
	}
	close(fd);
	return 0;
}

struct search {
	const char *start;
	char *rest;
	bool was_found;
};

static bool look_for_start(void *arg, char *text)
{
	struct search *search = arg;
	const size_t bytes = strlen(search->start);

	if (strncmp(text, search->start, bytes) != 0)
		return true;
	(void)snprintf(search->rest, FILES_TEXT_BYTES, "%s", text + bytes);
	search->was_found = true;
	return false;
}

int files_find_line(const char *path, const char *start,
		    char rest[FILES_TEXT_BYTES])
{
	struct search search = {.start = start, .rest = rest};
	int err = files_each_line(path, look_for_start, &search);

	if (err)
		return err;
	return search.was_found ? 0 : -ENODATA;
}

int files_write(const char *path, const char *text)
{
	const size_t bytes = strlen(text);
	int fd, err = 0;
	ssize_t n;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		n = write(fd, text, bytes);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	else if ((size_t)n < bytes)
		err = -EIO;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard/pressure.h"

/* Of /proc/meminfo, whose first lines are those that count. */
#define TEXT_BYTES 2048

static int open_below(const char *root, const char *path)
{
	char text[PATH_MAX];

	(void)snprintf(text, sizeof(text), "%s%s", root, path);
	return open(text, O_RDONLY | O_CLOEXEC);
}

void pressure_open(struct pressure *pressure, const char *root)
{
	pressure->meminfo_fd = open_below(root, "/proc/meminfo");
	pressure->memory_fd = open_below(root, "/proc/pressure/memory");
	pressure->cpu_fd = open_below(root, "/proc/pressure/cpu");
	pressure->io_fd = open_below(root, "/proc/pressure/io");
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void pressure_close(struct pressure *pressure)
{
	close_one(pressure->meminfo_fd);
	close_one(pressure->memory_fd);
	close_one(pressure->cpu_fd);
	close_one(pressure->io_fd);
}

/* Read the beginning of a file again; "" where that does not work. */
static void read_text(int fd, char text[TEXT_BYTES])
{
	ssize_t n = fd < 0 ? -1 : pread(fd, text, TEXT_BYTES - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

/* The number behind @name, or 0. */
static double number_behind(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	double number;

	if (!at)
		return 0;
	number = strtod(at + strlen(name), NULL);
	return number > 0 ? number : 0; /* nor what is no number */
}

static double used_part(const char *meminfo)
{
	double total = number_behind(meminfo, "MemTotal:");
	double available = number_behind(meminfo, "MemAvailable:");

	return total > 0 && available < total ? 1 - available / total : 0;
}

void pressure_read(const struct pressure *pressure,
		   struct pressure_reading *out)
{
	char text[TEXT_BYTES];

	read_text(pressure->meminfo_fd, text);
	out->memory_used = used_part(text);
	read_text(pressure->memory_fd, text);
	out->memory_stall = number_behind(text, "some avg10=");
	read_text(pressure->cpu_fd, text);
	out->cpu_stall = number_behind(text, "some avg10=");
	read_text(pressure->io_fd, text);
	out->io_stall = number_behind(text, "full avg10=");
}

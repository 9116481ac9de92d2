/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zsctl/device/device.h"
#include "zsctl/text.h"

/* Sectors of /sys/block/NAME/size are of this many bytes, always. */
#define SYSFS_SECTOR_BYTES 512u

void device_complain(const char *advice, const char *format, ...)
{
	char raw[2 * DEVICE_TEXT_BYTES], text[2 * DEVICE_TEXT_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	(void)fprintf(stderr, "zsctl: %s\nzsctl: %s\n",
		      text_plain(raw, text, sizeof(text)), advice);
}

int device_parse(const char *name, const char *root, struct device *out)
{
	static const char folder[] = "/dev/";
	struct device d = {.root = root};
	unsigned long index;
	char *end;

	if (strncmp(name, folder, strlen(folder)) == 0)
		name += strlen(folder);
	if (strncmp(name, "nbd", 3) != 0 || !isdigit((unsigned char)name[3]) ||
	    (name[3] == '0' && name[4]))
		return -EINVAL;
	errno = 0;
	index = strtoul(name + 3, &end, 10);
	if (errno || *end || index > DEVICE_MAX_INDEX)
		return -EINVAL;
	d.index = (unsigned)index;
	(void)snprintf(d.name, sizeof(d.name), "nbd%u", d.index);
	(void)snprintf(d.path, sizeof(d.path), "/dev/nbd%u", d.index);
	*out = d;
	return 0;
}

/* A file of it in /sys/block. Return: @path. */
static char *block_path(const struct device *d, const char *file,
			char path[DEVICE_PATH_BYTES])
{
	(void)snprintf(path, DEVICE_PATH_BYTES, "%s/sys/block/%s/%s", d->root,
		       d->name, file);
	return path;
}

bool device_exists(const struct device *d)
{
	char path[DEVICE_PATH_BYTES];

	return access(block_path(d, "size", path), F_OK) == 0;
}

/* The file is there from the attaching to the last one that lets go. */
bool device_is_attached(const struct device *d)
{
	char path[DEVICE_PATH_BYTES];

	return access(block_path(d, "pid", path), F_OK) == 0;
}

char *device_identifier(const struct device *d, char text[FILES_TEXT_BYTES])
{
	char path[DEVICE_PATH_BYTES], raw[FILES_TEXT_BYTES];

	if (files_read(block_path(d, "backend", path), raw))
		raw[0] = '\0';
	return text_plain(raw, text, FILES_TEXT_BYTES);
}

uint64_t device_size_bytes(const struct device *d)
{
	char path[DEVICE_PATH_BYTES];
	long long sectors;

	if (files_read_number(block_path(d, "size", path), &sectors) ||
	    sectors < 0)
		return 0;
	return (uint64_t)sectors * SYSFS_SECTOR_BYTES;
}

/* --- who uses it --------------------------------------------------------- */

struct use {
	const struct device *device;
	char *by; /* what to put there */
	bool was_found;
};

static bool note_use(struct use *use, const char *what, const char *who)
{
	size_t used;

	text_plain(what, use->by, DEVICE_TEXT_BYTES);
	used = strlen(use->by);
	text_plain(who, use->by + used, DEVICE_TEXT_BYTES - used);
	use->was_found = true;
	return false;
}

/* Whether a line begins with the device, or a partition of it. */
static bool is_of(const struct device *d, const char *line)
{
	const size_t bytes = strlen(d->path);
	const char *rest = line + bytes;

	if (strncmp(line, d->path, bytes) != 0)
		return false;
	if (*rest == 'p')
		rest += 1 + strspn(rest + 1, "0123456789");
	return isspace((unsigned char)*rest) || !*rest;
}

static bool look_for_swap(void *arg, char *line)
{
	struct use *use = arg;

	return !is_of(use->device, line) || note_use(use, "swap is on it", "");
}

static bool look_for_mount(void *arg, char *line)
{
	struct use *use = arg;
	char *place;

	if (!is_of(use->device, line))
		return true;
	place = line + strcspn(line, " \t");
	place += strspn(place, " \t");
	place[strcspn(place, " \t")] = '\0';
	return note_use(use, "it is mounted on ", place);
}

/* Block devices that are made of it: dm, md, bcache. */
static void look_for_holders(struct use *use)
{
	char path[DEVICE_PATH_BYTES];
	DIR *folder = opendir(block_path(use->device, "holders", path));
	struct dirent *entry;

	while (folder && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] != '.')
			note_use(use, "it is part of ", entry->d_name);
	}
	if (folder)
		closedir(folder);
}

bool device_is_used(const struct device *d, char by[DEVICE_TEXT_BYTES])
{
	static const struct {
		const char *path;
		bool (*look)(void *arg, char *line);
	} lists[] = {
		{"/proc/swaps", look_for_swap},
		{"/proc/self/mounts", look_for_mount},
	};
	struct use use = {.device = d, .by = by};
	char path[DEVICE_PATH_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(lists) && !use.was_found; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", d->root,
			       lists[i].path);
		/* A kernel without swap has no such file, and no such use. */
		if (files_each_line(path, lists[i].look, &use) &&
		    access(path, F_OK) == 0)
			note_use(&use,
				 "nobody can tell whether it is used: ", path);
	}
	if (!use.was_found)
		look_for_holders(&use);
	return use.was_found;
}

/* --- settings ------------------------------------------------------------ */

struct setting {
	const char *file;
	const char *value;
	bool of_one_connection; /* makes sense with one alone */
};

static const struct setting settings[] = {
	/*
	 * Requests that were under way on a connection that is lost are sent
	 * again when the block layer's timer for them expires: 30 s by
	 * default. With one connection nothing else comes of it; with several
	 * the kernel gives up one whose answer is late. Milliseconds. Source:
	 * Linux drivers/block/nbd.c.
	 */
	{"queue/io_timeout", "2000", true},
	/*
	 * The kernel must not hold back writes as on a disk that becomes slow
	 * by them: swapping out is what frees memory. Source: Linux
	 * Documentation/ABI/stable/sysfs-block, wbt_lat_usec.
	 */
	{"queue/wbt_lat_usec", "0", false},
	/*
	 * There is no order in which zsd would be faster. With a scheduler
	 * requests go through a thread of the kernel's more, and a page that is
	 * waited for stands behind those that are written.
	 */
	{"queue/scheduler", "none", false},
};

int device_tune(const struct device *d, size_t nr_connections,
		const char **failed)
{
	char path[DEVICE_PATH_BYTES];
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (settings[i].of_one_connection && nr_connections != 1)
			continue;
		err = files_write(block_path(d, settings[i].file, path),
				  settings[i].value);
		if (err && err != -ENOENT) {
			*failed = settings[i].file;
			return err;
		}
	}
	return 0;
}

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
#include "base/units.h"
#include "guard/around.h"

/* A line of /proc/self/cgroup, or a number in a file, bytes. */
#define LINE_BYTES   (AROUND_PATH_BYTES + 64)
#define NUMBER_BYTES 32

/* Version 1 says that there is no limit by a number near this one. */
#define NO_LIMIT (UINT64_MAX / 4)

/* A hierarchy, and what its files are called. */
struct hierarchy {
	const char *mount;
	const char *usage;
	const char *limits[2]; /* what stops zsd, or slows it down */
	const char *swap; /* how much of a group may be swapped out */
};

static const struct hierarchy version_2 = {"/sys/fs/cgroup",
					   "memory.current",
					   {"memory.max", "memory.high"},
					   "memory.swap.max"};

static const struct hierarchy version_1 = {"/sys/fs/cgroup/memory",
					   "memory.usage_in_bytes",
					   {"memory.limit_in_bytes", NULL},
					   NULL};

/* --- numbers ---------------------------------------------------------------- */

/* UINT64_MAX where it is "max", or cannot be read. */
static uint64_t read_number(int fd)
{
	char text[NUMBER_BYTES] = "", *end;
	unsigned long long number;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return UINT64_MAX;
	number = strtoull(text, &end, 10);
	return end == text || number >= NO_LIMIT ? UINT64_MAX : number;
}

static void note_limit(struct around *around, uint64_t bytes, const char *name)
{
	if (bytes >= around->least_bytes)
		return;
	around->least_bytes = bytes;
	(void)snprintf(around->least_name, sizeof(around->least_name), "%s",
		       name);
}

static void read_memory(struct around *around, const char *root)
{
	char path[LINE_BYTES], line[LINE_BYTES];
	unsigned long long kib;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(line, sizeof(line), file) &&
	    sscanf(line, "MemTotal: %llu kB", &kib) == 1)
		around->memory_bytes = kib * KIB;
	(void)fclose(file);
}

/* --- groups ----------------------------------------------------------------- */

static int open_file(const char *root, const struct hierarchy *hierarchy,
		     const char *group, const char *file)
{
	char path[2 * LINE_BYTES];

	(void)snprintf(path, sizeof(path), "%s%s%s/%s", root, hierarchy->mount,
		       group, file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void watch(struct around *around, const char *root,
		  const struct hierarchy *hierarchy, const char *group,
		  const char *file)
{
	struct around_limit limit = {.usage_fd = -1};
	uint64_t bytes;

	limit.limit_fd = open_file(root, hierarchy, group, file);
	if (limit.limit_fd < 0)
		return;
	bytes = read_number(limit.limit_fd);
	if (bytes != UINT64_MAX && around->nr_limits < AROUND_MAX_LIMITS)
		limit.usage_fd =
			open_file(root, hierarchy, group, hierarchy->usage);
	/* The first read of a file may take memory: not later. */
	(void)read_number(limit.usage_fd);
	note_limit(around, bytes, *group ? group : "the control group");
	if (limit.usage_fd < 0)
		close(limit.limit_fd);
	else
		around->limits[around->nr_limits++] = limit;
}

static void look_at_swap(struct around *around, const char *root,
			 const struct hierarchy *hierarchy, const char *group)
{
	int fd;

	if (!hierarchy->swap)
		return;
	fd = open_file(root, hierarchy, group, hierarchy->swap);
	if (fd < 0)
		return;
	around->is_never_swapped |= read_number(fd) == 0;
	close(fd);
}

/* The group itself, and those around it: all their limits hold. The root of the
 * machine has none; what looks like it in a container has. */
static void watch_groups(struct around *around, const char *root,
			 const struct hierarchy *hierarchy, const char *path)
{
	char group[AROUND_PATH_BYTES];
	char *end;

	(void)snprintf(group, sizeof(group), "%s", path);
	do {
		for (size_t i = 0; i < ARRAY_SIZE(hierarchy->limits); i++) {
			if (hierarchy->limits[i])
				watch(around, root, hierarchy, group,
				      hierarchy->limits[i]);
		}
		look_at_swap(around, root, hierarchy, group);
		end = strrchr(group, '/');
		if (end)
			*end = '\0';
	} while (end);
}

/* Whether a line of version 1, "4:cpu,memory:/PATH", is about memory. */
static bool is_of_memory(const char *line)
{
	const char *at = strchr(line, ':'), *end = strstr(line, ":/");
	size_t bytes;

	while (at && end && at < end) {
		bytes = strcspn(++at, ",:");
		if (bytes == strlen("memory") && !memcmp(at, "memory", bytes))
			return true;
		at += bytes;
	}
	return false;
}

/* "0::/PATH" is the one of version 2, which does not have the limits where
 * there are both. */
static void read_groups(struct around *around, const char *root)
{
	const struct hierarchy *hierarchy = NULL;
	char path[LINE_BYTES], line[LINE_BYTES], group[LINE_BYTES];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	file = fopen(path, "re");
	if (!file)
		return;
	while (hierarchy != &version_1 && fgets(line, sizeof(line), file)) {
		const bool is_memory = is_of_memory(line);

		if (!is_memory && strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		hierarchy = is_memory ? &version_1 : &version_2;
		memcpy(group, strchr(line, '/'), strlen(strchr(line, '/')) + 1);
	}
	(void)fclose(file);
	if (hierarchy)
		watch_groups(around, root, hierarchy, group);
}

/* --- for others ------------------------------------------------------------- */

void around_open(struct around *around, const char *root)
{
	memset(around, 0, sizeof(*around));
	around->least_bytes = UINT64_MAX;
	read_memory(around, root);
	if (around->memory_bytes)
		note_limit(around, around->memory_bytes, "this machine");
	read_groups(around, root);
}

void around_close(struct around *around)
{
	for (size_t i = 0; i < around->nr_limits; i++) {
		close(around->limits[i].limit_fd);
		close(around->limits[i].usage_fd);
	}
	around->nr_limits = 0;
}

uint64_t around_room_bytes(const struct around *around)
{
	uint64_t room = UINT64_MAX;

	for (size_t i = 0; i < around->nr_limits; i++) {
		uint64_t limit = read_number(around->limits[i].limit_fd);
		uint64_t usage = read_number(around->limits[i].usage_fd);

		if (limit == UINT64_MAX)
			continue;
		room = min_u64(room, limit > usage ? limit - usage : 0);
	}
	return room;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tells holes from blocks. lseek(2) with SEEK_HOLE does not: it calls a
 * hole what fallocate(2) has got blocks for, and nobody has written yet. Nor
 * does the number of a file's blocks, some of which may be behind its end. The
 * map of its extents does (FIEMAP); where a file system has none, the number
 * has to do.
 *
 * Source: Linux Documentation/filesystems/fiemap.rst.
 */
#include "config.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "backing/backing_internal.h"

/* Extents that one call tells of: 1.8 KB of them. */
#define EXTENTS_AT_ONCE 32u

/* The unit of st_blocks, whatever a file system's own is; inode(7). */
#define STAT_BLOCK_BYTES 512u

/* It has no place yet: it gets one when it is written out. */
#define NOWHERE (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC)

/* What is written in its place is something else: compressed, encrypted by the
 * file system, in an inode, or another file's as well. */
#define MOVING                                               \
	(FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_NOT_ALIGNED | \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_SHARED)

union map {
	struct fiemap head;
	unsigned char room[sizeof(struct fiemap) +
			   EXTENTS_AT_ONCE * sizeof(struct fiemap_extent)];
};

static bool get_map(int fd, uint64_t from, uint64_t end, union map *map)
{
	memset(map, 0, sizeof(*map));
	map->head.fm_start = from;
	map->head.fm_length = end - from;
	map->head.fm_flags = FIEMAP_FLAG_SYNC;
	map->head.fm_extent_count = EXTENTS_AT_ONCE;
	return ioctl(fd, FS_IOC_FIEMAP, map) == 0;
}

/* Go over what a map tells. @at: up to where all is well; receives the same. */
static enum extents walk(const union map *map, uint64_t *at)
{
	const struct fiemap_extent *extent;

	for (uint32_t i = 0; i < map->head.fm_mapped_extents; i++) {
		extent = &map->head.fm_extents[i];
		if (extent->fe_logical > *at || extent->fe_flags & NOWHERE)
			return EXTENTS_HOLES;
		if (extent->fe_flags & MOVING)
			return EXTENTS_MOVING;
		*at = extent->fe_logical + extent->fe_length;
	}
	return EXTENTS_WHOLE;
}

static enum extents count_blocks(int fd, uint64_t bytes)
{
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    (uint64_t)st.st_blocks * STAT_BLOCK_BYTES >= bytes)
		return EXTENTS_WHOLE;
	return EXTENTS_HOLES;
}

enum extents extents_look(int fd, uint64_t bytes)
{
	enum extents found = EXTENTS_WHOLE;
	uint64_t at = 0;
	union map map;

	while (at < bytes && found == EXTENTS_WHOLE) {
		if (!get_map(fd, at, bytes, &map))
			return count_blocks(fd, bytes);
		if (!map.head.fm_mapped_extents)
			return EXTENTS_HOLES;
		found = walk(&map, &at);
	}
	return found;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adopt_rig.h"
#include "model/own_ctx.h"
#include "quiet.h"

static int copy_data(const struct mapping *map, int fd)
{
	off_t at = 0, end;

	if (ftruncate(fd, (off_t)map->bytes))
		return -errno;
	while ((at = lseek(map->fd, at, SEEK_DATA)) >= 0) {
		end = lseek(map->fd, at, SEEK_HOLE);
		if (pwrite(fd, map->base + at, (size_t)(end - at), at) !=
		    end - at)
			return -EIO;
		at = end;
	}
	return 0;
}

int rig_copy_image(const struct mapping *map)
{
	int fd = memfd_create("copy", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = copy_data(map, fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

void rig_inherit(const struct store_rig *rig, struct store_rig *heir)
{
	size_t disk_bytes = rig->nr_pages * ZSD_PAGE_BYTES;
	int fd = rig_copy_image(&rig->store->image);

	quiet_assert(fd >= 0);
	*heir = *rig;
	heir->flat = malloc(disk_bytes);
	heir->is_stored = malloc(rig->nr_pages * sizeof(*rig->is_stored));
	quiet_assert(heir->flat && heir->is_stored);
	memcpy(heir->flat, rig->flat, disk_bytes);
	memcpy(heir->is_stored, rig->is_stored,
	       rig->nr_pages * sizeof(*rig->is_stored));
	quiet_assert(zstore_open(&rig->params, fd, &heir->store) == 0);
	close(fd);
	quiet_assert(own_ctx_create(heir->store, &heir->ctx) == 0);
	quiet_assert(zstore_adopt(heir->store) == 0);
}

void rig_disinherit(struct store_rig *heir)
{
	rig_close(heir);
}

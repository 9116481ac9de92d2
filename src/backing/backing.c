/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backing/backing_internal.h"
#include "base/check.h"
#include "base/mapping.h"

#define WRITE_BUFFER_BYTES ((size_t)BACKING_WRITE_MAX * BACKING_BLOCK_BYTES)

static const struct backing_ops system_ops = {.read = pread, .write = pwrite};

/* --- life ------------------------------------------------------------------ */

static int out_of_memory(const struct backing_params *params, int err)
{
	io_log(params->log, IO_LOG_ERROR, "%s: cannot get ready for it: %s",
	       params->path, strerror(-err));
	return err;
}

static int get_ready(struct backing *backing)
{
	void *buffer;
	int err;

	err = memory_map(WRITE_BUFFER_BYTES, &buffer);
	if (err)
		return err;
	backing->write_buffer = buffer;
	err = fetch_create(backing, &backing->fetch);
	if (!err && backing->params.encrypt)
		err = crypt_create(&backing->crypt);
	if (!err && backing->crypt && !crypt_is_locked(backing->crypt))
		io_log(backing->params.log, IO_LOG_WARNING,
		       "warning: %s: its key may be swapped out, for it cannot "
		       "be locked in memory: raise LimitMEMLOCK= in the unit "
		       "(ulimit -l in a shell)",
		       backing->params.path);
	return err;
}

int backing_open(const struct backing_params *params, struct backing **out)
{
	struct backing *backing = calloc(1, sizeof(*backing));
	int err;

	if (!backing)
		return out_of_memory(params, -ENOMEM);
	backing->fd = -1;
	backing->ops = &system_ops;
	backing->params = *params;
	backing->path = strdup(params->path);
	backing->params.path = backing->path;
	if (!backing->path) {
		free(backing);
		return out_of_memory(params, -ENOMEM);
	}
	err = check_open(backing);
	if (!err) {
		err = get_ready(backing);
		if (err)
			(void)out_of_memory(params, err);
	}
	if (err) {
		backing_close(backing);
		return err;
	}
	*out = backing;
	return 0;
}

void backing_close(struct backing *backing)
{
	if (!backing)
		return;
	fetch_destroy(backing->fetch);
	crypt_destroy(backing->crypt);
	memory_give_back(backing->write_buffer, WRITE_BUFFER_BYTES);
	if (backing->fd >= 0)
		close(backing->fd);
	free(backing->path);
	free(backing);
}

int backing_claim(struct backing *backing)
{
	return claim(backing);
}

int backing_start(struct backing *backing, const void *key)
{
	int err = !key == !backing->crypt ? 0 : -EINVAL;

	if (!err && key)
		err = crypt_set_key(backing->crypt, key);
	return err ? err : fetch_start(backing->fetch);
}

/* --- I/O by the caller ----------------------------------------------------- */

int backing_read(void *arg, uint32_t block, void *dst)
{
	/* Where the caller's is does not matter, that of O_DIRECT does. */
	_Alignas(BACKING_BLOCK_BYTES) unsigned char page[BACKING_BLOCK_BYTES];
	int err = io_read(arg, block, page);

	if (!err)
		memcpy(dst, page, sizeof(page));
	return err;
}

void backing_write(struct backing *backing, struct backing_block *blocks,
		   unsigned nr)
{
	BUG_ON(nr > BACKING_WRITE_MAX);
	fetch_begin_write(backing->fetch, blocks, nr);
	io_write(backing, blocks, nr);
	fetch_end_write(backing->fetch);
}

/* --- what it is ------------------------------------------------------------ */

uint32_t backing_nr_blocks(const struct backing *backing)
{
	return backing->nr_blocks;
}

/* A partition has no queue of its own. */
static bool reads_one(dev_t dev, const char *file)
{
	char path[128], text = '0';
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s",
		       major(dev), minor(dev), file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &text, 1) != 1)
		text = '0';
	close(fd);
	return text == '1';
}

bool backing_is_rotational(const struct backing *backing)
{
	struct stat st;
	dev_t dev;

	if (fstat(backing->fd, &st))
		return false;
	dev = backing->is_device ? st.st_rdev : st.st_dev;
	return reads_one(dev, "queue/rotational") ||
	       reads_one(dev, "../queue/rotational");
}

const char *backing_kind(const struct backing *backing)
{
	return backing->is_device ? "block device" : "file";
}

void backing_count(struct backing *backing, struct backing_counts *out)
{
	out->reads = atomic_load(&backing->nr_reads);
	out->writes = atomic_load(&backing->nr_writes);
	out->failed_reads = atomic_load(&backing->nr_failed_reads);
	out->failed_writes = atomic_load(&backing->nr_failed_writes);
	out->read_us = atomic_load(&backing->read_us);
	out->write_us = atomic_load(&backing->write_us);
	fetch_count(backing->fetch, out);
}

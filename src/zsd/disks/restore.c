/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --restore: a disk begins with what `zsctl save` wrote.
 *
 * The file is read twice. First as a whole, before anything is made for the
 * disk, so that one that is damaged or short is refused at once; its head says
 * how large the disk is. Then it is stored, and everything is checked again: it
 * may have changed, and what only the codec can tell has not been seen before.
 * Until then nobody is served, and where it fails zsd ends.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zsd/server_internal.h"
#include "zstore/zstore_save.h"

/* How often the service manager is told how far it is, and how long it is asked
 * to wait for that, seconds. */
#define REPORT_S   2u
#define PATIENCE_S 60u

struct restoring {
	struct io_log *log;
	const char *path;
	int fd;
	struct zsave_reader reader;
};

/* --- what is wrong --------------------------------------------------------- */

/* Say it of the file. Return: @err. */
static int refuse(const struct restoring *r, int err, const char *format, ...)
	ZSD_PRINTF(3, 4);
static int refuse(const struct restoring *r, int err, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	io_log(r->log, IO_LOG_ERROR, "--restore %s: %s", r->path, text);
	return err;
}

static int refuse_stream(const struct restoring *r)
{
	return refuse(r, -EBADMSG, "%s (in the block at byte %" PRIu64 ")",
		      zsave_fault_text(r->reader.fault), r->reader.offset);
}

static int refuse_size(const struct restoring *r, uint64_t disk_bytes)
{
	return refuse(r, -EINVAL,
		      "the disk that was saved has %" PRIu64
		      " bytes, and --size says %" PRIu64
		      ": leave --size out, or give the same",
		      r->reader.head.disk_bytes, disk_bytes);
}

/* What zstore_restore_begin() or zstore_restore_block() returned. */
static int refuse_block(const struct restoring *r,
			const struct zstore_restore *restore, int err)
{
	if (!restore && err == -EINVAL)
		return refuse(r, err,
			      "its algorithm '%s' is none that this zsd has",
			      r->reader.head.algorithms[0]);
	switch (err) {
	case -EBADMSG:
		return refuse(
			r, err,
			"page %" PRIu64 " of the disk does not "
			"decompress: the file is damaged, or was not made "
			"by zsd",
			zstore_restore_page(restore));
	case -EINVAL:
	case -EMSGSIZE:
		return refuse(
			r, err,
			"a dictionary in it is none: the file is damaged, "
			"or was not made by zsd");
	case -EBUSY:
		return refuse(r, err,
			      "it has as many dictionaries as there can be: "
			      "leave --dictionary out");
	case -ENOSPC:
		return refuse(r, err,
			      "--mem-limit has no room for what was saved");
	default:
		return refuse(r, err, "%s", strerror(-err));
	}
}

/* --- the file --------------------------------------------------------------- */

static int open_file(struct restoring *r, struct io_log *log, const char *path)
{
	struct stat status;
	int err;

	*r = (struct restoring){.log = log, .path = path};
	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0)
		return refuse(r, -errno, "%s", strerror(errno));
	err = fstat(r->fd, &status) ? -errno : 0;
	if (!err && !S_ISREG(status.st_mode)) {
		close(r->fd);
		return refuse(r, -EINVAL, "it is no regular file");
	}
	if (!err)
		err = zsave_reader_init(&r->reader);
	if (!err)
		return 0;
	close(r->fd);
	return refuse(r, err, "%s", strerror(-err));
}

static void close_file(struct restoring *r)
{
	zsave_reader_fini(&r->reader);
	close(r->fd);
}

/* Return: how many bytes came; 0 at the end; -errno, which was said. */
static ssize_t read_some(struct restoring *r)
{
	size_t room;
	ssize_t n;
	void *to;

	room = zsave_reader_space(&r->reader, &to);
	do {
		n = read(r->fd, to, room);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return refuse(r, -errno, "%s", strerror(errno));
	zsave_reader_add(&r->reader, (size_t)n);
	return n;
}

/*
 * Read the next block. At the end of the stream, which is that of the file,
 * none comes: @block->kind is 0. Return: 0 or -errno, which was said.
 */
static int next_block(struct restoring *r, struct zsave_block *block)
{
	ssize_t n;
	int err;

	*block = (struct zsave_block){0};
	while ((err = zsave_reader_next(&r->reader, block)) == -EAGAIN) {
		n = read_some(r);
		if (n < 0)
			return (int)n;
		if (!n)
			break;
	}
	if (err == -EAGAIN)
		err = zsave_reader_finish(&r->reader);
	return err ? refuse_stream(r) : 0;
}

/* --- before there is a disk ------------------------------------------------- */

static int check_file(struct io_log *log, struct disk_params *disk)
{
	struct zsave_block block;
	struct restoring r;
	int err;

	err = open_file(&r, log, disk->restore);
	if (err)
		return err;
	do {
		err = next_block(&r, &block);
	} while (!err && block.kind);
	if (!err && !disk->store.disk_bytes)
		disk->store.disk_bytes = r.reader.head.disk_bytes;
	if (!err && disk->store.disk_bytes != r.reader.head.disk_bytes)
		err = refuse_size(&r, disk->store.disk_bytes);
	close_file(&r);
	return err;
}

int restore_check(struct server_params *params, struct io_log *log)
{
	int err = 0;

	for (size_t i = 0; i < params->nr_disks && !err; i++) {
		if (params->disks[i].restore)
			err = check_file(log, &params->disks[i]);
	}
	return err;
}

/* The first server of a keeper reads the file, all others have the disk. */
static bool is_adopted(const struct server *s)
{
	return s->link && !keep_link_is_first(s->link);
}

static int read_head(const struct server *s, const char *path,
		     struct zstore_params *params)
{
	struct zsave_block block;
	struct restoring r;
	int err;

	err = open_file(&r, s->log, path);
	if (err)
		return err;
	err = next_block(&r, &block);
	if (!err) {
		params->disk_bytes = r.reader.head.disk_bytes;
		memcpy(params->uuid, r.reader.head.uuid, sizeof(params->uuid));
	}
	close_file(&r);
	return err;
}

int restore_describe(const struct server *s, size_t index,
		     struct zstore_params *params)
{
	const char *path = s->params->disks[index].restore;
	int err;

	if (!path)
		return 0;
	if (!is_adopted(s))
		return read_head(s, path, params);
	err = zstore_image_disk_bytes(keep_link_image(s->link, (unsigned)index),
				      &params->disk_bytes);
	return err ? server_complain(s, "cannot go on with the disk", err) : 0;
}

/* --- the disk ----------------------------------------------------------------
 */

/* How far it is, for the service manager. */
static void report(struct server *s, const struct restoring *r,
		   uint64_t *told_ns)
{
	char text[96];

	if (uv_hrtime() - *told_ns < REPORT_S * UINT64_C(1000000000))
		return;
	*told_ns = uv_hrtime();
	(void)snprintf(text, sizeof(text),
		       "restoring: %" PRIu64 " pages so far",
		       r->reader.counts.pages);
	server_tell_status(s, text, PATIENCE_S);
}

/* Where all of it is stored, or it fails. */
static int store_blocks(struct server *s, struct restoring *r,
			uint64_t disk_bytes, struct zstore_ctx *ctx,
			struct zstore_restore **restore)
{
	uint64_t told_ns = 0;
	struct zsave_block block;
	int err;

	do {
		report(s, r, &told_ns);
		err = next_block(r, &block);
		if (err || !block.kind)
			return err;
		if (block.kind == ZSAVE_HEAD &&
		    r->reader.head.disk_bytes != disk_bytes)
			return refuse(r, -EINVAL, "it has changed meanwhile");
		err = block.kind == ZSAVE_HEAD
			      ? zstore_restore_begin(ctx, &r->reader.head,
						     restore)
			      : zstore_restore_block(*restore, &block);
	} while (!err);
	return refuse_block(r, *restore, err);
}

static void tell_outcome(const struct restoring *r, bool is_copy,
			 uint64_t start_ns)
{
	char bytes[UNITS_TEXT_BYTES];

	io_log(r->log, IO_LOG_INFO,
	       "restored %" PRIu64 " pages from %s: %s in %.1f s%s%s",
	       r->reader.counts.pages, r->path,
	       units_format(r->reader.offset, bytes),
	       (double)(uv_hrtime() - start_ns) / 1e9,
	       is_copy ? "" : ", compressed anew",
	       r->reader.head.flags & ZSAVE_LIVE
		       ? "; clients were attached when it was saved"
		       : "");
}

static int restore_with(struct server *s, struct restoring *r,
			const struct zstore *store, struct zstore_ctx *ctx)
{
	const uint64_t start_ns = uv_hrtime();
	struct zstore_restore *restore = NULL;
	int err;

	io_log(r->log, IO_LOG_INFO, "restoring the disk from %s", r->path);
	err = store_blocks(s, r, zstore_params(store)->disk_bytes, ctx,
			   &restore);
	if (!err)
		tell_outcome(r, zstore_restore_is_copy(restore), start_ns);
	zstore_restore_end(restore);
	return err;
}

static int restore_disk(struct server *s, size_t index)
{
	struct zstore *store = s->exports.all[index]->store;
	struct zstore_scratch *scratch = NULL;
	struct zstore_ctx *ctx = NULL;
	struct restoring r;
	int err;

	err = open_file(&r, s->log, s->params->disks[index].restore);
	if (err)
		return err;
	err = zstore_scratch_create(&scratch);
	if (!err)
		err = zstore_ctx_create(store, scratch, &ctx);
	err = err ? refuse(&r, err, "%s", strerror(-err))
		  : restore_with(s, &r, store, ctx);
	zstore_ctx_destroy(ctx);
	zstore_scratch_destroy(scratch);
	close_file(&r);
	return err;
}

int restore_disks(struct server *s)
{
	int err = 0;

	if (is_adopted(s))
		return 0;
	for (size_t i = 0; i < s->params->nr_disks && !err; i++) {
		if (s->params->disks[i].restore)
			err = restore_disk(s, i);
	}
	return err;
}

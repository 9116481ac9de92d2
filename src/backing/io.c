/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "backing/backing_internal.h"
#include "base/bits.h"

#define NS_PER_US 1000u

static off_t offset_of(uint32_t block)
{
	return (off_t)block * BACKING_BLOCK_BYTES;
}

/* Nothing of ours is there: what says so is damaged. To write there would make
 * a file longer. */
static bool is_outside(const struct backing *backing, uint32_t block)
{
	return block >= backing->nr_blocks;
}

static uint64_t us_since(uint64_t start_ns)
{
	return (uv_hrtime() - start_ns) / NS_PER_US;
}

static void tell_failure(struct backing *backing, const char *what,
			 uint32_t block, int err)
{
	io_log_some(backing->params.log, &backing->failures, IO_LOG_ERROR,
		    "%s: block %u cannot be %s: %s", backing->params.path,
		    block, what, strerror(-err));
}

/* --- reading --------------------------------------------------------------- */

/* Return: 0 or -errno. */
static int read_all(struct backing *backing, uint32_t block,
		    unsigned char *page)
{
	size_t done = 0;
	ssize_t got;

	if (is_outside(backing, block))
		return -ERANGE;
	while (done < BACKING_BLOCK_BYTES) {
		got = backing->ops->read(backing->fd, page + done,
					 BACKING_BLOCK_BYTES - done,
					 offset_of(block) + (off_t)done);
		if (got == 0) /* it was made shorter */
			return -ENODATA;
		if (got > 0)
			done += (size_t)got;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int io_read(struct backing *backing, uint32_t block, void *page)
{
	const uint64_t start_ns = uv_hrtime();
	int err = read_all(backing, block, page);

	atomic_fetch_add(&backing->read_us, us_since(start_ns));
	if (err) {
		atomic_fetch_add(&backing->nr_failed_reads, 1);
		tell_failure(backing, "read", block, err);
		return -EREMOTEIO;
	}
	atomic_fetch_add(&backing->nr_reads, 1);
	if (backing->crypt)
		crypt_decrypt(backing->crypt, block, page, page);
	return 0;
}

/* --- writing --------------------------------------------------------------- */

/* How many of some blocks follow each other on the backing. */
static unsigned run_length(const struct backing_block *blocks, unsigned nr)
{
	unsigned length = 1;

	while (length < nr &&
	       blocks[length].number == blocks[length - 1].number + 1)
		length++;
	return length;
}

/* Write a run. @done: receives how many blocks were. Return: 0 or -errno. */
static int write_all(struct backing *backing, uint32_t block,
		     const unsigned char *bytes, unsigned nr, unsigned *done)
{
	const size_t size = (size_t)nr * BACKING_BLOCK_BYTES;
	size_t at = 0;
	ssize_t put;
	int err = 0;

	if (is_outside(backing, block + nr - 1))
		err = -ERANGE;
	while (at < size && !err) {
		put = backing->ops->write(backing->fd, bytes + at, size - at,
					  offset_of(block) + (off_t)at);
		if (put > 0)
			at += (size_t)put;
		else if (put == 0)
			err = -EIO;
		else if (errno != EINTR)
			err = -errno;
	}
	*done = (unsigned)(at / BACKING_BLOCK_BYTES);
	return err;
}

static void end_block(struct backing *backing, struct backing_block *block,
		      int err)
{
	block->err = err ? -EREMOTEIO : 0;
	if (err) {
		atomic_fetch_add(&backing->nr_failed_writes, 1);
		tell_failure(backing, "written", block->number, err);
	} else {
		atomic_fetch_add(&backing->nr_writes, 1);
	}
}

/* What is left of a run that fails is tried again block by block: it may be one
 * of them alone. */
static void write_run(struct backing *backing, struct backing_block *blocks,
		      const unsigned char *bytes, unsigned nr)
{
	unsigned at_once = nr, done;
	int err;

	while (nr) {
		err = write_all(backing, blocks->number, bytes,
				min_u32(at_once, nr), &done);
		if (err && at_once == 1)
			end_block(backing, &blocks[done++], err);
		else
			for (unsigned i = 0; i < done; i++)
				end_block(backing, &blocks[i], 0);
		if (err)
			at_once = 1;
		blocks += done;
		bytes += (size_t)done * BACKING_BLOCK_BYTES;
		nr -= done;
	}
}

void io_write(struct backing *backing, struct backing_block *blocks,
	      unsigned nr)
{
	const uint64_t start_ns = uv_hrtime();
	unsigned char *at = backing->write_buffer;
	unsigned length;

	for (unsigned i = 0; i < nr; i++, at += BACKING_BLOCK_BYTES) {
		if (backing->crypt)
			crypt_encrypt(backing->crypt, blocks[i].number, at,
				      blocks[i].bytes);
		else
			memcpy(at, blocks[i].bytes, BACKING_BLOCK_BYTES);
	}
	at = backing->write_buffer;
	for (unsigned i = 0; i < nr; i += length) {
		length = run_length(&blocks[i], nr - i);
		write_run(backing, &blocks[i],
			  at + (size_t)i * BACKING_BLOCK_BYTES, length);
	}
	atomic_fetch_add(&backing->write_us, us_since(start_ns));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_save - a disk as a stream, and a disk from one
 *
 * The stream is that of zsave.h. What is stored compressed goes into it as it
 * is, with the dictionaries that it needs, and comes out of it as it is where
 * the other disk has the same codec: nothing is compressed on either way. But
 * each page is decompressed once, to be sure of it, as any read does. A page
 * that cannot be read would be found by the restore otherwise, when the disk is
 * gone; and of what a file says nothing is believed.
 *
 * Saving works beside running I/O. Of a page that changes meanwhile the stream
 * has what it was at some moment of it, and of two pages that change together
 * maybe the one before and the other after. Whoever wants the disk as it is at
 * one moment keeps others from changing it.
 *
 * Threads: a save or a restore belongs to one thread at a time, as the context
 * does that it was begun with.
 */
#ifndef ZSD_ZSTORE_ZSTORE_SAVE_H
#define ZSD_ZSTORE_ZSTORE_SAVE_H

#include "zsave/zsave.h"
#include "zstore/zstore.h"

/* --- saving --------------------------------------------------------------- */

struct zstore_save {
	struct zstore_ctx *ctx;
	struct zsave_writer writer;
	struct zsave_head head;
	uint32_t dicts; /* that are in the stream, held: a bit each */
	unsigned next_dict; /* number of the next one to be written */
	uint64_t next; /* page of the disk */
	bool has_begun; /* the head was written */
	bool is_over; /* the end was written */
};

/**
 * zstore_save_begin() - begin to save a disk
 * @ctx:    outlives it
 * @flags:  of the head
 * @time_s: seconds since 1970 UTC, for the head
 *
 * Allocates nothing. Until the end no dictionary's number is used again: of
 * those that zstore_dict_add() has, these are taken.
 * Return: 0, or -EUCLEAN where a dictionary is damaged: then there is nothing
 * to end. End: zstore_save_end(), at any time.
 */
int zstore_save_begin(struct zstore_save *save, struct zstore_ctx *ctx,
		      uint32_t flags, uint64_t time_s) ZSD_MUST_CHECK;
void zstore_save_end(struct zstore_save *save);

/**
 * zstore_save_next() - make the next block of the stream
 * @dst:   room for ZSAVE_BLOCK_BYTES
 * @bytes: receives its length; 0 where nothing was found to be saved for a
 *         while: ask again, unless save->is_over
 *
 * Cost: some ms at the most: up to 8,192 pages are looked at, and up to 160 KiB
 * copied and decompressed. Never waits for memory, nor for another thread
 * longer than a read does.
 * Return: 0, or -EIO where page save->next is damaged (counted as a read is);
 * the same page is tried again then.
 */
int zstore_save_next(struct zstore_save *save, unsigned char *dst,
		     size_t *bytes) ZSD_MUST_CHECK;

/* zstore_save_fail() - end the stream with a failure: @text says why. As
 * zsave_write_failure(). */
size_t zstore_save_fail(struct zstore_save *save, const char *text,
			unsigned char *dst);

/* --- restoring ------------------------------------------------------------ */

struct zstore_restore;

/**
 * zstore_restore_begin() - begin to fill a disk
 * @ctx:  of a store that is empty, and as large as @head says; outlives it
 * @head: of the stream
 *
 * Allocates. Return: 0, -EINVAL where the codec or its level is not known, or
 * -ENOMEM. End: zstore_restore_end(), at any time; it takes NULL too.
 */
int zstore_restore_begin(struct zstore_ctx *ctx, const struct zsave_head *head,
			 struct zstore_restore **out) ZSD_MUST_CHECK;
void zstore_restore_end(struct zstore_restore *restore);

/**
 * zstore_restore_block() - store what a block has
 * @block: of a zsave_reader, in the order of the stream
 *
 * Where the store has the codec of the stream, objects are stored as they are,
 * and so are dictionaries; else both are only used to read them. After the
 * block that is the end, new pages are compressed with the dictionary that the
 * stream says, unless the store had one before.
 *
 * Cost: each page is decompressed: some 1 us with LZ4, 5 us with zstd.
 * Return: 0, or
 *   -EBADMSG  a page does not decompress: see zstore_restore_page()
 *   -EINVAL   a dictionary is none, or its codec has none
 *   -EMSGSIZE a dictionary has no length that one may have
 *   -EBUSY    the store has too many dictionaries
 *   -ENOSPC, -ENOMEM, -EIO: see zstore_write()
 * What was stored before stays.
 */
int zstore_restore_block(struct zstore_restore *restore,
			 const struct zsave_block *block) ZSD_MUST_CHECK;

/* The page that was the last to be looked at. */
uint64_t zstore_restore_page(const struct zstore_restore *restore);

/* Whether objects are stored as they are. */
bool zstore_restore_is_copy(const struct zstore_restore *restore);

#endif

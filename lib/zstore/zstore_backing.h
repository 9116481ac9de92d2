/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_backing - pages of a disk that are in a slower store behind it
 *
 * Terms:
 *   backing    what is behind a disk: blocks of 4 KiB, by number from 0. The
 *              library does no I/O; whoever has the backing does.
 *   backed     a page whose content is in a block, and in no object.
 *   write out  to make pages backed ones. Their objects go as they are: nothing
 *              is decompressed for it, nor compressed.
 *
 * A block has either one page, raw, or as many objects as fit, with a directory
 * of whose they are (block.h). A slot says in which block its page is. A block
 * is free again when the last of its pages was written, trimmed, or written out
 * to another one. The image has a checksum of each block, so that nothing wrong
 * is returned, whatever happened to the backing.
 *
 * New before old: a block is written before any slot names it, and an object is
 * freed only after that. So a process may end at any instruction; what was
 * being written is a free block, and all pages still have their objects. How
 * many pages a block has follows from the slots, and is made anew by adoption.
 *
 * Reading: a context that waits reads by itself. One that never waits
 * (zstore_ctx_never_wait()) is answered with -EINPROGRESS where a block is not
 * here yet, and asks again when it is told that blocks have come. It is so
 * answered before anything is done, and reads at most ZSTORE_NEED_MAX pages at
 * once. A page that could not be read is -EIO, and stays what it is: it is not
 * damaged, and another try may succeed.
 *
 * Threads: one at a time may write out. All else from any.
 * Source: Linux drivers/block/zram/zram_drv.c, its attribute "writeback"; that
 * has one block for each page, compressed or not.
 */
#ifndef ZSD_ZSTORE_ZSTORE_BACKING_H
#define ZSD_ZSTORE_ZSTORE_BACKING_H

#include "zstore/zstore.h"
#include "zstore/zstore_order.h"

/* Pages that a context which never waits reads at once: a piece of 64 KiB that
 * begins in the middle of one. */
#define ZSTORE_NEED_MAX 17u

/* Most blocks: what a slot can say. */
#define ZSTORE_MAX_BLOCKS UINT32_MAX

/* What the image keeps for whoever has the backing, bytes. */
#define ZSTORE_BACKING_AREA_BYTES ZSD_PAGE_BYTES

/*
 * zstore_backing_area() - room for what is to be kept with the image
 *
 * A key, say: it is in no file and no dump. ZSTORE_BACKING_AREA_BYTES, all zero
 * in a new image. NULL without a backing.
 */
void *zstore_backing_area(struct zstore *store);

/* zstore_ctx_never_wait() - for who serves clients: see above */
void zstore_ctx_never_wait(struct zstore_ctx *ctx);

/* Which pages are written out. All that is asked for must be so. */
struct zstore_writeback {
	bool is_idle; /* marked: see zstore_mark_idle() */
	bool is_huge; /* stored raw */
	bool is_incompressible; /* recompressing it gained nothing */
	bool singly; /* no block has more than one page, as zram's */
	uint32_t since_s; /* not accessed since; UINT32_MAX: whenever */
	uint64_t first; /* of the disk's pages */
	uint64_t end; /* behind the last one; 0: the disk's */
};

/* Where it is, and what it did. {0} to begin with. */
struct zstore_writing {
	struct zstore_order order;

	uint64_t nr_tried; /* pages that were in blocks which were written */
	uint64_t nr_done; /* those of them that are backed now */
	uint64_t bytes; /* that their objects had */
	uint64_t nr_blocks; /* that were written */
};

/* Pages in one block. A directory of more would take much of it; so short an
 * object is next to none. */
#define ZSTORE_BLOCK_PAGES 63u

/* A block that is being filled, or written. {0} to begin with. */
struct zstore_block_out {
	bool is_begun; /* it has a number, which nobody else takes */
	uint32_t number;
	unsigned nr; /* pages in it */
	uint32_t used_bytes; /* of objects */
	uint32_t sum;
	struct {
		uint64_t index;
		uint64_t slot;
	} pages[ZSTORE_BLOCK_PAGES];
	_Alignas(ZSD_PAGE_BYTES) unsigned char bytes[ZSD_PAGE_BYTES];
};

/**
 * zstore_writeback_fill() - take the next pages, and make a block of them
 * @ctx: of a store that has a backing; it waits
 * @how: the same each time
 * @at:  the caller's
 * @out: one that is new, or that this call had no more looks for
 * @max_looks: at slots, at least 1
 *
 * The longest objects come first; what they leave of a block is filled with the
 * longest that fit. A page whose object others share is passed over, as by
 * recompression. Whoever is answered 1 writes the block, and says how that went
 * by zstore_writeback_end(). There may be several blocks under way.
 *
 * Return: 1 where @out is to be written; 0 where there are no more pages;
 *   -EAGAIN  there were no more looks: it is to be called again
 *   -ENOSPC  the backing is full
 *   -ENOMEM  the system has no memory for the block's checksum, -ENOSPC too
 *            where mem_limit has no room for it
 *   -EINPROGRESS  the image was adopted, and is not rebuilt yet
 * With all but 1 and -EAGAIN, @out has nothing.
 */
int zstore_writeback_fill(struct zstore_ctx *ctx,
			  const struct zstore_writeback *how,
			  struct zstore_writing *at,
			  struct zstore_block_out *out,
			  unsigned max_looks) ZSD_MUST_CHECK;

/**
 * zstore_writeback_end() - a block was written, or could not be
 * @err: 0, or why not
 *
 * Its pages become backed, if they are still what was written, and as idle as
 * was asked for. Else they stay what they are. @out is new again.
 */
void zstore_writeback_end(struct zstore_ctx *ctx,
			  const struct zstore_writeback *how,
			  struct zstore_writing *at,
			  struct zstore_block_out *out, int err);

/* X(field): of struct zstore_backing_stats. */
#define ZSTORE_BACKING_STAT(X)                                     \
	X(blocks_used) /* that have pages, or are being written */ \
	X(blocks) /* there are */                                  \
	X(pages_backed) /* now */                                  \
	X(bytes_backed) /* of their objects */                     \
	X(block_reads) /* times that a page was read from one */

struct zstore_backing_stats {
#define ZSTORE_STAT_FIELD(name) uint64_t name;
	ZSTORE_BACKING_STAT(ZSTORE_STAT_FIELD)
#undef ZSTORE_STAT_FIELD
};

/* zstore_backing_stats() - as zstore_stats(); zeros without a backing */
void zstore_backing_stats(struct zstore *store,
			  struct zstore_backing_stats *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_recompress - have the secondary codec make stored pages shorter
 *
 * What comes in is compressed fast; of what stays, a denser codec makes less.
 * A page becomes the secondary codec's if that puts its object into a smaller
 * size class of the pool: else it would take as much as before. If not, its
 * slot says so until the page is written anew, and it is passed over.
 *
 * As zram does it, but that zram asks for the class of an object without its
 * handle, and so may take a page for shorter that takes as much. The order is
 * that of zstore_order.h.
 *
 * A page whose object others share is passed over: it would get one of its own,
 * and its old one would stay. So pages are recompressed first, and shared then:
 * see zstore_share.h.
 *
 * A page is published only if nobody has written it meanwhile, new before old,
 * so that a process may end at any instruction. It is no access to the page.
 *
 * What the codec needs to make pages shorter, such as plz's tables of up to
 * 380 KiB, is there only meanwhile: from the first page that a context tries,
 * within mem_limit, until zstore_recompress_end().
 *
 * Threads: a cursor is one thread's at a time; I/O goes on beside it.
 * Source: Linux drivers/block/zram/zram_drv.c, its attribute "recompress".
 */
#ifndef ZSD_ZSTORE_ZSTORE_RECOMPRESS_H
#define ZSD_ZSTORE_ZSTORE_RECOMPRESS_H

#include "zstore/zstore.h"
#include "zstore/zstore_order.h"

/* Which pages. All that is asked for must be so. */
struct zstore_recompress {
	bool is_idle; /* marked: see zstore_mark_idle() */
	bool is_huge; /* stored raw */
	/* Made by the secondary codec, with another dictionary than its current
	 * one, too. */
	bool again;
	uint32_t since_s; /* not accessed since; UINT32_MAX: whenever */
	/* Of so many bytes at least; and they must become shorter than that.
	 * 0: of any length. Below zstore_huge_class_size(). */
	uint32_t threshold_bytes;
	uint64_t max_pages; /* that are tried at most; 0: all */
};

/* Where it is, and what it did. {0} to begin with. */
struct zstore_recompressing {
	struct zstore_order order;
	uint64_t nr_tried; /* pages */
	uint64_t nr_done; /* that are the secondary codec's now */
	uint64_t bytes_before; /* of those, in all */
	uint64_t bytes_after;
};

/**
 * zstore_recompress() - try the next page
 * @ctx:   of a store that has a secondary codec
 * @how:   the same each time
 * @at:    the caller's
 * @max_looks: at slots, at least 1, after which it returns without a page
 *
 * Context: may wait for memory, as a write does, but holds no lock then.
 * Cost: up to 10 ns a look; a page is decompressed, compressed by the secondary
 * codec, and decompressed once more, to see that it is still the same.
 * Return: 1 where there may be more; 0 at the end; or
 *   -ENOSPC, -ENOMEM  there is no room for the new object, though it would be
 *            shorter, or none for what the codec needs: the same page comes
 *            again
 *   -EIO     the codec's current dictionary is damaged
 *   -EINPROGRESS  the image was adopted, and is not rebuilt yet
 */
int zstore_recompress(struct zstore_ctx *ctx,
		      const struct zstore_recompress *how,
		      struct zstore_recompressing *at,
		      unsigned max_looks) ZSD_MUST_CHECK;

/**
 * zstore_recompress_end() - give back what recompression took
 *
 * After the last call, whatever that returned, and before a longer pause: the
 * next call takes it anew, some 0.7 ms. Destroying the context does so, too.
 */
void zstore_recompress_end(struct zstore_ctx *ctx);

#endif

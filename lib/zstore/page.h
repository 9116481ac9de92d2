/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page - what is done to one page of the disk, inside the store */
#ifndef ZSD_ZSTORE_PAGE_H
#define ZSD_ZSTORE_PAGE_H

#include "zstore/zstore_internal.h"

/* --- page_backed.c: pages in blocks ---------------------------------------- */

/*
 * Have the block that page @index, whose slot says @slot, is in, in the scratch
 * memory. Return: 0, also where it says something else by now; -EINPROGRESS
 * where the context does not wait for it; -EREMOTEIO where it cannot be read;
 * -EIO where it is not what was written.
 */
int page_bring(struct zstore_ctx *ctx, uint64_t index,
	       uint64_t slot) ZSD_MUST_CHECK;

/*
 * What such a page has in it, until the next page_bring(). Return: NULL where
 * it is not there: @err receives -ENODATA where that is to be called, -EAGAIN
 * where the page is another by now, or -EIO.
 */
const void *page_in_block(const struct zstore_ctx *ctx, uint64_t index,
			  uint64_t slot, int *err);

/* Afterwards: whether that was the page's. */
bool page_was_in_block(const struct zstore_ctx *ctx, uint64_t index,
		       uint64_t slot);

/* Before pages [first, end) are read: 0, or -EINPROGRESS where blocks of them
 * are not here, and the context does not wait. */
int page_need(struct zstore_ctx *ctx, uint64_t first,
	      uint64_t end) ZSD_MUST_CHECK;

/*
 * Page @index, whose slot said @slot, is in a block now, as @bytes. Return: 0,
 * or -ESTALE where it is not that any more.
 */
int page_move_out(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		  const void *bytes, uint32_t block) ZSD_MUST_CHECK;

/* --- page_read.c: one page, @index being inside the disk ------------------ */

/* Read it. 0, or garbage in @dst and -EIO; or -EINPROGRESS: see page_bring(). */
int page_load(struct zstore_ctx *ctx, uint64_t index, void *dst) ZSD_MUST_CHECK;

/*
 * Read it as @slot, which it said a moment ago. Return: 0, -EIO, -EAGAIN where
 * it says something else by now, -ESTALE where its handle is not live though it
 * says the same again, or -ENODATA where page_bring() is to be called first.
 */
int page_load_slot(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		   void *dst) ZSD_MUST_CHECK;

/* What the object of page @index, which @slot names, is known by: 32 bits that
 * objects of other bytes most probably differ in. As page_load_slot(). */
int page_sum(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
	     uint32_t *sum) ZSD_MUST_CHECK;

/* Copy its bytes as they are to @dst, room for a page. As page_load_slot(). */
int page_load_object(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		     void *dst) ZSD_MUST_CHECK;

/* Pass an error on; count and tell if it is that the page is damaged. Where a
 * block cannot be read, it is not, and -EIO all the same. */
int page_note_damage(struct zstore_ctx *ctx, uint64_t index, int err);

/*
 * Copy what is stored for it to @dst, room for a page: the object's bytes as
 * they are, if it has one. @slot receives what the page was then, without the
 * lock; what it says of an object's handle is old by now. If that one is
 * compressed, the scratch page has what it makes. 0, or -EIO.
 */
int page_copy(struct zstore_ctx *ctx, uint64_t index, void *dst,
	      uint64_t *slot) ZSD_MUST_CHECK;

/* Bring near what reading or replacing it will touch. */
void page_prefetch(const struct zstore *store, uint64_t index,
		   enum zstore_stage stage);

/* --- page.c: the same, changing it ---------------------------------------- */

/* Replace all of it. 0, -ENOSPC, -ENOMEM; the page is then as it was. */
int page_store(struct zstore_ctx *ctx, uint64_t index,
	       const void *src) ZSD_MUST_CHECK;

/*
 * Replace all of it by what a codec of the store makes that page of: @bytes at
 * @src, less than a page, and its dictionary of that number, which must not go
 * meanwhile. As page_store().
 */
int page_put(struct zstore_ctx *ctx, uint64_t index, const void *src,
	     uint32_t bytes, enum zstore_codec codec,
	     unsigned dict) ZSD_MUST_CHECK;

/*
 * Replace @bytes from @at on, with zeros if @src is NULL; an empty page stays
 * empty then. As page_store(), and as page_load() where it cannot be read.
 */
int page_patch(struct zstore_ctx *ctx, uint64_t index, uint32_t at,
	       uint32_t bytes, const void *src) ZSD_MUST_CHECK;

/* Publish @new where @old is locked, and release that. */
void page_replace(struct zstore_ctx *ctx, uint64_t index, uint64_t old,
		  uint64_t new);

/* Put memory behind a page of the image, which @is_there tells of. Two threads
 * may do so at once. Return: 0, -ENOSPC or -ENOMEM. */
int page_commit_table(struct zstore *store, _Atomic uint8_t *is_there,
		      uint64_t offset, enum zs_alloc how) ZSD_MUST_CHECK;

/*
 * Have the secondary codec, with the dictionary that is ready for the context,
 * make its object shorter, if its slot, of which that
 * is an object's, still says @slot. If that puts it into no smaller size class,
 * or makes it no shorter than @below_bytes, it stays, and the slot says that it
 * is incompressible.
 * @len_bytes: receives its length now
 * May wait for memory. Return: 0, or, nothing having changed, -ESTALE where the
 * page is another by now; -ENOSPC, -ENOMEM where there is no room, and -EIO.
 */
int page_recompress(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		    uint32_t below_bytes, uint32_t *len_bytes) ZSD_MUST_CHECK;

/* Forget it, and count it if there was anything. 0, or -EIO: it stays. */
int page_discard(struct zstore_ctx *ctx, uint64_t index);

/*
 * A slot that named an object, which was sound, does so no more: free it, if it
 * was the last one. @freed_bytes receives how long what was freed is. Return:
 * false where damage made it the object of nobody knows how many: it stays.
 */
bool page_release_object(struct zstore_ctx *ctx, uint64_t slot,
			 uint32_t *freed_bytes);

/* --- page_share.c ---------------------------------------------------------- */

/* A page, and what its slot said: it is an object's, but no word's. */
struct page_seen {
	uint64_t index;
	uint64_t slot;
};

/*
 * Make the object of @first that of @second, too, if both slots still say what
 * they did, if both objects were made the same way, and have the same bytes.
 * @freed_bytes: receives how much that freed
 * Return: 0, or, nothing having changed, -EAGAIN where a slot says something
 * else by now or is locked; -EMLINK where together they would have too many
 * pages; -ENOENT where the objects are not equal, -EIO where one is damaged.
 */
int page_share(struct zstore_ctx *ctx, const struct page_seen *first,
	       const struct page_seen *second,
	       uint32_t *freed_bytes) ZSD_MUST_CHECK;

#endif

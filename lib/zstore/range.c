/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges of the disk, cut into pages: the calls of zstore.h that do I/O.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "zstore/page.h"

/* The part of a range that lies in one page. */
struct piece {
	uint64_t index; /* of the page */
	uint32_t at; /* first byte in the page */
	uint32_t bytes;
};

static struct piece first_piece(uint64_t offset, uint64_t bytes)
{
	struct piece piece = {
		.index = offset / ZSD_PAGE_BYTES,
		.at = (uint32_t)(offset % ZSD_PAGE_BYTES),
	};

	piece.bytes = (uint32_t)min_u64(bytes, ZSD_PAGE_BYTES - piece.at);
	return piece;
}

static bool is_whole(const struct piece *piece)
{
	return piece->bytes == ZSD_PAGE_BYTES;
}

/* How many pages a range touches; it is not empty. */
static int64_t count_pages(uint64_t offset, uint64_t bytes)
{
	return (int64_t)((offset + bytes - 1) / ZSD_PAGE_BYTES -
			 offset / ZSD_PAGE_BYTES + 1);
}

/* A write failed at the first page of what is left, with @err. */
static int fail_write(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes,
		      int err)
{
	if (err == -EINPROGRESS)
		return err;
	count(ctx, COUNT_failed_writes, count_pages(offset, bytes));
	return err;
}

static int read_piece(struct zstore_ctx *ctx, const struct piece *piece,
		      void *dst)
{
	int err;

	if (is_whole(piece)) {
		err = page_load(ctx, piece->index, dst);
	} else {
		err = page_load(ctx, piece->index, ctx->scratch->page);
		memcpy(dst, ctx->scratch->page + piece->at, piece->bytes);
	}
	if (unlikely(err == -EINPROGRESS))
		return err;
	if (slot_exists(ctx->store, piece->index))
		zstore_touch(ctx->store, piece->index);
	if (err)
		count(ctx, COUNT_failed_reads, 1);
	return err;
}

void zstore_prefetch(const struct zstore_ctx *ctx, uint64_t offset,
		     enum zstore_stage stage)
{
	BUG_ON(!zstore_range_is_valid(ctx->store, offset, 1));
	page_prefetch(ctx->store, offset / ZSD_PAGE_BYTES, stage);
}

/* Page @index is about to be served; those up to @end come behind it. */
static void look_ahead(const struct zstore *store, uint64_t index, uint64_t end)
{
	if (index + 3 < end)
		page_prefetch(store, index + 3, ZSTORE_NEAR_SLOT);
	if (index + 2 < end)
		page_prefetch(store, index + 2, ZSTORE_NEAR_ENTRY);
	if (index + 1 < end)
		page_prefetch(store, index + 1, ZSTORE_NEAR_OBJECT);
}

/* The page behind the last one of a range. */
static uint64_t end_page(uint64_t offset, uint64_t bytes)
{
	return div_round_up(offset + bytes, ZSD_PAGE_BYTES);
}

int zstore_read(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		void *dst)
{
	uint64_t end = end_page(offset, bytes);
	unsigned char *to = dst;

	BUG_ON(!zstore_range_is_valid(ctx->store, offset, bytes));
	if (unlikely(page_need(ctx, offset / ZSD_PAGE_BYTES, end)))
		return -EINPROGRESS;
	while (bytes) {
		struct piece piece = first_piece(offset, bytes);
		int err;

		look_ahead(ctx->store, piece.index, end);
		err = read_piece(ctx, &piece, to);
		if (err)
			return err;
		offset += piece.bytes;
		to += piece.bytes;
		bytes -= piece.bytes;
	}
	return 0;
}

/* Before a change of a range: what it replaces a part of must be here. Return:
 * 0 or -EINPROGRESS. */
static int prepare_change(struct zstore_ctx *ctx, uint64_t offset,
			  uint64_t bytes)
{
	const struct zstore *store = ctx->store;
	const uint64_t end = offset + bytes;
	int err = 0;

	if (zstore_must_wait(store))
		return -EINPROGRESS;
	if (likely(!store->block_pages) || !bytes)
		return 0;
	if (offset % ZSD_PAGE_BYTES)
		err = page_need(ctx, offset / ZSD_PAGE_BYTES,
				offset / ZSD_PAGE_BYTES + 1);
	if (!err && end % ZSD_PAGE_BYTES)
		err = page_need(ctx, end / ZSD_PAGE_BYTES,
				end / ZSD_PAGE_BYTES + 1);
	return err;
}

static int write_piece(struct zstore_ctx *ctx, const struct piece *piece,
		       const void *src)
{
	int err;

	if (is_whole(piece))
		err = page_store(ctx, piece->index, src);
	else
		err = page_patch(ctx, piece->index, piece->at, piece->bytes,
				 src);
	if (!err)
		zstore_touch(ctx->store, piece->index);
	return err;
}

int zstore_write(struct zstore_ctx *ctx, uint64_t offset, size_t bytes,
		 const void *src)
{
	uint64_t end = end_page(offset, bytes);
	const unsigned char *from = src;

	BUG_ON(!zstore_range_is_valid(ctx->store, offset, bytes));
	if (unlikely(prepare_change(ctx, offset, bytes)))
		return -EINPROGRESS;
	while (bytes) {
		struct piece piece = first_piece(offset, bytes);
		int err;

		look_ahead(ctx->store, piece.index, end);
		err = write_piece(ctx, &piece, from);
		if (err)
			return fail_write(ctx, offset, bytes, err);
		offset += piece.bytes;
		from += piece.bytes;
		bytes -= piece.bytes;
	}
	return 0;
}

/* Discard pages [index, end). Return: how many of them could not be. */
static int64_t discard_pages(struct zstore_ctx *ctx, uint64_t index,
			     uint64_t end)
{
	int64_t nr_left = 0;

	while (index < end) {
		if (!slot_exists(ctx->store, index)) {
			index = align_down(index, SLOTS_PER_GROUP) +
				SLOTS_PER_GROUP;
			continue;
		}
		if (unlikely(page_discard(ctx, index++)))
			nr_left++;
	}
	return nr_left;
}

int zstore_trim(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	BUG_ON(!zstore_range_is_valid(ctx->store, offset, bytes));
	if (zstore_must_wait(ctx->store))
		return -EINPROGRESS;
	/* A page that cannot be discarded was reported as damaged. */
	(void)discard_pages(ctx, div_round_up(offset, ZSD_PAGE_BYTES),
			    (offset + bytes) / ZSD_PAGE_BYTES);
	return 0;
}

/* Zero the part of a page that a range begins or ends in. */
static int zero_edge(struct zstore_ctx *ctx, const struct piece *piece)
{
	int err = page_patch(ctx, piece->index, piece->at, piece->bytes, NULL);

	if (!err && slot_exists(ctx->store, piece->index))
		zstore_touch(ctx->store, piece->index);
	return err;
}

/* A range that begins with a page. */
static int zero_aligned(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	uint64_t last_bytes = bytes % ZSD_PAGE_BYTES;
	uint64_t end = offset + bytes - last_bytes;
	int64_t nr_left = discard_pages(ctx, offset / ZSD_PAGE_BYTES,
					end / ZSD_PAGE_BYTES);
	struct piece last = first_piece(end, last_bytes);
	int err = last_bytes ? zero_edge(ctx, &last) : 0;

	if (err == -EINPROGRESS)
		return err;
	count(ctx, COUNT_failed_writes, nr_left + (err ? 1 : 0));
	return nr_left ? -EIO : err;
}

int zstore_write_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	struct piece first = first_piece(offset, bytes);
	int err;

	BUG_ON(!zstore_range_is_valid(ctx->store, offset, bytes));
	if (unlikely(prepare_change(ctx, offset, bytes)))
		return -EINPROGRESS;
	if (bytes && !is_whole(&first)) {
		err = zero_edge(ctx, &first);
		if (err)
			return fail_write(ctx, offset, bytes, err);
		offset += first.bytes;
		bytes -= first.bytes;
	}
	return zero_aligned(ctx, offset, bytes);
}

int zstore_store_zeroes(struct zstore_ctx *ctx, uint64_t offset, uint64_t bytes)
{
	static const unsigned char zeros[ZSD_PAGE_BYTES];

	BUG_ON(!zstore_range_is_valid(ctx->store, offset, bytes));
	if (unlikely(prepare_change(ctx, offset, bytes)))
		return -EINPROGRESS;
	while (bytes) {
		struct piece piece = first_piece(offset, bytes);
		int err = write_piece(ctx, &piece, zeros);

		if (err)
			return fail_write(ctx, offset, bytes, err);
		offset += piece.bytes;
		bytes -= piece.bytes;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading one page of the disk, without a lock.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "zstore/fill.h"
#include "zstore/page.h"
#include "zstore/sum.h"

/* Whether the object that @slot names, pinned, has bytes that were not put
 * there, as far as checksums can tell. A block has its own. */
static bool is_damaged(const struct zstore *store, uint64_t slot,
		       const void *src)
{
	return store->params.checksum && slot_kind(slot) == SLOT_OBJECT &&
	       sum_object(src, slot_len_bytes(slot)) !=
		       zs_obj_tag(store->pool, slot_handle(slot));
}

/* The content of an object's bytes @src, which is pinned, into @dst. */
static int unpack(struct zstore_ctx *ctx, uint64_t slot, const void *src,
		  void *dst)
{
	const enum zstore_codec codec = slot_codec(slot);
	const struct zcomp_dict *dict =
		zstore_dict(ctx->store, codec, slot_dict(slot));
	uint64_t word;

	if (is_damaged(ctx->store, slot, src) || !ctx->zcomp[codec] ||
	    (slot_dict(slot) && !dict))
		return -EIO;
	if (slot_is_word(slot)) {
		memcpy(&word, src, sizeof(word));
		fill_page(dst, word);
		return 0;
	}
	if (slot_is_huge(slot)) {
		memcpy(dst, src, ZSD_PAGE_BYTES);
		return 0;
	}
	return zcomp_decompress(ctx->zcomp[codec], dict, src,
				slot_len_bytes(slot), dst, ZSD_PAGE_BYTES);
}

/* The same as it is stored. That it makes a page is seen in the scratch page. */
static int copy_out(struct zstore_ctx *ctx, uint64_t slot, const void *src,
		    void *dst)
{
	int err = unpack(ctx, slot, src, ctx->scratch->page);

	if (!err)
		memcpy(dst, src, slot_len_bytes(slot));
	return err;
}

/* What it is known by, into the uint32_t at @dst. */
static int take_sum(struct zstore_ctx *ctx, uint64_t slot, const void *src,
		    void *dst)
{
	const struct zstore *store = ctx->store;

	*(uint32_t *)dst = store->params.checksum
				   ? zs_obj_tag(store->pool, slot_handle(slot))
				   : sum_object(src, slot_len_bytes(slot));
	return 0;
}

static int take_bytes(struct zstore_ctx *ctx, uint64_t slot, const void *src,
		      void *dst)
{
	if (is_damaged(ctx->store, slot, src))
		return -EIO;
	memcpy(dst, src, slot_len_bytes(slot));
	return 0;
}

/*
 * Have @take look at the object of page @index that @slot names, while its slot
 * says the same: without a lock, another thread may replace it before its
 * object is pinned.
 * Return: what @take does, -EAGAIN where it was replaced, or -ESTALE where its
 * handle is not live though the slot says the same again.
 */
static inline int take_object(struct zstore_ctx *ctx, uint64_t index,
			      uint64_t slot,
			      int (*take)(struct zstore_ctx *ctx, uint64_t slot,
					  const void *src, void *dst),
			      void *dst)
{
	const _Atomic uint64_t *home = &ctx->store->slots[index];
	struct zs_pool *pool = ctx->store->pool;
	const void *src;
	int err;

	err = zs_obj_read_begin(pool, slot_handle(slot), slot_len_bytes(slot),
				ctx->scratch->object, &src);
	if (err)
		return slot_load(home) == slot ? err : -EAGAIN;
	if (slot_load(home) == slot)
		err = take(ctx, slot, src, dst);
	else
		err = -EAGAIN;
	zs_obj_read_end(pool, slot_handle(slot));
	return err;
}

/* The same of a page that is in a block, or -ENODATA where that is not here. */
static int take_backed(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		       int (*take)(struct zstore_ctx *ctx, uint64_t slot,
				   const void *src, void *dst),
		       void *dst)
{
	const _Atomic uint64_t *home = &ctx->store->slots[index];
	int err;
	const void *src = page_in_block(ctx, index, slot, &err);

	if (!src)
		return err;
	/* Say so, then see whether the page still keeps its dictionary there:
	 * then that is not let go of before this is taken back. */
	atomic_store(&ctx->dict_read, slot_dict(slot));
	err = -EAGAIN;
	if ((atomic_load(home) & ~SLOT_LOCKED) == slot)
		err = take(ctx, slot, src, dst);
	atomic_store_explicit(&ctx->dict_read, 0, memory_order_release);
	return page_was_in_block(ctx, index, slot) ? err : -EAGAIN;
}

/* How page @index is read as @slot says. Return: 0, -EIO, or what
 * take_object() and take_backed() do. */
typedef int read_slot(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		      void *dst);

int page_load_slot(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		   void *dst)
{
	if (unlikely(!slot_is_sound(slot, index)))
		return -EIO;
	if (slot_kind(slot) == SLOT_EMPTY) {
		memset(dst, 0, ZSD_PAGE_BYTES);
		return 0;
	}
	if (slot_kind(slot) == SLOT_FILLED) {
		fill_page(dst, slot_filled_word(slot));
		return 0;
	}
	if (unlikely(slot_kind(slot) == SLOT_BACKED))
		return take_backed(ctx, index, slot, unpack, dst);
	return take_object(ctx, index, slot, unpack, dst);
}

int page_sum(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
	     uint32_t *sum)
{
	return take_object(ctx, index, slot, take_sum, sum);
}

int page_load_object(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		     void *dst)
{
	return take_object(ctx, index, slot, take_bytes, dst);
}

/* Its object as it is, if it has one. */
static int copy_slot(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		     void *dst)
{
	if (unlikely(!slot_is_sound(slot, index)))
		return -EIO;
	if (slot_kind(slot) == SLOT_BACKED)
		return take_backed(ctx, index, slot, copy_out, dst);
	return slot_kind(slot) == SLOT_OBJECT
		       ? take_object(ctx, index, slot, copy_out, dst)
		       : 0;
}

/*
 * The handle was dead, yet the slot has not changed. Either the page was
 * written twice meanwhile and got the same handle back, or it is lost. With the
 * slot locked nobody can write it: if the handle is still dead, the page is
 * lost.
 */
static int read_locked(struct zstore_ctx *ctx, uint64_t index, read_slot *read,
		       void *dst, uint64_t *slot)
{
	_Atomic uint64_t *home = &ctx->store->slots[index];
	int err;

	/* A lock may be a dead thread's: there are no others yet. */
	zstore_need_settled(ctx->store);
	if (!slot_lock(home, slot))
		return -EIO;
	err = read(ctx, index, *slot, dst);
	slot_publish(home, *slot);
	if (err == -ENODATA) /* it was written out meanwhile */
		return -EAGAIN;
	return err ? -EIO : 0;
}

int page_note_damage(struct zstore_ctx *ctx, uint64_t index, int err)
{
	const struct zstore_params *params = &ctx->store->params;

	if (err == -EREMOTEIO)
		return -EIO;
	if (likely(err != -EIO))
		return err;
	count(ctx, COUNT_corrupt_reads, 1);
	if (params->damaged)
		params->damaged(params->damaged_arg, index);
	return err;
}

/* @slot receives what it was read as. */
static inline int read_page(struct zstore_ctx *ctx, uint64_t index,
			    read_slot *read, void *dst, uint64_t *slot)
{
	const _Atomic uint64_t *home = &ctx->store->slots[index];
	int err;

	do {
		*slot = slot_load(home);
		err = read(ctx, index, *slot, dst);
		if (unlikely(err == -ENODATA)) {
			err = page_bring(ctx, index, *slot);
			err = err ? err : -EAGAIN;
		}
		if (unlikely(err == -ESTALE))
			err = read_locked(ctx, index, read, dst, slot);
	} while (err == -EAGAIN);
	return page_note_damage(ctx, index, err);
}

int page_load(struct zstore_ctx *ctx, uint64_t index, void *dst)
{
	uint64_t slot;

	if (!slot_exists(ctx->store, index)) {
		memset(dst, 0, ZSD_PAGE_BYTES);
		return 0;
	}
	return read_page(ctx, index, page_load_slot, dst, &slot);
}

int page_copy(struct zstore_ctx *ctx, uint64_t index, void *dst, uint64_t *slot)
{
	*slot = 0;
	if (!slot_exists(ctx->store, index))
		return 0;
	return read_page(ctx, index, copy_slot, dst, slot);
}

void page_prefetch(const struct zstore *store, uint64_t index,
		   enum zstore_stage stage)
{
	uint64_t slot;

	if (!slot_exists(store, index))
		return;
	if (stage == ZSTORE_NEAR_SLOT) {
		prefetch(&store->slots[index]);
		prefetch(&store->ages[index]);
		return;
	}
	slot = slot_load(&store->slots[index]);
	if (slot_kind(slot) != SLOT_OBJECT)
		return;
	if (stage == ZSTORE_NEAR_ENTRY)
		zs_handle_prefetch(store->pool, slot_handle(slot));
	else
		zs_obj_prefetch(store->pool, slot_handle(slot),
				slot_len_bytes(slot));
}

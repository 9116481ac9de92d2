/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages in blocks: bringing them, and putting them there.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "zstore/block.h"
#include "zstore/page.h"
#include "zstore/sum.h"

/*
 * Reads of one block before it is taken for damaged. The first may have been of
 * what was in it before: it became free, was written and named again just then.
 */
#define MAX_LOOKS 2u

static bool is_brought(const struct zstore_ctx *ctx, uint32_t block)
{
	const struct zstore_scratch *scratch = ctx->scratch;

	return scratch->block_store == ctx->store &&
	       scratch->block_number == block &&
	       scratch->block_sum == zstore_block_sum(ctx->store, block);
}

/* Without waiting. */
static int get(const struct zstore_backing *backing, uint32_t block, void *dst)
{
	int err;

	do {
		err = backing->get(backing->arg, block, dst);
		if (err != -ENOENT)
			return err;
		err = backing->need(backing->arg, &block, 1);
	} while (!err);
	return err;
}

/* Return: 0; -EAGAIN where it is not what was written, or was being replaced. */
static int bring(struct zstore_ctx *ctx, uint32_t block)
{
	const struct zstore_backing *backing = &ctx->store->params.backing;
	struct zstore_scratch *scratch = ctx->scratch;
	const uint32_t sum = zstore_block_sum(ctx->store, block);
	int err;

	scratch->block_store = NULL;
	if (ctx->never_waits)
		err = get(backing, block, scratch->block);
	else
		err = backing->read(backing->arg, block, scratch->block);
	if (err)
		return err;
	count(ctx, COUNT_block_reads, 1);
	if (sum_object(scratch->block, ZSD_PAGE_BYTES) != sum)
		return -EAGAIN;
	scratch->block_store = ctx->store;
	scratch->block_number = block;
	scratch->block_sum = sum;
	return 0;
}

static bool says(const struct zstore *store, uint64_t index, uint64_t slot)
{
	return slot_load(&store->slots[index]) == slot;
}

int page_bring(struct zstore_ctx *ctx, uint64_t index, uint64_t slot)
{
	const uint32_t block = slot_block(slot);
	int err = -EAGAIN;

	if (slot_kind(slot) != SLOT_BACKED)
		return 0;
	if (unlikely(block >= ctx->store->header.nr_blocks))
		return -EIO;
	for (unsigned i = 0; i < MAX_LOOKS && err == -EAGAIN; i++)
		err = bring(ctx, block);
	if (err == -EINPROGRESS || !err)
		return err;
	if (!says(ctx->store, index, slot))
		return 0;
	return err == -EAGAIN ? -EIO : err;
}

const void *page_in_block(const struct zstore_ctx *ctx, uint64_t index,
			  uint64_t slot, int *err)
{
	const unsigned char *block = ctx->scratch->block;
	const void *found;

	*err = -EIO;
	if (unlikely(slot_block(slot) >= ctx->store->header.nr_blocks))
		return NULL;
	if (!is_brought(ctx, slot_block(slot))) {
		*err = -ENODATA;
		return NULL;
	}
	found = slot_is_huge(slot) ? block
				   : block_find(block, (uint32_t)index,
						slot_len_bytes(slot));
	/* It is what a block of that number had, but not this page's. */
	if (!found && !says(ctx->store, index, slot))
		*err = -EAGAIN;
	return found;
}

/* --- asking for them ------------------------------------------------------- */

static void note_block(uint32_t block, uint32_t *blocks, unsigned *nr)
{
	for (unsigned i = 0; i < *nr; i++) {
		if (blocks[i] == block)
			return;
	}
	blocks[(*nr)++] = block;
}

int page_need(struct zstore_ctx *ctx, uint64_t first, uint64_t end)
{
	const struct zstore *store = ctx->store;
	const struct zstore_backing *backing = &store->params.backing;
	uint32_t blocks[ZSTORE_NEED_MAX];
	unsigned nr = 0;

	if (likely(!store->block_pages) || !ctx->never_waits)
		return 0;
	for (uint64_t i = first; i < end && nr < ZSTORE_NEED_MAX; i++) {
		uint64_t slot =
			slot_exists(store, i) ? slot_load(&store->slots[i]) : 0;

		if (slot_kind(slot) == SLOT_BACKED && slot_is_sound(slot, i) &&
		    slot_block(slot) < store->header.nr_blocks &&
		    !is_brought(ctx, slot_block(slot)))
			note_block(slot_block(slot), blocks, &nr);
	}
	return nr ? backing->need(backing->arg, blocks, nr) : 0;
}

/* --- putting them there ---------------------------------------------------- */

/* Whether a page, locked, still has the object that was copied: its slot alone
 * does not tell; see page_recompress(). */
static bool has_object(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		       const void *bytes)
{
	unsigned char *now = ctx->scratch->compressed;

	return !page_load_object(ctx, index, slot, now) &&
	       !memcmp(now, bytes, slot_len_bytes(slot));
}

int page_move_out(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		  const void *bytes, uint32_t block)
{
	_Atomic uint64_t *home = &ctx->store->slots[index];

	if (!slot_try_lock(home, slot))
		return -ESTALE;
	if (zstore_has_sharers(ctx->store, slot) ||
	    !has_object(ctx, index, slot, bytes)) {
		slot_publish(home, slot);
		return -ESTALE;
	}
	zstore_blocks_add(ctx->store, block);
	page_replace(ctx, index, slot, slot_make_backed(index, slot, block));
	zstore_unmark_idle(ctx->store, index);
	return 0;
}

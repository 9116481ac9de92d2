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

/* In the scratch memory, or NULL. */
static struct zstore_brought *find_brought(const struct zstore_ctx *ctx,
					   uint32_t block)
{
	const struct zstore *store = ctx->store;
	struct zstore_brought *brought = ctx->scratch->brought;

	for (unsigned i = 0; i < ZSTORE_NEED_MAX; i++, brought++) {
		if (brought->store != store || brought->number != block ||
		    brought->sum != zstore_block_sum(store, block))
			continue;
		brought->used = ++ctx->scratch->clock;
		return brought;
	}
	return NULL;
}

/* The one that was not used for the longest time: none that page_need() found
 * or asked for. */
static struct zstore_brought *take_oldest(struct zstore_scratch *scratch)
{
	struct zstore_brought *oldest = scratch->brought;

	for (unsigned i = 1; i < ZSTORE_NEED_MAX; i++) {
		if (scratch->brought[i].used < oldest->used)
			oldest = &scratch->brought[i];
	}
	oldest->store = NULL;
	oldest->used = ++scratch->clock;
	return oldest;
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

static bool says(const struct zstore *store, uint64_t index, uint64_t slot)
{
	return slot_load(&store->slots[index]) == slot;
}

/*
 * Return: 0; -EAGAIN where its page went, or another block of that number came,
 * meanwhile. That the slot says it after the checksum was looked at means that
 * it was written before: it can only be what it was when it was written.
 */
static int bring(struct zstore_ctx *ctx, uint64_t index, uint64_t slot)
{
	const struct zstore *store = ctx->store;
	const struct zstore_backing *backing = &store->params.backing;
	const uint32_t block = slot_block(slot);
	const uint32_t sum = zstore_block_sum(store, block);
	struct zstore_brought *to = take_oldest(ctx->scratch);
	int err;

	if (!says(store, index, slot))
		return -EAGAIN;
	if (ctx->never_waits)
		err = get(backing, block, to->bytes);
	else
		err = backing->read(backing->arg, block, to->bytes);
	if (err)
		return err;
	count(ctx, COUNT_block_reads, 1);
	if (sum_object(to->bytes, ZSD_PAGE_BYTES) != sum)
		return says(store, index, slot) &&
				       zstore_block_sum(store, block) == sum
			       ? -EIO
			       : -EAGAIN;
	to->number = block;
	to->sum = sum;
	to->store = store;
	return 0;
}

int page_bring(struct zstore_ctx *ctx, uint64_t index, uint64_t slot)
{
	int err;

	if (slot_kind(slot) != SLOT_BACKED)
		return 0;
	if (unlikely(slot_block(slot) >= ctx->store->header.nr_blocks))
		return -EIO;
	do {
		err = bring(ctx, index, slot);
	} while (err == -EAGAIN && says(ctx->store, index, slot));
	if (err == -EINPROGRESS || !err)
		return err;
	return says(ctx->store, index, slot) ? err : 0;
}

bool page_was_in_block(const struct zstore_ctx *ctx, uint64_t index,
		       uint64_t slot)
{
	/* The block as well: the page may have been written out again, into
	 * another one of that number. */
	return says(ctx->store, index, slot) &&
	       find_brought(ctx, slot_block(slot));
}

const void *page_in_block(const struct zstore_ctx *ctx, uint64_t index,
			  uint64_t slot, int *err)
{
	const struct zstore_brought *brought;
	const void *found;

	*err = -EIO;
	if (unlikely(slot_block(slot) >= ctx->store->header.nr_blocks))
		return NULL;
	brought = find_brought(ctx, slot_block(slot));
	if (!brought) {
		*err = -ENODATA;
		return NULL;
	}
	found = slot_is_huge(slot) ? brought->bytes
				   : block_find(brought->bytes, (uint32_t)index,
						slot_len_bytes(slot));
	/* It is what a block of that number had, but not this page's. */
	if (!found && !page_was_in_block(ctx, index, slot))
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
		    !find_brought(ctx, slot_block(slot)))
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

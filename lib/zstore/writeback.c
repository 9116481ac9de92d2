/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing pages out: which, and into which block.
 */
#include "config.h"

#include <errno.h>

#include "zstore/block.h"
#include "zstore/order.h"
#include "zstore/page.h"
#include "zstore/sum.h"

/* What is looked for, worked out once for some looks. */
struct search {
	const struct zstore *store;
	const struct zstore_writeback *how;
	uint64_t end;
	struct zstore_old old;
};

static void search_begin(struct search *search, const struct zstore *store,
			 const struct zstore_writeback *how)
{
	search->store = store;
	search->how = how;
	search->end = how->end ? how->end : store->nr_slots;
	zstore_find_old(store, how->since_s, &search->old);
}

/* Whether it has rested as long as is asked for. */
static bool rests(const struct search *search, uint64_t index)
{
	return (!search->how->is_idle ||
		zstore_is_idle(search->store, index)) &&
	       zstore_is_old(search->store, index, &search->old);
}

static bool is_due(const void *arg, uint64_t index, uint64_t slot)
{
	const struct search *search = arg;
	const struct zstore_writeback *how = search->how;

	return index >= how->first && index < search->end &&
	       (!how->is_huge || slot_is_huge(slot)) &&
	       (!how->is_incompressible || slot & SLOT_INCOMPRESSIBLE) &&
	       (slot_is_huge(slot) ||
		slot_len_bytes(slot) <= block_room(0, 0)) &&
	       !zstore_has_sharers(search->store, slot) && rests(search, index);
}

/* --- filling --------------------------------------------------------------- */

static int begin(struct zstore_ctx *ctx, struct zstore_block_out *out)
{
	int err;

	if (out->is_begun)
		return 0;
	count(ctx, COUNT_changes_begun, 1);
	err = zstore_blocks_take(ctx, &out->number);
	if (err)
		count(ctx, COUNT_changes_ended, 1);
	out->is_begun = !err;
	return err;
}

/* It was written or not, or never was to be. */
static void finish(struct zstore_ctx *ctx, struct zstore_block_out *out)
{
	if (!out->is_begun)
		return;
	(void)zstore_blocks_put(ctx, out->number);
	count(ctx, COUNT_changes_ended, 1);
	out->is_begun = false;
	out->nr = 0;
	out->used_bytes = 0;
}

/* How long the next object may be; 0: there is no room. */
static uint32_t room_in(const struct zstore_block_out *out,
			const struct zstore_writeback *how)
{
	if (!out->nr)
		return ZSD_PAGE_BYTES;
	if (how->singly || out->nr == ZSTORE_BLOCK_PAGES)
		return 0;
	return block_room(out->nr, out->used_bytes);
}

/* Where the object of a page goes, for which there is room. */
static unsigned char *place(struct zstore_block_out *out, uint64_t index,
			    uint64_t slot)
{
	if (slot_is_huge(slot))
		return out->bytes;
	return block_add(out->bytes, out->nr, out->used_bytes, (uint32_t)index,
			 slot_len_bytes(slot));
}

static void add(struct zstore_ctx *ctx, struct zstore_block_out *out,
		uint64_t index, uint64_t slot)
{
	if (page_load_object(ctx, index, slot, place(out, index, slot)))
		return; /* changed meanwhile, or damaged */
	out->pages[out->nr].index = index;
	out->pages[out->nr].slot = slot;
	out->nr++;
	/* Of a raw one nothing is left. */
	out->used_bytes += slot_len_bytes(slot);
}

/* As zstore_writeback_fill(), but 0 where nothing more fits, too. */
static int add_pages(struct zstore_ctx *ctx, const struct search *search,
		     struct zstore_writing *at, struct zstore_block_out *out,
		     unsigned looks)
{
	const struct order_search due = {
		.store = search->store, .is_due = is_due, .arg = search};
	uint64_t index, slot;
	uint32_t room;
	int found, err;

	while ((room = room_in(out, search->how))) {
		found = order_next(&at->order, &due, room, &looks, &index,
				   &slot);
		if (found <= 0)
			return found;
		err = begin(ctx, out);
		if (err)
			return err;
		order_take(&at->order, index, slot);
		add(ctx, out, index, slot);
	}
	return 0;
}

/* From here on nobody takes what was in it before for what is. */
static void seal(struct zstore *store, struct zstore_block_out *out)
{
	uint32_t sum;

	if (!slot_is_huge(out->pages[0].slot))
		block_end(out->bytes, out->nr);
	sum = sum_object(out->bytes, ZSD_PAGE_BYTES);
	atomic_store_explicit(&store->block_sums[out->number], sum,
			      memory_order_release);
}

int zstore_writeback_fill(struct zstore_ctx *ctx,
			  const struct zstore_writeback *how,
			  struct zstore_writing *at,
			  struct zstore_block_out *out, unsigned max_looks)
{
	struct search search;
	int err;

	BUG_ON(!ctx->store->block_pages);
	if (!zstore_is_settled(ctx->store))
		return -EINPROGRESS;
	search_begin(&search, ctx->store, how);
	err = add_pages(ctx, &search, at, out, max_looks);
	if (err == -EAGAIN)
		return err;
	if (err || !out->nr) {
		finish(ctx, out);
		return err;
	}
	seal(ctx->store, out);
	return 1;
}

/* --- having filled --------------------------------------------------------- */

/* Where the object of page @i is. */
static const void *object_at(const struct zstore_block_out *out, unsigned i)
{
	const uint64_t slot = out->pages[i].slot;

	return slot_is_huge(slot)
		       ? out->bytes
		       : block_find(out->bytes, (uint32_t)out->pages[i].index,
				    slot_len_bytes(slot));
}

static void move_out(struct zstore_ctx *ctx, const struct search *search,
		     struct zstore_writing *at,
		     const struct zstore_block_out *out)
{
	for (unsigned i = 0; i < out->nr; i++) {
		const uint64_t index = out->pages[i].index;
		const uint64_t slot = out->pages[i].slot;

		at->nr_tried++;
		if (!rests(search, index) ||
		    page_move_out(ctx, index, slot, object_at(out, i),
				  out->number))
			continue;
		at->nr_done++;
		at->bytes += slot_len_bytes(slot);
	}
}

void zstore_writeback_end(struct zstore_ctx *ctx,
			  const struct zstore_writeback *how,
			  struct zstore_writing *at,
			  struct zstore_block_out *out, int err)
{
	struct search search;

	search_begin(&search, ctx->store, how);
	if (!err) {
		at->nr_blocks++;
		move_out(ctx, &search, at, out);
	}
	finish(ctx, out);
}

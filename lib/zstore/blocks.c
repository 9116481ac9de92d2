/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of the backing: which are free, what is in them.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "zstore/page.h"

/* In front of the checksums. */
#define AREA_BYTES ((uint64_t)ZSTORE_BACKING_AREA_BYTES)

/* Pages of a block, and one more while it is written. */
#define MAX_PAGES (ZSTORE_BLOCK_PAGES + 1)

_Static_assert(MAX_PAGES <= UINT8_MAX, "a count of pages fits 8 bits");

/* --- the tables ------------------------------------------------------------ */

static uint64_t nr_groups(uint32_t nr_blocks)
{
	return div_round_up(nr_blocks, SUMS_PER_GROUP);
}

uint64_t zstore_sums_bytes(uint32_t nr_blocks)
{
	return nr_groups(nr_blocks) * ZSD_PAGE_BYTES;
}

uint64_t zstore_blocks_bytes(uint32_t nr_blocks)
{
	return nr_blocks ? AREA_BYTES + zstore_sums_bytes(nr_blocks) : 0;
}

uint64_t zstore_blocks_memory(const struct zstore *store)
{
	return store->block_pages
		       ? align_up(store->header.nr_blocks, ZSD_PAGE_BYTES) +
				 AREA_BYTES
		       : 0;
}

int zstore_blocks_init(struct zstore *store)
{
	const uint32_t nr = store->header.nr_blocks;
	int err;

	if (!nr)
		return 0;
	err = mapping_commit(&store->image, store->header.blocks_offset,
			     AREA_BYTES, NULL);
	if (err)
		return err;
	store->block_sums =
		(_Atomic uint32_t *)(void *)(store->image.base +
					     store->header.blocks_offset +
					     AREA_BYTES);
	store->block_groups = calloc(nr_groups(nr), 1);
	store->block_pages = calloc(nr, 1);
	if (store->block_groups && store->block_pages)
		return 0;
	zstore_blocks_fini(store);
	return -ENOMEM;
}

void zstore_blocks_fini(struct zstore *store)
{
	free(store->block_groups);
	free(store->block_pages);
	store->block_groups = NULL;
	store->block_pages = NULL;
}

void *zstore_backing_area(struct zstore *store)
{
	return store->block_pages
		       ? store->image.base + store->header.blocks_offset
		       : NULL;
}

int zstore_blocks_commit(struct zstore *store, uint32_t block)
{
	const uint64_t group = block / SUMS_PER_GROUP;

	if (atomic_load_explicit(&store->block_groups[group],
				 memory_order_relaxed))
		return 0;
	/* It will free more than it takes. */
	return page_commit_table(store, &store->block_groups[group],
				 store->header.blocks_offset + AREA_BYTES +
					 group * ZSD_PAGE_BYTES,
				 ZS_SHRINKING);
}

/* --- blocks ---------------------------------------------------------------- */

/* Some that came free may be missed while they do: they are found later. */
static bool find_free(struct zstore *store, uint32_t *block)
{
	const uint32_t nr = store->header.nr_blocks;
	uint32_t i = atomic_exchange(&store->free_block, nr);

	for (; i < nr; i++) {
		uint8_t none = 0;

		if (atomic_compare_exchange_strong(&store->block_pages[i],
						   &none, 1))
			break;
	}
	if (i == nr)
		return false;
	*block = i;
	return true;
}

/* None below @block is known to be free. */
static void lower_free(struct zstore *store, uint32_t block)
{
	uint32_t old = atomic_load(&store->free_block);

	while (block < old &&
	       !atomic_compare_exchange_weak(&store->free_block, &old, block))
		;
}

int zstore_blocks_take(struct zstore_ctx *ctx, uint32_t *block)
{
	int err;

	if (!find_free(ctx->store, block))
		return -ENOSPC;
	lower_free(ctx->store, *block + 1);
	count(ctx, COUNT_blocks_used, 1);
	err = zstore_blocks_commit(ctx->store, *block);
	if (err)
		(void)zstore_blocks_put(ctx, *block);
	return err;
}

void zstore_blocks_add(struct zstore *store, uint32_t block)
{
	uint8_t old = atomic_fetch_add(&store->block_pages[block], 1);

	BUG_ON(!old || old >= MAX_PAGES);
}

bool zstore_blocks_put(struct zstore_ctx *ctx, uint32_t block)
{
	struct zstore *store = ctx->store;
	uint8_t old;

	if (unlikely(block >= store->header.nr_blocks))
		return false;
	old = atomic_load(&store->block_pages[block]);
	do {
		if (unlikely(!old))
			return false;
	} while (!atomic_compare_exchange_weak(&store->block_pages[block], &old,
					       (uint8_t)(old - 1)));
	if (old > 1)
		return true;
	count(ctx, COUNT_blocks_used, -1);
	lower_free(store, block);
	return true;
}

bool zstore_blocks_name(struct zstore *store, uint32_t block, bool *is_first)
{
	uint8_t old;

	if (block >= store->header.nr_blocks)
		return false;
	old = atomic_load(&store->block_pages[block]);
	if (old >= ZSTORE_BLOCK_PAGES ||
	    !atomic_load(&store->block_groups[block / SUMS_PER_GROUP]))
		return false;
	*is_first = !old;
	atomic_store(&store->block_pages[block], (uint8_t)(old + 1));
	return true;
}

uint64_t zstore_blocks_sum(const struct zstore *store)
{
	uint64_t marks = 0;

	for (uint32_t i = 0; i < store->header.nr_blocks; i++)
		marks += zstore_mark(i) *
			 atomic_load_explicit(&store->block_pages[i],
					      memory_order_relaxed);
	return marks;
}

void zstore_backing_stats(struct zstore *store,
			  struct zstore_backing_stats *out)
{
	*out = (struct zstore_backing_stats){
		.blocks_used = zstore_gauge(store, COUNT_blocks_used),
		.blocks = store->header.nr_blocks,
		.pages_backed = zstore_gauge(store, COUNT_pages_backed),
		.bytes_backed = zstore_gauge(store, COUNT_bytes_backed),
		.block_reads = zstore_gauge(store, COUNT_block_reads),
	};
}

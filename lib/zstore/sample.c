/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages from all over the disk, to train a dictionary with.
 */
#include "config.h"

#include "zstore/page.h"

static bool is_compressed(uint64_t slot)
{
	return slot_has_content(slot) && !slot_is_huge(slot);
}

/* The next page from *@index on that is stored compressed; false at the end. */
static bool find_compressed(const struct zstore *store, uint64_t *index)
{
	while (*index < store->nr_slots) {
		if (!slot_exists(store, *index))
			*index |= SLOTS_PER_GROUP - 1;
		else if (is_compressed(slot_load(&store->slots[*index])))
			return true;
		++*index;
	}
	return false;
}

uint64_t zstore_sample(struct zstore_ctx *ctx, uint64_t max_pages, void *dst)
{
	const struct zstore *store = ctx->store;
	uint64_t total = 0, seen = 0, nr = 0;
	unsigned char *to = dst;

	for (uint64_t index = 0; find_compressed(store, &index); index++)
		total++;
	for (uint64_t index = 0;
	     nr < max_pages && find_compressed(store, &index); index++) {
		/* Of @total, @max_pages: those where the quotient grows. */
		bool is_due =
			total <= max_pages || (seen + 1) * max_pages / total >
						      seen * max_pages / total;

		seen++;
		if (is_due &&
		    page_load(ctx, index, to + nr * ZSD_PAGE_BYTES) == 0)
			nr++;
	}
	return nr;
}

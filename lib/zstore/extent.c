/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What parts of the disk hold, told from the slots alone.
 */
#include "config.h"

#include "base/bits.h"
#include "zstore/zstore_internal.h"

/* What a slot says: ZSTORE_*. One that is damaged is no hole: who reads it is
 * told. */
static unsigned slot_state(uint64_t slot, uint64_t index)
{
	if (unlikely(!slot_is_sound(slot, index)))
		return 0;
	switch (slot_kind(slot)) {
	case SLOT_EMPTY:
		return ZSTORE_HOLE | ZSTORE_ZERO;
	case SLOT_FILLED:
		return slot_filled_word(slot) ? 0 : ZSTORE_ZERO;
	case SLOT_OBJECT:
	case SLOT_BACKED:
		break;
	}
	return 0;
}

/* The state of page @index, and up to which page one look can tell it. */
static unsigned look(const struct zstore *store, uint64_t index, uint64_t *end)
{
	if (!slot_exists(store, index)) {
		*end = align_down(index, SLOTS_PER_GROUP) + SLOTS_PER_GROUP;
		return ZSTORE_HOLE | ZSTORE_ZERO;
	}
	*end = index + 1;
	return slot_state(slot_load(&store->slots[index]), index);
}

uint64_t zstore_extent(const struct zstore_ctx *ctx, uint64_t offset,
		       uint64_t bytes, uint32_t *steps, unsigned *state)
{
	const struct zstore *store = ctx->store;
	uint64_t index = offset / ZSD_PAGE_BYTES, end;

	BUG_ON(!bytes || !*steps ||
	       !zstore_range_is_valid(store, offset, bytes));
	*state = look(store, index, &index);
	--*steps;
	while (*steps && index * ZSD_PAGE_BYTES < offset + bytes) {
		--*steps;
		if (look(store, index, &end) != *state)
			break;
		index = end;
	}
	return min_u64(index * ZSD_PAGE_BYTES - offset, bytes);
}

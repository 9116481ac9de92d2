/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>

#include "zstore/order.h"

static unsigned bucket_of(uint64_t slot)
{
	return slot_len_bytes(slot) / ZSTORE_BUCKET_BYTES;
}

/*
 * The next page downwards from *@behind on that is due, which *@behind then
 * says. Return: false at the beginning of the disk, or where there are no more
 * looks.
 */
static bool find(const struct order_search *search, uint64_t *behind,
		 unsigned *looks, uint64_t *slot)
{
	while (*behind && *looks) {
		uint64_t index = *behind - 1;

		--*looks;
		if (!slot_exists(search->store, index)) {
			*behind = index - index % SLOTS_PER_GROUP;
			continue;
		}
		*slot = slot_load(&search->store->slots[index]);
		if (slot_has_content(*slot) && slot_is_sound(*slot, index) &&
		    search->is_due(search->arg, index, *slot))
			return true;
		*behind = index;
	}
	return false;
}

static void count_pages(struct zstore_order *order,
			const struct order_search *search, unsigned *looks)
{
	uint64_t slot;

	if (!order->next)
		order->next = search->store->nr_slots;
	while (find(search, &order->next, looks, &slot)) {
		order->nr_left[bucket_of(slot)]++;
		order->next--;
	}
	if (order->next)
		return;
	for (unsigned i = 0; i < ZSTORE_BUCKETS; i++)
		order->behind[i] = search->store->nr_slots;
	order->is_counted = true;
}

/* The longest ones, of which none is longer than @max_bytes. Return: false
 * where there are none. */
static bool choose_bucket(struct zstore_order *order, uint32_t max_bytes,
			  unsigned *bucket)
{
	unsigned i = ZSTORE_BUCKETS;

	if (max_bytes < ZSD_PAGE_BYTES) /* all of the next one fit */
		i = (max_bytes + 1) / ZSTORE_BUCKET_BYTES;
	while (i--) {
		if (!order->nr_left[i])
			continue;
		*bucket = i;
		return true;
	}
	return false;
}

int order_next(struct zstore_order *order, const struct order_search *search,
	       uint32_t max_bytes, unsigned *looks, uint64_t *index,
	       uint64_t *slot)
{
	unsigned bucket;

	if (!order->is_counted)
		count_pages(order, search, looks);
	if (!order->is_counted)
		return -EAGAIN;
	while (choose_bucket(order, max_bytes, &bucket)) {
		uint64_t *behind = &order->behind[bucket];

		if (!find(search, behind, looks, slot)) {
			if (*behind)
				return -EAGAIN;
			order->nr_left[bucket] = 0;
		} else if (bucket_of(*slot) == bucket) {
			*index = *behind - 1;
			return 1;
		} else {
			--*behind;
		}
	}
	return 0;
}

void order_take(struct zstore_order *order, uint64_t index, uint64_t slot)
{
	const unsigned bucket = bucket_of(slot);

	order->behind[bucket] = index;
	if (order->nr_left[bucket])
		order->nr_left[bucket]--;
}

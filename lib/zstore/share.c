/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages share an object: a table of what was met is asked for another of
 * the same sum. What it says is a hint. Pages are compared before they share.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "zstore/page.h"
#include "zstore/zstore_share.h"

/*
 * Entries that one key can be in: a line of the cache. With half as many
 * objects as entries, fewer than one in a hundred finds no room.
 */
#define SET_ENTRIES	   8u
#define ENTRIES_PER_OBJECT 2u

#define MIN_ENTRIES (2 * SET_ENTRIES)
#define MAX_ENTRIES ((uint64_t)1 << 27)

/* An entry: the high half of a key, and 1 + a page; 0: free. */
_Static_assert(ZSTORE_MAX_DISK_BYTES / ZSD_PAGE_BYTES < UINT32_MAX,
	       "32 bits are enough for that");

struct zstore_sharing {
	uint64_t *entries;
	uint64_t nr_entries; /* a power of two */
	uint64_t seed; /* of keys: another one for each pass */
	uint64_t nr_ranges; /* of keys; 0: a pass is to begin */
	uint64_t range; /* that is met now */
	uint64_t next; /* page that is to be looked at */
	struct zstore_shared done;
};

/* --- the table ------------------------------------------------------------- */

int zstore_sharing_create(uint64_t nr_objects, struct zstore_sharing **out)
{
	struct zstore_sharing *sharing = calloc(1, sizeof(*sharing));
	uint64_t least = min_u64(nr_objects, MAX_ENTRIES) * ENTRIES_PER_OBJECT;

	if (!sharing)
		return -ENOMEM;
	sharing->nr_entries = MIN_ENTRIES;
	while (sharing->nr_entries < least && sharing->nr_entries < MAX_ENTRIES)
		sharing->nr_entries *= 2;
	sharing->entries =
		calloc(sharing->nr_entries, sizeof(*sharing->entries));
	if (!sharing->entries) {
		free(sharing);
		return -ENOMEM;
	}
	*out = sharing;
	return 0;
}

void zstore_sharing_destroy(struct zstore_sharing *sharing)
{
	if (!sharing)
		return;
	free(sharing->entries);
	free(sharing);
}

static uint64_t make_entry(uint64_t key, uint64_t index)
{
	return key >> 32 << 32 | (index + 1);
}

/*
 * The entry that has the key's high half, or where it is to go: a free one, or
 * one whose page will not be found any more.
 */
static uint64_t *find_entry(struct zstore_sharing *sharing, uint64_t key)
{
	uint64_t *set = &sharing->entries[key & (sharing->nr_entries - 1) &
					  ~(uint64_t)(SET_ENTRIES - 1)];

	for (uint64_t *entry = set; entry < set + SET_ENTRIES; entry++) {
		if (!*entry || *entry >> 32 == key >> 32)
			return entry;
	}
	return &set[key % SET_ENTRIES];
}

/* --- passes ---------------------------------------------------------------- */

static void begin_range(struct zstore_sharing *sharing)
{
	for (uint64_t i = 0; i < sharing->nr_entries; i++)
		sharing->entries[i] = 0;
	sharing->next = 0;
}

/* As many ranges as it takes for the table to have room for one. */
static void begin_pass(struct zstore *store, struct zstore_sharing *sharing)
{
	int64_t objects = zstore_sum(store, COUNT_pages_stored) -
			  zstore_sum(store, COUNT_same_pages) -
			  zstore_sum(store, COUNT_pages_sharing);

	if (objects < 1)
		objects = 1;
	sharing->nr_ranges = div_round_up(
		(uint64_t)objects * ENTRIES_PER_OBJECT, sharing->nr_entries);
	sharing->range = 0;
	sharing->seed++;
	begin_range(sharing);
}

/* Return: whether there is another range. */
static bool go_on(struct zstore_sharing *sharing)
{
	sharing->range++;
	if (sharing->range < sharing->nr_ranges) {
		begin_range(sharing);
		return true;
	}
	sharing->nr_ranges = 0;
	return false;
}

/* --- pages ----------------------------------------------------------------- */

static bool see(const struct zstore *store, uint64_t index,
		struct page_seen *page)
{
	*page = (struct page_seen){
		.index = index,
		.slot = slot_load(&store->slots[index]),
	};
	return slot_has_content(page->slot) && slot_is_sound(page->slot, index);
}

/* What equal objects have in common, and others hardly ever. */
static uint64_t key_of(const struct zstore_sharing *sharing, uint64_t slot,
		       uint32_t sum)
{
	uint64_t n = (uint64_t)sum << 32 | slot_len_bytes(slot) << 8 |
		     slot_dict(slot) << 4 | slot_codec(slot);

	/* Source: the finalizer of SplitMix64, by Sebastiano Vigna. */
	n += sharing->seed * UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* By the high half, as the place in the table is by the low one. */
static bool is_in_range(const struct zstore_sharing *sharing, uint64_t key)
{
	return (key >> 32) * sharing->nr_ranges >> 32 == sharing->range;
}

/* Return: whether the page that is remembered is to be so any longer. */
static bool try_pair(struct zstore_ctx *ctx, struct zstore_sharing *sharing,
		     uint64_t remembered, const struct page_seen *page)
{
	struct page_seen first;
	uint32_t freed_bytes;
	int err;

	if (!see(ctx->store, remembered, &first))
		return false;
	if (slot_handle(first.slot) == slot_handle(page->slot))
		return true;
	err = page_share(ctx, &first, page, &freed_bytes);
	if (!err) {
		sharing->done.nr_shared++;
		sharing->done.bytes_freed += freed_bytes;
	}
	return !err || err == -EAGAIN;
}

static void look_at_page(struct zstore_ctx *ctx, struct zstore_sharing *sharing,
			 uint64_t index)
{
	struct page_seen page;
	uint64_t key, *entry;
	uint32_t sum;

	if (!see(ctx->store, index, &page) ||
	    page_sum(ctx, index, page.slot, &sum))
		return; /* written meanwhile, or damaged: reads will tell */
	key = key_of(sharing, page.slot, sum);
	if (!is_in_range(sharing, key))
		return;
	sharing->done.nr_looked++;
	entry = find_entry(sharing, key);
	if (*entry >> 32 != key >> 32 || !*entry ||
	    !try_pair(ctx, sharing, (uint32_t)*entry - 1, &page))
		*entry = make_entry(key, index);
}

int zstore_share(struct zstore_ctx *ctx, struct zstore_sharing *sharing,
		 unsigned max_looks)
{
	struct zstore *store = ctx->store;

	if (!store->params.share)
		return -EOPNOTSUPP;
	if (!zstore_is_settled(store))
		return -EINPROGRESS;
	if (!sharing->nr_ranges)
		begin_pass(store, sharing);
	for (; max_looks && sharing->next < store->nr_slots; max_looks--) {
		if (slot_exists(store, sharing->next))
			look_at_page(ctx, sharing, sharing->next);
		else
			sharing->next |= SLOTS_PER_GROUP - 1;
		sharing->next++;
	}
	return sharing->next < store->nr_slots || go_on(sharing);
}

void zstore_sharing_done(const struct zstore_sharing *sharing,
			 struct zstore_shared *out)
{
	*out = sharing->done;
}

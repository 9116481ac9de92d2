/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages are recompressed, and in which order.
 */
#include "config.h"

#include <errno.h>

#include "zstore/zstore_internal.h"
#include "zstore/zstore_recompress.h"

/* What is looked for, worked out once for some looks. */
struct search {
	struct zstore *store;
	const struct zstore_recompress *how;
	struct zstore_old old;
	unsigned dict; /* the secondary codec's current one */
};

static bool has_right_codec(const struct search *search, uint64_t slot)
{
	if (slot_codec(slot) == ZSTORE_PRIMARY)
		return true;
	/* Those without a dictionary were not worth one. */
	return search->how->again && slot_dict(slot) &&
	       slot_dict(slot) != search->dict;
}

/* Whether a page, which has a slot, is to be tried. @slot receives that. */
static bool is_due(const struct search *search, uint64_t index, uint64_t *slot)
{
	const struct zstore_recompress *how = search->how;

	*slot = slot_load(&search->store->slots[index]);
	if (!slot_has_content(*slot) || *slot & SLOT_INCOMPRESSIBLE ||
	    !slot_is_sound(*slot, index) ||
	    (slot_is_shared(*slot) &&
	     zstore_sharers(search->store, slot_handle(*slot)) > 1))
		return false;
	return has_right_codec(search, *slot) &&
	       slot_len_bytes(*slot) >= how->threshold_bytes &&
	       (!how->is_huge || slot_is_huge(*slot)) &&
	       (!how->is_idle || zstore_is_idle(search->store, index)) &&
	       zstore_is_old(search->store, index, &search->old);
}

static unsigned bucket_of(uint64_t slot)
{
	return slot_len_bytes(slot) / ZSTORE_BUCKET_BYTES;
}

/*
 * The next page downwards that is due; at->next is the one behind it. Return:
 * false at the beginning of the disk, or where there are no more looks.
 */
static bool find_page(const struct search *search,
		      struct zstore_recompressing *at, unsigned *looks,
		      uint64_t *index, uint64_t *slot)
{
	while (at->next && *looks) {
		*index = --at->next;
		--*looks;
		if (!slot_exists(search->store, *index))
			at->next -= *index % SLOTS_PER_GROUP;
		else if (is_due(search, *index, slot))
			return true;
	}
	return false;
}

/* --- counting -------------------------------------------------------------- */

static void count_pages(const struct search *search,
			struct zstore_recompressing *at, unsigned *looks)
{
	uint64_t index, slot;

	if (!at->next)
		at->next = search->store->nr_slots;
	while (find_page(search, at, looks, &index, &slot))
		at->nr_left[bucket_of(slot)]++;
	if (at->next)
		return;
	at->is_counted = true;
	at->bucket = ZSTORE_BUCKETS - 1;
	at->next = search->store->nr_slots;
}

/* --- trying ---------------------------------------------------------------- */

/* Go on to shorter objects, if of this length there are no more. Return:
 * whether there are any. */
static bool choose_bucket(const struct search *search,
			  struct zstore_recompressing *at)
{
	if (at->next && at->nr_left[at->bucket])
		return true;
	at->nr_left[at->bucket] = 0;
	while (at->bucket && !at->nr_left[at->bucket])
		at->bucket--;
	at->next = search->store->nr_slots;
	return at->nr_left[at->bucket];
}

/* Return: 1, or as of zstore_recompress(): the same page comes again then. */
static int try_page(struct zstore_ctx *ctx, const struct search *search,
		    struct zstore_recompressing *at, uint64_t index,
		    uint64_t slot)
{
	const uint32_t threshold = search->how->threshold_bytes;
	uint32_t after = 0;
	int err = page_recompress(ctx, index, slot,
				  threshold ? threshold : UINT32_MAX, &after);

	if (err == -ENOSPC || err == -ENOMEM) {
		at->next = index + 1;
		return err;
	}
	at->nr_left[at->bucket]--;
	at->nr_tried++;
	if (!err && after < slot_len_bytes(slot)) {
		at->nr_done++;
		at->bytes_before += slot_len_bytes(slot);
		at->bytes_after += after;
	}
	return 1; /* written meanwhile, or damaged: then it is not due */
}

static int try_next(struct zstore_ctx *ctx, const struct search *search,
		    struct zstore_recompressing *at, unsigned *looks)
{
	uint64_t index, slot;

	while (*looks) {
		if (!choose_bucket(search, at))
			return 0;
		if (find_page(search, at, looks, &index, &slot) &&
		    bucket_of(slot) == at->bucket)
			return try_page(ctx, search, at, index, slot);
	}
	return 1;
}

int zstore_recompress(struct zstore_ctx *ctx,
		      const struct zstore_recompress *how,
		      struct zstore_recompressing *at, unsigned max_looks)
{
	struct search search = {.store = ctx->store, .how = how};

	if (!zstore_is_settled(ctx->store))
		return -EINPROGRESS;
	if (how->max_pages && at->nr_tried >= how->max_pages)
		return 0;
	search.dict = zstore_dict_current(ctx->store, ZSTORE_SECONDARY);
	zstore_find_old(ctx->store, how->since_s, &search.old);
	if (!at->is_counted) {
		count_pages(&search, at, &max_looks);
		if (!at->is_counted)
			return 1;
	}
	return try_next(ctx, &search, at, &max_looks);
}

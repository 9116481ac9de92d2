/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making one page's object another's, too, as the rule "new before old" asks.
 * At every instant each slot names an object that has its page's bytes; and
 * whenever two name the same, both say that they share it.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "zstore/page.h"

static _Atomic uint64_t *home_of(const struct zstore_ctx *ctx,
				 const struct page_seen *page)
{
	return &ctx->store->slots[page->index];
}

/* Both, or none. Nobody waits for a lock here who holds another. */
static bool lock_both(struct zstore_ctx *ctx, const struct page_seen *first,
		      const struct page_seen *second)
{
	if (!slot_try_lock(home_of(ctx, first), first->slot))
		return false;
	if (slot_try_lock(home_of(ctx, second), second->slot))
		return true;
	slot_publish(home_of(ctx, first), first->slot);
	return false;
}

static void unlock_both(struct zstore_ctx *ctx, const struct page_seen *first,
			const struct page_seen *second)
{
	slot_publish(home_of(ctx, second), second->slot);
	slot_publish(home_of(ctx, first), first->slot);
}

/* Its slot being locked, whatever its object is not, it will never be. */
static int load(struct zstore_ctx *ctx, const struct page_seen *page, void *dst)
{
	int err = page_load_object(ctx, page->index, page->slot, dst);

	return err ? page_note_damage(ctx, page->index, -EIO) : 0;
}

/* Return: 0 where they are equal, -ENOENT, -EIO. */
static int compare(struct zstore_ctx *ctx, const struct page_seen *first,
		   const struct page_seen *second)
{
	struct zstore_scratch *scratch = ctx->scratch;
	int err = load(ctx, first, scratch->compressed);

	if (!err)
		err = load(ctx, second, scratch->page);
	if (err)
		return err;
	return memcmp(scratch->compressed, scratch->page,
		      slot_len_bytes(first->slot))
		       ? -ENOENT
		       : 0;
}

/* How many slots name its object. */
static uint32_t nr_names(const struct zstore *store, uint64_t slot)
{
	return slot_is_shared(slot) ? zstore_sharers(store, slot_handle(slot))
				    : 1;
}

/* Both are locked. That the first is published comes before what names its
 * object once more. @first becomes what its slot says now. */
static int join(struct zstore_ctx *ctx, struct page_seen *first,
		const struct page_seen *second)
{
	struct zstore *store = ctx->store;
	const zs_handle handle = slot_handle(first->slot);

	if (!slot_is_shared(first->slot)) {
		/* Another than 0 would be left over from damage. */
		if (zstore_sharers(store, handle) ||
		    !zstore_sharers_add(store, handle))
			return -EIO;
		first->slot =
			slot_make_shared(first->index, first->slot, handle);
		slot_publish_locked(home_of(ctx, first), first->slot);
	}
	if (!zstore_sharers_add(store, handle))
		return -EMLINK; /* others were faster */
	count(ctx, COUNT_pages_sharing, 1);
	slot_publish(home_of(ctx, second),
		     slot_make_shared(second->index, second->slot, handle));
	slot_publish(home_of(ctx, first), first->slot);
	return 0;
}

static int share(struct zstore_ctx *ctx, struct page_seen *first,
		 const struct page_seen *second, uint32_t *freed_bytes)
{
	int err;

	if (!lock_both(ctx, first, second))
		return -EAGAIN;
	err = compare(ctx, first, second);
	if (!err)
		err = join(ctx, first, second);
	if (err) {
		unlock_both(ctx, first, second);
		return err;
	}
	if (unlikely(!page_release_object(ctx, second->slot, freed_bytes)))
		page_note_damage(ctx, second->index, -EIO);
	return 0;
}

/* Whether objects whose bytes are equal make the same page. */
static bool are_alike(uint64_t slot, uint64_t other)
{
	return slot_len_bytes(slot) == slot_len_bytes(other) &&
	       slot_dict(slot) == slot_dict(other) &&
	       slot_codec(slot) == slot_codec(other);
}

int page_share(struct zstore_ctx *ctx, const struct page_seen *first,
	       const struct page_seen *second, uint32_t *freed_bytes)
{
	struct zstore *store = ctx->store;
	struct page_seen now = *first;
	int err;

	*freed_bytes = 0;
	if (!are_alike(first->slot, second->slot))
		return -ENOENT;
	if (nr_names(store, first->slot) + nr_names(store, second->slot) >
	    SHARERS_MAX)
		return -EMLINK;
	/* Now: no memory may be waited for with a slot locked. */
	if (!zstore_sharers_touch(store, slot_handle(first->slot)))
		return -EIO;
	count(ctx, COUNT_changes_begun, 1);
	err = share(ctx, &now, second, freed_bytes);
	count(ctx, COUNT_changes_ended, 1);
	return err;
}

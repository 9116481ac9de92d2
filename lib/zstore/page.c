/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing one page of the disk, as the rule "new before old" asks: pack the
 * new content, publish it in the slot, release the old.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "zstore/fill.h"
#include "zstore/page.h"
#include "zstore/sum.h"

/*
 * How much to compact for an allocation that found no room: objects at a time,
 * and how often. About 100 us at the most, and only when the store is full.
 */
#define DIRECT_COMPACT_OBJECTS 64u
#define DIRECT_COMPACT_SLICES  8u

/* --- Room ---------------------------------------------------------------- */

/* What is to be stored, and what was done to find room for it. */
struct need {
	enum zs_alloc how; /* may it use the headroom of the limit? */
	bool frees_as_much; /* when it is there: then it may, in the end */
	bool has_compacted;
};

/* Free pages by compaction. Return: whether there are more than before. */
static bool compact_directly(struct zs_pool *pool)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed = 0;
	bool more = true;

	for (unsigned i = 0; i < DIRECT_COMPACT_SLICES && more && !freed; i++)
		more = zs_compact_slice(pool, &cursor, DIRECT_COMPACT_OBJECTS,
					&freed);
	return freed;
}

/*
 * Something could not be stored, with @err: do what may help. It may wait for
 * memory, so that nothing may be locked. Return: 0 to try it again, or @err
 * where nothing is left that could be done.
 */
static int make_room(struct zs_pool *pool, struct need *need, int err)
{
	if (err == -EIO)
		return err;
	if (err == -EAGAIN)
		err = zs_make_ready(pool, need->how);
	if (!err)
		return 0;
	if (!need->has_compacted) {
		need->has_compacted = true;
		if (compact_directly(pool))
			return 0;
	}
	if (need->frees_as_much && need->how == ZS_NORMAL) {
		need->how = ZS_SHRINKING;
		return 0;
	}
	return err;
}

/* --- Packing ------------------------------------------------------------- */

/* What a page is to be stored as. */
struct packed {
	const void *bytes; /* of the object; NULL: it is no object */
	uint32_t len_bytes;
	uint32_t sum; /* checksum, if the store has them */
	uint64_t flags; /* of the slot */
	uint64_t word; /* that the page repeats, if it does */
};

static void sum_up(const struct zstore *store, struct packed *packed)
{
	if (packed->bytes && store->params.checksum)
		packed->sum = sum_object(packed->bytes, packed->len_bytes);
}

static uint64_t method_flags(enum zstore_codec codec, unsigned dict)
{
	return (codec == ZSTORE_SECONDARY ? SLOT_SECONDARY : 0) |
	       (uint64_t)dict << SLOT_DICT_SHIFT;
}

/*
 * Compress a page by one of the store's codecs, into less than @room_bytes of
 * the context's scratch. Return: whether it fits; else @out is as it was.
 */
static bool compress(struct zstore_ctx *ctx, enum zstore_codec codec,
		     unsigned dict, const void *src, size_t room_bytes,
		     struct packed *out)
{
	size_t len;

	if (zcomp_compress(ctx->zcomp[codec],
			   zstore_dict(ctx->store, codec, dict), src,
			   ZSD_PAGE_BYTES, ctx->scratch->compressed,
			   room_bytes - 1, &len))
		return false;
	out->bytes = ctx->scratch->compressed;
	out->len_bytes = (uint32_t)len;
	out->flags = method_flags(codec, dict);
	return true;
}

/* @out->bytes may be in @out, in the context's scratch, or @src. */
static void pack(struct zstore_ctx *ctx, const void *src, struct packed *out)
{
	const struct zstore *store = ctx->store;

	*out = (struct packed){.bytes = src, .len_bytes = ZSD_PAGE_BYTES};
	if (fill_detect(src, &out->word)) {
		out->bytes = slot_can_fill(out->word) ? NULL : &out->word;
		out->len_bytes = sizeof(out->word);
		out->flags = SLOT_WORD;
	} else {
		(void)compress(ctx, ZSTORE_PRIMARY,
			       zstore_ctx_dict(ctx, ZSTORE_PRIMARY), src,
			       store->huge_class_bytes, out);
	}
	sum_up(store, out);
}

/*
 * Whether the object of @old, when it goes, leaves room for the new one. Room
 * is what a size class has: a few bytes more take no more of it if they fit the
 * same class. A word takes nearly nothing, and counts as if: same-filled pages
 * of any word are alike. One that other pages share does not go.
 */
static bool frees_as_much(const struct zstore *store, uint64_t index,
			  uint64_t old, const struct packed *packed)
{
	const struct zs_pool *pool = store->pool;

	if (packed->flags & SLOT_WORD)
		return true;
	if (!slot_is_sound(old, index) || slot_kind(old) != SLOT_OBJECT ||
	    zstore_has_sharers(store, old))
		return false;
	return zs_lookup_class_index(pool, packed->len_bytes) <=
	       zs_lookup_class_index(pool, slot_len_bytes(old));
}

/*
 * Store what was packed of page @index, apart from its slot. @slot receives
 * what that is to say. Waits for nothing. Return: as zs_store().
 */
static int store_packed(struct zs_pool *pool, uint64_t index,
			const struct packed *packed, enum zs_alloc how,
			uint64_t *slot)
{
	zs_handle handle;
	int err;

	if (!packed->bytes) {
		*slot = slot_make_filled(index, packed->word);
		return 0;
	}
	err = zs_store(pool, packed->bytes, packed->len_bytes, packed->sum, how,
		       &handle);
	if (!err)
		*slot = slot_make_object(index, handle, packed->len_bytes,
					 packed->flags);
	return err;
}

/* --- Counting and releasing ---------------------------------------------- */

bool page_release_object(struct zstore_ctx *ctx, uint64_t slot,
			 uint32_t *freed_bytes)
{
	uint32_t left = 0;

	*freed_bytes = 0;
	if (slot_is_shared(slot) &&
	    unlikely(!zstore_sharers_remove(ctx->store, slot_handle(slot),
					    &left)))
		return false;
	if (left) {
		count(ctx, COUNT_pages_sharing, -1);
		return true;
	}
	count_object(ctx->counters, slot, -1);
	zs_free(ctx->store->pool, slot_handle(slot));
	*freed_bytes = slot_len_bytes(slot);
	return true;
}

/* Return: false where what it names was not its. */
static bool release_content(struct zstore_ctx *ctx, uint64_t slot)
{
	uint32_t freed_bytes;

	if (slot_kind(slot) == SLOT_OBJECT)
		return page_release_object(ctx, slot, &freed_bytes);
	return slot_kind(slot) != SLOT_BACKED ||
	       zstore_blocks_put(ctx, slot_block(slot));
}

/* Of a damaged slot nobody knows what it held: whatever it was stays. */
static void release(struct zstore_ctx *ctx, uint64_t index, uint64_t slot)
{
	if (unlikely(!slot_is_sound(slot, index)) ||
	    unlikely(!release_content(ctx, slot))) {
		page_note_damage(ctx, index, -EIO);
		return;
	}
	count_slot(ctx->counters, slot, -1);
	/* Now nobody reads it any more. */
	if (slot_has_method(slot) && slot_dict(slot))
		count_dict(ctx, slot_dict(slot), -1);
}

void page_replace(struct zstore_ctx *ctx, uint64_t index, uint64_t old,
		  uint64_t new)
{
	slot_publish(&ctx->store->slots[index], new);
	count_slot(ctx->counters, new, 1);
	count_object(ctx->counters, new, 1);
	if (slot_has_method(new) && slot_dict(new))
		count_dict(ctx, slot_dict(new), 1);
	if (slot_kind(new) == SLOT_OBJECT && slot_is_huge(new))
		count(ctx, COUNT_huge_pages_since, 1);
	release(ctx, index, old);
}

/* --- Changing ------------------------------------------------------------ */

/* Of two threads that do so at once: it is one page, which is there or not, and
 * is counted once. */
int page_commit_table(struct zstore *store, _Atomic uint8_t *is_there,
		      uint64_t offset, enum zs_alloc how)
{
	uint8_t was_there = 0;
	int err = zs_pool_charge(store->pool, ZSD_PAGE_BYTES, how);

	if (err)
		return err;
	err = mapping_commit(&store->image, offset, ZSD_PAGE_BYTES, NULL);
	if (err || !atomic_compare_exchange_strong(is_there, &was_there, 1))
		zs_pool_uncharge(store->pool, ZSD_PAGE_BYTES);
	return err;
}

/* The group of slots that @index is in, and before that the ages of it. */
static int commit_group(struct zstore *store, uint64_t index)
{
	const uint64_t group = index / SLOTS_PER_GROUP;
	const uint64_t ages = index / AGES_PER_GROUP;
	int err = 0;

	if (!atomic_load(&store->age_groups[ages]))
		err = page_commit_table(store, &store->age_groups[ages],
					store->header.ages_offset +
						(1 + ages) * ZSD_PAGE_BYTES,
					ZS_NORMAL);
	if (err)
		return err;
	return page_commit_table(store, &store->groups[group],
				 store->slots_offset + group * ZSD_PAGE_BYTES,
				 ZS_NORMAL);
}

/* Slots free nothing, so that the headroom is not for them. */
static int ensure_slot(struct zstore *store, uint64_t index)
{
	struct need need = {.frees_as_much = false};
	int err = 0;

	while (unlikely(!slot_exists(store, index)) && !err) {
		err = commit_group(store, index);
		if (err)
			err = make_room(store->pool, &need, err);
	}
	return err;
}

int zstore_populate(struct zstore *store)
{
	int err = 0;

	zstore_need_settled(store);
	for (uint64_t i = 0; i < store->nr_slots && !err; i += SLOTS_PER_GROUP)
		err = ensure_slot(store, i);
	for (uint64_t i = 0; i < store->header.nr_blocks && !err;
	     i += SUMS_PER_GROUP)
		err = zstore_blocks_commit(store, (uint32_t)i);
	return err ? err : zs_pool_populate_handles(store->pool);
}

/* What was stored for a page whose slot cannot be had. */
static int drop(struct zstore_ctx *ctx, uint64_t index, uint64_t new)
{
	if (slot_kind(new) == SLOT_OBJECT)
		zs_free(ctx->store->pool, slot_handle(new));
	return page_note_damage(ctx, index, -EIO);
}

/* There is memory behind its slot. */
static int store_page(struct zstore_ctx *ctx, uint64_t index,
		      const struct packed *packed)
{
	struct zs_pool *pool = ctx->store->pool;
	_Atomic uint64_t *home = &ctx->store->slots[index];
	struct need need = {.how = ZS_NORMAL};
	uint64_t old, new;
	int err;

	need.frees_as_much =
		frees_as_much(ctx->store, index, slot_load(home), packed);
	do {
		err = store_packed(pool, index, packed, need.how, &new);
	} while (unlikely(err) && !(err = make_room(pool, &need, err)));
	if (err)
		return err;
	if (unlikely(!slot_lock(home, &old)))
		return drop(ctx, index, new);
	page_replace(ctx, index, old, new);
	return 0;
}

/* --- Recompressing -------------------------------------------------------- */

/*
 * What the secondary codec makes of the scratch page, if that is less than
 * @room_bytes. What is not worth its time with a dictionary may be so without.
 */
static bool compress_again(struct zstore_ctx *ctx, size_t room_bytes,
			   struct packed *out)
{
	const size_t worth =
		zcomp_worth_bytes(zstore_codec(ctx->store, ZSTORE_SECONDARY));
	const unsigned dict = ctx->ready_dict;
	const void *src = ctx->scratch->page;

	if (dict && compress(ctx, ZSTORE_SECONDARY, dict, src,
			     worth < room_bytes ? worth + 1 : room_bytes, out))
		return true;
	return (!dict || worth < room_bytes) &&
	       compress(ctx, ZSTORE_SECONDARY, 0, src, room_bytes, out);
}

/* Whether what was packed takes less of the pool than @len_bytes do. */
static bool is_denser(const struct zs_pool *pool, const struct packed *packed,
		      uint32_t len_bytes)
{
	return zs_lookup_class_index(pool, packed->len_bytes) <
	       zs_lookup_class_index(pool, len_bytes);
}

/*
 * Whether page @index, locked, is still what the scratch page has. Its slot
 * alone does not tell: where it was written twice meanwhile, the second object
 * may have got the handle of the first one back, and be as long.
 */
static bool is_unchanged(struct zstore_ctx *ctx, uint64_t index, uint64_t slot)
{
	unsigned char *now = ctx->scratch->compressed;

	return !page_load_slot(ctx, index, slot, now) &&
	       !memcmp(now, ctx->scratch->page, ZSD_PAGE_BYTES);
}

/*
 * Publish @new if the page is still what the scratch page has, as @expected;
 * @new has an object of its own, or the same with other flags. Return: 0,
 * -ESTALE or -EIO: not done.
 */
static int replace_if(struct zstore_ctx *ctx, uint64_t index, uint64_t expected,
		      uint64_t new)
{
	_Atomic uint64_t *home = &ctx->store->slots[index];
	const bool is_same = slot_handle(new) == slot_handle(expected);
	uint64_t old;

	if (unlikely(!slot_lock(home, &old)))
		return is_same ? -EIO : drop(ctx, index, new);
	if (old != expected || !is_unchanged(ctx, index, old)) {
		slot_publish(home, old);
		if (!is_same)
			zs_free(ctx->store->pool, slot_handle(new));
		return -ESTALE;
	}
	if (is_same)
		slot_publish(home, new);
	else
		page_replace(ctx, index, old, new);
	return 0;
}

/* Return: 0, -ESTALE where the page is another by now, -EIO, or as zs_store(). */
static int recompress(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		      uint32_t below_bytes, uint32_t *len_bytes)
{
	struct zs_pool *pool = ctx->store->pool;
	const uint32_t len = slot_len_bytes(slot);
	uint64_t new = slot_make_incompressible(index, slot);
	struct packed packed;
	int err = page_load_slot(ctx, index, slot, ctx->scratch->page);

	if (err)
		return err == -EAGAIN ? -ESTALE
				      : page_note_damage(ctx, index, err);
	below_bytes = (uint32_t)min_u64(min_u64(below_bytes, len),
					ctx->store->huge_class_bytes);
	if (compress_again(ctx, below_bytes, &packed) &&
	    is_denser(pool, &packed, len)) {
		sum_up(ctx->store, &packed);
		err = store_packed(pool, index, &packed, ZS_SHRINKING, &new);
	}
	if (!err)
		err = replace_if(ctx, index, slot, new);
	if (err)
		return err;
	zstore_unmark_idle(ctx->store, index);
	*len_bytes = slot_len_bytes(new);
	return 0;
}

int page_recompress(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		    uint32_t below_bytes, uint32_t *len_bytes)
{
	struct need need = {.how = ZS_SHRINKING};
	int err;

	count(ctx, COUNT_changes_begun, 1);
	do {
		err = recompress(ctx, index, slot, below_bytes, len_bytes);
	} while (unlikely(err) && err != -ESTALE &&
		 !(err = make_room(ctx->store->pool, &need, err)));
	count(ctx, COUNT_changes_ended, 1);
	return err;
}

/* --- Patching ------------------------------------------------------------- */

/* Part of a page that is to be replaced. */
struct patch {
	uint64_t index; /* of the page */
	uint32_t at; /* first byte in it */
	uint32_t bytes;
	const void *src; /* NULL: zeros */
};

/* The slot is locked, and says @old. */
static int patch_locked(struct zstore_ctx *ctx, const struct patch *patch,
			uint64_t old, struct need *need, uint64_t *new)
{
	struct zs_pool *pool = ctx->store->pool;
	struct packed packed;
	int err = page_load_slot(ctx, patch->index, old, ctx->scratch->page);

	if (unlikely(err == -ENODATA))
		return err;
	if (err)
		return page_note_damage(ctx, patch->index, -EIO);
	if (patch->src)
		memcpy(ctx->scratch->page + patch->at, patch->src,
		       patch->bytes);
	else
		memset(ctx->scratch->page + patch->at, 0, patch->bytes);
	pack(ctx, ctx->scratch->page, &packed);
	need->frees_as_much =
		frees_as_much(ctx->store, patch->index, old, &packed);
	return store_packed(pool, patch->index, &packed, need->how, new);
}

/*
 * From reading the page to publishing it the slot is locked, so that no other
 * patch of it is lost. Who has to wait for memory unlocks it and starts over.
 */
static int try_patch(struct zstore_ctx *ctx, const struct patch *patch,
		     struct need *need)
{
	_Atomic uint64_t *home = &ctx->store->slots[patch->index];
	uint64_t old, new;
	int err;

	if (unlikely(!slot_lock(home, &old)))
		return page_note_damage(ctx, patch->index, -EIO);
	err = patch_locked(ctx, patch, old, need, &new);
	if (err)
		slot_publish(home, old);
	else
		page_replace(ctx, patch->index, old, new);
	return err;
}

/* The patch could not be made, with @err: do what may help, with nothing
 * locked. Return: 0 to try again. */
static int prepare_patch(struct zstore_ctx *ctx, const struct patch *patch,
			 struct need *need, int err)
{
	if (err != -ENODATA)
		return make_room(ctx->store->pool, need, err);
	err = page_bring(ctx, patch->index,
			 slot_load(&ctx->store->slots[patch->index]));
	return page_note_damage(ctx, patch->index, err);
}

static int patch_page(struct zstore_ctx *ctx, const struct patch *patch)
{
	struct need need = {.how = ZS_NORMAL};
	int err = ensure_slot(ctx->store, patch->index);

	if (err)
		return err;
	do {
		err = try_patch(ctx, patch, &need);
	} while (unlikely(err) &&
		 !(err = prepare_patch(ctx, patch, &need, err)));
	return err;
}

int page_store(struct zstore_ctx *ctx, uint64_t index, const void *src)
{
	struct packed packed;
	int err;

	zstore_need_settled(ctx->store);
	count(ctx, COUNT_changes_begun, 1);
	err = ensure_slot(ctx->store, index);
	if (!err) {
		pack(ctx, src, &packed);
		err = store_page(ctx, index, &packed);
	}
	count(ctx, COUNT_changes_ended, 1);
	return err;
}

int page_put(struct zstore_ctx *ctx, uint64_t index, const void *src,
	     uint32_t bytes, enum zstore_codec codec, unsigned dict)
{
	struct packed packed = {
		.bytes = src,
		.len_bytes = bytes,
		.flags = method_flags(codec, dict),
	};
	int err;

	zstore_need_settled(ctx->store);
	sum_up(ctx->store, &packed);
	count(ctx, COUNT_changes_begun, 1);
	err = ensure_slot(ctx->store, index);
	if (!err)
		err = store_page(ctx, index, &packed);
	count(ctx, COUNT_changes_ended, 1);
	return err;
}

/* Whether there is nothing in a page that zeros would change. */
static bool is_empty(const struct zstore *store, uint64_t index)
{
	return !slot_exists(store, index) || !slot_load(&store->slots[index]);
}

int page_patch(struct zstore_ctx *ctx, uint64_t index, uint32_t at,
	       uint32_t bytes, const void *src)
{
	const struct patch patch = {
		.index = index, .at = at, .bytes = bytes, .src = src};
	int err;

	if (!src && is_empty(ctx->store, index))
		return 0;
	zstore_need_settled(ctx->store);
	count(ctx, COUNT_changes_begun, 1);
	err = patch_page(ctx, &patch);
	count(ctx, COUNT_changes_ended, 1);
	return err;
}

int page_discard(struct zstore_ctx *ctx, uint64_t index)
{
	uint64_t old;
	int err = 0;

	if (is_empty(ctx->store, index))
		return 0;
	zstore_need_settled(ctx->store);
	count(ctx, COUNT_changes_begun, 1);
	if (likely(slot_lock(&ctx->store->slots[index], &old)))
		page_replace(ctx, index, old, 0);
	else
		err = page_note_damage(ctx, index, -EIO);
	count(ctx, COUNT_changes_ended, 1);
	if (!err && old)
		count(ctx, COUNT_notify_free, 1);
	return err;
}

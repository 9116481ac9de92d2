/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page of the disk: reading it, and changing it as the rule "new before
 * old" asks: pack the new content, publish it in the slot, release the old.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "zstore/fill.h"
#include "zstore/sum.h"
#include "zstore/zstore_internal.h"

/*
 * How much to compact for an allocation that found no room: objects at a time,
 * and how often. About 100 us at the most, and only when the store is full.
 */
#define DIRECT_COMPACT_OBJECTS 64u
#define DIRECT_COMPACT_SLICES  8u

/* --- Reading ------------------------------------------------------------- */

/* Whether the object that @slot names, pinned, has bytes that were not put
 * there, as far as checksums can tell. */
static bool is_damaged(const struct zstore *store, uint64_t slot,
		       const void *src)
{
	return store->params.checksum &&
	       sum_object(src, slot_len_bytes(slot)) !=
		       zs_obj_tag(store->pool, slot_handle(slot));
}

/* The content of an object's bytes @src, which is pinned, into @dst. */
static int unpack(struct zstore_ctx *ctx, uint64_t slot, const void *src,
		  void *dst)
{
	const enum zstore_codec codec = slot_codec(slot);
	const struct zcomp_dict *dict =
		zstore_dict(ctx->store, codec, slot_dict(slot));
	uint64_t word;

	if (is_damaged(ctx->store, slot, src) || !ctx->zcomp[codec] ||
	    (slot_dict(slot) && !dict))
		return -EIO;
	if (slot_is_word(slot)) {
		memcpy(&word, src, sizeof(word));
		fill_page(dst, word);
		return 0;
	}
	if (slot_is_huge(slot)) {
		memcpy(dst, src, ZSD_PAGE_BYTES);
		return 0;
	}
	return zcomp_decompress(ctx->zcomp[codec], dict, src,
				slot_len_bytes(slot), dst, ZSD_PAGE_BYTES);
}

/* The same as it is stored. That it makes a page is seen in the scratch page. */
static int copy_out(struct zstore_ctx *ctx, uint64_t slot, const void *src,
		    void *dst)
{
	int err = unpack(ctx, slot, src, ctx->scratch->page);

	if (!err)
		memcpy(dst, src, slot_len_bytes(slot));
	return err;
}

/*
 * Have @take look at the object of page @index that @slot names, while its slot
 * says the same: without a lock, another thread may replace it before its
 * object is pinned.
 * Return: what @take does, -EAGAIN where it was replaced, or -ESTALE where its
 * handle is not live though the slot says the same again.
 */
static inline int take_object(struct zstore_ctx *ctx, uint64_t index,
			      uint64_t slot,
			      int (*take)(struct zstore_ctx *ctx, uint64_t slot,
					  const void *src, void *dst),
			      void *dst)
{
	const _Atomic uint64_t *home = &ctx->store->slots[index];
	struct zs_pool *pool = ctx->store->pool;
	const void *src;
	int err;

	err = zs_obj_read_begin(pool, slot_handle(slot), slot_len_bytes(slot),
				ctx->scratch->object, &src);
	if (err)
		return slot_load(home) == slot ? err : -EAGAIN;
	if (slot_load(home) == slot)
		err = take(ctx, slot, src, dst);
	else
		err = -EAGAIN;
	zs_obj_read_end(pool, slot_handle(slot));
	return err;
}

/* How page @index is read as @slot says. Return: 0, -EIO, or what
 * take_object() does. */
typedef int read_slot(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		      void *dst);

static int load_slot(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		     void *dst)
{
	if (unlikely(!slot_is_sound(slot, index)))
		return -EIO;
	if (slot_kind(slot) == SLOT_EMPTY) {
		memset(dst, 0, ZSD_PAGE_BYTES);
		return 0;
	}
	if (slot_kind(slot) == SLOT_FILLED) {
		fill_page(dst, slot_filled_word(slot));
		return 0;
	}
	return take_object(ctx, index, slot, unpack, dst);
}

/* Its object as it is, if it has one. */
static int copy_slot(struct zstore_ctx *ctx, uint64_t index, uint64_t slot,
		     void *dst)
{
	if (unlikely(!slot_is_sound(slot, index)))
		return -EIO;
	return slot_kind(slot) == SLOT_OBJECT
		       ? take_object(ctx, index, slot, copy_out, dst)
		       : 0;
}

/*
 * The handle was dead, yet the slot has not changed. Either the page was
 * written twice meanwhile and got the same handle back, or it is lost. With the
 * slot locked nobody can write it: if the handle is still dead, the page is
 * lost.
 */
static int read_locked(struct zstore_ctx *ctx, uint64_t index, read_slot *read,
		       void *dst, uint64_t *slot)
{
	_Atomic uint64_t *home = &ctx->store->slots[index];
	int err;

	/* A lock may be a dead thread's: there are no others yet. */
	zstore_need_settled(ctx->store);
	if (!slot_lock(home, slot))
		return -EIO;
	err = read(ctx, index, *slot, dst);
	slot_publish(home, *slot);
	return err ? -EIO : 0;
}

/* Pass an error on; count and tell if it is that the page is damaged. */
static int note_damage(struct zstore_ctx *ctx, uint64_t index, int err)
{
	const struct zstore_params *params = &ctx->store->params;

	if (likely(err != -EIO))
		return err;
	count(ctx, COUNT_corrupt_reads, 1);
	if (params->damaged)
		params->damaged(params->damaged_arg, index);
	return err;
}

/* @slot receives what it was read as. */
static inline int read_page(struct zstore_ctx *ctx, uint64_t index,
			    read_slot *read, void *dst, uint64_t *slot)
{
	const _Atomic uint64_t *home = &ctx->store->slots[index];
	int err;

	do {
		*slot = slot_load(home);
		err = read(ctx, index, *slot, dst);
	} while (err == -EAGAIN);
	if (err == -ESTALE)
		err = read_locked(ctx, index, read, dst, slot);
	return note_damage(ctx, index, err);
}

int page_load(struct zstore_ctx *ctx, uint64_t index, void *dst)
{
	uint64_t slot;

	if (!slot_exists(ctx->store, index)) {
		memset(dst, 0, ZSD_PAGE_BYTES);
		return 0;
	}
	return read_page(ctx, index, load_slot, dst, &slot);
}

int page_copy(struct zstore_ctx *ctx, uint64_t index, void *dst, uint64_t *slot)
{
	*slot = 0;
	if (!slot_exists(ctx->store, index))
		return 0;
	return read_page(ctx, index, copy_slot, dst, slot);
}

void page_prefetch(const struct zstore *store, uint64_t index,
		   enum zstore_stage stage)
{
	uint64_t slot;

	if (!slot_exists(store, index))
		return;
	if (stage == ZSTORE_NEAR_SLOT) {
		prefetch(&store->slots[index]);
		return;
	}
	slot = slot_load(&store->slots[index]);
	if (slot_kind(slot) != SLOT_OBJECT)
		return;
	if (stage == ZSTORE_NEAR_ENTRY)
		zs_handle_prefetch(store->pool, slot_handle(slot));
	else
		zs_obj_prefetch(store->pool, slot_handle(slot),
				slot_len_bytes(slot));
}

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
 * of any word are alike.
 */
static bool frees_as_much(const struct zs_pool *pool, uint64_t index,
			  uint64_t old, const struct packed *packed)
{
	if (packed->flags & SLOT_WORD)
		return true;
	return slot_is_sound(old, index) && slot_kind(old) == SLOT_OBJECT &&
	       zs_lookup_class_index(pool, packed->len_bytes) <=
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

/* Of a damaged slot nobody knows what it held: whatever it was stays. */
static void release(struct zstore_ctx *ctx, uint64_t index, uint64_t slot)
{
	if (unlikely(!slot_is_sound(slot, index))) {
		note_damage(ctx, index, -EIO);
		return;
	}
	count_slot(ctx->counters, slot, -1);
	if (slot_kind(slot) != SLOT_OBJECT)
		return;
	zs_free(ctx->store->pool, slot_handle(slot));
	if (slot_dict(slot)) /* now nobody reads it any more */
		count_dict(ctx, slot_dict(slot), -1);
}

/* Publish @new where @old is locked, and release that. */
static void replace(struct zstore_ctx *ctx, uint64_t index, uint64_t old,
		    uint64_t new)
{
	slot_publish(&ctx->store->slots[index], new);
	count_slot(ctx->counters, new, 1);
	if (slot_kind(new) == SLOT_OBJECT && slot_dict(new))
		count_dict(ctx, slot_dict(new), 1);
	if (slot_kind(new) == SLOT_OBJECT && slot_is_huge(new))
		count(ctx, COUNT_huge_pages_since, 1);
	release(ctx, index, old);
}

/* --- Changing ------------------------------------------------------------ */

/*
 * Put memory behind the group of slots that @index is in. Two threads may do so
 * at once: it is one page, which is there or not, and is counted once.
 */
static int commit_group(struct zstore *store, uint64_t index)
{
	uint64_t group = index / SLOTS_PER_GROUP;
	uint8_t is_there = 0;
	int err = zs_pool_charge(store->pool, ZSD_PAGE_BYTES, ZS_NORMAL);

	if (err)
		return err;
	err = mapping_commit(&store->image,
			     store->slots_offset + group * ZSD_PAGE_BYTES,
			     ZSD_PAGE_BYTES, NULL);
	if (err || !atomic_compare_exchange_strong(&store->groups[group],
						   &is_there, 1))
		zs_pool_uncharge(store->pool, ZSD_PAGE_BYTES);
	return err;
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
	return err ? err : zs_pool_populate_handles(store->pool);
}

/* What was stored for a page whose slot cannot be had. */
static int drop(struct zstore_ctx *ctx, uint64_t index, uint64_t new)
{
	if (slot_kind(new) == SLOT_OBJECT)
		zs_free(ctx->store->pool, slot_handle(new));
	return note_damage(ctx, index, -EIO);
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
		frees_as_much(pool, index, slot_load(home), packed);
	do {
		err = store_packed(pool, index, packed, need.how, &new);
	} while (unlikely(err) && !(err = make_room(pool, &need, err)));
	if (err)
		return err;
	if (unlikely(!slot_lock(home, &old)))
		return drop(ctx, index, new);
	replace(ctx, index, old, new);
	return 0;
}

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

	if (load_slot(ctx, patch->index, old, ctx->scratch->page))
		return note_damage(ctx, patch->index, -EIO);
	if (patch->src)
		memcpy(ctx->scratch->page + patch->at, patch->src,
		       patch->bytes);
	else
		memset(ctx->scratch->page + patch->at, 0, patch->bytes);
	pack(ctx, ctx->scratch->page, &packed);
	need->frees_as_much = frees_as_much(pool, patch->index, old, &packed);
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
		return note_damage(ctx, patch->index, -EIO);
	err = patch_locked(ctx, patch, old, need, &new);
	if (err)
		slot_publish(home, old);
	else
		replace(ctx, patch->index, old, new);
	return err;
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
		 !(err = make_room(ctx->store->pool, &need, err)));
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
		replace(ctx, index, old, 0);
	else
		err = note_damage(ctx, index, -EIO);
	count(ctx, COUNT_changes_ended, 1);
	if (!err && old)
		count(ctx, COUNT_notify_free, 1);
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handle table: one 64-bit entry a handle, which says where its object is.
 *
 * Free handles are chained through their entries. Each class keeps a stash of
 * some, under the lock that its allocations hold anyway, so that the table's
 * own lock is taken once in ZS_STASH_BATCH allocations.
 */
#include "config.h"

#include <errno.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/spin.h"
#include "zsmalloc/zs_handle.h"

/* Entries committed at a time: two pages, and a page of tags. A system call for
 * so many new objects is nothing, and what is not used is no loss. */
#define COMMIT_ENTRIES 1024u
#define ENTRIES_BYTES  (COMMIT_ENTRIES * sizeof(uint64_t))
#define TAGS_BYTES     (COMMIT_ENTRIES * sizeof(uint32_t))

/* A table has a multiple of these: where the parts of an image are follows from
 * that, so that it must stay as it is. */
#define TABLE_ENTRIES 8192u

/* Entries that a table for @nr_handles needs: what stashes hold is extra. */
static uint64_t nr_entries(uint64_t nr_handles)
{
	const uint64_t stashed = (uint64_t)ZS_NR_CLASSES * ZS_STASH_MAX;

	_Static_assert(ZS_MAX_HANDLES + ZS_NR_CLASSES * ZS_STASH_MAX +
				       TABLE_ENTRIES <=
			       (uint64_t)1 << 31,
		       "a header names every handle of the largest table");
	return align_up(1 + nr_handles + stashed, TABLE_ENTRIES);
}

uint64_t zs_handles_bytes(const struct zs_pool_params *params)
{
	uint64_t bytes = sizeof(uint64_t);

	if (params->has_tags)
		bytes += sizeof(uint32_t);
	return nr_entries(params->nr_handles) * bytes;
}

void zs_handles_init(struct zs_handles *handles,
		     const struct zs_pool_params *params, struct mapping *map,
		     uint64_t offset)
{
	uint64_t nr_max = nr_entries(params->nr_handles);
	uint64_t tags_offset = offset + nr_max * sizeof(uint64_t);

	*handles = (struct zs_handles){
		.entries = (_Atomic uint64_t *)(void *)(map->base + offset),
		.entries_table =
			{
				.offset = offset,
				.max_bytes = nr_max * sizeof(uint64_t),
			},
		.nr_max = nr_max,
		.nr_fresh = 1, /* 0 is ZS_HANDLE_NONE */
	};
	if (params->has_tags) {
		handles->tags =
			(_Atomic uint32_t *)(void *)(map->base + tags_offset);
		handles->tags_table = (struct zs_table){
			.offset = tags_offset,
			.max_bytes = nr_max * sizeof(uint32_t),
		};
	}
	lock_init(&handles->lock, params->inherit_priority);
}

void zs_handles_fini(struct zs_handles *handles)
{
	pthread_mutex_destroy(&handles->lock);
}

/* --- Chains of free handles ---------------------------------------------- */

static uint64_t entry_load(const struct zs_handles *handles, zs_handle handle)
{
	return atomic_load_explicit(&handles->entries[handle],
				    memory_order_relaxed);
}

static void chain_push(struct zs_handles *handles,
		       struct zs_handle_chain *chain, unsigned owner,
		       zs_handle handle)
{
	/* Release: whoever pins this handle next is behind our last access. */
	atomic_store_explicit(&handles->entries[handle],
			      zs_entry_free(owner, chain->first),
			      memory_order_release);
	chain->first = handle;
	chain->nr++;
}

bool zs_handle_is_chained(const struct zs_handles *handles, zs_handle handle,
			  unsigned owner)
{
	uint64_t entry;

	if (handle == ZS_HANDLE_NONE || handle >= handles->nr_fresh)
		return false;
	entry = entry_load(handles, handle);
	return zs_entry_is_sound(entry) && zs_entry_is_free(entry) &&
	       zs_entry_owner(entry) == owner;
}

bool zs_handle_chain_is_sound(const struct zs_handles *handles,
			      const struct zs_handle_chain *chain,
			      unsigned owner)
{
	zs_handle handle = chain->first;
	uint64_t left = chain->nr;

	for (; left && zs_handle_is_chained(handles, handle, owner); left--)
		handle = zs_entry_next(entry_load(handles, handle));
	return !left && handle == ZS_HANDLE_NONE;
}

/*
 * A link was damaged: chain the free handles of an owner anew. Each says whose
 * it is; the damaged one is lost. Cost: a look at each handle.
 */
static void chain_mend(struct zs_pool *pool, struct zs_handle_chain *chain,
		       unsigned owner)
{
	struct zs_handles *handles = &pool->handles;

	zs_note_damage(&pool->arena);
	*chain = (struct zs_handle_chain){.first = ZS_HANDLE_NONE};
	for (uint64_t h = handles->nr_fresh; h-- > 1;) {
		if (zs_handle_is_chained(handles, (zs_handle)h, owner))
			chain_push(handles, chain, owner, (zs_handle)h);
	}
}

/* Return: a handle, or ZS_HANDLE_NONE. */
static zs_handle chain_pop(struct zs_pool *pool, struct zs_handle_chain *chain,
			   unsigned owner)
{
	struct zs_handles *handles = &pool->handles;
	zs_handle handle;

	if (!chain->nr)
		return ZS_HANDLE_NONE;
	if (unlikely(!zs_handle_is_chained(handles, chain->first, owner)))
		chain_mend(pool, chain, owner);
	handle = chain->first;
	if (unlikely(handle == ZS_HANDLE_NONE))
		return handle;
	chain->first = zs_entry_next(entry_load(handles, handle));
	chain->nr--;
	return handle;
}

/* --- The table ----------------------------------------------------------- */

/* Handles whose entry, and tag if there are tags, has memory. */
static uint64_t nr_committed(const struct zs_handles *handles)
{
	uint64_t entries = zs_nr_entries(handles);
	uint64_t tags = handles->tags_table.nr_bytes / sizeof(uint32_t);

	return handles->tags ? min_u64(entries, tags) : entries;
}

int zs_handles_refill(struct zs_pool *pool, enum zs_alloc how)
{
	struct zs_handles *handles = &pool->handles;
	uint64_t entries = zs_nr_entries(handles);
	uint64_t tags = handles->tags_table.nr_bytes / sizeof(uint32_t);

	if (handles->tags && tags < entries)
		return zs_arena_extend(&pool->arena, &handles->tags_table,
				       TAGS_BYTES, how);
	return zs_arena_extend(&pool->arena, &handles->entries_table,
			       ENTRIES_BYTES, how);
}

int zs_pool_populate_handles(struct zs_pool *pool)
{
	struct zs_handles *handles = &pool->handles;
	int err = 0;

	while (nr_committed(handles) < handles->nr_max && !err)
		err = zs_handles_refill(pool, ZS_NORMAL);
	return err;
}

/* Whether the table has a handle to give. Under the lock. */
static bool has_handle(const struct zs_handles *handles)
{
	return handles->free.nr || handles->nr_fresh < nr_committed(handles);
}

bool zs_handles_are_short(struct zs_pool *pool)
{
	struct zs_handles *handles = &pool->handles;
	bool is_short;

	pthread_mutex_lock(&handles->lock);
	is_short = !has_handle(handles);
	pthread_mutex_unlock(&handles->lock);
	return is_short;
}

/* One that was never taken. Its entry is sound before anybody looks at it. */
static zs_handle take_fresh(struct zs_handles *handles)
{
	zs_handle handle = (zs_handle)handles->nr_fresh;

	if (handle >= nr_committed(handles))
		return ZS_HANDLE_NONE;
	atomic_store_explicit(&handles->entries[handle],
			      zs_entry_free(ZS_OWNER_TABLE, ZS_HANDLE_NONE),
			      memory_order_relaxed);
	handles->nr_fresh++;
	return handle;
}

static zs_handle take_handle(struct zs_pool *pool)
{
	struct zs_handles *handles = &pool->handles;
	zs_handle handle = chain_pop(pool, &handles->free, ZS_OWNER_TABLE);

	return handle ? handle : take_fresh(handles);
}

static unsigned owner_of(const struct zs_class *class)
{
	return ZS_OWNER_CLASS(class->geometry.class_idx);
}

/* Move a batch from the table to the class's empty stash. */
static void stash_fill(struct zs_pool *pool, struct zs_class *class)
{
	struct zs_handles *handles = &pool->handles;
	zs_handle handle;

	pthread_mutex_lock(&handles->lock);
	while (class->stash.nr < ZS_STASH_BATCH &&
	       (handle = take_handle(pool)) != ZS_HANDLE_NONE)
		chain_push(handles, &class->stash, owner_of(class), handle);
	pthread_mutex_unlock(&handles->lock);
}

/* Move a batch back. */
static void stash_drain(struct zs_pool *pool, struct zs_class *class)
{
	struct zs_handles *handles = &pool->handles;

	pthread_mutex_lock(&handles->lock);
	for (unsigned i = 0; i < ZS_STASH_BATCH; i++) {
		zs_handle handle =
			chain_pop(pool, &class->stash, owner_of(class));

		if (handle != ZS_HANDLE_NONE)
			chain_push(handles, &handles->free, ZS_OWNER_TABLE,
				   handle);
	}
	pthread_mutex_unlock(&handles->lock);
}

int zs_handle_get(struct zs_pool *pool, struct zs_class *class, zs_handle *out)
{
	const struct zs_handles *handles = &pool->handles;

	if (!class->stash.nr)
		stash_fill(pool, class);
	*out = chain_pop(pool, &class->stash, owner_of(class));
	if (likely(*out != ZS_HANDLE_NONE))
		return 0;
	return nr_committed(handles) < handles->nr_max ? -EAGAIN : -ENOSPC;
}

void zs_handle_put(struct zs_pool *pool, struct zs_class *class,
		   zs_handle handle)
{
	chain_push(&pool->handles, &class->stash, owner_of(class), handle);
	if (class->stash.nr >= ZS_STASH_MAX)
		stash_drain(pool, class);
}

void zs_handle_reclaim(struct zs_pool *pool, zs_handle handle)
{
	struct zs_handles *handles = &pool->handles;

	pthread_mutex_lock(&handles->lock);
	chain_push(handles, &handles->free, ZS_OWNER_TABLE, handle);
	pthread_mutex_unlock(&handles->lock);
}

/* --- Pins ---------------------------------------------------------------- */

static bool try_pin(_Atomic uint64_t *slot, uint64_t entry)
{
	return atomic_compare_exchange_strong_explicit(slot, &entry,
						       entry | ZS_ENTRY_PINNED,
						       memory_order_acquire,
						       memory_order_relaxed);
}

int zs_handle_pin(struct zs_pool *pool, zs_handle handle, uint64_t *out)
{
	_Atomic uint64_t *slot = &pool->handles.entries[handle];
	unsigned spins = 0;

	if (unlikely(handle == ZS_HANDLE_NONE ||
		     handle >= zs_nr_entries(&pool->handles)))
		return -ESTALE;
	do {
		/* Acquire: one who finds it dead sees what happened before. */
		uint64_t entry =
			atomic_load_explicit(slot, memory_order_acquire);

		if (unlikely(!zs_entry_is_sound(entry)))
			break;
		if (!(entry & ZS_ENTRY_LIVE))
			return -ESTALE;
		if (unlikely(!zs_entry_is_valid(pool, entry)))
			break;
		if (!(entry & ZS_ENTRY_PINNED) && try_pin(slot, entry)) {
			*out = entry;
			return 0;
		}
	} while (spin_wait(&spins));
	return -EIO;
}

bool zs_handle_try_pin(struct zs_pool *pool, zs_handle handle, uint64_t live)
{
	return try_pin(&pool->handles.entries[handle], live);
}

/* --- Tags ---------------------------------------------------------------- */

uint32_t zs_obj_tag(const struct zs_pool *pool, zs_handle handle)
{
	CHECK(pool->handles.tags && handle < pool->handles.nr_max);
	return atomic_load_explicit(&pool->handles.tags[handle],
				    memory_order_relaxed);
}

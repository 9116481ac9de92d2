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

/* Entries committed at a time: 64 KiB, and 32 KiB of tags. */
#define COMMIT_ENTRIES 8192u
#define ENTRIES_BYTES  (COMMIT_ENTRIES * sizeof(uint64_t))
#define TAGS_BYTES     (COMMIT_ENTRIES * sizeof(uint32_t))

/* Entries that a table for @nr_handles needs: what stashes hold is extra. */
static uint64_t nr_entries(uint64_t nr_handles)
{
	uint64_t stashed = (uint64_t)ZS_NR_CLASSES * ZS_STASH_MAX;

	return align_up(1 + nr_handles + stashed, COMMIT_ENTRIES);
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
		.free = ZS_HANDLE_NONE,
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

/* --- Chains of free handles ----------------------------------------------- */

static void chain_push(struct zs_handles *handles, zs_handle *head,
		       zs_handle handle)
{
	/* Release: whoever pins this handle next is behind our last access. */
	atomic_store_explicit(&handles->entries[handle],
			      (uint64_t)*head << ZS_ENTRY_NEXT_SHIFT,
			      memory_order_release);
	*head = handle;
}

static zs_handle chain_pop(struct zs_handles *handles, zs_handle *head)
{
	zs_handle handle = *head;
	uint64_t entry = atomic_load_explicit(&handles->entries[handle],
					      memory_order_relaxed);

	BUG_ON(entry & ZS_ENTRY_LIVE);
	*head = (zs_handle)(entry >> ZS_ENTRY_NEXT_SHIFT);
	return handle;
}

/* --- The table ------------------------------------------------------------ */

/* Handles whose entry, and tag if there are tags, has memory. */
static uint64_t nr_committed(const struct zs_handles *handles)
{
	uint64_t entries = handles->entries_table.nr_bytes / sizeof(uint64_t);
	uint64_t tags = handles->tags_table.nr_bytes / sizeof(uint32_t);

	return handles->tags ? min_u64(entries, tags) : entries;
}

/* Put memory behind the next entries, or behind their tags. */
static int commit_more(struct zs_pool *pool, enum zs_alloc how)
{
	struct zs_handles *handles = &pool->handles;
	uint64_t entries = handles->entries_table.nr_bytes / sizeof(uint64_t);
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
		err = commit_more(pool, ZS_NORMAL);
	return err;
}

/* Whether the table has a handle to give. Under the lock. */
static bool has_handle(const struct zs_handles *handles)
{
	return handles->free != ZS_HANDLE_NONE ||
	       handles->nr_fresh < nr_committed(handles);
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

int zs_handles_refill(struct zs_pool *pool, enum zs_alloc how)
{
	return commit_more(pool, how);
}

static zs_handle take_handle(struct zs_handles *handles)
{
	if (handles->free != ZS_HANDLE_NONE)
		return chain_pop(handles, &handles->free);
	return (zs_handle)handles->nr_fresh++;
}

/* Move a batch from the table to the class's empty stash. */
static void stash_fill(struct zs_handles *handles, struct zs_class *class)
{
	pthread_mutex_lock(&handles->lock);
	while (class->nr_stashed < ZS_STASH_BATCH && has_handle(handles)) {
		chain_push(handles, &class->stash, take_handle(handles));
		class->nr_stashed++;
	}
	pthread_mutex_unlock(&handles->lock);
}

static void stash_drain(struct zs_pool *pool, struct zs_class *class)
{
	struct zs_handles *handles = &pool->handles;

	pthread_mutex_lock(&handles->lock);
	for (unsigned i = 0; i < ZS_STASH_BATCH; i++)
		chain_push(handles, &handles->free,
			   chain_pop(handles, &class->stash));
	class->nr_stashed -= ZS_STASH_BATCH;
	pthread_mutex_unlock(&handles->lock);
}

int zs_handle_get(struct zs_pool *pool, struct zs_class *class, zs_handle *out)
{
	struct zs_handles *handles = &pool->handles;

	if (!class->nr_stashed)
		stash_fill(handles, class);
	if (!class->nr_stashed)
		return nr_committed(handles) < handles->nr_max ? -EAGAIN
							       : -ENOSPC;
	*out = chain_pop(handles, &class->stash);
	class->nr_stashed--;
	return 0;
}

void zs_handle_put(struct zs_pool *pool, struct zs_class *class,
		   zs_handle handle)
{
	chain_push(&pool->handles, &class->stash, handle);
	if (++class->nr_stashed == ZS_STASH_MAX)
		stash_drain(pool, class);
}

/* --- Pins ----------------------------------------------------------------- */

static bool try_pin(_Atomic uint64_t *slot, uint64_t entry)
{
	return atomic_compare_exchange_strong_explicit(slot, &entry,
						       entry | ZS_ENTRY_PINNED,
						       memory_order_acquire,
						       memory_order_relaxed);
}

uint64_t zs_handle_pin(struct zs_pool *pool, zs_handle handle)
{
	_Atomic uint64_t *slot = &pool->handles.entries[handle];
	unsigned spins = 0;

	if (unlikely(handle >= pool->handles.nr_max))
		return 0;
	for (;;) {
		/* Acquire: whoever finds it dead sees what its death followed. */
		uint64_t entry =
			atomic_load_explicit(slot, memory_order_acquire);

		if (!(entry & ZS_ENTRY_LIVE))
			return 0;
		if (!(entry & ZS_ENTRY_PINNED) && try_pin(slot, entry))
			return entry;
		spin_wait(&spins);
	}
}

bool zs_handle_try_pin(struct zs_pool *pool, zs_handle handle)
{
	_Atomic uint64_t *slot = &pool->handles.entries[handle];
	uint64_t entry = atomic_load_explicit(slot, memory_order_relaxed);

	return !(entry & ZS_ENTRY_PINNED) && try_pin(slot, entry);
}

/* --- Tags ----------------------------------------------------------------- */

uint32_t zs_obj_tag(const struct zs_pool *pool, zs_handle handle)
{
	CHECK(pool->handles.tags && handle < pool->handles.nr_max);
	return atomic_load_explicit(&pool->handles.tags[handle],
				    memory_order_relaxed);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_handle - the handle table, and pins
 */
#ifndef ZSD_ZSMALLOC_ZS_HANDLE_H
#define ZSD_ZSMALLOC_ZS_HANDLE_H

#include "zsmalloc/zs_internal.h"

/* Size of the entries and the tags in the mapping, bytes. */
uint64_t zs_handles_bytes(const struct zs_pool_params *params);

/* @offset is that of the entries; the tags follow them. */
void zs_handles_init(struct zs_handles *handles,
		     const struct zs_pool_params *params, struct mapping *map,
		     uint64_t offset);
void zs_handles_fini(struct zs_handles *handles);

/*
 * A free handle for @class, whose lock is held. Return: 0, -ENOSPC where all
 * are used, -EAGAIN where the rest has no memory: zs_handles_refill().
 */
int zs_handle_get(struct zs_pool *pool, struct zs_class *class,
		  zs_handle *out) ZSD_MUST_CHECK;

/* Whether no free handle has memory. */
bool zs_handles_are_short(struct zs_pool *pool);

/*
 * Put memory behind some more entries, or behind their tags. Waits for memory:
 * no lock may be held. Return: 0 where another try is worth it, -ENOSPC,
 * -ENOMEM.
 */
int zs_handles_refill(struct zs_pool *pool, enum zs_alloc how) ZSD_MUST_CHECK;

/* Back to @class, whose lock is held; also ends a pin. */
void zs_handle_put(struct zs_pool *pool, struct zs_class *class,
		   zs_handle handle);

/* After a death: @handle leads to nothing, and is the table's to give. */
void zs_handle_reclaim(struct zs_pool *pool, zs_handle handle);

/* Whether a chain has as many handles as it should, and all are @owner's. */
bool zs_handle_chain_is_sound(const struct zs_handles *handles,
			      const struct zs_handle_chain *chain,
			      unsigned owner);

/* Entries that have memory. */
static inline uint64_t zs_nr_entries(const struct zs_handles *handles)
{
	return atomic_load_explicit(&handles->entries_table.nr_bytes,
				    memory_order_relaxed) /
	       sizeof(uint64_t);
}

/* Whether a handle is free, and says that it is in the chain of @owner. */
bool zs_handle_is_chained(const struct zs_handles *handles, zs_handle handle,
			  unsigned owner);

/*
 * Wait for the pin. @handle may be any number. Return: 0 and the entry, -ESTALE
 * where it is not live, or -EIO where its entry is damaged: the check does not
 * hold, there is no such object, or it stays pinned.
 */
int zs_handle_pin(struct zs_pool *pool, zs_handle handle,
		  uint64_t *entry) ZSD_MUST_CHECK;

/* Pin it if its entry is @live, without waiting. Return: whether it is now. */
bool zs_handle_try_pin(struct zs_pool *pool, zs_handle handle, uint64_t live);

/* Whether there can be an object where an entry, which is sound, says. */
static inline bool zs_entry_is_valid(const struct zs_pool *pool, uint64_t entry)
{
	unsigned class_idx = zs_entry_class(entry);

	return class_idx < ZS_NR_CLASSES &&
	       pool->class_of[class_idx] == class_idx &&
	       zs_entry_page(entry) < pool->arena.nr_pages;
}

/* Note the caller's 32 bits for an object; nothing where there are no tags. */
static inline void zs_handle_set_tag(struct zs_pool *pool, zs_handle handle,
				     uint32_t tag)
{
	if (pool->handles.tags)
		atomic_store_explicit(&pool->handles.tags[handle], tag,
				      memory_order_relaxed);
}

/* End a pin, the object being at @entry now. */
static inline void zs_handle_unpin(struct zs_pool *pool, zs_handle handle,
				   uint64_t entry)
{
	atomic_store_explicit(&pool->handles.entries[handle],
			      entry & ~ZS_ENTRY_PINNED, memory_order_release);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adoption, up to where objects can be read: what of the tables has memory, and
 * which pins are left over from threads that are dead. Then the owner says
 * which handles it knows. What else there is to do is in rebuild.c.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "zsmalloc/zs_adopt.h"
#include "zsmalloc/zs_handle.h"

/* --- Marks --------------------------------------------------------------- */

#define MARK_BITS  2u
#define MARK_NAMED 1u
#define MARK_TWICE 2u

static unsigned mark_shift(zs_handle handle)
{
	return MARK_BITS * handle % 8;
}

static unsigned char *mark_byte(const struct zs_pool *pool, zs_handle handle)
{
	return &pool->adoption.named[(uint64_t)handle * MARK_BITS / 8];
}

static bool has_mark(const struct zs_pool *pool, zs_handle handle,
		     unsigned mark)
{
	return *mark_byte(pool, handle) >> mark_shift(handle) & mark;
}

static void set_mark(const struct zs_pool *pool, zs_handle handle,
		     unsigned mark)
{
	*mark_byte(pool, handle) |= (unsigned char)(mark << mark_shift(handle));
}

int zs_adoption_begin(struct zs_pool *pool)
{
	pool->adoption.named =
		calloc(pool->handles.nr_max / 8 * MARK_BITS + 1, 1);
	return pool->adoption.named ? 0 : -ENOMEM;
}

void zs_adoption_end(struct zs_pool *pool)
{
	free(pool->adoption.named);
	pool->adoption.named = NULL;
}

bool zs_is_named(const struct zs_pool *pool, zs_handle handle)
{
	return has_mark(pool, handle, MARK_NAMED);
}

/* --- What has memory ----------------------------------------------------- */

static void find_memory(struct zs_pool *pool, struct zs_table *table)
{
	struct zs_arena *arena = &pool->arena;
	uint64_t from = table->offset, end = from + table->max_bytes;

	if (!table->max_bytes || !mapping_next_data(arena->map, &from, &end) ||
	    from != table->offset)
		return;
	table->nr_bytes = end - from;
	arena->metadata_bytes += end - from;
}

/* --- Pins ---------------------------------------------------------------- */

/* Whose object is still being filled is nobody's, and stays as it is. */
static void end_pin(_Atomic uint64_t *home)
{
	uint64_t entry = atomic_load_explicit(home, memory_order_relaxed);

	if (zs_entry_is_sound(entry) && entry & ZS_ENTRY_LIVE &&
	    entry & ZS_ENTRY_PINNED)
		atomic_store_explicit(home, entry & ~ZS_ENTRY_PINNED,
				      memory_order_relaxed);
}

static void end_pins(struct zs_handles *handles)
{
	uint64_t nr = zs_nr_entries(handles);

	/* No entry that was ever taken is 0. */
	while (nr > 1 && !atomic_load_explicit(&handles->entries[nr - 1],
					       memory_order_relaxed))
		nr--;
	for (uint64_t handle = 1; handle < nr; handle++)
		end_pin(&handles->entries[handle]);
	if (nr > 1)
		handles->nr_fresh = nr;
}

void zs_pool_adopt(struct zs_pool *pool)
{
	struct zs_handles *handles = &pool->handles;

	find_memory(pool, &handles->entries_table);
	find_memory(pool, &handles->tags_table);
	find_memory(pool, &pool->arena.descriptors);
	end_pins(handles);
	pool->adoption.stage = ZS_REBUILD_HANDLES;
	pool->adoption.next = handles->nr_fresh;
}

/* --- What the owner knows ------------------------------------------------ */

int zs_adopt_find(const struct zs_pool *pool, zs_handle handle, size_t bytes)
{
	const struct zs_handles *handles = &pool->handles;
	uint64_t entry;

	if (handle == ZS_HANDLE_NONE || handle >= handles->nr_fresh || !bytes ||
	    bytes > ZS_MAX_OBJ_BYTES)
		return -ENOENT;
	entry = atomic_load_explicit(&handles->entries[handle],
				     memory_order_relaxed);
	if (!zs_entry_is_sound(entry) || !(entry & ZS_ENTRY_LIVE) ||
	    zs_entry_class(entry) != zs_lookup_class_index(pool, bytes))
		return -ENOENT;
	return 0;
}

int zs_adopt_name(struct zs_pool *pool, zs_handle handle, size_t bytes)
{
	int err = zs_adopt_find(pool, handle, bytes);

	if (err)
		return err;
	if (zs_is_named(pool, handle)) {
		set_mark(pool, handle, MARK_TWICE);
		return -EEXIST;
	}
	set_mark(pool, handle, MARK_NAMED);
	return 0;
}

bool zs_adopt_is_double(const struct zs_pool *pool, zs_handle handle)
{
	return handle < pool->handles.nr_max &&
	       has_mark(pool, handle, MARK_TWICE);
}

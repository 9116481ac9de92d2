/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of an object whose handle is pinned.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "zsmalloc/zs_handle.h"
#include "zsmalloc/zs_object.h"
#include "zsmalloc/zs_zspage.h"

/* The payload of an object: one piece, or two where it straddles pages. */
struct pieces {
	unsigned char *first;
	unsigned char *second; /* NULL: it does not */
	size_t first_bytes; /* at most; the rest is in the second */
};

/* The page behind @page in its zspage, or NONE where the two do not agree. */
static uint32_t next_page(const struct zs_pool *pool, uint32_t page)
{
	const struct zs_arena *arena = &pool->arena;
	uint32_t next = arena->descs[page].next, state;

	if (next >= zs_nr_described(arena) || arena->descs[next].prev != page)
		return ZS_PAGE_NONE;
	state = zs_state_load(arena, next);
	return zs_state_is_sound(state) && zs_state_kind(state) == ZS_PAGE_TAIL
		       ? next
		       : ZS_PAGE_NONE;
}

static unsigned char *payload_of(const struct zs_pool *pool,
				 const struct zs_class *class, uint64_t entry)
{
	struct zs_place place = zs_entry_place(class, entry);

	return zs_page_address(&pool->arena, place.page) + place.offset_bytes +
	       (class->is_huge ? 0 : ZS_HEADER_BYTES);
}

/* Return: false where the page with the second piece cannot be told. */
static bool locate(const struct zs_pool *pool, const struct zs_class *class,
		   uint64_t entry, size_t bytes, struct pieces *pieces)
{
	uint32_t page = zs_entry_page(entry), second;

	pieces->first = payload_of(pool, class, entry);
	pieces->second = NULL;
	pieces->first_bytes = (size_t)(zs_page_address(&pool->arena, page) +
				       ZSD_PAGE_BYTES - pieces->first);
	if (bytes <= pieces->first_bytes)
		return true;
	second = next_page(pool, page);
	if (unlikely(second == ZS_PAGE_NONE))
		return false;
	pieces->second = zs_page_address(&pool->arena, second);
	return true;
}

static size_t payload_bytes_max(const struct zs_class *class)
{
	return class->is_huge ? ZS_MAX_OBJ_BYTES
			      : class->geometry.size_bytes - ZS_HEADER_BYTES;
}

bool zs_obj_fill(struct zs_pool *pool, uint64_t entry, const void *src,
		 size_t bytes)
{
	const struct zs_class *class = &pool->classes[zs_entry_class(entry)];
	struct pieces to;

	CHECK(bytes <= payload_bytes_max(class));
	if (unlikely(!locate(pool, class, entry, bytes, &to)))
		return false;
	if (!to.second) {
		memcpy(to.first, src, bytes);
		return true;
	}
	memcpy(to.first, src, to.first_bytes);
	memcpy(to.second, (const unsigned char *)src + to.first_bytes,
	       bytes - to.first_bytes);
	return true;
}

/*
 * How much of an object is fetched ahead, bytes: whoever goes on from there
 * reads in order, which cores see for themselves. Of 64 to 4096, 256 to 512
 * were the fastest.
 */
#define PREFETCH_BYTES 256u
#define CACHE_LINE     64u

void zs_handle_prefetch(const struct zs_pool *pool, zs_handle handle)
{
	const struct zs_handles *handles = &pool->handles;

	if (unlikely(handle >= zs_nr_entries(handles)))
		return;
	prefetch(&handles->entries[handle]);
	if (handles->tags)
		prefetch(&handles->tags[handle]);
}

void zs_obj_prefetch(const struct zs_pool *pool, zs_handle handle, size_t bytes)
{
	const struct zs_class *class;
	unsigned char *payload;
	uint64_t entry;

	if (unlikely(handle >= zs_nr_entries(&pool->handles)))
		return;
	entry = atomic_load_explicit(&pool->handles.entries[handle],
				     memory_order_relaxed);
	if (!(entry & ZS_ENTRY_LIVE) || !zs_entry_is_valid(pool, entry))
		return;
	class = &pool->classes[zs_entry_class(entry)];
	payload = payload_of(pool, class, entry);
	if (bytes > PREFETCH_BYTES)
		bytes = PREFETCH_BYTES;
	/* Beyond the end of its page there may be nothing: no matter. */
	for (size_t at = 0; at < bytes; at += CACHE_LINE)
		prefetch(payload + at);
}

int zs_obj_read_begin(struct zs_pool *pool, zs_handle handle, size_t bytes,
		      void *local_copy, const void **out)
{
	const struct zs_class *class;
	struct pieces from;
	uint64_t entry;
	int err = zs_handle_pin(pool, handle, &entry);

	if (err)
		return err;
	class = &pool->classes[zs_entry_class(entry)];
	if (bytes > payload_bytes_max(class)) {
		zs_handle_unpin(pool, handle, entry);
		return -ESTALE;
	}
	if (unlikely(!locate(pool, class, entry, bytes, &from))) {
		zs_handle_unpin(pool, handle, entry);
		return -EIO;
	}
	if (!from.second) {
		*out = from.first;
		return 0;
	}
	memcpy(local_copy, from.first, from.first_bytes);
	memcpy((unsigned char *)local_copy + from.first_bytes, from.second,
	       bytes - from.first_bytes);
	*out = local_copy;
	return 0;
}

void zs_obj_read_end(struct zs_pool *pool, zs_handle handle)
{
	uint64_t entry = atomic_load_explicit(&pool->handles.entries[handle],
					      memory_order_relaxed);

	CHECK(entry & ZS_ENTRY_PINNED);
	zs_handle_unpin(pool, handle, entry);
}

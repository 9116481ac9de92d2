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

/* The payload of an object: one piece, or two where it straddles pages. */
struct pieces {
	unsigned char *first;
	unsigned char *second;
	size_t first_bytes; /* at most; the rest is in the second */
};

static struct pieces locate(const struct zs_pool *pool,
			    const struct zs_class *class, uint64_t entry,
			    size_t bytes)
{
	uint32_t page = zs_entry_page(entry);
	uint32_t at = zs_entry_obj(entry) * class->geometry.size_bytes %
		      ZSD_PAGE_BYTES;
	struct pieces pieces;

	if (!class->is_huge)
		at += ZS_HEADER_BYTES;
	pieces.first = zs_page_address(&pool->arena, page) + at;
	pieces.first_bytes = ZSD_PAGE_BYTES - at;
	pieces.second = NULL;
	if (bytes > pieces.first_bytes)
		pieces.second = zs_page_address(&pool->arena,
						pool->arena.descs[page].next);
	return pieces;
}

static size_t payload_bytes_max(const struct zs_class *class)
{
	return class->is_huge ? ZS_MAX_OBJ_BYTES
			      : class->geometry.size_bytes - ZS_HEADER_BYTES;
}

void zs_obj_fill(struct zs_pool *pool, uint64_t entry, const void *src,
		 size_t bytes)
{
	const struct zs_class *class = &pool->classes[zs_entry_class(entry)];
	struct pieces to = locate(pool, class, entry, bytes);

	CHECK(bytes <= payload_bytes_max(class));
	if (!to.second) {
		memcpy(to.first, src, bytes);
		return;
	}
	memcpy(to.first, src, to.first_bytes);
	memcpy(to.second, (const unsigned char *)src + to.first_bytes,
	       bytes - to.first_bytes);
}

/*
 * How much of an object is fetched ahead, bytes: whoever goes on from there
 * reads in order, which cores see for themselves. Of 64 to 4096, 256 to 512
 * were the fastest.
 */
#define PREFETCH_BYTES 256u
#define CACHE_LINE     64u

void zs_obj_prefetch(const struct zs_pool *pool, zs_handle handle, size_t bytes)
{
	const struct zs_class *class;
	struct pieces pieces;
	uint64_t entry;

	if (unlikely(handle >= pool->handles.nr_max))
		return;
	entry = atomic_load_explicit(&pool->handles.entries[handle],
				     memory_order_relaxed);
	if (!(entry & ZS_ENTRY_LIVE))
		return;
	class = &pool->classes[zs_entry_class(entry)];
	pieces = locate(pool, class, entry, 0);
	if (bytes > PREFETCH_BYTES)
		bytes = PREFETCH_BYTES;
	/* Beyond the end of its page there may be nothing: no matter. */
	for (size_t at = 0; at < bytes; at += CACHE_LINE)
		__builtin_prefetch(pieces.first + at);
}

int zs_obj_read_begin(struct zs_pool *pool, zs_handle handle, size_t bytes,
		      void *local_copy, const void **out)
{
	uint64_t entry = zs_handle_pin(pool, handle);
	const struct zs_class *class;
	struct pieces from;

	if (!entry)
		return -ESTALE;
	class = &pool->classes[zs_entry_class(entry)];
	if (bytes > payload_bytes_max(class)) {
		zs_handle_unpin(pool, handle, entry);
		return -ESTALE;
	}
	from = locate(pool, class, entry, bytes);
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

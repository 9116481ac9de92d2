/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_arena - 4 KiB pages, and the account of all memory that the pool uses
 *
 * Threads: each function that is not inline takes the arena's lock.
 */
#ifndef ZSD_ZSMALLOC_ZS_ARENA_H
#define ZSD_ZSMALLOC_ZS_ARENA_H

#include <pthread.h>
#include <stdatomic.h>

#include "zsmalloc/zs_image.h"

/* A table of the image, which gets memory from its start on as it is needed. */
struct zs_table {
	uint64_t offset; /* in the mapping, bytes */
	uint64_t max_bytes; /* of address space */
	/* That have memory. Changed under the arena's lock, read without. It
	 * never falls. */
	_Atomic uint64_t nr_bytes;
};

/* Pages that nobody uses, chained through their descriptors. */
struct zs_page_chain {
	enum zs_page_kind kind; /* of all of them */
	uint32_t first; /* or ZS_PAGE_NONE */
	uint64_t nr;
};

struct zs_arena {
	struct mapping *map;
	struct zs_desc *descs; /* of all pages */
	unsigned char *base; /* arena page 0 */
	uint64_t nr_pages; /* arena size */
	struct zs_table descriptors;
	uint64_t reserve_pages; /* what free.nr should be */
	void (*wake)(void *arg);
	int (*starve)(void *arg); /* NULL: whoever finds none free grows */
	void *wake_arg;

	/* On other cache lines than the above, which readers need. */
	pthread_mutex_t lock ZSD_CACHE_ALIGNED;
	uint64_t nr_top; /* pages ever taken: all below this index */
	struct zs_page_chain free; /* the reserve: they have memory */
	struct zs_page_chain released; /* they have none */
	uint64_t nr_used; /* in zspages */
	uint64_t nr_used_max; /* highest so far */
	uint64_t nr_moving; /* being committed or released right now */
	uint64_t limit_bytes; /* 0: none */
	uint64_t metadata_bytes; /* committed entries and descriptors */
	uint64_t claimed_bytes; /* of them that are being committed */
	uint64_t charged_bytes; /* the caller's metadata */
	uint64_t direct_grows;
	uint64_t nr_transits; /* times that pages came from classes or went */
	_Atomic uint64_t nr_damages; /* met so far, anywhere in the pool */
	bool wake_pending; /* wake() was called, housekeep() not yet */
};

/* Size of the descriptors in the mapping, bytes. */
uint64_t zs_arena_descriptor_bytes(uint64_t nr_pages);

/* @offset is that of the descriptors; the arena follows them. */
void zs_arena_init(struct zs_arena *arena, const struct zs_pool_params *params,
		   struct mapping *map, uint64_t offset);
void zs_arena_fini(struct zs_arena *arena);

/*
 * Take a page from the reserve. Return: 0, -ENOSPC where the limit allows for
 * none, -EAGAIN where none is ready: zs_arena_refill().
 */
int zs_arena_take(struct zs_arena *arena, enum zs_alloc how,
		  uint32_t *page) ZSD_MUST_CHECK;

/*
 * Have a page in the reserve, by system calls of this thread or of another one.
 * Waits for memory: no lock may be held.
 * Return: 0 where another try is worth it, -ENOSPC, -ENOMEM.
 */
int zs_arena_refill(struct zs_arena *arena, enum zs_alloc how) ZSD_MUST_CHECK;

/* Give back @n pages. */
void zs_arena_put(struct zs_arena *arena, const uint32_t *pages, uint32_t n);

/*
 * Put memory behind the next @bytes of a table, or as many as there are, and
 * count them. Where only a part came, that is what the table has. Waits for
 * memory: no lock may be held.
 * Return: 0 where it has more now, -ENOSPC, -ENOMEM.
 */
int zs_arena_extend(struct zs_arena *arena, struct zs_table *table,
		    uint64_t bytes, enum zs_alloc how) ZSD_MUST_CHECK;

/* Count metadata of the pool's owner. 0 or -ENOSPC. */
int zs_arena_charge(struct zs_arena *arena, uint64_t bytes,
		    enum zs_alloc how) ZSD_MUST_CHECK;

void zs_arena_uncharge(struct zs_arena *arena, uint64_t bytes);

static inline uint32_t zs_state_load(const struct zs_arena *arena,
				     uint32_t page)
{
	return atomic_load_explicit(&arena->descs[page].state,
				    memory_order_relaxed);
}

/*
 * What was written to the descriptor before is there when this is: the process
 * may be killed between any two instructions.
 */
static inline void zs_state_store(struct zs_arena *arena, uint32_t page,
				  uint32_t state)
{
	atomic_signal_fence(memory_order_release);
	atomic_store_explicit(&arena->descs[page].state, state,
			      memory_order_relaxed);
}

/* Count that something of the image is damaged, and was left alone or made
 * anew. */
static inline void zs_note_damage(struct zs_arena *arena)
{
	atomic_fetch_add_explicit(&arena->nr_damages, 1, memory_order_relaxed);
}

/* Pages that have a descriptor. */
static inline uint64_t zs_nr_described(const struct zs_arena *arena)
{
	return atomic_load_explicit(&arena->descriptors.nr_bytes,
				    memory_order_relaxed) /
	       sizeof(struct zs_desc);
}

/*
 * One bounded step towards the reserve, of at most @max_pages more.
 * Return: true while there is more to do.
 */
bool zs_arena_housekeep(struct zs_arena *arena, uint64_t max_pages);
uint64_t zs_arena_shrink(struct zs_arena *arena);

/* --- After a death: see rebuild.c ---------------------------------------- */

/*
 * Put a page that nobody uses where its descriptor says, or, if that says
 * nothing, among those that have no memory.
 */
void zs_arena_reclaim(struct zs_arena *arena, uint32_t page);

/* No page from @nr_top on was ever taken, and all others that are in no chain
 * are in use. */
void zs_arena_settle(struct zs_arena *arena, uint64_t nr_top);

static inline unsigned char *zs_page_address(const struct zs_arena *arena,
					     uint32_t page)
{
	return arena->base + ((uint64_t)page << ZSD_PAGE_SHIFT);
}

#endif

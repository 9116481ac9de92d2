/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena: 4 KiB pages, and the account of all memory the pool uses.
 *
 * A page below nr_top is in a zspage (used), in the chain of free pages that
 * have memory (the reserve), or in the chain of those that gave theirs back
 * (released). Pages from nr_top on were never touched.
 *
 * System calls are made with the lock dropped, on pages that are in no chain
 * meanwhile, so that a thread that only needs a free page never waits for the
 * kernel behind one that asks it for memory.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/spin.h"
#include "zsmalloc/zs_arena.h"

/*
 * Pages committed or released at a time: 256 KiB. Large enough to spread the
 * cost of the system calls, small enough (about 50 us of zeroing) for a
 * request that must wait for it.
 */
#define BATCH_PAGES 64u

/* Pages whose descriptors are committed at a time: 16 KiB of descriptors. */
#define DESCRIBE_PAGES 1024u
#define DESCRIBE_BYTES (DESCRIBE_PAGES * sizeof(struct zs_desc))

struct batch {
	uint32_t n;
	uint32_t pages[BATCH_PAGES];
};

uint64_t zs_arena_descriptor_bytes(uint64_t nr_pages)
{
	nr_pages = align_up(nr_pages, DESCRIBE_PAGES);
	return nr_pages * sizeof(struct zs_desc);
}

void zs_arena_init(struct zs_arena *arena, const struct zs_pool_params *params,
		   struct mapping *map, uint64_t offset)
{
	*arena = (struct zs_arena){
		.map = map,
		.descs = (struct zs_desc *)(void *)(map->base + offset),
		.base = map->base + offset +
			zs_arena_descriptor_bytes(params->nr_pages),
		.nr_pages = params->nr_pages,
		.descriptors =
			{
				.offset = offset,
				.max_bytes = zs_arena_descriptor_bytes(
					params->nr_pages),
			},
		.free = {.kind = ZS_PAGE_FREE, .first = ZS_PAGE_NONE},
		.released = {.kind = ZS_PAGE_RELEASED, .first = ZS_PAGE_NONE},
		.reserve_pages = params->reserve_pages,
		.wake = params->wake,
		.starve = params->starve,
		.wake_arg = params->wake_arg,
	};
	lock_init(&arena->lock, params->inherit_priority);
}

void zs_arena_fini(struct zs_arena *arena)
{
	pthread_mutex_destroy(&arena->lock);
}

static uint64_t page_offset(const struct zs_arena *arena, uint32_t page)
{
	return (uint64_t)(zs_page_address(arena, page) - arena->map->base);
}

/* --- Chains, under the lock ---------------------------------------------- */

static void push(struct zs_arena *arena, struct zs_page_chain *chain,
		 uint32_t page)
{
	arena->descs[page].next = chain->first;
	zs_state_store(arena, page, zs_state(chain->kind));
	chain->first = page;
	chain->nr++;
}

/* Whether @page is one of those that the chain has, as far as it knows. */
static bool is_chained(const struct zs_arena *arena,
		       const struct zs_page_chain *chain, uint32_t page)
{
	return page < arena->nr_top &&
	       zs_state_load(arena, page) == zs_state(chain->kind);
}

/*
 * Chain all pages that nobody uses anew: a link was damaged. What is lost
 * counts as used from now on. Cost: a look at each descriptor.
 */
static void mend_chains(struct zs_arena *arena)
{
	uint64_t before = arena->free.nr + arena->released.nr;

	zs_note_damage(arena);
	arena->free.first = ZS_PAGE_NONE;
	arena->free.nr = 0;
	arena->released.first = ZS_PAGE_NONE;
	arena->released.nr = 0;
	for (uint64_t page = arena->nr_top; page-- > 0;) {
		if (is_chained(arena, &arena->free, (uint32_t)page))
			push(arena, &arena->free, (uint32_t)page);
		else if (is_chained(arena, &arena->released, (uint32_t)page))
			push(arena, &arena->released, (uint32_t)page);
	}
	arena->nr_used += before - arena->free.nr - arena->released.nr;
}

/*
 * Take a page off a chain. Until it is in a zspage it is a TAIL of itself: no
 * chain takes that for one of its own. Return: the page, or ZS_PAGE_NONE.
 */
static uint32_t pop(struct zs_arena *arena, struct zs_page_chain *chain)
{
	uint32_t page;

	if (!chain->nr)
		return ZS_PAGE_NONE;
	if (unlikely(!is_chained(arena, chain, chain->first)))
		mend_chains(arena);
	page = chain->first;
	if (unlikely(page == ZS_PAGE_NONE))
		return page;
	chain->first = arena->descs[page].next;
	chain->nr--;
	arena->descs[page].head = page;
	zs_state_store(arena, page, zs_state_tail(0, page));
	return page;
}

/* --- Accounting, under the lock ------------------------------------------ */

/* A part of the limit that only allocations that shrink may use, bytes. */
static uint64_t headroom(const struct zs_arena *arena)
{
	return min_u64(arena->reserve_pages * ZSD_PAGE_BYTES,
		       arena->limit_bytes / 16);
}

/* What is used whether or not there is a reserve, bytes. */
static uint64_t used_bytes(const struct zs_arena *arena)
{
	return arena->nr_used * ZSD_PAGE_BYTES + arena->metadata_bytes +
	       arena->claimed_bytes + arena->charged_bytes;
}

/* All that has memory, what is about to get or lose it included. */
static uint64_t resident_bytes(const struct zs_arena *arena)
{
	return used_bytes(arena) +
	       (arena->free.nr + arena->nr_moving) * ZSD_PAGE_BYTES;
}

/* Whether @bytes more may be used. */
static bool may_use(const struct zs_arena *arena, uint64_t bytes,
		    enum zs_alloc how)
{
	uint64_t limit = arena->limit_bytes;

	if (!limit)
		return true;
	if (how == ZS_NORMAL)
		limit -= headroom(arena);
	return used_bytes(arena) + bytes <= limit;
}

/* Pages that may be committed without passing the limit. */
static uint64_t room_pages(const struct zs_arena *arena)
{
	uint64_t resident = resident_bytes(arena);

	if (!arena->limit_bytes)
		return UINT64_MAX;
	if (resident >= arena->limit_bytes)
		return 0;
	return (arena->limit_bytes - resident) / ZSD_PAGE_BYTES;
}

/* Whether the reserve is more than we want, or than the limit allows. */
static bool has_surplus(const struct zs_arena *arena)
{
	if (arena->free.nr > 2 * arena->reserve_pages)
		return true;
	return arena->free.nr && arena->limit_bytes &&
	       resident_bytes(arena) > arena->limit_bytes;
}

static void wake_if_needed(struct zs_arena *arena)
{
	/* Not at the first page taken: a quarter at a time costs less. */
	bool refill = room_pages(arena) &&
		      arena->free.nr <
			      arena->reserve_pages - arena->reserve_pages / 4;
	/* A batch later than it is surplus: not for each page to and fro. */
	bool shrink = arena->free.nr > 2 * arena->reserve_pages + BATCH_PAGES;

	if (!arena->wake || arena->wake_pending || !(refill || shrink))
		return;
	arena->wake_pending = true;
	arena->wake(arena->wake_arg);
}

/* --- Batches: committing and releasing, under the lock ------------------- */

static void batch_sort(struct batch *batch)
{
	for (uint32_t i = 1; i < batch->n; i++) {
		uint32_t page = batch->pages[i], at = i;

		for (; at > 0 && batch->pages[at - 1] > page; at--)
			batch->pages[at] = batch->pages[at - 1];
		batch->pages[at] = page;
	}
}

/* How many pages from the @first one on are neighbours. */
static uint32_t batch_run(const struct batch *batch, uint32_t first)
{
	uint32_t n = 1;

	while (first + n < batch->n &&
	       batch->pages[first + n] == batch->pages[first] + n)
		n++;
	return n;
}

static int release_run(const struct mapping *map, uint64_t offset,
		       uint64_t bytes, uint64_t *done_bytes)
{
	int err = mapping_release(map, offset, bytes);

	*done_bytes = err ? 0 : bytes;
	return err;
}

/*
 * Call @fn for each run of neighbours until it fails, with the lock dropped.
 * Return: how many pages were done; *err is why no more.
 */
static uint32_t batch_apply(struct zs_arena *arena, struct batch *batch,
			    int (*fn)(const struct mapping *, uint64_t,
				      uint64_t, uint64_t *),
			    int *err)
{
	uint32_t done = 0;

	*err = 0;
	batch_sort(batch);
	arena->nr_moving += batch->n;
	pthread_mutex_unlock(&arena->lock);
	while (done < batch->n && !*err) {
		uint64_t bytes = batch_run(batch, done) * ZSD_PAGE_BYTES;

		*err = fn(arena->map, page_offset(arena, batch->pages[done]),
			  bytes, &bytes);
		done += (uint32_t)(bytes >> ZSD_PAGE_SHIFT);
	}
	pthread_mutex_lock(&arena->lock);
	arena->nr_moving -= batch->n;
	return done;
}

/* Gather up to @want pages without memory. */
static void gather(struct zs_arena *arena, uint64_t want, struct batch *batch)
{
	uint64_t top = min_u64(zs_nr_described(arena), arena->nr_pages);
	uint32_t page;

	want = min_u64(want, BATCH_PAGES);
	batch->n = 0;
	while (batch->n < want &&
	       (page = pop(arena, &arena->released)) != ZS_PAGE_NONE)
		batch->pages[batch->n++] = page;
	while (batch->n < want && arena->nr_top < top)
		batch->pages[batch->n++] = (uint32_t)arena->nr_top++;
}

/* Release up to @want pages of the reserve. Drops the lock meanwhile. */
static uint32_t release(struct zs_arena *arena, uint64_t want)
{
	struct batch batch = {.n = 0};
	uint32_t done, page;
	int err;

	want = min_u64(want, BATCH_PAGES);
	while (batch.n < want &&
	       (page = pop(arena, &arena->free)) != ZS_PAGE_NONE)
		batch.pages[batch.n++] = page;
	done = batch_apply(arena, &batch, release_run, &err);

	for (uint32_t i = batch.n; i-- > done;)
		push(arena, &arena->free, batch.pages[i]);
	for (uint32_t i = done; i-- > 0;)
		push(arena, &arena->released, batch.pages[i]);
	return done;
}

/* --- Tables: claiming and committing, under the lock --------------------- */

/* Wait for other threads that are committing or releasing pages. Drops the lock
 * meanwhile. Return: whether there are any. */
static bool wait_for_others(struct zs_arena *arena, unsigned *spins)
{
	if (!arena->nr_moving)
		return false;
	pthread_mutex_unlock(&arena->lock);
	(void)spin_wait(spins);
	pthread_mutex_lock(&arena->lock);
	return true;
}

/*
 * Count @bytes of metadata in @counter before they have memory, so that nobody
 * else takes the room. The reserve makes way for them; the lock is dropped
 * meanwhile.
 */
static int claim(struct zs_arena *arena, uint64_t bytes, enum zs_alloc how,
		 uint64_t *counter)
{
	unsigned spins = 0;

	while (may_use(arena, bytes, how)) {
		if (!arena->limit_bytes ||
		    resident_bytes(arena) + bytes <= arena->limit_bytes) {
			*counter += bytes;
			return 0;
		}
		if (!release(arena, BATCH_PAGES) &&
		    !wait_for_others(arena, &spins))
			break;
	}
	return -ENOSPC;
}

/*
 * As zs_arena_extend(). Two threads may commit the same piece: then it is
 * counted once.
 */
static int extend(struct zs_arena *arena, struct zs_table *table,
		  uint64_t bytes, enum zs_alloc how)
{
	uint64_t at, done;
	int err;

	bytes = min_u64(bytes, table->max_bytes - table->nr_bytes);
	if (!bytes)
		return -ENOSPC;
	err = claim(arena, bytes, how, &arena->claimed_bytes);
	if (err)
		return err;
	at = min_u64(table->nr_bytes, table->max_bytes - bytes);
	pthread_mutex_unlock(&arena->lock);
	err = mapping_commit(arena->map, table->offset + at, bytes, &done);
	pthread_mutex_lock(&arena->lock);
	arena->claimed_bytes -= bytes;
	if (at + done > table->nr_bytes) {
		arena->metadata_bytes += at + done - table->nr_bytes;
		table->nr_bytes = at + done;
	}
	return done ? 0 : err;
}

/* --- Growing, under the lock --------------------------------------------- */

/* Whether there is a page without memory that has a descriptor. */
static bool can_gather(const struct zs_arena *arena)
{
	return arena->released.nr ||
	       arena->nr_top < min_u64(zs_nr_described(arena), arena->nr_pages);
}

/*
 * Commit up to @want pages to the reserve. Drops the lock meanwhile.
 * Return: 0 where it got some, or why not.
 */
static int grow(struct zs_arena *arena, uint64_t want)
{
	struct batch batch;
	uint32_t done;
	int err;

	/* Others may use up what was described before we come to it. */
	while (!can_gather(arena)) {
		err = extend(arena, &arena->descriptors, DESCRIBE_BYTES,
			     ZS_SHRINKING);
		if (err)
			return err;
	}
	gather(arena, min_u64(want, room_pages(arena)), &batch);
	if (!batch.n)
		return -ENOSPC;
	done = batch_apply(arena, &batch, mapping_commit, &err);

	/* Backwards, so that neighbours are taken in order. */
	for (uint32_t i = batch.n; i-- > done;)
		push(arena, &arena->released, batch.pages[i]);
	for (uint32_t i = done; i-- > 0;)
		push(arena, &arena->free, batch.pages[i]);
	return done ? 0 : err;
}

/* Have somebody else grow. Drops the lock meanwhile. */
static int starve(struct zs_arena *arena)
{
	int err;

	pthread_mutex_unlock(&arena->lock);
	err = arena->starve(arena->wake_arg);
	pthread_mutex_lock(&arena->lock);
	return err;
}

/*
 * Grow. Where the limit leaves no room for that, other threads may be about to
 * bring pages, or to give some back: wait for them.
 */
static int grow_or_wait(struct zs_arena *arena, unsigned *spins)
{
	int err;

	if (arena->starve)
		return starve(arena);
	err = grow(arena, BATCH_PAGES);
	return err == -ENOSPC && wait_for_others(arena, spins) ? 0 : err;
}

/* --- What the rest of the pool calls ------------------------------------- */

int zs_arena_take(struct zs_arena *arena, enum zs_alloc how, uint32_t *page)
{
	int err = 0;

	pthread_mutex_lock(&arena->lock);
	if (!may_use(arena, ZSD_PAGE_BYTES, how)) {
		err = -ENOSPC;
	} else if ((*page = pop(arena, &arena->free)) == ZS_PAGE_NONE) {
		err = -EAGAIN;
	} else {
		arena->nr_used++;
		arena->nr_transits++;
		arena->nr_used_max =
			max_u64(arena->nr_used_max, arena->nr_used);
	}
	wake_if_needed(arena);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

int zs_arena_refill(struct zs_arena *arena, enum zs_alloc how)
{
	unsigned spins = 0;
	int err = 0;

	pthread_mutex_lock(&arena->lock);
	if (!arena->free.nr && may_use(arena, ZSD_PAGE_BYTES, how))
		arena->direct_grows++;
	/* Both conditions anew after each step, which drops the lock. */
	while (!err && !arena->free.nr && may_use(arena, ZSD_PAGE_BYTES, how))
		err = grow_or_wait(arena, &spins);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

void zs_arena_put(struct zs_arena *arena, const uint32_t *pages, uint32_t n)
{
	pthread_mutex_lock(&arena->lock);
	/* Backwards, so that neighbours are taken in order. */
	for (uint32_t i = n; i-- > 0;)
		push(arena, &arena->free, pages[i]);
	arena->nr_used -= n;
	arena->nr_transits++;
	wake_if_needed(arena);
	pthread_mutex_unlock(&arena->lock);
}

int zs_arena_extend(struct zs_arena *arena, struct zs_table *table,
		    uint64_t bytes, enum zs_alloc how)
{
	int err;

	pthread_mutex_lock(&arena->lock);
	err = extend(arena, table, bytes, how);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

int zs_arena_charge(struct zs_arena *arena, uint64_t bytes, enum zs_alloc how)
{
	int err;

	pthread_mutex_lock(&arena->lock);
	err = claim(arena, bytes, how, &arena->charged_bytes);
	pthread_mutex_unlock(&arena->lock);
	return err;
}

void zs_arena_uncharge(struct zs_arena *arena, uint64_t bytes)
{
	pthread_mutex_lock(&arena->lock);
	arena->charged_bytes -= bytes;
	pthread_mutex_unlock(&arena->lock);
}

bool zs_arena_housekeep(struct zs_arena *arena, uint64_t max_pages)
{
	bool more = false;

	pthread_mutex_lock(&arena->lock);
	arena->wake_pending = false;
	if (arena->free.nr < arena->reserve_pages) {
		uint64_t missing = arena->reserve_pages - arena->free.nr;

		if (max_pages)
			more = grow(arena, min_u64(missing, max_pages)) == 0 &&
			       arena->free.nr < arena->reserve_pages;
		else
			more = room_pages(arena);
	} else if (has_surplus(arena)) {
		more = release(arena, BATCH_PAGES) && has_surplus(arena);
	}
	pthread_mutex_unlock(&arena->lock);
	return more;
}

void zs_arena_reclaim(struct zs_arena *arena, uint32_t page)
{
	struct zs_page_chain *chain = &arena->released;
	uint64_t bytes = ZSD_PAGE_BYTES;

	if (zs_state_load(arena, page) == zs_state(ZS_PAGE_FREE))
		chain = &arena->free;
	else if (zs_state_load(arena, page) != zs_state(ZS_PAGE_RELEASED) &&
		 release_run(arena->map, page_offset(arena, page), bytes,
			     &bytes))
		chain = &arena->free; /* so it has memory */
	pthread_mutex_lock(&arena->lock);
	push(arena, chain, page);
	pthread_mutex_unlock(&arena->lock);
}

void zs_arena_settle(struct zs_arena *arena, uint64_t nr_top)
{
	uint64_t offset = (uint64_t)(arena->base - arena->map->base) +
			  nr_top * ZSD_PAGE_BYTES;
	uint64_t bytes = (arena->nr_pages - nr_top) * ZSD_PAGE_BYTES;

	int err = 0;

	if (bytes)
		err = mapping_release(arena->map, offset, bytes);
	(void)err; /* what was about to be taken, and stays, is taken again */
	pthread_mutex_lock(&arena->lock);
	arena->nr_top = nr_top;
	arena->nr_used = nr_top - arena->free.nr - arena->released.nr;
	arena->nr_used_max = arena->nr_used;
	pthread_mutex_unlock(&arena->lock);
}

uint64_t zs_arena_shrink(struct zs_arena *arena)
{
	uint64_t released = 0, step = 1;

	pthread_mutex_lock(&arena->lock);
	while (step && arena->free.nr > arena->reserve_pages) {
		step = release(arena, arena->free.nr - arena->reserve_pages);
		released += step;
		/* Thousands of system calls: others may need the core. */
		pthread_mutex_unlock(&arena->lock);
		sched_yield();
		pthread_mutex_lock(&arena->lock);
	}
	pthread_mutex_unlock(&arena->lock);
	return released;
}

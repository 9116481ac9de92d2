/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When pages were accessed: epochs, and how two of them become one.
 */
#include "config.h"

#include "base/bits.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_internal.h"

#define FREE UINT32_MAX

_Static_assert(sizeof(struct zstore_epochs) <= ZSD_PAGE_BYTES,
	       "epochs have one page");

uint64_t zstore_ages_bytes(uint64_t nr_slots)
{
	return (1 + div_round_up(nr_slots, AGES_PER_GROUP)) * ZSD_PAGE_BYTES;
}

static uint32_t start_of(const struct zstore_epochs *epochs, unsigned number)
{
	return atomic_load_explicit(&epochs->start_s[number],
				    memory_order_relaxed);
}

static void set_start(struct zstore_epochs *epochs, unsigned number,
		      uint32_t start_s)
{
	atomic_store_explicit(&epochs->start_s[number], start_s,
			      memory_order_release);
}

static bool is_used(const struct zstore_epochs *epochs, unsigned number)
{
	return start_of(epochs, number) != FREE;
}

/* Who was killed while it began an epoch may have told nobody. It has no pages;
 * but where it stands the current one, which goes on, would end. */
static void free_later(struct zstore_epochs *epochs, unsigned current)
{
	for (unsigned i = 1; i < AGE_EPOCHS; i++) {
		if (start_of(epochs, i) > start_of(epochs, current))
			set_start(epochs, i, FREE);
	}
}

void zstore_ages_init(struct zstore *store)
{
	struct zstore_epochs *epochs = store->epochs;
	unsigned current = atomic_load(&epochs->current);

	if (!current || current >= AGE_EPOCHS || !is_used(epochs, current)) {
		for (unsigned i = 0; i < AGE_EPOCHS; i++)
			set_start(epochs, i, FREE);
		current = 1;
		set_start(epochs, current, 0);
		atomic_store(&epochs->current, current);
	}
	free_later(epochs, current);
	atomic_store(&store->epoch, (uint8_t)current);
}

/* --- epochs -------------------------------------------------------------- */

/* Numbers in the order of time; the last is the current one. */
struct order {
	unsigned nr;
	uint8_t numbers[AGE_EPOCHS];
};

static void sort(const struct zstore_epochs *epochs, struct order *out)
{
	out->nr = 0;
	for (unsigned i = 1; i < AGE_EPOCHS; i++) {
		unsigned at = out->nr;

		if (!is_used(epochs, i))
			continue;
		for (; at && start_of(epochs, out->numbers[at - 1]) >
				     start_of(epochs, i);
		     at--)
			out->numbers[at] = out->numbers[at - 1];
		out->numbers[at] = (uint8_t)i;
		out->nr++;
	}
}

/*
 * Which epoch is to become one with that behind it: of all but the current one,
 * that whose length with it is the least part of its age. Return: its place.
 */
static unsigned find_pair(const struct zstore_epochs *epochs,
			  const struct order *order, uint32_t now_s)
{
	unsigned best = 0;
	double least = 0;

	for (unsigned i = 0; i + 2 < order->nr; i++) {
		double from = start_of(epochs, order->numbers[i]);
		double end = start_of(epochs, order->numbers[i + 2]);
		double part = (end - from) / (now_s - from + 1);

		if (i && part >= least)
			continue;
		best = i;
		least = part;
	}
	return best;
}

/* What was accessed in epoch @from was so in @to. */
static void rename_epoch(struct zstore *store, uint8_t from, uint8_t to)
{
	for (uint64_t i = 0; i < store->nr_slots; i++) {
		uint8_t age;

		if (!slot_exists(store, i)) {
			i |= SLOTS_PER_GROUP - 1;
			continue;
		}
		age = atomic_load_explicit(&store->ages[i],
					   memory_order_relaxed);
		/* If it fails, the page was accessed meanwhile. */
		if ((age & ~AGE_IDLE) == from)
			(void)atomic_compare_exchange_strong(
				&store->ages[i], &age,
				(uint8_t)(to | (age & AGE_IDLE)));
	}
}

/* Make a number free. Return: it. */
static unsigned join_epochs(struct zstore *store, const struct order *order,
			    uint32_t now_s)
{
	unsigned at = find_pair(store->epochs, order, now_s);
	uint8_t older = order->numbers[at], younger = order->numbers[at + 1];

	/*
	 * In this order: whenever the process ends, no page is said to be older
	 * than it is. With the older one gone, its pages are as the younger's.
	 */
	rename_epoch(store, older, younger);
	set_start(store->epochs, younger, start_of(store->epochs, older));
	set_start(store->epochs, older, FREE);
	return older;
}

static unsigned find_number(struct zstore *store, uint32_t now_s)
{
	struct order order;

	for (unsigned i = 1; i < AGE_EPOCHS; i++) {
		if (!is_used(store->epochs, i))
			return i;
	}
	sort(store->epochs, &order);
	return join_epochs(store, &order, now_s);
}

void zstore_begin_epoch(struct zstore *store, uint32_t now_s)
{
	struct zstore_epochs *epochs = store->epochs;
	unsigned number;

	if (now_s <= start_of(epochs, atomic_load(&epochs->current)))
		return; /* one to the second */
	number = find_number(store, now_s);
	set_start(epochs, number, now_s);
	atomic_store(&epochs->current, number);
	atomic_store_explicit(&store->epoch, (uint8_t)number,
			      memory_order_relaxed);
}

/* --- ages ---------------------------------------------------------------- */

/* When an epoch ended: where the next one begins. UINT32_MAX: it goes on, or
 * there is none of that number. */
static uint32_t end_of(const struct zstore_epochs *epochs, unsigned number)
{
	const uint32_t start = start_of(epochs, number);
	uint32_t end = UINT32_MAX;

	for (unsigned i = 1; i < AGE_EPOCHS && start != FREE; i++) {
		uint32_t next = start_of(epochs, i);

		if (next > start && next < end)
			end = next;
	}
	return end;
}

static unsigned epoch_of(const struct zstore *store, uint64_t index)
{
	return atomic_load_explicit(&store->ages[index], memory_order_relaxed) &
	       ~AGE_IDLE;
}

bool zstore_is_old(const struct zstore *store, uint64_t index,
		   const struct zstore_old *old)
{
	return old->epochs[epoch_of(store, index)];
}

void zstore_find_old(const struct zstore *store, uint32_t since_s,
		     struct zstore_old *out)
{
	for (unsigned i = 0; i < AGE_EPOCHS; i++)
		out->epochs[i] = since_s == UINT32_MAX ||
				 end_of(store->epochs, i) <= since_s;
}

/* --- idle ---------------------------------------------------------------- */

/* Return: whether it is marked now. */
static bool mark(struct zstore *store, uint64_t index,
		 const struct zstore_old *old)
{
	uint8_t age =
		atomic_load_explicit(&store->ages[index], memory_order_relaxed);
	bool is_idle = slot_has_content(slot_load(&store->slots[index])) &&
		       old->epochs[age & ~AGE_IDLE];
	uint8_t to = (uint8_t)((age & ~AGE_IDLE) | (is_idle ? AGE_IDLE : 0));

	/* If it fails, the page was accessed meanwhile. */
	return atomic_compare_exchange_strong(&store->ages[index], &age, to) &&
	       is_idle;
}

uint64_t zstore_mark_idle(struct zstore *store, uint32_t since_s)
{
	struct zstore_old old;
	uint64_t nr = 0;

	zstore_find_old(store, since_s, &old);
	for (uint64_t i = 0; i < store->nr_slots; i++) {
		if (slot_exists(store, i))
			nr += mark(store, i, &old);
		else
			i |= SLOTS_PER_GROUP - 1;
	}
	return nr;
}

bool zstore_is_idle(const struct zstore *store, uint64_t index)
{
	return atomic_load_explicit(&store->ages[index], memory_order_relaxed) &
	       AGE_IDLE;
}

void zstore_unmark_idle(struct zstore *store, uint64_t index)
{
	atomic_fetch_and_explicit(&store->ages[index], (uint8_t)~AGE_IDLE,
				  memory_order_relaxed);
}

/* --- telling ------------------------------------------------------------- */

static uint32_t accessed_s(const struct zstore *store, uint64_t index)
{
	unsigned number = epoch_of(store, index);
	uint32_t end = end_of(store->epochs, number);

	if (!is_used(store->epochs, number))
		return 0;
	return end == UINT32_MAX ? start_of(store->epochs, number) : end - 1;
}

bool zstore_block(const struct zstore *store, uint64_t index,
		  struct zstore_block *out)
{
	uint64_t slot;

	if (!slot_exists(store, index))
		return false;
	slot = slot_load(&store->slots[index]);
	if (slot_kind(slot) == SLOT_EMPTY || !slot_is_sound(slot, index))
		return false;
	*out = (struct zstore_block){.accessed_s = accessed_s(store, index)};
	out->is_backed = slot_kind(slot) == SLOT_BACKED;
	out->is_same = !out->is_backed && !slot_has_content(slot);
	if (out->is_same)
		return true;
	out->bytes = slot_len_bytes(slot);
	out->is_huge = slot_is_huge(slot);
	out->is_idle = zstore_is_idle(store, index);
	out->is_recompressed = slot_codec(slot) == ZSTORE_SECONDARY;
	out->is_incompressible = slot & SLOT_INCOMPRESSIBLE;
	return true;
}

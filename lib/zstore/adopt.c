/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adoption: going on with the image of a process that has ended.
 *
 * The slots say which objects there are, so that they are looked at first. A
 * lock is a dead thread's. A slot is made unsound, and so its page damaged,
 * where the object that it names is not there: or the page would read as what
 * is stored under that handle next. The same goes for slots that name one
 * object together: when one of them is written, the other's would be gone. But
 * where all of them say that they share it, they are counted.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "zstore/zstore_internal.h"

/* --- Getting ready ------------------------------------------------------- */

/* Whether the image is what the store would have made. */
static int check_header(const struct zstore *store)
{
	const struct zstore_header *image = zstore_image_header(store);

	if (image->magic != ZSTORE_MAGIC)
		return -EBADMSG;
	if (image->version != ZSTORE_VERSION)
		return -EPROTONOSUPPORT;
	if (store->header.image_bytes != store->image.bytes ||
	    memcmp(image, &store->header,
		   offsetof(struct zstore_header, generation)) != 0)
		return -EINVAL;
	return 0;
}

/* Have counts, if there may be pages that share an object, now or later. */
static int need_sharers(struct zstore *store)
{
	if (!store->params.share && !zstore_image_header(store)->may_share)
		return 0;
	return zstore_sharers_init(store);
}

/* Of a store that has the image mapped. */
static int open_image(struct zstore *store)
{
	const struct zs_pool_params pool = zstore_pool_params(&store->params);
	uint64_t pool_offset = zstore_lay_out(store);
	int err = check_header(store);

	if (err)
		return err;
	memcpy(store->header.uuid, zstore_image_header(store)->uuid,
	       sizeof(store->header.uuid));
	err = zs_pool_open(&pool, &store->image, pool_offset, &store->pool);
	if (err)
		return err;
	store->huge_class_bytes = zs_huge_class_size(store->pool);
	err = need_sharers(store);
	if (!err)
		err = zstore_blocks_init(store);
	if (!err)
		err = zstore_dicts_load(store);
	if (err) {
		zstore_dicts_fini(store);
		zs_pool_destroy(store->pool);
	}
	return err;
}

int zstore_open(const struct zstore_params *params, int fd, struct zstore **out)
{
	struct zstore *store;
	int err;

	if (!zstore_params_are_valid(params))
		return -EINVAL;
	err = zstore_alloc(params, &store);
	if (err)
		return err;
	err = mapping_open(fd, &store->image);
	if (err)
		goto err_store;
	err = open_image(store);
	if (err)
		goto err_image;
	*out = store;
	return 0;

err_image:
	mapping_destroy(&store->image);
err_store:
	zstore_free(store);
	return err;
}

int zstore_image_disk_bytes(int fd, uint64_t *out)
{
	struct zstore_header header = {0};

	if (pread(fd, &header, sizeof(header), 0) < 0)
		return -errno;
	if (header.magic != ZSTORE_MAGIC)
		return -EBADMSG;
	if (header.version != ZSTORE_VERSION)
		return -EPROTONOSUPPORT;
	*out = header.disk_bytes;
	return 0;
}

int zstore_image_fd(const struct zstore *store)
{
	return store->image.fd;
}

/* --- Taking over --------------------------------------------------------- */

static void enter_image(struct zstore *store)
{
	struct zstore_header *image = zstore_image_header(store);

	store->was_clean = image->is_clean == 1;
	store->header.generation = image->generation + 1;
	image->generation = store->header.generation;
	image->is_clean = 0;
	store->header.may_share = store->sharers ? 1 : 0;
	image->may_share = store->header.may_share;
}

void zstore_leave_image(struct zstore *store)
{
	if (store->image.owner_fd >= 0)
		zstore_image_header(store)->is_clean = 1;
}

/* Which pages of a part of the image have memory: say so in @groups, one for
 * each. Return: how much, bytes. */
static uint64_t find_groups(const struct zstore *store, uint64_t first,
			    uint64_t nr_groups, _Atomic uint8_t *groups)
{
	uint64_t last = first + nr_groups * ZSD_PAGE_BYTES, nr = 0;

	for (uint64_t from = first; from < last;) {
		uint64_t end = last;

		if (!mapping_next_data(&store->image, &from, &end))
			break;
		for (; from < end; from += ZSD_PAGE_BYTES, nr++)
			atomic_store_explicit(
				&groups[(from - first) / ZSD_PAGE_BYTES], 1,
				memory_order_release);
	}
	return nr * ZSD_PAGE_BYTES;
}

/* The same of checksums of blocks. */
static uint64_t find_sums(const struct zstore *store)
{
	const uint32_t nr = store->header.nr_blocks;

	if (!nr)
		return 0;
	return find_groups(store, store->header.blocks_offset + ZSD_PAGE_BYTES,
			   zstore_sums_bytes(nr) / ZSD_PAGE_BYTES,
			   store->block_groups) +
	       zstore_blocks_memory(store);
}

/* Which slots, and ages, have memory. Return: how much, bytes. */
static uint64_t find_tables(struct zstore *store)
{
	const uint64_t nr_ages = div_round_up(store->nr_slots, AGES_PER_GROUP);

	return find_groups(store, store->slots_offset, store->nr_groups,
			   store->groups) +
	       find_groups(store, store->header.ages_offset + ZSD_PAGE_BYTES,
			   nr_ages, store->age_groups) +
	       find_sums(store);
}

int zstore_adopt(struct zstore *store)
{
	uint64_t memory = ZSTORE_HEAD_BYTES;
	int err = mapping_own(&store->image);

	if (err)
		return err;
	err = need_sharers(store);
	if (!err)
		err = zstore_dicts_load(store);
	if (err)
		return err;
	enter_image(store);
	memory += find_tables(store) + zstore_dicts_memory(store) +
		  (store->sharers ? zstore_sharers_bytes(store) : 0);
	zstore_ages_init(store);
	zs_pool_adopt(store->pool);
	err = zs_pool_charge(store->pool, memory, ZS_NORMAL);
	BUG_ON(err); /* there is no limit yet */
	zs_pool_set_limit(store->pool, store->params.mem_limit_bytes);
	return 0;
}

/* --- Slots --------------------------------------------------------------- */

/* Now its check does not hold. */
static uint64_t spoil(uint64_t slot)
{
	return slot ^ (uint64_t)1 << SLOT_CHECK_SHIFT;
}

/* @is_first: no other slot names its object, before or after. */
static void count_page(struct zstore_adoption *adoption, uint64_t slot,
		       int sign, bool is_first)
{
	count_slot(adoption->counters, slot, sign);
	if (is_first)
		count_object(adoption->counters, slot, sign);
	else
		add_to(&adoption->counters[COUNT_pages_sharing], sign);
	if (!slot_has_method(slot))
		return;
	adoption->dict_pages[slot_dict(slot)] += sign;
	/* So many at least were stored raw so far. */
	if (slot_kind(slot) == SLOT_OBJECT && slot_is_huge(slot))
		add_to(&adoption->counters[COUNT_huge_pages_since], sign);
}

/*
 * A slot names an object. Those that say that they share it do so as one: two
 * slots that name it without that, or with and without, are too many.
 * @is_first: receives whether it is the first of those. Return: as
 * zs_adopt_name().
 */
static int name_object(struct zstore *store, uint64_t slot, bool *is_first)
{
	const zs_handle handle = slot_handle(slot);
	const uint32_t bytes = slot_len_bytes(slot);
	int err;

	*is_first = !slot_is_shared(slot) || !zstore_sharers(store, handle);
	if (*is_first)
		err = zs_adopt_name(store->pool, handle, bytes);
	else
		err = zs_adopt_find(store->pool, handle, bytes);
	if (err != -ENOENT && slot_is_shared(slot) &&
	    !zstore_sharers_add(store, handle))
		return -ENOENT;
	return err;
}

/* A slot names a block. Return: 0 or -ENOENT. */
static int name_block(struct zstore *store, uint64_t slot)
{
	bool is_first;

	if (!zstore_blocks_name(store, slot_block(slot), &is_first))
		return -ENOENT;
	if (is_first)
		add_to(&store->adoption.counters[COUNT_blocks_used], 1);
	return 0;
}

/* Return: what the slot is to say. */
static uint64_t look_at_slot(struct zstore *store, uint64_t index,
			     uint64_t slot)
{
	bool is_first = true;
	int err = 0;

	if (!slot_is_sound(slot, index))
		return slot;
	if (slot_kind(slot) == SLOT_OBJECT)
		err = name_object(store, slot, &is_first);
	else if (slot_kind(slot) == SLOT_BACKED)
		err = name_block(store, slot);
	if (err == -ENOENT)
		return spoil(slot);
	if (err == -EEXIST)
		store->adoption.has_doubles = true;
	count_page(&store->adoption, slot, 1, is_first);
	return slot;
}

/* The same, after all have been looked at once. */
static uint64_t look_again(struct zstore *store, uint64_t index, uint64_t slot)
{
	uint32_t left = 0;

	if (!slot_is_sound(slot, index) || slot_kind(slot) != SLOT_OBJECT ||
	    !zs_adopt_is_double(store->pool, slot_handle(slot)))
		return slot;
	if (slot_is_shared(slot))
		(void)zstore_sharers_remove(store, slot_handle(slot), &left);
	count_page(&store->adoption, slot, -1, !left);
	return spoil(slot);
}

static void rebuild_slot(struct zstore *store, uint64_t index)
{
	_Atomic uint64_t *home = &store->slots[index];
	uint64_t old = atomic_load_explicit(home, memory_order_relaxed);
	uint64_t new = old & ~SLOT_LOCKED;

	if (store->adoption.is_second_look)
		new = look_again(store, index, new);
	else
		new = look_at_slot(store, index, new);
	if (new != old)
		atomic_store_explicit(home, new, memory_order_relaxed);
}

/* Return: whether there are more. */
static bool rebuild_slots(struct zstore *store, unsigned max_looks)
{
	struct zstore_adoption *adoption = &store->adoption;

	for (; max_looks && adoption->next < store->nr_slots; max_looks--) {
		if (slot_exists(store, adoption->next))
			rebuild_slot(store, adoption->next);
		else
			adoption->next |= SLOTS_PER_GROUP - 1;
		adoption->next++;
	}
	if (adoption->next < store->nr_slots)
		return true;
	if (!adoption->has_doubles || adoption->is_second_look)
		return false;
	adoption->is_second_look = true;
	adoption->next = 0;
	return true;
}

/* --- A piece at a time --------------------------------------------------- */

static void finish(struct zstore *store)
{
	struct zstore_adoption *adoption = &store->adoption;

	pthread_mutex_lock(&store->ctxs_lock);
	for (unsigned i = 0; i < NR_COUNTERS; i++)
		store->retired[i] += adoption->counters[i];
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++)
		store->retired_dict_pages[i] += adoption->dict_pages[i];
	pthread_mutex_unlock(&store->ctxs_lock);
	atomic_store_explicit(&store->is_settled, true, memory_order_release);
}

/* Under the lock. */
static bool rebuild(struct zstore *store, unsigned max_looks)
{
	if (rebuild_slots(store, max_looks) ||
	    zs_pool_rebuild(store->pool, max_looks))
		return true;
	finish(store);
	return false;
}

bool zstore_rebuild(struct zstore *store, unsigned max_looks)
{
	bool was_settled, more = false;

	if (zstore_is_settled(store))
		return false;
	pthread_mutex_lock(&store->adoption_lock);
	BUG_ON(store->image.owner_fd < 0); /* zstore_adopt() comes first */
	was_settled = zstore_is_settled(store);
	if (!was_settled)
		more = rebuild(store, max_looks);
	pthread_mutex_unlock(&store->adoption_lock);
	if (!was_settled && !more && store->params.settled)
		store->params.settled(store->params.settled_arg);
	return more;
}

void zstore_settle(struct zstore *store)
{
	while (zstore_rebuild(store, REBUILD_LOOKS))
		;
}

bool zstore_is_settled(const struct zstore *store)
{
	return atomic_load_explicit(&store->is_settled, memory_order_acquire);
}

/* --- Telling ------------------------------------------------------------- */

unsigned zstore_generation(const struct zstore *store)
{
	return store->header.generation;
}

bool zstore_was_clean(const struct zstore *store)
{
	return store->was_clean;
}

const uint8_t *zstore_uuid(const struct zstore *store)
{
	return store->header.uuid;
}

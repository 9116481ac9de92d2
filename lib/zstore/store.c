/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: its life, and its image.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/lock.h"
#include "zstore/zstore_internal.h"

/*
 * Arena pages for each page of the disk, address space only. One would do for
 * raw pages; part-filled zspages may hold up to as many pages as objects.
 */
#define ARENA_PER_DISK 4u

/* For the smallest disks: a zspage of the longest chain in every class. */
#define ARENA_MIN_PAGES ((uint64_t)ZS_NR_CLASSES * ZS_CHAIN_SIZE_MAX)

/*
 * Objects besides one for each page of the disk: a page that is replaced has
 * two for a moment, in as many threads as there are.
 */
#define SPARE_HANDLES 4096u

/* The reserve is at most this part of mem_limit. */
#define RESERVE_PER_LIMIT 8u

static uint64_t nr_slots(const struct zstore_params *params)
{
	return params->disk_bytes / ZSD_PAGE_BYTES;
}

static uint64_t nr_groups(const struct zstore_params *params)
{
	return div_round_up(nr_slots(params), SLOTS_PER_GROUP);
}

struct zs_pool_params zstore_pool_params(const struct zstore_params *params)
{
	uint64_t reserve = params->reserve_bytes;
	uint64_t nr_pages = ARENA_PER_DISK * nr_slots(params) + ARENA_MIN_PAGES;

	if (params->mem_limit_bytes)
		reserve = min_u64(reserve,
				  params->mem_limit_bytes / RESERVE_PER_LIMIT);
	nr_pages = min_u64(nr_pages, ZS_MAX_PAGES);
	return (struct zs_pool_params){
		.chain_size = params->chain_size,
		.nr_handles = nr_slots(params) + SPARE_HANDLES,
		.nr_pages = nr_pages,
		.reserve_pages = min_u64(reserve / ZSD_PAGE_BYTES, nr_pages),
		.has_tags = params->checksum,
		.inherit_priority = params->inherit_priority,
		.wake = params->wake,
		.starve = params->starve,
		.wake_arg = params->wake_arg,
	};
}

static uint64_t ages_offset_of(const struct zstore_params *params)
{
	return (1 + nr_groups(params)) * ZSD_PAGE_BYTES;
}

static uint64_t dicts_offset_of(const struct zstore_params *params)
{
	return ages_offset_of(params) + zstore_ages_bytes(nr_slots(params));
}

static uint64_t blocks_offset_of(const struct zstore_params *params)
{
	return dicts_offset_of(params) + zstore_dicts_bytes();
}

static uint64_t pool_offset_of(const struct zstore_params *params)
{
	return blocks_offset_of(params) +
	       zstore_blocks_bytes(params->backing.nr_blocks);
}

uint64_t zstore_image_bytes(const struct zstore_params *params)
{
	const struct zs_pool_params pool = zstore_pool_params(params);

	return pool_offset_of(params) + zs_pool_image_bytes(&pool);
}

uint64_t zstore_tables_bytes(const struct zstore_params *params)
{
	const struct zs_pool_params pool = zstore_pool_params(params);

	return nr_groups(params) * ZSD_PAGE_BYTES +
	       zstore_ages_bytes(nr_slots(params)) +
	       zstore_sums_bytes(params->backing.nr_blocks) +
	       zs_pool_handles_bytes(&pool);
}

uint64_t zstore_lay_out(struct zstore *store)
{
	const struct zs_pool_params pool = zstore_pool_params(&store->params);
	struct zstore_header *header = &store->header;

	*header = (struct zstore_header){
		.magic = ZSTORE_MAGIC,
		.version = ZSTORE_VERSION,
		.page_bytes = ZSD_PAGE_BYTES,
		.disk_bytes = store->params.disk_bytes,
		.image_bytes = zstore_image_bytes(&store->params),
		.slots_offset = ZSD_PAGE_BYTES,
		.ages_offset = ages_offset_of(&store->params),
		.dicts_offset = dicts_offset_of(&store->params),
		.blocks_offset = blocks_offset_of(&store->params),
		.nr_blocks = store->params.backing.nr_blocks,
		.pool_offset = pool_offset_of(&store->params),
		.nr_handles = pool.nr_handles,
		.nr_pages = pool.nr_pages,
		.chain_size = pool.chain_size,
		.has_checksums = store->params.checksum,
		.may_share = store->params.share,
	};
	for (unsigned i = 0; i < ZSTORE_CODECS; i++) {
		if (zstore_codec(store, i)->ops)
			zcomp_format(zstore_codec(store, i),
				     header->algorithms[i]);
	}
	memcpy(header->uuid, store->params.uuid, sizeof(header->uuid));
	store->slots_offset = header->slots_offset;
	store->slots = (_Atomic uint64_t *)(void *)(store->image.base +
						    store->slots_offset);
	store->epochs = (struct zstore_epochs *)(void *)(store->image.base +
							 header->ages_offset);
	store->ages = (_Atomic uint8_t *)(store->image.base +
					  header->ages_offset + ZSD_PAGE_BYTES);
	return header->pool_offset;
}

static void write_header(struct zstore *store)
{
	struct zstore_header *image = zstore_image_header(store);
	struct zstore_header header = store->header;

	header.magic = 0;
	memcpy(image, &header, sizeof(header));
	atomic_signal_fence(memory_order_release);
	image->magic = ZSTORE_MAGIC; /* last: now it can be read */
}

/* Count what there always is, limit or no limit, and set that. */
static void charge(struct zstore *store)
{
	uint64_t bytes = ZSTORE_HEAD_BYTES;
	int err;

	if (store->sharers)
		bytes += zstore_sharers_bytes(store);
	bytes += zstore_blocks_memory(store);
	err = zs_pool_charge(store->pool, bytes, ZS_NORMAL);
	BUG_ON(err); /* there is no limit yet */
	zs_pool_set_limit(store->pool, store->params.mem_limit_bytes);
}

/* Lay the image out and make the pool in it. */
static int create_image(struct zstore *store)
{
	const struct zs_pool_params pool = zstore_pool_params(&store->params);
	uint64_t pool_offset;
	int err = mapping_create("zsd", zstore_image_bytes(&store->params),
				 &store->image);

	if (err)
		return err;
	pool_offset = zstore_lay_out(store);
	err = mapping_commit(&store->image, 0, ZSD_PAGE_BYTES, NULL);
	if (!err)
		err = mapping_commit(&store->image, store->header.ages_offset,
				     ZSD_PAGE_BYTES, NULL);
	if (err)
		goto err_image;
	err = zs_pool_create(&pool, &store->image, pool_offset, &store->pool);
	if (err)
		goto err_image;
	err = store->params.share ? zstore_sharers_init(store) : 0;
	if (!err)
		err = zstore_blocks_init(store);
	if (err)
		goto err_pool;
	zstore_ages_init(store);
	write_header(store);
	charge(store);
	store->huge_class_bytes = zs_huge_class_size(store->pool);
	return 0;

err_pool:
	zs_pool_destroy(store->pool);
err_image:
	mapping_destroy(&store->image);
	return err;
}

int zstore_alloc(const struct zstore_params *params, struct zstore **out)
{
	struct zstore *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->params = *params;
	store->nr_slots = nr_slots(params);
	store->nr_groups = nr_groups(params);
	store->groups = calloc(store->nr_groups, sizeof(*store->groups));
	store->age_groups =
		calloc(div_round_up(store->nr_slots, AGES_PER_GROUP),
		       sizeof(*store->age_groups));
	if (!store->groups || !store->age_groups) {
		free(store->groups);
		free(store->age_groups);
		free(store);
		return -ENOMEM;
	}
	lock_init(&store->adoption_lock, params->inherit_priority);
	lock_init(&store->dicts_lock, params->inherit_priority);
	lock_init(&store->ready_lock, params->inherit_priority);
	lock_init(&store->ctxs_lock, params->inherit_priority);
	list_init(&store->ctxs);
	*out = store;
	return 0;
}

void zstore_free(struct zstore *store)
{
	pthread_mutex_destroy(&store->adoption_lock);
	pthread_mutex_destroy(&store->ready_lock);
	pthread_mutex_destroy(&store->dicts_lock);
	pthread_mutex_destroy(&store->ctxs_lock);
	zstore_sharers_fini(store);
	zstore_blocks_fini(store);
	free(store->groups);
	free(store->age_groups);
	free(store);
}

bool zstore_params_are_valid(const struct zstore_params *params)
{
	return params->disk_bytes && params->disk_bytes % ZSD_PAGE_BYTES == 0 &&
	       params->disk_bytes <= ZSTORE_MAX_DISK_BYTES &&
	       params->chain_size >= ZS_CHAIN_SIZE_MIN &&
	       params->chain_size <= ZS_CHAIN_SIZE_MAX && params->zcomp.ops;
}

int zstore_create(const struct zstore_params *params, struct zstore **out)
{
	struct zstore *store;
	int err;

	if (!zstore_params_are_valid(params))
		return -EINVAL;
	err = zstore_alloc(params, &store);
	if (err)
		return err;
	err = create_image(store);
	if (err) {
		zstore_free(store);
		return err;
	}
	store->is_settled = true;
	*out = store;
	return 0;
}

void zstore_destroy(struct zstore *store)
{
	if (!store)
		return;
	BUG_ON(!list_is_empty(&store->ctxs));
	zstore_leave_image(store);
	zstore_dicts_fini(store);
	zs_pool_destroy(store->pool);
	mapping_destroy(&store->image);
	zstore_free(store);
}

const struct zstore_params *zstore_params(const struct zstore *store)
{
	return &store->params;
}

const struct zcomp_params *zstore_codec(const struct zstore *store,
					enum zstore_codec codec)
{
	return codec == ZSTORE_PRIMARY ? &store->params.zcomp
				       : &store->params.recomp;
}

size_t zstore_huge_class_size(const struct zstore *store)
{
	return store->huge_class_bytes;
}

bool zstore_range_is_valid(const struct zstore *store, uint64_t offset,
			   uint64_t bytes)
{
	return offset <= store->params.disk_bytes &&
	       bytes <= store->params.disk_bytes - offset;
}

void zstore_compact(struct zstore *store, struct zs_compacted *out)
{
	zstore_need_settled(store);
	zs_compact(store->pool, out);
}

bool zstore_compact_slice(struct zstore *store,
			  struct zs_compact_cursor *cursor,
			  unsigned max_objects, uint64_t *freed_pages)
{
	zstore_need_settled(store);
	return zs_compact_slice(store->pool, cursor, max_objects, freed_pages);
}

void zstore_shrink(struct zstore *store)
{
	zstore_need_settled(store);
	zs_pool_shrink(store->pool);
}

bool zstore_housekeep(struct zstore *store, uint64_t max_pages)
{
	if (store->image.owner_fd < 0)
		return false; /* another process does it, for now */
	/* Writers wait for this. */
	if (!zstore_is_settled(store)) {
		(void)zstore_rebuild(store, REBUILD_LOOKS);
		return true;
	}
	return zs_pool_housekeep(store->pool, max_pages);
}

uint64_t zstore_reserve_pages(struct zstore *store)
{
	struct zs_pool_stats stats;

	zs_pool_stats(store->pool, &stats);
	return stats.pages_reserve;
}

uint64_t zstore_reserve_target_pages(const struct zstore *store)
{
	return zstore_pool_params(&store->params).reserve_pages;
}

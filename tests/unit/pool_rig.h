/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool_rig - a pool to be tested, and objects whose content is known
 *
 * An object's bytes follow from a number, its seed, so that they can be made
 * again to compare.
 */
#ifndef ZSD_UNIT_POOL_RIG_H
#define ZSD_UNIT_POOL_RIG_H

#include <check.h>
#include <stdatomic.h>

#include "zsmalloc/zsmalloc.h"

/* What most tests need: more than they use of everything. */
#define RIG_PARAMS                                                          \
	{                                                                   \
		.chain_size = ZS_CHAIN_SIZE_DEFAULT, .nr_handles = 1 << 16, \
		.nr_pages = 1 << 15, .reserve_pages = 0,                    \
	}

struct pool_rig {
	struct zs_pool_params params;
	struct mapping map;
	struct zs_pool *pool;
	_Atomic unsigned nr_wakes; /* calls of the pool's wake() */
};

/* @params: copied; wake is set to count in nr_wakes. */
void rig_open(struct pool_rig *rig, const struct zs_pool_params *params);
void rig_close(struct pool_rig *rig);

/* The bytes of the object that @seed stands for. */
void rig_content(unsigned char *dst, size_t bytes, uint32_t seed);

/* As zs_store(), but it waits for memory. */
int rig_store(struct pool_rig *rig, const void *src, size_t bytes, uint32_t tag,
	      enum zs_alloc how, zs_handle *out);

/* Its tag, if the pool has tags. */
uint32_t rig_tag(uint32_t seed);

/* Allocate and fill an object, which must succeed. */
zs_handle rig_put(struct pool_rig *rig, size_t bytes, uint32_t seed);

/* Allocate and fill one if there is room. Return: as rig_store(). */
int rig_try_put(struct pool_rig *rig, size_t bytes, enum zs_alloc how,
		uint32_t seed, zs_handle *out);

/*
 * See to it that zspages are made of pages all over the arena, in no order:
 * pages that happen to be neighbours hide what goes wrong between two.
 */
void rig_shuffle_pages(struct pool_rig *rig);

/* The object must hold the first @bytes of what @seed stands for. */
void rig_assert_holds(struct pool_rig *rig, zs_handle handle, size_t bytes,
		      uint32_t seed);

/* Largest payload of a class, bytes. */
size_t rig_payload_bytes(const struct zs_geometry *geometry);

/* Numbers of the class that serves objects of @bytes. */
struct zs_class_stats rig_class_stats(struct pool_rig *rig, size_t bytes);

/* Sum of what compaction promises to free, pages. */
uint64_t rig_freeable(struct pool_rig *rig);

struct zs_pool_stats rig_stats(struct pool_rig *rig);

/* Memory that the system really gave for the mapping, bytes. */
uint64_t rig_resident_bytes(struct pool_rig *rig);

/* Memory that the pool says it uses, the caller's charges included, bytes. */
uint64_t rig_accounted_bytes(struct pool_rig *rig);

/*
 * The verifier must be content, the classes' numbers must add up to the
 * pool's, and the pool's to the memory that it has in fact.
 */
void rig_assert_sound(struct pool_rig *rig);

#endif

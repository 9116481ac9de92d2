/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The geometry of size classes: how many pages a zspage of each has.
 *
 * Pages of 4 KiB divide evenly by few sizes; a chain of several wastes less
 * at its end. Sizes that come out with the same number of pages and objects
 * share one class: a finer split would save nothing inside the zspage and
 * cost a part-filled one.
 */
#include "config.h"

#include "base/bits.h"
#include "zsmalloc/zs_internal.h"

/* Smallest class and distance between two, bytes. Source: mm/zsmalloc.c. */
#define MIN_CLASS_BYTES	  32u
#define CLASS_DELTA_BYTES 16u

/* Longest chain of kernels before 6.3 (ZS_MAX_ZSPAGE_ORDER 2). */
#define OLD_CHAIN_SIZE_MAX 4u

/* Before 6.3: the first chain with the highest used share in whole percent. */
static unsigned chain_by_percent(unsigned size_bytes, unsigned chain_size)
{
	unsigned best = 1, best_percent = 0;

	for (unsigned k = 1; k <= chain_size; k++) {
		unsigned bytes = k * ZSD_PAGE_BYTES;
		unsigned used = bytes - bytes % size_bytes;
		unsigned percent = used * 100 / bytes;

		if (percent > best_percent) {
			best_percent = percent;
			best = k;
		}
	}
	return best;
}

/* Since 6.3: the first chain that wastes the fewest bytes. */
static unsigned chain_by_waste(unsigned size_bytes, unsigned chain_size)
{
	unsigned best = 1, best_waste = UINT32_MAX;

	if (is_pow2(size_bytes))
		return 1;
	for (unsigned k = 1; k <= chain_size; k++) {
		unsigned waste = k * ZSD_PAGE_BYTES % size_bytes;

		if (waste < best_waste) {
			best_waste = waste;
			best = k;
		}
	}
	return best;
}

void zs_geometry_table(unsigned chain_size,
		       struct zs_geometry table[ZS_NR_CLASSES])
{
	for (unsigned i = ZS_NR_CLASSES; i-- > 0;) {
		unsigned size = MIN_CLASS_BYTES + i * CLASS_DELTA_BYTES;
		unsigned pages = chain_size <= OLD_CHAIN_SIZE_MAX
					 ? chain_by_percent(size, chain_size)
					 : chain_by_waste(size, chain_size);
		unsigned objs = pages * ZSD_PAGE_BYTES / size;

		if (i + 1 < ZS_NR_CLASSES &&
		    table[i + 1].pages_per_zspage == pages &&
		    table[i + 1].objs_per_zspage == objs) {
			table[i] = table[i + 1];
			continue;
		}
		table[i] = (struct zs_geometry){
			.class_idx = (uint16_t)i,
			.size_bytes = (uint16_t)size,
			.pages_per_zspage = (uint16_t)pages,
			.objs_per_zspage = (uint16_t)objs,
		};
	}
}

unsigned zs_lookup_class_index(const struct zs_pool *pool, size_t bytes)
{
	size_t size = bytes + ZS_HEADER_BYTES;

	if (bytes >= pool->huge_class_bytes)
		return ZS_NR_CLASSES - 1;
	if (size <= MIN_CLASS_BYTES)
		return pool->class_of[0];
	return pool->class_of[(size - MIN_CLASS_BYTES + CLASS_DELTA_BYTES - 1) /
			      CLASS_DELTA_BYTES];
}

size_t zs_huge_class_size(const struct zs_pool *pool)
{
	return pool->huge_class_bytes;
}

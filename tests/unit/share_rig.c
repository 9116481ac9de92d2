/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "share_rig.h"
#include "zstore/zstore_internal.h"

void share_rig_open(struct store_rig *rig, const char *algorithm, bool checksum)
{
	struct zstore_params params = rig_params(algorithm);

	ck_assert_int_eq(zcomp_parse("zstd:3", &params.recomp), 0);
	params.checksum = checksum;
	params.share = true;
	rig_open(rig, &params);
}

void share_rig_put(struct store_rig *rig, uint64_t index, uint64_t seed,
		   enum model_page kind)
{
	unsigned char page[ZSD_PAGE_BYTES];
	struct model_rng rng;

	model_rng_init(&rng, seed);
	model_page_fill(&rng, kind, page);
	rig_write(rig, index * ZSD_PAGE_BYTES, sizeof(page), page);
}

void share_rig_trim(struct store_rig *rig, uint64_t index)
{
	rig_trim(rig, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
}

uint64_t share_rig_slot(const struct store_rig *rig, uint64_t index)
{
	return slot_load(&rig->store->slots[index]);
}

zs_handle share_rig_handle(const struct store_rig *rig, uint64_t index)
{
	return slot_handle(share_rig_slot(rig, index));
}

uint64_t share_rig_pass(struct store_rig *rig, struct zstore_sharing *sharing)
{
	struct zstore_shared before, after;
	int more;

	zstore_sharing_done(sharing, &before);
	do {
		more = zstore_share(rig->ctx, sharing, 100);
	} while (more == 1);
	ck_assert_int_eq(more, 0);
	zstore_sharing_done(sharing, &after);
	return after.nr_shared - before.nr_shared;
}

uint64_t share_rig_objects(struct store_rig *rig)
{
	struct zs_class_stats stats;
	uint64_t nr = 0;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		if (zstore_class_stats(rig->store, i, &stats))
			nr += stats.obj_used;
	}
	return nr;
}

void share_rig_assert(struct store_rig *rig, uint64_t objects,
		      uint64_t pages_sharing)
{
	rig_assert_sound(rig);
	ck_assert_uint_eq(share_rig_objects(rig), objects);
	ck_assert_uint_eq(rig_stats(rig).pages_sharing, pages_sharing);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share_rig - pages that are equal, and what comes of them
 */
#ifndef ZSD_UNIT_SHARE_RIG_H
#define ZSD_UNIT_SHARE_RIG_H

#include "store_rig.h"
#include "zstore/slot.h"
#include "zstore/zstore_share.h"

/* rig_open() of a store that may share pages, and has a second codec. */
void share_rig_open(struct store_rig *rig, const char *algorithm,
		    bool checksum);

/* Write page @index as it is drawn with @seed. */
void share_rig_put(struct store_rig *rig, uint64_t index, uint64_t seed,
		   enum model_page kind);

void share_rig_trim(struct store_rig *rig, uint64_t index);

uint64_t share_rig_slot(const struct store_rig *rig, uint64_t index);
zs_handle share_rig_handle(const struct store_rig *rig, uint64_t index);

/* One pass. Return: how many pages were given another's object. */
uint64_t share_rig_pass(struct store_rig *rig, struct zstore_sharing *sharing);

/* Objects that there are. */
uint64_t share_rig_objects(struct store_rig *rig);

/* It must be sound, and have so many objects, and pages that have another's. */
void share_rig_assert(struct store_rig *rig, uint64_t objects,
		      uint64_t pages_sharing);

#endif

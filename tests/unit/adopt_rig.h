/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * adopt_rig - images as a process leaves them that ends at this instant
 */
#ifndef ZSD_UNIT_ADOPT_RIG_H
#define ZSD_UNIT_ADOPT_RIG_H

#include "base/mapping.h"
#include "store_rig.h"

/*
 * A memfd of its own that holds what @map does, and has memory where that has.
 * Nobody owns it. Return: a descriptor, or -errno.
 */
int rig_copy_image(const struct mapping *map);

/*
 * The heir of @rig, whose process ends now: it goes on with a copy, and knows
 * what the disk must hold. Nothing is rebuilt yet. Release: rig_disinherit().
 */
void rig_inherit(const struct store_rig *rig, struct store_rig *heir);
void rig_disinherit(struct store_rig *heir);

#endif

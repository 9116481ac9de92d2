/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * area - what the image of a disk keeps for its backing
 *
 * It lives as long as the image, in as many processes as that has, and is in no
 * file and no dump.
 */
#ifndef ZSD_POLICY_WRITEBACK_AREA_H
#define ZSD_POLICY_WRITEBACK_AREA_H

#include "backing/backing.h"
#include "policy/writeback/budget.h"
#include "zstore/zstore_backing.h"

struct area {
	unsigned char key[BACKING_KEY_BYTES]; /* all zero: not encrypted */
	struct budget budget;
};

_Static_assert(sizeof(struct area) <= ZSTORE_BACKING_AREA_BYTES,
	       "there is room for it");

/* Of a store that has a backing. */
static inline struct area *area_of(struct zstore *store)
{
	return zstore_backing_area(store);
}

static inline struct budget *area_budget(struct zstore *store)
{
	return &area_of(store)->budget;
}

#endif

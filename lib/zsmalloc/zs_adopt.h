/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_adopt - which handles the owner of an adopted pool has named
 */
#ifndef ZSD_ZSMALLOC_ZS_ADOPT_H
#define ZSD_ZSMALLOC_ZS_ADOPT_H

#include "zsmalloc/zs_internal.h"

/* Room for the marks of all handles, none of which is named. 0 or -ENOMEM. */
int zs_adoption_begin(struct zs_pool *pool) ZSD_MUST_CHECK;

/* Let go of them; also where there are none. */
void zs_adoption_end(struct zs_pool *pool);

bool zs_is_named(const struct zs_pool *pool, zs_handle handle);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zs_object - the bytes of an object
 */
#ifndef ZSD_ZSMALLOC_ZS_OBJECT_H
#define ZSD_ZSMALLOC_ZS_OBJECT_H

#include "zsmalloc/zs_internal.h"

/*
 * Write the first @bytes, which fit, of the object that @entry says. Nobody
 * else may use or move it: its handle is pinned. Return: false where its pages
 * are damaged.
 */
bool zs_obj_fill(struct zs_pool *pool, uint64_t entry, const void *src,
		 size_t bytes) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <xxhash.h>

#include "zstore/sum.h"

/* Any 32 of its 64 bits are as good as any others. */
uint32_t sum_object(const void *src, size_t bytes)
{
	return (uint32_t)XXH3_64bits(src, bytes);
}

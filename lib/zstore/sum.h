/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sum - the checksum of an object's stored bytes
 *
 * Of what is stored, not of the page that it stands for: there is less of it,
 * and damage is found before a codec sees it.
 */
#ifndef ZSD_ZSTORE_SUM_H
#define ZSD_ZSTORE_SUM_H

#include <stddef.h>
#include <stdint.h>

/**
 * sum_object() - 32 bits that damage to the bytes most probably changes
 * @bytes: 1 .. ZSD_PAGE_BYTES
 *
 * Not proof against somebody who chooses the damage. Cost: below 1 us.
 */
uint32_t sum_object(const void *src, size_t bytes);

#endif

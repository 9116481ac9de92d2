/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dict_rig - dictionaries to test with, and pages that they are good for
 */
#ifndef ZSD_UNIT_DICT_RIG_H
#define ZSD_UNIT_DICT_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "zcomp/zcomp.h"

/*
 * @nr pages that have something in common with those of every seed, but are
 * not the same for two. Release with free(3).
 */
unsigned char *rig_sample_pages(uint64_t seed, unsigned nr);

/* Train a dictionary on such pages; another one for each @seed.
 * Return: its length, ZCOMP_DICT_MIN_BYTES .. @bytes. */
size_t rig_train(const struct zcomp_params *params, uint64_t seed, void *dst,
		 size_t bytes);

#endif

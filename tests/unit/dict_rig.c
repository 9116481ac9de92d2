/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "base/units.h"
#include "dict_rig.h"
#include "model/model.h"

#define NR_SAMPLES 256u

unsigned char *rig_sample_pages(uint64_t seed, unsigned nr)
{
	unsigned char *pages = malloc((size_t)nr * ZSD_PAGE_BYTES);
	struct model_rng rng;

	ck_assert_ptr_nonnull(pages);
	model_rng_init(&rng, seed);
	for (unsigned i = 0; i < nr; i++)
		model_page_fill(&rng,
				i % 4 ? MODEL_PAGE_TEXT : MODEL_PAGE_POINTERS,
				pages + (size_t)i * ZSD_PAGE_BYTES);
	return pages;
}

size_t rig_train(const struct zcomp_params *params, uint64_t seed, void *dst,
		 size_t bytes)
{
	unsigned char *pages = rig_sample_pages(seed, NR_SAMPLES);
	size_t n = 0;

	ck_assert_int_eq(zcomp_train(params, pages, NR_SAMPLES, ZSD_PAGE_BYTES,
				     dst, bytes, &n),
			 0);
	ck_assert_uint_ge(n, ZCOMP_DICT_MIN_BYTES);
	ck_assert_uint_le(n, bytes);
	free(pages);
	return n;
}

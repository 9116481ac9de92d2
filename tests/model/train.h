/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * train - dictionaries for the pages that the models write
 */
#ifndef ZSD_MODEL_TRAIN_H
#define ZSD_MODEL_TRAIN_H

#include "model/model.h"
#include "zcomp/zcomp.h"

#define MODEL_NR_SAMPLES 64u

/* Train a dictionary of up to @bytes, another one each time. Return: its
 * length. */
static inline size_t model_train(const struct model_run *run,
				 const struct zcomp_params *params,
				 struct model_rng *rng, void *dst, size_t bytes)
{
	static unsigned char pages[MODEL_NR_SAMPLES][ZSD_PAGE_BYTES];
	size_t n = 0;
	int err;

	for (unsigned i = 0; i < MODEL_NR_SAMPLES; i++)
		model_page_fill(rng,
				i % 2 ? MODEL_PAGE_TEXT : MODEL_PAGE_POINTERS,
				pages[i]);
	err = zcomp_train(params, pages, MODEL_NR_SAMPLES, ZSD_PAGE_BYTES, dst,
			  bytes, &n);
	MODEL_CHECK(run, !err, "zcomp_train: %d", err);
	return n;
}

#endif

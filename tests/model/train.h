/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * train - dictionaries for the pages that the models write
 */
#ifndef ZSD_MODEL_TRAIN_H
#define ZSD_MODEL_TRAIN_H

#include "model/model.h"
#include "zcomp/zcomp.h"

#define MODEL_NR_SAMPLES 64u

/* Room for any codec's. */
#define MODEL_DICT_BYTES (84 * (size_t)KIB)

/* Of it, what pages have in common. */
#define MODEL_DICT_COMMON_BYTES (3 * (size_t)KIB)

/* Train one for a codec that has some, another one each time. Return: its
 * length. */
static inline size_t model_train(const struct model_run *run,
				 const struct zcomp_params *params,
				 struct model_rng *rng,
				 unsigned char dst[MODEL_DICT_BYTES])
{
	static unsigned char pages[MODEL_NR_SAMPLES][ZSD_PAGE_BYTES];
	size_t room =
		zcomp_dict_bytes_besides(params) + MODEL_DICT_COMMON_BYTES;
	size_t n = 0;
	int err;

	for (unsigned i = 0; i < MODEL_NR_SAMPLES; i++)
		model_page_fill(rng,
				i % 2 ? MODEL_PAGE_TEXT : MODEL_PAGE_POINTERS,
				pages[i]);
	MODEL_CHECK(run, room <= MODEL_DICT_BYTES, "a dictionary of %zu bytes",
		    room);
	err = zcomp_train(params, pages, MODEL_NR_SAMPLES, ZSD_PAGE_BYTES, dst,
			  room, &n);
	MODEL_CHECK(run, !err, "zcomp_train: %d", err);
	return n;
}

#endif

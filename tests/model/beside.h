/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * beside - a small disk beside the one that is tested, with the same scratch
 *
 * Whatever is done to the other, this one must hold what was written to it, and
 * the other must not notice.
 */
#ifndef ZSD_MODEL_BESIDE_H
#define ZSD_MODEL_BESIDE_H

#include "model/model.h"
#include "zstore/zstore.h"

#define BESIDE_PAGES 16u

struct beside {
	const struct model_run *run;
	struct zstore_scratch *scratch; /* for the other disk, too */
	struct zstore *store;
	struct zstore_ctx *ctx;
	unsigned char flat[BESIDE_PAGES][ZSD_PAGE_BYTES];
};

/* Fails the run where there is no memory. Release: beside_close(), which has it
 * verified. */
void beside_open(struct beside *b, const struct model_run *run);
void beside_close(struct beside *b);

/* Write a page, if there is memory for it, and compare all. */
void beside_use(struct beside *b, struct model_rng *rng);

#endif

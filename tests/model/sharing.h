/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sharing - have equal pages of a disk share objects, and tell which do
 */
#ifndef ZSD_MODEL_SHARING_H
#define ZSD_MODEL_SHARING_H

#include "model/model.h"
#include "zstore/zstore.h"
#include "zstore/zstore_share.h"

struct sharing {
	const struct model_run *run;
	struct zstore_ctx *ctx; /* of the disk */
	struct zstore_sharing *state;
	uint64_t nr_told; /* by sharing_done() */
};

/* Fails the run where there is no memory. Release: sharing_close(), which
 * returns what sharing_done() would. */
void sharing_open(struct sharing *s, const struct model_run *run,
		  struct zstore_ctx *ctx, uint64_t nr_objects);
uint64_t sharing_close(struct sharing *s);

/* How many more since it was asked last, or opened. */
uint64_t sharing_done(struct sharing *s);

/* A piece of a pass, if the disk is to share. Return: whether there is more. */
bool sharing_go_on(struct sharing *s, unsigned max_looks);

/*
 * While nothing changes: the store must have counted as many pages that name an
 * object which a page before names, too. Return: how long those objects are,
 * bytes.
 */
uint64_t sharing_check(const struct model_run *run, const struct zstore *store,
		       const struct zstore_stats *stats);

#endif

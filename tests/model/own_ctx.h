/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * own_ctx - a context with scratch memory of its own, for a thread that works
 * with one store
 */
#ifndef ZSD_MODEL_OWN_CTX_H
#define ZSD_MODEL_OWN_CTX_H

#include "zstore/zstore_internal.h"

/* As zstore_ctx_create(). Release: own_ctx_destroy(), which takes NULL too. */
static inline int own_ctx_create(struct zstore *store, struct zstore_ctx **out)
{
	struct zstore_scratch *scratch;
	int err = zstore_scratch_create(&scratch);

	if (err)
		return err;
	err = zstore_ctx_create(store, scratch, out);
	if (err)
		zstore_scratch_destroy(scratch);
	return err;
}

static inline void own_ctx_destroy(struct zstore_ctx *ctx)
{
	struct zstore_scratch *scratch = ctx ? ctx->scratch : NULL;

	zstore_ctx_destroy(ctx);
	zstore_scratch_destroy(scratch);
}

#endif

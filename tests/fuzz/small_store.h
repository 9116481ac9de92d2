/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * small_store - a store whose parameters an input chose, and content for it
 */
#ifndef ZSD_FUZZ_SMALL_STORE_H
#define ZSD_FUZZ_SMALL_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "fuzz.h"
#include "zstore/zstore.h"

struct small_store {
	struct zstore_params params;
	struct zstore *store;
	struct zstore_ctx *ctx;
};

/*
 * Codecs, chain size, reserve and limit are what the next bytes of @in say.
 * The flat disk is made new with it. Release: small_store_close(), which
 * checks all of it, trims it, and checks that nothing is left.
 */
void small_store_open(struct small_store *s, struct fuzz_input *in,
		      uint64_t nr_pages);
void small_store_close(struct small_store *s);

/* @bytes of content of the kind and from the seed that @in says next. */
void small_store_content(struct fuzz_input *in, size_t bytes, uint8_t *dst);

#endif

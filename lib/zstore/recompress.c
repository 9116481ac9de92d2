/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages are recompressed.
 */
#include "config.h"

#include <errno.h>

#include "zstore/order.h"
#include "zstore/page.h"
#include "zstore/zstore_recompress.h"

/* What is looked for, worked out once for some looks. */
struct search {
	struct zstore *store;
	const struct zstore_recompress *how;
	struct zstore_old old;
	unsigned dict; /* the secondary codec's current one */
};

static bool has_right_codec(const struct search *search, uint64_t slot)
{
	if (slot_codec(slot) == ZSTORE_PRIMARY)
		return true;
	/* Those without a dictionary were not worth one. */
	return search->how->again && slot_dict(slot) &&
	       slot_dict(slot) != search->dict;
}

/* Whether a page is to be tried. */
static bool is_due(const void *arg, uint64_t index, uint64_t slot)
{
	const struct search *search = arg;
	const struct zstore_recompress *how = search->how;

	if (slot & SLOT_INCOMPRESSIBLE ||
	    zstore_has_sharers(search->store, slot))
		return false;
	return has_right_codec(search, slot) &&
	       slot_len_bytes(slot) >= how->threshold_bytes &&
	       (!how->is_huge || slot_is_huge(slot)) &&
	       (!how->is_idle || zstore_is_idle(search->store, index)) &&
	       zstore_is_old(search->store, index, &search->old);
}

/* --- trying ---------------------------------------------------------------- */

/* Return: 1, or as of zstore_recompress(): the same page comes again then. */
static int try_page(struct zstore_ctx *ctx, const struct search *search,
		    struct zstore_recompressing *at, uint64_t index,
		    uint64_t slot)
{
	const uint32_t threshold = search->how->threshold_bytes;
	uint32_t after = 0;
	int err = zstore_ctx_ready(ctx);
	const bool is_ready = !err;

	if (is_ready)
		err = page_recompress(ctx, index, slot,
				      threshold ? threshold : UINT32_MAX,
				      &after);
	if (!is_ready || err == -ENOSPC || err == -ENOMEM)
		return err;
	order_take(&at->order, index, slot);
	at->nr_tried++;
	if (!err && after < slot_len_bytes(slot)) {
		at->nr_done++;
		at->bytes_before += slot_len_bytes(slot);
		at->bytes_after += after;
	}
	return 1; /* written meanwhile, or damaged: then it is not due */
}

void zstore_recompress_end(struct zstore_ctx *ctx)
{
	zstore_ctx_rest(ctx);
}

int zstore_recompress(struct zstore_ctx *ctx,
		      const struct zstore_recompress *how,
		      struct zstore_recompressing *at, unsigned max_looks)
{
	struct search search = {.store = ctx->store, .how = how};
	const struct order_search due = {
		.store = ctx->store, .is_due = is_due, .arg = &search};
	uint64_t index, slot;
	int found;

	if (!zstore_is_settled(ctx->store))
		return -EINPROGRESS;
	if (how->max_pages && at->nr_tried >= how->max_pages)
		return 0;
	search.dict = zstore_dict_current(ctx->store, ZSTORE_SECONDARY);
	zstore_find_old(ctx->store, how->since_s, &search.old);
	found = order_next(&at->order, &due, ZSD_PAGE_BYTES, &max_looks, &index,
			   &slot);
	if (found == -EAGAIN)
		return 1;
	return found ? try_page(ctx, &search, at, index, slot) : 0;
}

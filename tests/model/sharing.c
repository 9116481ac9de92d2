/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "model/sharing.h"
#include "zstore/zstore_internal.h"

void sharing_open(struct sharing *s, const struct model_run *run,
		  struct zstore_ctx *ctx, uint64_t nr_objects)
{
	int err;

	*s = (struct sharing){.run = run, .ctx = ctx};
	err = zstore_sharing_create(nr_objects, &s->state);
	MODEL_CHECK(run, !err, "zstore_sharing_create: %d", err);
}

uint64_t sharing_done(struct sharing *s)
{
	const uint64_t before = s->nr_told;
	struct zstore_shared done;

	zstore_sharing_done(s->state, &done);
	s->nr_told = done.nr_shared;
	return done.nr_shared - before;
}

uint64_t sharing_close(struct sharing *s)
{
	uint64_t nr = sharing_done(s);

	zstore_sharing_destroy(s->state);
	return nr;
}

bool sharing_go_on(struct sharing *s, unsigned max_looks)
{
	const bool is_to_share = zstore_params(s->ctx->store)->share;
	int more = zstore_share(s->ctx, s->state, max_looks);

	MODEL_CHECK(s->run,
		    is_to_share ? more == 0 || more == 1 : more == -EOPNOTSUPP,
		    "zstore_share: %d", more);
	return more == 1;
}

struct tally {
	bool *is_named; /* by handle */
	uint64_t pages, bytes;
};

static void tally_slot(uint64_t slot, struct tally *tally)
{
	if (slot_kind(slot) != SLOT_OBJECT)
		return;
	if (tally->is_named[slot_handle(slot)]) {
		tally->pages++;
		tally->bytes += slot_len_bytes(slot);
	}
	tally->is_named[slot_handle(slot)] = true;
}

uint64_t sharing_check(const struct model_run *run, const struct zstore *store,
		       const struct zstore_stats *stats)
{
	struct tally tally = {
		.is_named = calloc(zs_pool_handles_max(store->pool), 1)};

	MODEL_CHECK(run, tally.is_named, "no memory to tally with");
	for (uint64_t i = 0; i < store->nr_slots; i++) {
		if (slot_exists(store, i))
			tally_slot(slot_load(&store->slots[i]), &tally);
	}
	free(tally.is_named);
	MODEL_CHECK(run, stats->pages_sharing == tally.pages,
		    "pages_sharing %" PRIu64 ", not %" PRIu64,
		    stats->pages_sharing, tally.pages);
	return tally.bytes;
}

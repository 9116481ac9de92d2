/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_verify(): the pool in itself, every slot against the pool, and, if
 * nobody changed anything meanwhile, the counters against both.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "zstore/zstore_internal.h"

struct tally {
	int64_t pages; /* slots that are not empty */
	int64_t objects; /* slots that name an object */
	int64_t dict_pages[ZSTORE_MAX_DICTS + 1]; /* those that name it */
};

/*
 * How many changes there were, if none is under way now; else -1. Ended is
 * read before begun: were they equal by chance, one that began between the two
 * would show in begun.
 */
static int64_t quiet_changes(struct zstore *store)
{
	int64_t ended = zstore_sum(store, COUNT_changes_ended);
	int64_t begun = zstore_sum(store, COUNT_changes_begun);

	return begun == ended ? begun : -1;
}

static int verify_slots(struct zstore_ctx *ctx, struct tally *tally,
			struct zstore_verify_report *report)
{
	struct zstore *store = ctx->store;
	uint64_t first_damaged = 0;

	for (uint64_t index = 0; index < store->nr_slots; index++) {
		uint64_t slot;

		if (!slot_exists(store, index)) {
			index |= SLOTS_PER_GROUP - 1;
			continue;
		}
		slot = slot_load(&store->slots[index]);
		if (slot_kind(slot) == SLOT_EMPTY)
			continue;
		tally->pages++;
		tally->objects += slot_kind(slot) == SLOT_OBJECT;
		if (slot_kind(slot) == SLOT_OBJECT)
			tally->dict_pages[slot_dict(slot)]++;
		if (page_load(ctx, index, ctx->page) == 0)
			report->pages_checked++;
		else if (report->pages_damaged++ == 0)
			first_damaged = index;
	}
	if (!report->pages_damaged)
		return 0;
	snprintf(report->text, sizeof(report->text),
		 "stored pages are damaged: %" PRIu64
		 " of them, the first is page %" PRIu64 " of the disk",
		 report->pages_damaged, first_damaged);
	return -EUCLEAN;
}

static int verify_dicts(struct zstore *store,
			struct zstore_verify_report *report)
{
	unsigned damaged = zstore_dict_damaged(store);

	if (!damaged)
		return 0;
	snprintf(report->text, sizeof(report->text),
		 "dictionary %u is damaged, and so is what was written with it",
		 damaged);
	return -EUCLEAN;
}

static int verify_dict_tally(struct zstore *store, const struct tally *tally,
			     struct zstore_verify_report *report)
{
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		int64_t pages = zstore_dict_pages(store, i);

		if (pages == tally->dict_pages[i])
			continue;
		snprintf(report->text, sizeof(report->text),
			 "slots name dictionary %u %" PRId64
			 " times, counted are %" PRId64,
			 i, tally->dict_pages[i], pages);
		return -EUCLEAN;
	}
	return 0;
}

static int verify_tally(struct zstore *store, const struct tally *tally,
			struct zstore_verify_report *report)
{
	int64_t pages = zstore_sum(store, COUNT_pages_stored);
	int64_t objects = 0;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		struct zs_class_stats stats;

		if (zs_class_stats(store->pool, i, &stats))
			objects += (int64_t)stats.obj_used;
	}
	if (tally->pages == pages && tally->objects == objects)
		return verify_dict_tally(store, tally, report);
	snprintf(report->text, sizeof(report->text),
		 "slots name %" PRId64 " pages and %" PRId64
		 " objects, counted are %" PRId64 " and %" PRId64,
		 tally->pages, tally->objects, pages, objects);
	return -EUCLEAN;
}

int zstore_verify(struct zstore_ctx *ctx, struct zstore_verify_report *report)
{
	struct zstore *store = ctx->store;
	struct tally tally = {0};
	struct zstore_verify_report tally_report = {0};
	int64_t changes;
	int err, tally_err;

	*report = (struct zstore_verify_report){0};
	err = zs_pool_verify(store->pool, report->text);
	if (err)
		return err;
	err = verify_dicts(store, report);
	if (err)
		return err;
	changes = quiet_changes(store);
	err = verify_slots(ctx, &tally, report);
	if (err)
		return err;
	tally_err = verify_tally(store, &tally, &tally_report);
	if (!tally_err || changes < 0 || quiet_changes(store) != changes)
		return 0;
	snprintf(report->text, sizeof(report->text), "%s", tally_report.text);
	return tally_err;
}

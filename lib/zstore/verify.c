/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_verify(): the pool in itself, every slot against the pool, and, if
 * nobody changed anything meanwhile, the slots against each other and the
 * counters against both.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "zstore/page.h"

/* What the slots say, all together. */
struct tally {
	int64_t pages; /* that are not empty */
	int64_t objects; /* that are named */
	int64_t sharing; /* that name an object which another one did */
	uint64_t sharers; /* sum of their zstore_mark() */
	uint64_t blocks; /* the same of those in blocks */
	int64_t dict_pages[ZSTORE_MAX_DICTS + 1]; /* that name it */
	uint64_t locked; /* 1 + a page whose slot is; 0: none is */
	uint64_t doubled; /* 1 + a page that has the object of another, and does
			   * not share it; 0: none */
	unsigned char *named; /* by handle, MARK_BITS: which slots name it */
	uint64_t handles_end; /* that there are bits for */
};

#define MARK_BITS  2u
#define MARK_NAMED 1u /* any slot */
#define MARK_OWNED 2u /* one that does not share it */

static int ZSD_PRINTF(2, 3)
	broken(struct zstore_verify_report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(report->text, sizeof(report->text), format, args);
	va_end(args);
	return -EUCLEAN;
}

/*
 * How many changes there were, if none is under way now; else -1. Ended is
 * read before begun: were they equal by chance, one that began between the two
 * would show in begun. A change is begun before anything of it can be seen, and
 * ended after all of it can.
 */
static int64_t quiet_changes(struct zstore *store)
{
	int64_t ended = zstore_sum(store, COUNT_changes_ended);
	int64_t begun = zstore_sum(store, COUNT_changes_begun);

	return begun == ended ? begun : -1;
}

/* Return: how other slots named it. */
static unsigned name_handle(struct tally *tally, zs_handle handle,
			    unsigned mark)
{
	const unsigned shift = MARK_BITS * handle % 8;
	unsigned char *byte;
	unsigned before;

	if (handle >= tally->handles_end) /* given out since, if at all */
		return 0;
	byte = &tally->named[(uint64_t)handle * MARK_BITS / 8];
	before = *byte >> shift & (MARK_NAMED | MARK_OWNED);
	*byte |= (unsigned char)(mark << shift);
	return before;
}

static void tally_object(struct tally *tally, uint64_t index, uint64_t slot)
{
	const bool is_shared = slot_is_shared(slot);
	const unsigned before =
		name_handle(tally, slot_handle(slot),
			    is_shared ? MARK_NAMED : MARK_NAMED | MARK_OWNED);

	if (is_shared ? before & MARK_OWNED : before)
		tally->doubled = index + 1;
	if (is_shared)
		tally->sharers += zstore_mark(slot_handle(slot));
	if (is_shared && before)
		tally->sharing++;
	else
		tally->objects++;
}

static void tally_slot(struct tally *tally, uint64_t index, uint64_t slot)
{
	tally->pages++;
	if (!slot_is_sound(slot, index) || !slot_has_method(slot))
		return;
	tally->dict_pages[slot_dict(slot)]++;
	if (slot_kind(slot) == SLOT_OBJECT)
		tally_object(tally, index, slot);
	else
		tally->blocks += zstore_mark(slot_block(slot));
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
		slot = atomic_load_explicit(&store->slots[index],
					    memory_order_acquire);
		if (slot & SLOT_LOCKED)
			tally->locked = index + 1;
		slot &= ~SLOT_LOCKED;
		if (!slot)
			continue;
		tally_slot(tally, index, slot);
		if (page_load(ctx, index, ctx->scratch->page) == 0)
			report->pages_checked++;
		else if (report->pages_damaged++ == 0)
			first_damaged = index;
	}
	if (!report->pages_damaged)
		return 0;
	return broken(report,
		      "stored pages are damaged: %" PRIu64
		      " of them, the first is page %" PRIu64 " of the disk",
		      report->pages_damaged, first_damaged);
}

static int verify_dict_tally(struct zstore *store, const struct tally *tally,
			     struct zstore_verify_report *report)
{
	for (unsigned i = 1; i <= ZSTORE_MAX_DICTS; i++) {
		int64_t pages = zstore_dict_pages(store, i);

		if (pages != tally->dict_pages[i])
			return broken(report,
				      "slots name dictionary %u %" PRId64
				      " times, counted are %" PRId64,
				      i, tally->dict_pages[i], pages);
	}
	return 0;
}

static int verify_sharers(struct zstore *store, const struct tally *tally,
			  struct zstore_verify_report *report)
{
	const int64_t sharing = zstore_sum(store, COUNT_pages_sharing);

	if (tally->sharing != sharing)
		return broken(report,
			      "pages that share another's object are %" PRId64
			      ", counted are %" PRId64,
			      tally->sharing, sharing);
	if (tally->sharers != zstore_sharers_sum(store, tally->handles_end))
		return broken(report, "the pages that share an object are not"
				      " as many as was counted");
	return 0;
}

/* What holds only where nothing changed since the slots were looked at. */
static int verify_tally(struct zstore *store, const struct tally *tally,
			struct zstore_verify_report *report)
{
	int64_t pages = zstore_sum(store, COUNT_pages_stored);
	int64_t objects = 0;
	int err;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		struct zs_class_stats stats;

		if (zs_class_stats(store->pool, i, &stats))
			objects += (int64_t)stats.obj_used;
	}
	if (tally->locked)
		return broken(report,
			      "page %" PRIu64 " of the disk is locked for good",
			      tally->locked - 1);
	if (tally->doubled)
		return broken(report,
			      "page %" PRIu64
			      " of the disk has the object of another",
			      tally->doubled - 1);
	if (tally->pages != pages || tally->objects != objects)
		return broken(report,
			      "slots name %" PRId64 " pages and %" PRId64
			      " objects, counted are %" PRId64 " and %" PRId64,
			      tally->pages, tally->objects, pages, objects);
	if (tally->blocks != zstore_blocks_sum(store))
		return broken(report,
			      "the pages that blocks of the backing have"
			      " are not as many as was counted");
	err = verify_sharers(store, tally, report);
	return err ? err : verify_dict_tally(store, tally, report);
}

static int verify_disk(struct zstore_ctx *ctx, struct tally *tally,
		       struct zstore_verify_report *report)
{
	struct zstore_verify_report tally_report = {0};
	int64_t changes = quiet_changes(ctx->store);
	int err = verify_slots(ctx, tally, report);

	if (err)
		return err;
	err = verify_tally(ctx->store, tally, &tally_report);
	if (!err || changes < 0 || quiet_changes(ctx->store) != changes)
		return 0;
	return broken(report, "%s", tally_report.text);
}

static int verify_image(struct zstore *store,
			struct zstore_verify_report *report)
{
	unsigned damaged;
	int err = zs_pool_verify(store->pool, report->text);

	if (err)
		return err;
	if (zstore_header_is_damaged(store))
		return broken(report, "what describes the image is damaged");
	damaged = zstore_dict_damaged(store);
	if (!damaged)
		return 0;
	return broken(report,
		      "dictionary %u is damaged, and so is what was written"
		      " with it",
		      damaged);
}

int zstore_verify(struct zstore_ctx *ctx, struct zstore_verify_report *report)
{
	struct tally tally = {0};
	int err;

	zstore_need_settled(ctx->store);
	tally.handles_end = zs_pool_handles_end(ctx->store->pool);
	*report = (struct zstore_verify_report){0};
	err = verify_image(ctx->store, report);
	if (err)
		return err;
	tally.named = calloc(tally.handles_end / 8 * MARK_BITS + MARK_BITS, 1);
	if (!tally.named) {
		broken(report, "no memory to verify with");
		return -ENOMEM;
	}
	err = verify_disk(ctx, &tally, report);
	free(tally.named);
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>

#include "base/bits.h"
#include "policy/compact.h"
#include "policy/disk.h"
#include "policy/recompress.h"
#include "policy/writeback/rounds.h"
#include "zstore/zstore_age.h"

/*
 * Pages that a codec is trained on first, at least: 64 MiB of the disk. And it
 * is trained again when there are as many times more.
 */
#define TRAIN_PAGES 16384u
#define TRAIN_TIMES 4u

/* Bytes that pages have in common; a model takes them beside its own. */
#define TRAIN_DICT_BYTES ((size_t)(56 * KIB))

/* Looks at slots between two rests, some 100 us; and a rest beside requests. */
#define SHARE_LOOKS   128u
#define SHARE_REST_US 300u

/* Compaction pays where it frees this part of a disk's pages. */
#define COMPACT_PART 32u

void disk_set_state(struct disk *disk, enum disk_state state)
{
	uv_mutex_lock(&disk->common->lock);
	disk->state = state;
	uv_mutex_unlock(&disk->common->lock);
}

/* --- life ------------------------------------------------------------------- */

static bool recompresses(const struct disk *disk)
{
	return zstore_codec(disk->export->store, ZSTORE_SECONDARY)->ops;
}

int disk_open(struct disk *disk, struct zstore_scratch *scratch)
{
	int err = zstore_ctx_create(disk->export->store, scratch, &disk->ctx);

	if (!err && zstore_params(disk->export->store)->share)
		err = zstore_sharing_create(ZSTORE_SHARING_OBJECTS,
					    &disk->sharing);
	disk->state =
		recompresses(disk) || disk->sharing || disk->params.writeback
			? DISK_WAITS
			: DISK_OFF;
	return err;
}

void disk_close(struct disk *disk)
{
	zstore_sharing_destroy(disk->sharing);
	zstore_ctx_destroy(disk->ctx);
}

/* --- looking --------------------------------------------------------------- */

/* Requests that make pages young. */
static uint64_t nr_requests(struct export *export)
{
	struct ctl_requests sum;

	export_sum(export, &sum);
	return sum.read + sum.write + sum.write_zeroes;
}

void disk_begin_epoch(struct disk *disk)
{
	struct zstore *store = disk->export->store;
	const uint64_t nr = nr_requests(disk->export);

	if (nr == disk->nr_requests || !zstore_is_settled(store))
		return;
	disk->nr_requests = nr;
	uv_mutex_lock(&disk->common->lock);
	zstore_begin_epoch(store, disk->common->tick_s);
	uv_mutex_unlock(&disk->common->lock);
}

/* What is free below mem_limit, pages; without one, all that there may be. */
static uint64_t room_pages(const struct zstore_stats *stats)
{
	const uint64_t used = stats->mem_used_total + stats->metadata_bytes;

	if (!stats->mem_limit)
		return UINT64_MAX;
	return stats->mem_limit > used
		       ? (stats->mem_limit - used) / ZSD_PAGE_BYTES
		       : 0;
}

/* Where the limit leaves no room for the reserve, that is not what it lacks. */
static bool is_reserve_low(struct zstore *store,
			   const struct zstore_stats *stats)
{
	return zstore_reserve_pages(store) * 2 <
	       min_u64(zstore_reserve_target_pages(store), room_pages(stats));
}

double disk_limit_used(const struct zstore_stats *stats)
{
	return stats->mem_limit ? (double)(stats->mem_used_total +
					   stats->metadata_bytes) /
					  (double)stats->mem_limit
				: 0;
}

static struct decide_view view_of(const struct disk *disk)
{
	const uint32_t now_s = disk->common->tick_s;
	struct zstore *store = disk->export->store;
	struct zstore_stats stats;

	zstore_stats(store, &stats);
	return (struct decide_view){
		.is_settled = zstore_is_settled(store),
		.is_reserve_low = is_reserve_low(store, &stats),
		.limit_used = disk_limit_used(&stats),
		.most_age_s = disk->params.age_s,
		.since_round_s = disk->round_end_s ? now_s - disk->round_end_s
						   : UINT32_MAX,
	};
}

static struct decision judge(struct disk *disk, bool is_under_way)
{
	struct decide_view view = view_of(disk);
	struct decision decision;

	if (is_under_way)
		view.since_round_s = UINT32_MAX;
	decision = decide(&view, &disk->common->reading);
	uv_mutex_lock(&disk->common->lock);
	disk->decision = decision;
	uv_mutex_unlock(&disk->common->lock);
	return decision;
}

/* --- training -------------------------------------------------------------- */

static uint64_t nr_compressed(struct zstore *store)
{
	struct zstore_stats stats;

	zstore_stats(store, &stats);
	return stats.orig_data_size / ZSD_PAGE_BYTES - stats.same_pages -
	       stats.huge_pages;
}

/* Have the codec know the disk's own pages, if there are many new ones. */
static void train(struct disk *disk)
{
	struct zstore *store = disk->export->store;
	const bool is_swapped =
		residence_mode(disk->common->params.residence) != SWAP_OFF;
	const uint64_t nr = nr_compressed(store);
	struct train_report *report = disk->common->report;
	struct ctl_error error;
	int err;

	if (!zcomp_has_dicts(zstore_codec(store, ZSTORE_SECONDARY)) ||
	    nr < max_u64(TRAIN_PAGES, TRAIN_TIMES * disk->trained_pages))
		return;
	disk_set_state(disk, DISK_TRAINS);
	err = train_run(store, disk->ctx, ZSTORE_SECONDARY, is_swapped,
			TRAIN_DICT_BYTES, report, &error);
	if (err == -EAGAIN) /* memory is short: at another time */
		return;
	disk->trained_pages = nr;
	uv_mutex_lock(&disk->common->lock);
	disk->nr_trainings += !err && report->number;
	uv_mutex_unlock(&disk->common->lock);
}

/* --- rounds ---------------------------------------------------------------- */

static void add(struct zstore_recompressing *sum,
		const struct zstore_recompressing *one)
{
	sum->nr_tried += one->nr_tried;
	sum->nr_done += one->nr_done;
	sum->bytes_before += one->bytes_before;
	sum->bytes_after += one->bytes_after;
}

/* Once a second, look whether something speaks against it by now. Return:
 * whether nothing does. */
static bool goes_on(struct disk *disk, void (*look)(void *arg),
		    const struct zstore_recompressing *at,
		    struct decision *decision)
{
	if (disk->is_over(disk->arg))
		return false;
	if (policy_now_s() == disk->common->tick_s)
		return true;
	look(disk->arg);
	uv_mutex_lock(&disk->common->lock);
	disk->now = *at;
	uv_mutex_unlock(&disk->common->lock);
	*decision = judge(disk, true);
	return decision->go;
}

static void recompress(struct disk *disk, void (*look)(void *arg),
		       struct decision decision)
{
	const uint32_t now_s = disk->common->tick_s;
	const struct zstore_recompress how = {
		.again = true,
		.since_s = now_s > decision.age_s ? now_s - decision.age_s : 0,
		.threshold_bytes = disk->params.threshold_bytes,
	};
	struct zstore_recompressing at = {0};
	struct pace pace;

	disk_set_state(disk, DISK_RECOMPRESSES);
	pace_begin(&pace, disk->common->params.exports);
	while (recompress_piece(disk->ctx, &how, &at, &pace,
				decision.is_short) == 1 &&
	       goes_on(disk, look, &at, &decision))
		;
	zstore_recompress_end(disk->ctx);
	uv_mutex_lock(&disk->common->lock);
	add(&disk->before, &at);
	disk->now = (struct zstore_recompressing){0};
	uv_mutex_unlock(&disk->common->lock);
}

static void end_round(struct disk *disk)
{
	struct zstore_shared shared = {0};

	if (disk->sharing)
		zstore_sharing_done(disk->sharing, &shared);
	uv_mutex_lock(&disk->common->lock);
	disk->bytes_shared = shared.bytes_freed;
	disk->nr_rounds++;
	disk->round_end_s = policy_now_s();
	disk->state = DISK_WAITS;
	uv_mutex_unlock(&disk->common->lock);
}

/* One pass: of equal pages, all but one have no object of their own. */
static void share(struct disk *disk)
{
	struct pace pace;

	disk_set_state(disk, DISK_SHARES);
	pace_begin(&pace, disk->common->params.exports);
	while (zstore_share(disk->ctx, disk->sharing, SHARE_LOOKS) == 1 &&
	       !disk->is_over(disk->arg))
		pace_rest(&pace, SHARE_REST_US);
}

/* Close the gaps that shorter objects left, if there are many. */
static void tidy(struct disk *disk)
{
	struct zstore *store = disk->export->store;
	uint64_t nr_used = 0, nr_freeable = 0;
	struct zs_compacted done;

	for (unsigned i = 0; i < ZS_NR_CLASSES; i++) {
		struct zs_class_stats class;

		if (!zstore_class_stats(store, i, &class))
			continue;
		nr_used += class.pages_used;
		nr_freeable += class.freeable;
	}
	if (nr_freeable * COMPACT_PART < nr_used || !nr_freeable)
		return;
	disk_set_state(disk, DISK_COMPACTS);
	compact_run(disk->export, disk->common->params.exports, &done);
	zstore_shrink(store);
	uv_mutex_lock(&disk->common->lock);
	disk->pages_compacted += done.freed_pages;
	uv_mutex_unlock(&disk->common->lock);
}

/* What is in memory becomes less. */
static void make_denser(struct disk *disk, void (*look)(void *arg))
{
	struct decision decision = judge(disk, false);

	if (!decision.go)
		return;
	if (!decision.is_short)
		train(disk);
	if (recompresses(disk))
		recompress(disk, look, decision);
	if (disk->sharing && !disk->is_over(disk->arg))
		share(disk);
	tidy(disk);
	end_round(disk);
}

void disk_consider(struct disk *disk, void (*look)(void *arg))
{
	if (recompresses(disk) || disk->sharing)
		make_denser(disk, look);
	if (disk->params.writeback && !disk->is_over(disk->arg))
		rounds_consider(disk, look);
}

/* --- telling --------------------------------------------------------------- */

static const char *reason_of(const struct disk *disk)
{
	return !recompresses(disk) && !disk->sharing
		       ? "there is no codec for it: see zsd --recompress"
		       : decide_reason_text(disk->decision.reason);
}

void disk_tell(struct disk *disk, struct ctl_policy *out)
{
	static const char *const names[] = {
		[DISK_OFF] = "off",
		[DISK_WAITS] = "waits",
		[DISK_TRAINS] = "trains",
		[DISK_RECOMPRESSES] = "recompresses",
		[DISK_SHARES] = "shares",
		[DISK_COMPACTS] = "compacts",
		[DISK_WRITES_OUT] = "writes out",
	};
	const struct pressure_reading *reading = &disk->common->reading;
	struct zstore_recompressing sum;
	struct zstore_stats stats;

	zstore_stats(disk->export->store, &stats);
	uv_mutex_lock(&disk->common->lock);
	sum = disk->before;
	add(&sum, &disk->now);
	*out = (struct ctl_policy){
		.state = names[disk->state],
		.reason = reason_of(disk),
		.age_seconds = disk->decision.age_s,
		.memory_used = reading->memory_used,
		.memory_stall = reading->memory_stall,
		.cpu_stall = reading->cpu_stall,
		.rounds = disk->nr_rounds,
		.trainings = disk->nr_trainings,
		.pages_tried = sum.nr_tried,
		.pages_recompressed = sum.nr_done,
		.bytes_before = sum.bytes_before,
		.bytes_after = sum.bytes_after,
		.pages_compacted = disk->pages_compacted,
		.pages_sharing = stats.pages_sharing,
		.bytes_shared = disk->bytes_shared,
	};
	if (disk->params.writeback)
		rounds_tell(disk, out);
	uv_mutex_unlock(&disk->common->lock);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>

#include "policy/writeback/rounds.h"
#include "policy/writeback/writeback.h"

/* --- whether ---------------------------------------------------------------- */

static struct decide_writeback_view view_of(const struct disk *disk)
{
	const struct rounds *rounds = &disk->rounds;
	const uint32_t now_s = disk->common->tick_s;
	struct zstore *store = disk->export->store;
	struct zstore_backing_stats backing;
	struct zstore_stats stats;

	zstore_stats(store, &stats);
	zstore_backing_stats(store, &backing);
	return (struct decide_writeback_view){
		.is_settled = zstore_is_settled(store),
		.limit_used = disk_limit_used(&stats),
		.stored = (double)stats.orig_data_size /
			  (double)zstore_params(store)->disk_bytes,
		.most_age_s = disk->params.writeback_age_s,
		.since_round_s =
			rounds->end_s ? now_s - rounds->end_s : UINT32_MAX,
		.was_in_vain = rounds->was_in_vain,
		.blocks_free = backing.blocks - backing.blocks_used,
		.blocks_left = writeback_left(disk->params.writeback),
	};
}

static struct decision judge(struct disk *disk, bool is_under_way)
{
	struct decide_writeback_view view = view_of(disk);
	struct decision decision;

	if (is_under_way)
		view.since_round_s = UINT32_MAX;
	decision = decide_writeback(&view, &disk->common->reading);
	uv_mutex_lock(&disk->common->lock);
	disk->rounds.decision = decision;
	uv_mutex_unlock(&disk->common->lock);
	return decision;
}

/* Once a second, look whether something speaks against it by now. */
static bool goes_on(struct disk *disk, void (*look)(void *arg))
{
	if (disk->is_over(disk->arg))
		return false;
	if (policy_now_s() == disk->common->tick_s)
		return true;
	look(disk->arg);
	return judge(disk, true).go;
}

/* --- rounds ------------------------------------------------------------------
 */

static void take_over(struct disk *disk, const struct writeback_run *run)
{
	uv_mutex_lock(&disk->common->lock);
	disk->rounds.nr_pages += run->at.nr_done;
	disk->rounds.nr_bytes += run->at.bytes;
	uv_mutex_unlock(&disk->common->lock);
}

static void go(struct disk *disk, void (*look)(void *arg),
	       struct writeback_run *run)
{
	struct pace pace;
	int more;

	disk_set_state(disk, DISK_WRITES_OUT);
	pace_begin(&pace, disk->common->params.exports);
	do {
		more = writeback_batch(disk->params.writeback, disk->ctx, run,
				       &pace);
	} while (more == 1 && goes_on(disk, look));
	take_over(disk, run);
	disk_set_state(disk, DISK_WAITS);
}

static uint32_t before_s(const struct disk *disk, uint32_t age_s)
{
	const uint32_t now_s = disk->common->tick_s;

	return now_s > age_s ? now_s - age_s : 0;
}

static bool has_huge_pages(const struct disk *disk)
{
	struct zstore_stats stats;

	zstore_stats(disk->export->store, &stats);
	return stats.huge_pages;
}

static bool may_write(enum decide_reason reason)
{
	return reason == DECIDE_AGE || reason == DECIDE_REST ||
	       reason == DECIDE_MEMORY || reason == DECIDE_LIMIT;
}

/* Those that came a tick ago: what is read or written again at once stays. */
static void write_huge(struct disk *disk, void (*look)(void *arg))
{
	struct writeback_run run = {
		.how =
			{
				.is_huge = true,
				.since_s = before_s(disk, POLICY_TICK_S),
			},
	};

	go(disk, look, &run);
}

static void write_old(struct disk *disk, void (*look)(void *arg),
		      const struct decision *decision)
{
	struct writeback_run run = {
		.how = {.since_s = before_s(disk, decision->age_s)},
		.max_blocks = decision->max_blocks,
	};

	go(disk, look, &run);
	uv_mutex_lock(&disk->common->lock);
	disk->rounds.nr_rounds++;
	disk->rounds.was_in_vain = !run.at.nr_done;
	disk->rounds.end_s = policy_now_s();
	uv_mutex_unlock(&disk->common->lock);
}

void rounds_consider(struct disk *disk, void (*look)(void *arg))
{
	struct decision decision = judge(disk, false);

	if (disk->params.writes_huge && may_write(decision.reason) &&
	    has_huge_pages(disk))
		write_huge(disk, look);
	if (decision.go && !disk->is_over(disk->arg))
		write_old(disk, look, &decision);
}

/* --- telling -----------------------------------------------------------------
 */

void rounds_tell(const struct disk *disk, struct ctl_policy *out)
{
	const struct rounds *rounds = &disk->rounds;

	out->writeback_reason = decide_reason_text(rounds->decision.reason);
	out->writeback_age_seconds = rounds->decision.age_s;
	out->writeback_rounds = rounds->nr_rounds;
	out->pages_written_out = rounds->nr_pages;
	out->bytes_written_out = rounds->nr_bytes;
}

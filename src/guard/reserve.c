/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/bits.h"
#include "guard/reserve.h"
#include "guard/watermark.h"

/*
 * How long a request waits for the reserve to grow, ms. The kernel has nothing
 * else to do with the pages that it wants to swap out, so that waiting is
 * better than failing; but reads wait behind it.
 */
#define STARVE_MS 1000u

/*
 * How long to wait where the kernel has no memory to give, us. It gets some as
 * soon as what we stored is freed, which takes it less than that.
 */
#define RETRY_US 500

/*
 * Pages taken at a time at most, and how many are left to others: what is read
 * of the watermarks is a moment old, and page tables take memory as well.
 */
#define STEP_PAGES  64u
#define SPARE_PAGES 8u

struct housekeeper {
	struct residence *residence;
	struct zstore *store;
	uv_sem_t work; /* posted when there may be some, or the end */
	uv_thread_t thread;
	bool is_started;
	bool is_cautious; /* takes only what the kernel has to give */
	struct watermark watermark; /* if cautious */
	atomic_bool is_ending;

	uv_mutex_t lock; /* for what follows */
	uv_cond_t grown; /* a step, or is_dry */
	uint64_t nr_steps; /* so far that left free pages in it */
	bool is_dry; /* no use in waiting until there is another */
	uint64_t nr_starved;
	uint64_t nr_failed;
};

/* --- the thread --------------------------------------------------------- */

/* How much the kernel can be asked for, pages. */
static uint64_t may_take(struct housekeeper *keeper)
{
	uint64_t room;

	if (!keeper->is_cautious)
		return UINT64_MAX;
	room = watermark_room_pages(&keeper->watermark);
	return room <= SPARE_PAGES ? 0
				   : min_u64(room - SPARE_PAGES, STEP_PAGES);
}

/* Those who wait may go on: there are free pages, or there will be none. */
static void tell(struct housekeeper *keeper, bool is_dry)
{
	uv_mutex_lock(&keeper->lock);
	keeper->nr_steps += !is_dry;
	keeper->is_dry = is_dry;
	uv_cond_broadcast(&keeper->grown);
	uv_mutex_unlock(&keeper->lock);
}

/* Return: true while there is more to do. */
static bool step(struct housekeeper *keeper)
{
	uint64_t max_pages = may_take(keeper);
	bool more = zstore_housekeep(keeper->store, max_pages);

	if (zstore_reserve_pages(keeper->store))
		tell(keeper, false);
	else if (!more)
		tell(keeper, true);
	if (more && !max_pages)
		(void)usleep(RETRY_US);
	return more;
}

static void thread_main(void *arg)
{
	struct housekeeper *keeper = arg;

	residence_join(keeper->residence, "housekeeper", true);
	for (;;) {
		uv_sem_wait(&keeper->work);
		do {
			if (atomic_load(&keeper->is_ending))
				return;
		} while (step(keeper));
	}
}

/* --- for others --------------------------------------------------------- */

void housekeeper_wake(void *arg)
{
	struct housekeeper *keeper = arg;

	uv_sem_post(&keeper->work);
}

/* Wait for a step after @seen, under the lock. */
static int await_step(struct housekeeper *keeper, uint64_t seen)
{
	const uint64_t end_ns = uv_hrtime() + STARVE_MS * 1000000ull;
	uint64_t now_ns;

	while (keeper->nr_steps == seen) {
		now_ns = uv_hrtime();
		if (keeper->is_dry || now_ns >= end_ns) {
			keeper->is_dry = true;
			return -ENOSPC;
		}
		(void)uv_cond_timedwait(&keeper->grown, &keeper->lock,
					end_ns - now_ns);
	}
	return 0;
}

int housekeeper_starve(void *arg)
{
	struct housekeeper *keeper = arg;
	int err;

	uv_mutex_lock(&keeper->lock);
	keeper->nr_starved++;
	/* Woken after we looked: there will be a step that we have not seen. */
	housekeeper_wake(keeper);
	err = await_step(keeper, keeper->nr_steps);
	keeper->nr_failed += err != 0;
	uv_mutex_unlock(&keeper->lock);
	return err;
}

void housekeeper_count(struct housekeeper *keeper, uint64_t *starved,
		       uint64_t *failed)
{
	uv_mutex_lock(&keeper->lock);
	*starved = keeper->nr_starved;
	*failed = keeper->nr_failed;
	uv_mutex_unlock(&keeper->lock);
}

/* --- life --------------------------------------------------------------- */

int housekeeper_create(struct residence *residence, struct housekeeper **out)
{
	struct housekeeper *keeper;
	int err;

	keeper = calloc(1, sizeof(*keeper));
	if (!keeper)
		return -ENOMEM;
	keeper->residence = residence;
	keeper->is_cautious = residence_mode(residence) != SWAP_OFF;
	if (keeper->is_cautious) {
		err = watermark_open(&keeper->watermark);
		if (err)
			goto err_free;
	}
	err = uv_sem_init(&keeper->work, 0);
	if (err)
		goto err_watermark;
	err = uv_mutex_init(&keeper->lock);
	if (err)
		goto err_sem;
	err = uv_cond_init(&keeper->grown);
	if (err)
		goto err_mutex;
	*out = keeper;
	return 0;

err_mutex:
	uv_mutex_destroy(&keeper->lock);
err_sem:
	uv_sem_destroy(&keeper->work);
err_watermark:
	if (keeper->is_cautious)
		watermark_close(&keeper->watermark);
err_free:
	free(keeper);
	return err;
}

int housekeeper_start(struct housekeeper *keeper, struct zstore *store)
{
	int err;

	keeper->store = store;
	err = uv_thread_create(&keeper->thread, thread_main, keeper);
	keeper->is_started = !err;
	return err;
}

void housekeeper_destroy(struct housekeeper *keeper)
{
	if (!keeper)
		return;
	if (keeper->is_started) {
		atomic_store(&keeper->is_ending, true);
		uv_sem_post(&keeper->work);
		uv_thread_join(&keeper->thread);
	}
	if (keeper->is_cautious)
		watermark_close(&keeper->watermark);
	uv_cond_destroy(&keeper->grown);
	uv_mutex_destroy(&keeper->lock);
	uv_sem_destroy(&keeper->work);
	free(keeper);
}

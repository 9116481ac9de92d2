/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/bits.h"
#include "base/lock.h"
#include "base/units.h"
#include "guard/around.h"
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

struct reserve {
	struct housekeeper *keeper;
	struct reserve *next; /* of its housekeeper's */
	struct zstore *store;
	bool is_done; /* the housekeeper's: nothing to do when last looked at */

	/* Under the housekeeper's lock. */
	uint64_t nr_steps; /* so far that left free pages in it */
	bool is_dry; /* no use in waiting until there is another */
	uint64_t nr_starved;
	uint64_t nr_failed;
};

struct housekeeper {
	struct residence *residence;
	struct reserve *reserves; /* all of them: a list */
	uv_sem_t work; /* posted when there may be some, or the end */
	uv_thread_t thread;
	bool is_started;
	bool is_cautious; /* takes only what the kernel has to give */
	struct watermark watermark; /* if cautious */
	struct around around; /* the same */
	atomic_bool is_ending;

	/* For what those who starve look at. Inherits priority: control
	 * threads, which run as any others, ask for the counts. */
	uv_mutex_t lock;
	uv_cond_t told; /* a step, or is_dry, of any reserve */
};

/* --- the thread --------------------------------------------------------- */

/* How much the kernel can be asked for, pages. */
static uint64_t may_take(struct housekeeper *keeper)
{
	uint64_t room;

	if (!keeper->is_cautious)
		return UINT64_MAX;
	room = min_u64(watermark_room_pages(&keeper->watermark),
		       around_room_bytes(&keeper->around) / ZSD_PAGE_BYTES);
	return room <= SPARE_PAGES ? 0
				   : min_u64(room - SPARE_PAGES, STEP_PAGES);
}

/* Those who wait may go on: there are free pages, or there will be none. */
static void tell(struct reserve *reserve, bool is_dry)
{
	uv_mutex_lock(&reserve->keeper->lock);
	reserve->nr_steps += !is_dry;
	reserve->is_dry = is_dry;
	uv_cond_broadcast(&reserve->keeper->told);
	uv_mutex_unlock(&reserve->keeper->lock);
}

/* Return: true while there is more to do. */
static bool step(struct reserve *reserve, uint64_t max_pages)
{
	bool more = zstore_housekeep(reserve->store, max_pages);

	if (zstore_reserve_pages(reserve->store))
		tell(reserve, false);
	else if (!more)
		tell(reserve, true);
	return more;
}

/* A step for each, so that a large one keeps no small one waiting. Return: true
 * while there is more to do. */
static bool make_round(struct housekeeper *keeper)
{
	bool more = false, was_allowed = false;
	uint64_t max_pages;

	for (struct reserve *r = keeper->reserves; r; r = r->next) {
		if (r->is_done)
			continue;
		max_pages = may_take(keeper);
		was_allowed |= max_pages != 0;
		r->is_done = !step(r, max_pages);
		more |= !r->is_done;
	}
	if (more && !was_allowed)
		(void)usleep(RETRY_US);
	return more;
}

static void look_at_all(struct housekeeper *keeper)
{
	for (struct reserve *r = keeper->reserves; r; r = r->next)
		r->is_done = false;
}

static void thread_main(void *arg)
{
	struct housekeeper *keeper = arg;

	residence_join(keeper->residence, "housekeeper", RESIDENCE_URGENT);
	for (;;) {
		uv_sem_wait(&keeper->work);
		look_at_all(keeper);
		do {
			if (atomic_load(&keeper->is_ending))
				return;
			/* Another may have run out in the meantime. */
			if (uv_sem_trywait(&keeper->work) == 0)
				look_at_all(keeper);
		} while (make_round(keeper));
	}
}

/* --- for others --------------------------------------------------------- */

void reserve_wake(void *arg)
{
	struct reserve *reserve = arg;

	uv_sem_post(&reserve->keeper->work);
}

/* Wait for a step after @seen, under the lock. */
static int await_step(struct reserve *reserve, uint64_t seen)
{
	const uint64_t end_ns = uv_hrtime() + STARVE_MS * 1000000ull;
	struct housekeeper *keeper = reserve->keeper;
	uint64_t now_ns;

	while (reserve->nr_steps == seen) {
		now_ns = uv_hrtime();
		if (reserve->is_dry || now_ns >= end_ns) {
			reserve->is_dry = true;
			return -ENOSPC;
		}
		(void)uv_cond_timedwait(&keeper->told, &keeper->lock,
					end_ns - now_ns);
	}
	return 0;
}

int reserve_starve(void *arg)
{
	struct reserve *reserve = arg;
	int err;

	uv_mutex_lock(&reserve->keeper->lock);
	reserve->nr_starved++;
	/* Woken after we looked: there will be a step that we have not seen. */
	reserve_wake(reserve);
	err = await_step(reserve, reserve->nr_steps);
	reserve->nr_failed += err != 0;
	uv_mutex_unlock(&reserve->keeper->lock);
	return err;
}

void reserve_count(struct reserve *reserve, uint64_t *starved, uint64_t *failed)
{
	uv_mutex_lock(&reserve->keeper->lock);
	*starved = reserve->nr_starved;
	*failed = reserve->nr_failed;
	uv_mutex_unlock(&reserve->keeper->lock);
}

/* --- life --------------------------------------------------------------- */

int reserve_create(struct housekeeper *keeper, struct reserve **out)
{
	struct reserve *reserve = calloc(1, sizeof(*reserve));

	if (!reserve)
		return -ENOMEM;
	reserve->keeper = keeper;
	reserve->next = keeper->reserves;
	keeper->reserves = reserve;
	*out = reserve;
	return 0;
}

void reserve_give_store(struct reserve *reserve, struct zstore *store)
{
	reserve->store = store;
}

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
		around_open(&keeper->around, "");
	}
	err = uv_sem_init(&keeper->work, 0);
	if (err)
		goto err_watermark;
	lock_init(&keeper->lock, keeper->is_cautious);
	err = uv_cond_init(&keeper->told);
	if (err)
		goto err_lock;
	*out = keeper;
	return 0;

err_lock:
	uv_mutex_destroy(&keeper->lock);
	uv_sem_destroy(&keeper->work);
err_watermark:
	if (keeper->is_cautious) {
		around_close(&keeper->around);
		watermark_close(&keeper->watermark);
	}
err_free:
	free(keeper);
	return err;
}

int housekeeper_start(struct housekeeper *keeper)
{
	int err = uv_thread_create(&keeper->thread, thread_main, keeper);

	keeper->is_started = !err;
	return err;
}

static void destroy_reserves(struct housekeeper *keeper)
{
	struct reserve *next;

	for (struct reserve *r = keeper->reserves; r; r = next) {
		next = r->next;
		free(r);
	}
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
	if (keeper->is_cautious) {
		around_close(&keeper->around);
		watermark_close(&keeper->watermark);
	}
	uv_cond_destroy(&keeper->told);
	uv_mutex_destroy(&keeper->lock);
	uv_sem_destroy(&keeper->work);
	destroy_reserves(keeper);
	free(keeper);
}

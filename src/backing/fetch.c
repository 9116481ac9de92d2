/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads that read what is asked for, and the lock around the table.
 *
 * The lock is held for looking up and, in backing_get(), for a copy of 4 KiB.
 * Where the machine swaps on us it inherits priority: workers, which are
 * urgent, share it with a policy that runs last of all.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "backing/backing_internal.h"
#include "backing/table.h"
#include "base/lock.h"
#include "base/mapping.h"

/*
 * Reads at once. A disk that is slow does not do more at a time much faster;
 * one that is fast ends each in some 0.1 ms.
 */
#define FETCH_THREADS 4u

#define NS_PER_MS 1000000ull

struct fetch {
	struct backing *backing;
	unsigned char *pages; /* TABLE_PLACES of them */
	uv_mutex_t lock; /* of all that follows */
	uv_cond_t work; /* there is something to read or to tell, or the end */
	struct table table;
	bool is_ending;
	unsigned nr_threads; /* not under the lock */
	uv_thread_t threads[FETCH_THREADS];
};

/* --- the threads ----------------------------------------------------------- */

/* Whoever waits may ask again. With the lock, which it lets go of meanwhile. */
static void tell(struct fetch *fetch)
{
	const struct backing_params *params = &fetch->backing->params;

	table_told(&fetch->table);
	uv_mutex_unlock(&fetch->lock);
	params->fetched(params->fetched_arg);
	uv_mutex_lock(&fetch->lock);
}

static void read_one(struct fetch *fetch, struct place *place)
{
	int err;

	uv_mutex_unlock(&fetch->lock);
	err = io_read(fetch->backing, place->block, place->page);
	uv_mutex_lock(&fetch->lock);
	if (table_end(&fetch->table, place, err, uv_hrtime()))
		tell(fetch);
}

/* Those who were refused are told now and then, even if nothing has come: who
 * was before them in the line may have gone. */
static void wait_for_work(struct fetch *fetch)
{
	if (!fetch->table.is_refused)
		uv_cond_wait(&fetch->work, &fetch->lock);
	else if (uv_cond_timedwait(&fetch->work, &fetch->lock,
				   TABLE_GRACE_MS * NS_PER_MS) ==
			 UV_ETIMEDOUT &&
		 fetch->table.is_refused)
		tell(fetch);
}

static void fetch_main(void *arg)
{
	struct fetch *fetch = arg;
	const struct backing_params *params = &fetch->backing->params;
	struct place *place;

	residence_join(params->residence, "fetch",
		       params->is_swapped_on ? RESIDENCE_URGENT
					     : RESIDENCE_ORDINARY);
	uv_mutex_lock(&fetch->lock);
	while (!fetch->is_ending) {
		if (table_has_news(&fetch->table)) {
			tell(fetch);
			continue;
		}
		place = table_begin(&fetch->table);
		if (place)
			read_one(fetch, place);
		else
			wait_for_work(fetch);
	}
	uv_mutex_unlock(&fetch->lock);
}

static void wake(struct fetch *fetch, unsigned nr_reads)
{
	if (nr_reads > 1)
		uv_cond_broadcast(&fetch->work);
	else if (nr_reads)
		uv_cond_signal(&fetch->work);
}

/* --- for others ------------------------------------------------------------ */

int backing_need(void *arg, const uint32_t *blocks, unsigned nr)
{
	const struct backing *backing = arg;
	struct fetch *fetch = backing->fetch;
	bool was_refused;
	unsigned nr_asked;
	int err;

	uv_mutex_lock(&fetch->lock);
	was_refused = fetch->table.is_refused;
	err = table_need(&fetch->table, blocks, nr, uv_hrtime(), &nr_asked);
	/* A thread that waits without an end must begin to wait with one. */
	if (fetch->table.is_refused &&
	    (!was_refused || table_has_news(&fetch->table)))
		nr_asked += 1;
	wake(fetch, nr_asked);
	uv_mutex_unlock(&fetch->lock);
	return err;
}

int backing_get(void *arg, uint32_t block, void *dst)
{
	const struct backing *backing = arg;
	struct fetch *fetch = backing->fetch;
	int err;

	uv_mutex_lock(&fetch->lock);
	err = table_get(&fetch->table, block, dst);
	wake(fetch, table_has_news(&fetch->table));
	uv_mutex_unlock(&fetch->lock);
	return err;
}

void fetch_begin_write(struct fetch *fetch, const struct backing_block *blocks,
		       unsigned nr)
{
	uv_mutex_lock(&fetch->lock);
	table_begin_write(&fetch->table, blocks, nr);
	wake(fetch, table_has_news(&fetch->table));
	uv_mutex_unlock(&fetch->lock);
}

void fetch_end_write(struct fetch *fetch)
{
	uv_mutex_lock(&fetch->lock);
	wake(fetch, table_end_write(&fetch->table));
	uv_mutex_unlock(&fetch->lock);
}

void fetch_count(struct fetch *fetch, struct backing_counts *out)
{
	uv_mutex_lock(&fetch->lock);
	out->waiting = fetch->table.nr_waiting;
	out->full_waits = fetch->table.nr_refused;
	uv_mutex_unlock(&fetch->lock);
}

/* --- life ------------------------------------------------------------------ */

int fetch_create(struct backing *backing, struct fetch **out)
{
	const size_t bytes = (size_t)TABLE_PLACES * BACKING_BLOCK_BYTES;
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	void *pages;
	int err;

	if (!fetch)
		return -ENOMEM;
	err = memory_map(bytes, &pages);
	if (err)
		goto err_free;
	err = uv_cond_init(&fetch->work);
	if (err)
		goto err_pages;
	lock_init(&fetch->lock, backing->params.is_swapped_on);
	fetch->backing = backing;
	fetch->pages = pages;
	table_init(&fetch->table, pages);
	*out = fetch;
	return 0;

err_pages:
	memory_give_back(pages, bytes);
err_free:
	free(fetch);
	return err;
}

int fetch_start(struct fetch *fetch)
{
	int err = 0;

	while (fetch->nr_threads < FETCH_THREADS && !err) {
		err = uv_thread_create(&fetch->threads[fetch->nr_threads],
				       fetch_main, fetch);
		if (!err)
			fetch->nr_threads++;
	}
	return err;
}

unsigned backing_nr_threads(void)
{
	return FETCH_THREADS;
}

void fetch_destroy(struct fetch *fetch)
{
	if (!fetch)
		return;
	uv_mutex_lock(&fetch->lock);
	fetch->is_ending = true;
	uv_cond_broadcast(&fetch->work);
	uv_mutex_unlock(&fetch->lock);
	while (fetch->nr_threads)
		uv_thread_join(&fetch->threads[--fetch->nr_threads]);
	uv_mutex_destroy(&fetch->lock);
	uv_cond_destroy(&fetch->work);
	memory_give_back(fetch->pages,
			 (size_t)TABLE_PLACES * BACKING_BLOCK_BYTES);
	free(fetch);
}

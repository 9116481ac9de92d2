/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#include "server/damage_log.h"
#include "server/housekeeper.h"

struct housekeeper {
	uv_sem_t work; /* posted when there may be some, or the end */
	uv_thread_t thread;
	bool is_started;
	atomic_bool is_ending;
	struct zstore *store;
	struct damage_log damage;
};

static void thread_main(void *arg)
{
	struct housekeeper *keeper = arg;

	for (;;) {
		uv_sem_wait(&keeper->work);
		damage_log_flush(&keeper->damage, uv_hrtime());
		do {
			if (atomic_load(&keeper->is_ending))
				return;
		} while (zstore_housekeep(keeper->store));
	}
}

int housekeeper_create(struct housekeeper **out)
{
	struct housekeeper *keeper;
	int err;

	keeper = calloc(1, sizeof(*keeper));
	if (!keeper)
		return -ENOMEM;
	err = damage_log_init(&keeper->damage);
	if (err)
		goto err_free;
	err = uv_sem_init(&keeper->work, 0);
	if (err)
		goto err_damage;
	*out = keeper;
	return 0;

err_damage:
	damage_log_fini(&keeper->damage);
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

void housekeeper_wake(void *arg)
{
	struct housekeeper *keeper = arg;

	uv_sem_post(&keeper->work);
}

void housekeeper_damaged(void *arg, uint64_t index)
{
	struct housekeeper *keeper = arg;

	if (damage_log_note(&keeper->damage, index))
		uv_sem_post(&keeper->work);
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
	uv_sem_destroy(&keeper->work);
	damage_log_fini(&keeper->damage);
	free(keeper);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "policy/disk.h"
#include "zstore/zstore_age.h"

#define NS_PER_S UINT64_C(1000000000)

struct policy {
	struct disk_common common;
	struct disk disks[EXPORT_MAX];
	struct zstore_scratch *scratch;
	uv_thread_t thread;
	uv_cond_t ends; /* with the common lock */
	bool is_ending; /* under it */
};

uint32_t policy_now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint32_t)now.tv_sec;
}

/* --- the thread ------------------------------------------------------------ */

static bool is_over(void *arg)
{
	struct policy *policy = arg;
	bool is_ending;

	uv_mutex_lock(&policy->common.lock);
	is_ending = policy->is_ending;
	uv_mutex_unlock(&policy->common.lock);
	return is_ending;
}

static void look(void *arg)
{
	struct policy *policy = arg;
	struct disk_common *common = &policy->common;
	struct pressure_reading reading;

	common->tick_s = policy_now_s();
	for (size_t i = 0; i < common->params.exports->nr; i++)
		disk_begin_epoch(&policy->disks[i]);
	pressure_read(&common->pressure, &reading);
	uv_mutex_lock(&common->lock);
	common->reading = reading;
	uv_mutex_unlock(&common->lock);
}

/* Return: false where it is to end. */
static bool wait_for_tick(struct policy *policy)
{
	bool is_ending;
	int err = 0;

	uv_mutex_lock(&policy->common.lock);
	while (!policy->is_ending && !err)
		err = uv_cond_timedwait(&policy->ends, &policy->common.lock,
					POLICY_TICK_S * NS_PER_S);
	is_ending = policy->is_ending;
	uv_mutex_unlock(&policy->common.lock);
	return !is_ending;
}

static void policy_main(void *arg)
{
	struct policy *policy = arg;

	residence_join(policy->common.params.residence, "policy",
		       RESIDENCE_LAST);
	do {
		look(policy);
		for (size_t i = 0; i < policy->common.params.exports->nr; i++)
			disk_consider(&policy->disks[i], look);
	} while (wait_for_tick(policy));
}

/* --- life ------------------------------------------------------------------ */

static int watch(struct policy *policy, size_t index)
{
	struct export *export = policy->common.params.exports->all[index];
	struct disk *disk = &policy->disks[index];

	*disk = (struct disk){
		.common = &policy->common,
		.export = export,
		.params = policy->common.params.disks[index],
		.is_over = is_over,
		.arg = policy,
	};
	return disk_open(disk, policy->scratch);
}

static int init_locks(struct policy *policy)
{
	int err = uv_mutex_init(&policy->common.lock);

	if (err)
		return err;
	err = uv_cond_init(&policy->ends);
	if (err)
		uv_mutex_destroy(&policy->common.lock);
	return err;
}

static void free_policy(struct policy *policy)
{
	for (size_t i = 0; i < EXPORT_MAX; i++)
		disk_close(&policy->disks[i]);
	zstore_scratch_destroy(policy->scratch);
	pressure_close(&policy->common.pressure);
	uv_cond_destroy(&policy->ends);
	uv_mutex_destroy(&policy->common.lock);
	free(policy->common.report);
	free(policy);
}

int policy_start(const struct policy_params *params, struct policy **out)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	int err;

	if (!policy)
		return -ENOMEM;
	err = init_locks(policy);
	if (err) {
		free(policy);
		return err;
	}
	policy->common.params = *params;
	pressure_open(&policy->common.pressure, "");
	policy->common.report = calloc(1, sizeof(*policy->common.report));
	err = policy->common.report ? zstore_scratch_create(&policy->scratch)
				    : -ENOMEM;
	for (size_t i = 0; i < params->exports->nr && !err; i++)
		err = watch(policy, i);
	if (!err)
		err = uv_thread_create(&policy->thread, policy_main, policy);
	if (err) {
		free_policy(policy);
		return err;
	}
	*out = policy;
	return 0;
}

void policy_stop(struct policy *policy)
{
	if (!policy)
		return;
	uv_mutex_lock(&policy->common.lock);
	policy->is_ending = true;
	uv_cond_signal(&policy->ends);
	uv_mutex_unlock(&policy->common.lock);
	uv_thread_join(&policy->thread);
	free_policy(policy);
}

/* --- others ---------------------------------------------------------------- */

uint64_t policy_mark_idle(struct policy *policy, const struct export *export,
			  uint32_t age_s)
{
	const uint32_t now_s = policy_now_s();
	/* As zram: what is older than the clock is everything. */
	const uint32_t since_s =
		age_s && age_s < now_s ? now_s - age_s : UINT32_MAX;
	uint64_t nr;

	uv_mutex_lock(&policy->common.lock);
	nr = zstore_mark_idle(export->store, since_s);
	uv_mutex_unlock(&policy->common.lock);
	return nr;
}

void policy_state(struct policy *policy, const struct export *export,
		  struct ctl_policy *out)
{
	disk_tell(&policy->disks[export->index], out);
}

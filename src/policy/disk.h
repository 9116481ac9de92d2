/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk - one disk as the policy's thread sees it: its rounds, and their outcome
 *
 * Threads: the policy's thread, but for disk_tell(), which any may call.
 */
#ifndef ZSD_POLICY_DISK_H
#define ZSD_POLICY_DISK_H

#include <uv.h>

#include "policy/decide.h"
#include "policy/policy.h"
#include "policy/train.h"
#include "zstore/zstore_recompress.h"
#include "zstore/zstore_share.h"

enum disk_state {
	DISK_OFF, /* there is nothing that it could do */
	DISK_WAITS,
	DISK_TRAINS,
	DISK_RECOMPRESSES,
	DISK_SHARES,
	DISK_COMPACTS,
	DISK_WRITES_OUT,
};

/* Rounds that write out: see writeback/rounds.h. Under the lock. */
struct rounds {
	struct decision decision;
	uint32_t end_s; /* of the last one; 0: there was none */
	bool was_in_vain; /* it found nothing */
	uint64_t nr_rounds;
	uint64_t nr_pages; /* that went out by themselves, in rounds or not */
	uint64_t nr_bytes; /* of their objects */
};

/* What all disks have in common. */
struct disk_common {
	struct policy_params params;
	struct pressure pressure;
	struct pressure_reading reading; /* of it; also under the lock */
	uint32_t tick_s; /* when it was read */
	struct train_report *report; /* to work in */
	uv_mutex_t lock; /* below it: what others see; epochs and idle marks */
};

struct disk {
	struct disk_common *common;
	struct export *export;
	struct policy_disk params;
	struct zstore_ctx *ctx;
	struct zstore_sharing *sharing; /* NULL: pages do not share */
	uint64_t nr_requests; /* that it had at the last tick */
	uint64_t trained_pages; /* stored when it was last trained */
	bool (*is_over)(void *arg); /* whether a round is to be broken off */
	void *arg;

	/* Under the lock. */
	enum disk_state state;
	struct decision decision;
	uint32_t round_end_s; /* of the last one; 0: there was none */
	uint64_t nr_rounds;
	uint64_t nr_trainings;
	uint64_t pages_compacted;
	uint64_t bytes_shared;
	struct zstore_recompressing before; /* sums of the rounds that ended */
	struct zstore_recompressing now; /* of the one that goes on */
	struct rounds rounds; /* that write out */
};

/**
 * disk_open() - have a context of its store, and what sharing takes
 * @scratch: as of zstore_ctx_create()
 *
 * Return: 0 or -ENOMEM. Release: disk_close(), in any case.
 */
int disk_open(struct disk *disk, struct zstore_scratch *scratch) ZSD_MUST_CHECK;
void disk_close(struct disk *disk);

/* disk_begin_epoch() - what comes from now on is younger than what came before;
 * nothing where nothing came. */
void disk_begin_epoch(struct disk *disk);

/**
 * disk_consider() - have a round, if that is due
 * @look: reads pressure anew and begins epochs, once a second at most; called
 *        with the disk's @arg while a round goes on
 */
void disk_consider(struct disk *disk, void (*look)(void *arg));

/* disk_set_state() - what is done now; under no lock */
void disk_set_state(struct disk *disk, enum disk_state state);

/* Of its mem_limit, the part that is used; 0 without one. */
double disk_limit_used(const struct zstore_stats *stats);

/* disk_tell() - see policy_state() */
void disk_tell(struct disk *disk, struct ctl_policy *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy - a thread that does by itself what pays
 *
 * Every few seconds it begins an epoch where clients came, so that pages have
 * ages, looks at how short the machine is, and decides for each disk that has a
 * secondary codec whether its pages are to be recompressed: see decide.h. A
 * codec that learns is trained on the disk's own pages before the first round
 * that has enough of them, where memory is not short.
 *
 * Where pages may share (zstore_share.h), equal ones do so behind that.
 *
 * Where a disk has a backing, what has rested longest goes there, and what does
 * not compress (writeback/rounds.h).
 *
 * Objects that became shorter leave gaps: when a round ends, the disk is
 * compacted, if that frees much.
 *
 * It works page by page, as the last of all threads, and beside requests it
 * rests longer than it works (pace.h), unless memory is short. What it does and
 * why is counted, and can be asked for.
 *
 * Where the kernel swaps on a disk: in the steady state it allocates nothing,
 * and training asks for no memory that the kernel has not to give (train.h).
 *
 * Threads: one of its own. policy_mark_idle() and policy_state() from any.
 */
#ifndef ZSD_POLICY_POLICY_H
#define ZSD_POLICY_POLICY_H

#include "base/compiler.h"
#include "ctl/schema.h"
#include "export/export.h"
#include "guard/residence.h"
#include "policy/decide.h"

/* How often it looks, seconds. Ages of pages are not told closer than that. */
#define POLICY_TICK_S 5u

struct writeback;

/* What it is to do with one disk. */
struct policy_disk {
	/* With a secondary codec. */
	uint32_t age_s; /* DECIDE_DEFAULT_AGE_S, or what the user says */
	uint32_t threshold_bytes; /* shorter objects stay; 0: any */
	/* With a backing; else NULL. Outlives the policy. */
	struct writeback *writeback;
	uint32_t writeback_age_s; /* DECIDE_DEFAULT_WRITEBACK_AGE_S, or … */
	bool writes_huge; /* pages that do not compress go at once */
};

struct policy_params {
	struct export_table *exports; /* outlive it */
	struct policy_disk disks[EXPORT_MAX]; /* by export */
	struct residence *residence; /* to join; outlives it */
};

struct policy;

/**
 * policy_start() - start the thread
 * @params: copied
 *
 * Return: 0 or -errno. End: policy_stop(), which waits for the page at hand, or
 * for a training; takes NULL too.
 */
int policy_start(const struct policy_params *params,
		 struct policy **out) ZSD_MUST_CHECK;
void policy_stop(struct policy *policy);

/**
 * policy_mark_idle() - mark the pages of a disk as zram's "idle" does
 * @age_s: those that were not accessed for so long, seconds; 0: all
 *
 * Return: how many are marked.
 */
uint64_t policy_mark_idle(struct policy *policy, const struct export *export,
			  uint32_t age_s);

/* policy_state() - what it does with a disk, why, and what it did so far */
void policy_state(struct policy *policy, const struct export *export,
		  struct ctl_policy *out);

/* policy_now_s() - the clock of ages: seconds since boot, in sleep, too */
uint32_t policy_now_s(void);

#endif

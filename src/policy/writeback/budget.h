/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * budget - how much was written to a backing in the last 24 hours
 *
 * Flash wears out by being written. What was written counts by the hour, for a
 * day; a limit on the sum is kept across restarts, or a server that is started
 * again and again would wear it out.
 *
 * A record is plain data: it lives where its owner puts it. In a file it is one
 * line: "zsd-written 1 HOUR N N N ...", the newest hour's blocks first.
 *
 * Threads: the owner's. Source: zram's writeback_limit; the daily quota of
 * Android's mmd.
 */
#ifndef ZSD_POLICY_WRITEBACK_BUDGET_H
#define ZSD_POLICY_WRITEBACK_BUDGET_H

#include <stdint.h>

#include "base/compiler.h"

#define BUDGET_HOURS 24u

/* {0}: nothing was written. */
struct budget {
	uint64_t hour; /* of the newest, since 1970 */
	uint32_t blocks[BUDGET_HOURS]; /* written in hour % BUDGET_HOURS */
};

/* budget_used() - blocks of the 24 hours up to @now_s, seconds since 1970. A
 * clock that was set back makes nothing of it forgotten. */
uint64_t budget_used(struct budget *budget, uint64_t now_s);

/* budget_spend() - so many more were written */
void budget_spend(struct budget *budget, uint64_t now_s, uint32_t blocks);

/**
 * budget_load() - read a record
 * @out: untouched on error
 *
 * Return: 0, -ENOENT where there is none, -EBADMSG where it is none, or the
 * -errno of reading it.
 */
int budget_load(const char *path, struct budget *out) ZSD_MUST_CHECK;

/* budget_save() - write it, in the place of an older one at once. Return: 0 or
 * -errno. */
int budget_save(const char *path, const struct budget *budget) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rounds - writing out what rests, by itself
 *
 * What does not compress goes at once, if the user wants that: it takes as much
 * memory here as where it came from. What has rested for long goes in rounds,
 * the longest objects first, when decide.h says so.
 *
 * Threads: the policy's, but for rounds_tell(), which any may call.
 */
#ifndef ZSD_POLICY_WRITEBACK_ROUNDS_H
#define ZSD_POLICY_WRITEBACK_ROUNDS_H

#include "policy/disk.h"

/* rounds_consider() - have a round, if that is due; @look as of
 * disk_consider() */
void rounds_consider(struct disk *disk, void (*look)(void *arg));

/* rounds_tell() - under the common lock */
void rounds_tell(const struct disk *disk, struct ctl_policy *out);

#endif

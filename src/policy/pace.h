/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pace - work in the background that keeps out of clients' way
 *
 * Where workers and clients use all the cores that there are, one of them waits
 * until the kernel takes a core back from whoever works beside them, which is
 * milliseconds: a thousand times as long as any lock is held. So what can wait
 * is done in small pieces, with a rest after each while clients ask for
 * something. Without clients it goes on.
 *
 * Threads: a pace is one thread's.
 */
#ifndef ZSD_POLICY_PACE_H
#define ZSD_POLICY_PACE_H

#include <time.h>

#include "export/export.h"

struct pace {
	const struct export_table *exports;
	uint64_t nr_seen; /* requests so far, when last looked at */
};

/* What clients have asked for so far, where it takes a worker's time. */
static inline uint64_t pace_requests(const struct export_table *exports)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < exports->nr; i++) {
		struct ctl_requests sum;

		export_sum(exports->all[i], &sum);
		nr += sum.read + sum.write + sum.trim + sum.write_zeroes;
	}
	return nr;
}

/* pace_begin() - @exports: all whose clients are not to be kept waiting */
static inline void pace_begin(struct pace *pace,
			      const struct export_table *exports)
{
	pace->exports = exports;
	pace->nr_seen = pace_requests(exports);
}

/**
 * pace_rest() - a piece is done
 * @rest_us: how long to sleep if clients asked for anything since the last
 *           piece, below 1,000,000; 0: not at all. The kernel adds 50
 *
 * Cost: a sum over all views.
 */
static inline void pace_rest(struct pace *pace, unsigned rest_us)
{
	const struct timespec rest = {.tv_nsec = rest_us * 1000L};
	const uint64_t nr = pace_requests(pace->exports);

	if (nr != pace->nr_seen && rest_us)
		(void)nanosleep(&rest, NULL);
	pace->nr_seen = nr;
}

#endif

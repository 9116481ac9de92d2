/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * damage_log - says which stored pages were found damaged
 *
 * The threads that find one must not log: a write to a terminal or a pipe may
 * block. They note it here, and another thread says it, no oftener than an
 * admin wants to read it.
 *
 * Ownership: the creator's. Threads: damage_log_note() from any;
 * damage_log_flush() from one.
 */
#ifndef ZSD_ZSD_DAMAGE_LOG_H
#define ZSD_ZSD_DAMAGE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/compiler.h"

/* Pages that are told of by number; of more that come between two flushes only
 * how many. */
#define DAMAGE_LOG_PAGES 16u

/* At most so many lines in so much time, as the kernel's printk_ratelimit(). */
#define DAMAGE_LOG_BURST     10u
#define DAMAGE_LOG_WINDOW_NS UINT64_C(5000000000)

struct damage_notes {
	uint64_t pages[DAMAGE_LOG_PAGES]; /* of the disk, by index */
	unsigned nr_pages;
	uint64_t nr_more; /* that found no place */
};

struct damage_log {
	uv_mutex_t lock; /* of notes; held for a few loads and stores */
	struct damage_notes notes; /* since the last flush */

	/* The flushing thread's. */
	uint64_t window_ns; /* when the window began */
	unsigned nr_lines; /* in the window */
	uint64_t nr_unsaid; /* since the last line */
};

/* Return: 0 or -errno. Release: damage_log_fini(). */
int damage_log_init(struct damage_log *log) ZSD_MUST_CHECK;
void damage_log_fini(struct damage_log *log);

/**
 * damage_log_note() - remember that page @index of the disk is damaged
 *
 * Return: whether it is the first since the last flush: who then wakes the
 * thread that flushes need not do so again.
 */
bool damage_log_note(struct damage_log *log, uint64_t index);

/**
 * damage_log_flush() - log what was noted, as far as it is time for it
 * @now_ns: a monotonic clock
 *
 * What was not said is in the number of the next line that is.
 */
void damage_log_flush(struct damage_log *log, uint64_t now_ns);

#endif

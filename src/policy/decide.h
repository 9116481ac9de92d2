/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decide - whether pages of a disk are to be recompressed, or written out to
 * its backing, and which
 *
 * As the makers of phones do it: what nobody has accessed for hours is made
 * denser, in rounds with a rest in between; the fuller memory is, the younger
 * pages may be:
 *
 *   age = (most - least) * exp(-5 * part of memory in use) + least
 *
 * with half of the most as the least. Where memory is short, everything that
 * has rested for a 120th of the most is made denser at once: of 4 hours that is
 * 2 minutes, after which a page is cold in large data centres. Where processors
 * are short it waits, unless memory is short, too. It never takes the last free
 * pages of a store, which writes need more.
 *
 * Writing out goes by the same formula, with a day as the most and four fifths
 * of that as the least, and a 300th where memory is short: 5 minutes of 25
 * hours. It waits where storage is busy, unless memory is short: who waits for
 * pages of a swap disk counts as waiting for storage. Where the backing is
 * full, and where as much was written as may be in a day, it waits however
 * short memory is: flash wears out. Where memory is short, a round that found
 * nothing is followed by a rest as long as pages need to become old enough.
 *
 * Threads: pure functions. Source: the policies of Android's mmd and of
 * ChromeOS's swap_management; Lagar-Cavilla et al., "Software-defined far
 * memory in warehouse-scale computers", ASPLOS 2019, for the 120 s.
 */
#ifndef ZSD_POLICY_DECIDE_H
#define ZSD_POLICY_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "guard/pressure.h"

/* The age that pages have at most before they are recompressed, seconds: by
 * default, and how far it may be set. */
#define DECIDE_DEFAULT_AGE_S 14400u
#define DECIDE_MAX_AGE_S     2592000u /* 30 days */

/* Between the end of a round and the next one, seconds: where there is time, as
 * mmd; and where memory is short. */
#define DECIDE_REST_S	    1800u
#define DECIDE_SHORT_REST_S 10u

/* Memory is short from here on: tasks wait for it for so much of their time,
 * percent; or so much of the machine's is in use; or of a disk's limit. */
#define DECIDE_SHORT_STALL 2.0
#define DECIDE_SHORT_USED  0.94
#define DECIDE_SHORT_LIMIT 0.875

/* Processors are short where tasks wait for one so much of the time. */
#define DECIDE_SHORT_CPU 50.0

/* The same of writing out. Source: mmd, 20 to 25 hours, and its rests; 5 min is
 * the least that anybody takes for cold where pages are to be read again. */
#define DECIDE_DEFAULT_WRITEBACK_AGE_S 90000u
#define DECIDE_WRITEBACK_REST_S	       600u

/* What one round writes at least and at most, the fuller the disk the more,
 * bytes. Source: mmd, ChromeOS's swap_management. */
#define DECIDE_LEAST_ROUND_BYTES (UINT64_C(5) << 20)
#define DECIDE_MOST_ROUND_BYTES	 (UINT64_C(300) << 20)

/* Storage is busy where all tasks wait for it so much of the time, percent. */
#define DECIDE_BUSY_IO 5.0

/* What is to be known of a disk, besides the machine's state. */
struct decide_view {
	bool is_settled; /* see zstore_is_settled() */
	bool is_reserve_low; /* less than half of what it should be */
	double limit_used; /* part of mem_limit, 0 to 1; 0: there is none */
	uint32_t most_age_s; /* that pages have before they are recompressed */
	/* Since the last round ended, seconds; UINT32_MAX: there was none. */
	uint32_t since_round_s;
};

/* X(name, text for people): why something is done or not. */
#define DECIDE_REASONS(X)                                           \
	X(SETTLING, "the disk was adopted, and is not rebuilt yet") \
	X(RESERVE, "the reserve is low, and writes come first")     \
	X(CPU, "processors are short")                              \
	X(REST, "the last round was a short time ago")              \
	X(AGE, "pages have rested for long")                        \
	X(MEMORY, "memory is short")                                \
	X(LIMIT, "--mem-limit is nearly reached")                   \
	X(FULL, "the backing is full")                              \
	X(BUDGET, "as much was written as may be in a day")         \
	X(IO, "storage is busy")

enum decide_reason {
#define DECIDE_REASON_NAME(name, text) DECIDE_##name,
	DECIDE_REASONS(DECIDE_REASON_NAME)
#undef DECIDE_REASON_NAME
};

const char *decide_reason_text(enum decide_reason reason);

struct decision {
	bool go;
	bool is_short; /* of memory: there is no time to rest */
	enum decide_reason reason;
	uint32_t age_s; /* that pages must have, if it goes */
	uint64_t max_blocks; /* that are written in the round, if any are */
};

struct decision decide(const struct decide_view *view,
		       const struct pressure_reading *pressure);

/* What is to be known of a disk and its backing. */
struct decide_writeback_view {
	bool is_settled; /* see zstore_is_settled() */
	double limit_used; /* as above */
	double stored; /* part of the disk's pages, 0 to 1 */
	uint32_t most_age_s; /* that pages have before they are written out */
	/* As above. */
	uint32_t since_round_s;
	bool was_in_vain; /* the last one found nothing */
	uint64_t blocks_free; /* of the backing */
	uint64_t blocks_left; /* of what may be written in a day */
};

struct decision decide_writeback(const struct decide_writeback_view *view,
				 const struct pressure_reading *pressure);

#endif

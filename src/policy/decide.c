/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <math.h>

#include "base/bits.h"
#include "policy/decide.h"
#include "zsmalloc/zsmalloc.h"

/* Of the most, the least that is asked for where there is time, and where
 * memory is short: to recompress, and to write out. */
#define LEAST_PART	     0.5
#define SHORT_PART	     120u
#define WRITEBACK_LEAST_PART 0.8
#define WRITEBACK_SHORT_PART 300u

/* How fast the age falls with memory in use. */
#define STEEPNESS 5.0

const char *decide_reason_text(enum decide_reason reason)
{
	static const char *const texts[] = {
#define REASON_TEXT(name, text) [DECIDE_##name] = (text),
		DECIDE_REASONS(REASON_TEXT)
#undef REASON_TEXT
	};

	return texts[reason];
}

static uint32_t calm_age_s(uint32_t most_s, double least_part,
			   double memory_used)
{
	const double least = most_s * least_part;

	return (uint32_t)lround(
		(most_s - least) * exp(-STEEPNESS * memory_used) + least);
}

/* Whether memory is short, and of what; DECIDE_AGE: it is not. */
static enum decide_reason shortage(double limit_used,
				   const struct pressure_reading *pressure)
{
	if (limit_used >= DECIDE_SHORT_LIMIT)
		return DECIDE_LIMIT;
	if (pressure->memory_stall >= DECIDE_SHORT_STALL ||
	    pressure->memory_used >= DECIDE_SHORT_USED)
		return DECIDE_MEMORY;
	return DECIDE_AGE;
}

/* What speaks for a round, if there is time. */
static struct decision wish(const struct decide_view *view,
			    const struct pressure_reading *pressure)
{
	const enum decide_reason reason = shortage(view->limit_used, pressure);
	const bool is_short = reason != DECIDE_AGE;

	return (struct decision){
		.is_short = is_short,
		.reason = reason,
		.age_s = is_short ? view->most_age_s / SHORT_PART
				  : calm_age_s(view->most_age_s, LEAST_PART,
					       pressure->memory_used),
	};
}

struct decision decide(const struct decide_view *view,
		       const struct pressure_reading *pressure)
{
	struct decision decision = wish(view, pressure);
	const uint32_t rest_s =
		decision.is_short ? DECIDE_SHORT_REST_S : DECIDE_REST_S;

	if (!view->is_settled)
		decision.reason = DECIDE_SETTLING;
	else if (view->is_reserve_low)
		decision.reason = DECIDE_RESERVE;
	else if (!decision.is_short && pressure->cpu_stall >= DECIDE_SHORT_CPU)
		decision.reason = DECIDE_CPU;
	else if (view->since_round_s < rest_s)
		decision.reason = DECIDE_REST;
	else
		decision.go = true;
	return decision;
}

/* --- writing out ----------------------------------------------------------- */

static uint64_t round_blocks(double stored)
{
	const double bytes = (double)DECIDE_MOST_ROUND_BYTES * stored;

	return max_u64(DECIDE_LEAST_ROUND_BYTES, (uint64_t)bytes) /
	       ZSD_PAGE_BYTES;
}

/* Where one found nothing, pages need their time to become old. */
static uint32_t writeback_rest_s(const struct decide_writeback_view *view,
				 const struct decision *decision)
{
	if (!decision->is_short)
		return DECIDE_WRITEBACK_REST_S;
	return view->was_in_vain
		       ? (uint32_t)max_u64(decision->age_s, DECIDE_SHORT_REST_S)
		       : DECIDE_SHORT_REST_S;
}

struct decision decide_writeback(const struct decide_writeback_view *view,
				 const struct pressure_reading *pressure)
{
	const enum decide_reason reason = shortage(view->limit_used, pressure);
	struct decision decision = {
		.is_short = reason != DECIDE_AGE,
		.reason = reason,
		.age_s = view->most_age_s / WRITEBACK_SHORT_PART,
		.max_blocks = round_blocks(view->stored),
	};

	if (!decision.is_short)
		decision.age_s =
			calm_age_s(view->most_age_s, WRITEBACK_LEAST_PART,
				   pressure->memory_used);
	if (!view->is_settled)
		decision.reason = DECIDE_SETTLING;
	else if (!view->blocks_free)
		decision.reason = DECIDE_FULL;
	else if (!view->blocks_left)
		decision.reason = DECIDE_BUDGET;
	else if (!decision.is_short && pressure->io_stall >= DECIDE_BUSY_IO)
		decision.reason = DECIDE_IO;
	else if (view->since_round_s < writeback_rest_s(view, &decision))
		decision.reason = DECIDE_REST;
	else
		decision.go = true;
	return decision;
}

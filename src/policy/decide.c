/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <math.h>

#include "policy/decide.h"

/* Of the most, the least that is asked for where there is time, and where
 * memory is short. */
#define LEAST_PART 2u
#define SHORT_PART 120u

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

static uint32_t calm_age_s(uint32_t most_s, double memory_used)
{
	const double least = most_s / LEAST_PART;

	return (uint32_t)lround(
		(most_s - least) * exp(-STEEPNESS * memory_used) + least);
}

/* What speaks for a round, if there is time. */
static struct decision wish(const struct decide_view *view,
			    const struct pressure_reading *pressure)
{
	struct decision short_of = {
		.is_short = true,
		.age_s = view->most_age_s / SHORT_PART,
	};

	if (view->limit_used >= DECIDE_SHORT_LIMIT) {
		short_of.reason = DECIDE_LIMIT;
		return short_of;
	}
	if (pressure->memory_stall >= DECIDE_SHORT_STALL ||
	    pressure->memory_used >= DECIDE_SHORT_USED) {
		short_of.reason = DECIDE_MEMORY;
		return short_of;
	}
	return (struct decision){
		.reason = DECIDE_AGE,
		.age_s = calm_age_s(view->most_age_s, pressure->memory_used),
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spin - wait for a bit that its holder clears within microseconds
 */
#ifndef ZSD_BASE_SPIN_H
#define ZSD_BASE_SPIN_H

#include <sched.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/compiler.h"

/*
 * How often to look before giving the core away, times. The holder needs
 * about a microsecond if it runs; if it does not, it may need our core.
 */
#define SPIN_BEFORE_YIELD 64u

/*
 * And before giving it away for good: one that runs in real time and yields
 * has it back at once, so that a holder of lower priority would never run.
 */
#define SPIN_BEFORE_SLEEP 128u

/* How long then, us: a few times what a holder that runs needs. */
#define SPIN_SLEEP_US 20

/*
 * Rounds after which nobody holds the bit, 10 s at least: it was set by damage.
 * A holder that is alive has had the core by then.
 */
#define SPIN_MAX (SPIN_BEFORE_SLEEP + 10u * 1000000u / SPIN_SLEEP_US)

/*
 * One round of waiting. @spins: the caller's, 0 before the first round.
 * Return: whether to look again; false after SPIN_MAX rounds.
 */
static inline bool spin_wait(unsigned *spins)
{
	++*spins;
	if (*spins < SPIN_BEFORE_YIELD)
		cpu_relax();
	else if (*spins < SPIN_BEFORE_SLEEP)
		sched_yield();
	else
		(void)usleep(SPIN_SLEEP_US);
	return *spins < SPIN_MAX;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spin - wait for a bit that its holder clears within microseconds
 */
#ifndef ZSD_BASE_SPIN_H
#define ZSD_BASE_SPIN_H

#include <sched.h>

#include "base/compiler.h"

/*
 * How often to look before giving the core away, times. The holder needs
 * about a microsecond if it runs; if it does not, it may need our core.
 */
#define SPIN_BEFORE_YIELD 64u

/* One round of waiting. @spins: the caller's, 0 before the first round. */
static inline void spin_wait(unsigned *spins)
{
	if (++*spins < SPIN_BEFORE_YIELD)
		cpu_relax();
	else
		sched_yield();
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quiet - an assertion for hot loops
 *
 * check tells its parent process of every ck_assert() that holds, which in a
 * loop over bytes or objects costs more than what is tested.
 */
#ifndef ZSD_UNIT_QUIET_H
#define ZSD_UNIT_QUIET_H

#include <check.h>

#define quiet_assert(cond)                         \
	do {                                       \
		if (!(cond))                       \
			ck_abort_msg("%s", #cond); \
	} while (0)

#endif

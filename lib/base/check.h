/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check - invariants of our own, which stop the process when they break
 *
 * A broken invariant means that what we are about to hand out may be wrong
 * data, so the process says where and aborts. Never for what comes from
 * outside (a socket, a file, an option): that is answered with an error.
 *
 *   BUG_ON(c)       always compiled: the cheap, vital ones
 *   CHECK(c)        level 1 and up: cheap ones on every call
 *   CHECK_ZSPAGE(c) level 2: that a zspage is in order after a change of it,
 *                   which takes a look at each of its objects
 *
 * The level is ZSD_CHECKS, set by configure --enable-checks=LEVEL.
 */
#ifndef ZSD_BASE_CHECK_H
#define ZSD_BASE_CHECK_H

#include "base/compiler.h"

#ifndef ZSD_CHECKS
#define ZSD_CHECKS 1
#endif

/**
 * check_failed() - report a broken invariant and abort
 * @file: source file, @line: line in it, @expr: what did not hold
 *
 * Writes one line to standard error with write(2) alone (no heap, no stdio:
 * the process may be the one that swap waits for), then abort(3). Where standard
 * error takes nothing, because its reader has stopped, the line is left out.
 */
void check_failed(const char *file, int line,
		  const char *expr) ZSD_NORETURN ZSD_COLD;

#define BUG_ON(cond)                                             \
	do {                                                     \
		if (unlikely(cond))                              \
			check_failed(__FILE__, __LINE__, #cond); \
	} while (0)

#define CHECK_AT_LEVEL(level, cond)                              \
	do {                                                     \
		if (ZSD_CHECKS >= (level) && unlikely(!(cond)))  \
			check_failed(__FILE__, __LINE__, #cond); \
	} while (0)

#define CHECK(cond)	   CHECK_AT_LEVEL(1, cond)
#define CHECK_ZSPAGE(cond) CHECK_AT_LEVEL(2, cond)

#endif

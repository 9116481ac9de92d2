/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was renamed to there() was called gone() before; mmap(2) is the system's,
 * and left() is where?
 */
#include "config.h"

int there(void)
{
	return 0; /* not there_either() */
}

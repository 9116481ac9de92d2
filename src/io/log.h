/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log - lines on standard error
 *
 * For start, end, and what an admin must know; never for the data path: a
 * write to a terminal or a pipe can block. Threads: from any.
 */
#ifndef ZSD_IO_LOG_H
#define ZSD_IO_LOG_H

#include "base/compiler.h"

/* Longest line, bytes; what is beyond is cut off. */
#define LOG_LINE_BYTES 512

/* log_line() - write "zsd: TEXT\n" with one write(2), so that lines of two
 * threads never mix. */
void log_line(const char *format, ...) ZSD_PRINTF(1, 2);

#endif

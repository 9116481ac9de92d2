/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log - lines on standard error that nobody waits for
 *
 * Whoever reads standard error may be slow, or stopped, or swapped out onto the
 * very disk that we serve. So no thread that has other work writes to it: a
 * line goes into a ring, and one thread, which does nothing else, writes what
 * is there. Where the ring is full the line is dropped, and counted, and the
 * count is written once there is room.
 *
 * Each line begins with "zsd: ". Where standard error is systemd's journal it
 * begins with its priority, "<4>", which the journal takes off. A zsd that went
 * to the background has no standard error, and writes to the system's log.
 *
 * Ownership: the maker's. Threads: io_log() and io_log_some() from any, also
 * under locks; neither blocks nor allocates.
 * Source: D. Vyukov, "Bounded MPMC queue"; sd-daemon(3); systemd.exec(5),
 * "JOURNAL_STREAM"; RFC 3164 for the system's log.
 */
#ifndef ZSD_IO_LOG_H
#define ZSD_IO_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/compiler.h"

/* Longest line, bytes; what is beyond is cut off. */
#define IO_LOG_LINE_BYTES 512

/* Lines that the ring holds. Start and end need some ten; this many connections
 * may come and go, with --verbose, before the writer has its next turn. */
#define IO_LOG_LINES 256u

/* How long the end waits for the last lines to be written, milliseconds. */
#define IO_LOG_END_MS 1000u

/* Priorities are those of syslog(3). */
enum io_log_priority {
	IO_LOG_ERROR = 3, /* zsd ends, or data is lost */
	IO_LOG_WARNING = 4,
	IO_LOG_NOTICE = 5, /* an administrator wants to know */
	IO_LOG_INFO = 6,
};

struct io_log;

/**
 * io_log_create() - make a log whose lines wait for io_log_start()
 *
 * Return: 0 or -ENOMEM. Release: io_log_close().
 */
int io_log_create(struct io_log **out) ZSD_MUST_CHECK;

/**
 * io_log_start() - start the thread that writes
 *
 * It inherits what the calling thread has become, so that this comes after the
 * measures for a machine that swaps on us. Return: 0 or -errno.
 */
int io_log_start(struct io_log *log) ZSD_MUST_CHECK;

/* Where the system's log listens. */
#define IO_LOG_SYSLOG "/dev/log"

/**
 * io_log_to_syslog() - write what comes to the system's log
 * @path: IO_LOG_SYSLOG, but for tests
 *
 * Lines for which nobody listens there are lost. Once, from one thread.
 * Return: 0 or -errno; then they go where they went before.
 */
int io_log_to_syslog(struct io_log *log, const char *path) ZSD_MUST_CHECK;

/**
 * io_log_close() - write the lines that are left, and end
 *
 * Waits for IO_LOG_END_MS at most; lines that nobody takes by then are lost.
 * Takes NULL too.
 */
void io_log_close(struct io_log *log);

/* io_log() - write a line. @format: without "zsd: " and without a newline */
void io_log(struct io_log *log, enum io_log_priority priority,
	    const char *format, ...) ZSD_PRINTF(3, 4);

/* Lines dropped so far, because the ring was full. */
uint64_t io_log_nr_dropped(const struct io_log *log);

/* What keeps lines of one kind from filling the log; all zero at first. */
struct io_log_limit {
	_Atomic uint64_t window; /* second in which the last line was */
	_Atomic uint32_t nr_lines; /* in that second */
	_Atomic uint64_t nr_unsaid; /* since the last line */
};

/* Lines of one kind in a second. */
#define IO_LOG_SOME 10u

/**
 * io_log_some() - write a line, if there were not many of its kind just now
 *
 * The next line that is written says how many were not.
 */
void io_log_some(struct io_log *log, struct io_log_limit *limit,
		 enum io_log_priority priority, const char *format, ...)
	ZSD_PRINTF(4, 5);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * schema - every figure that zsd tells of itself, each of them once
 *
 * A group of figures is a list of X(name, unit, kind, help). From it come a
 * struct that is filled in by whoever counts, the JSON of the control protocol,
 * the tables of zsctl and the page that describes the protocol. A figure that
 * is added here shows up in all of them.
 *
 *   unit   BYTES, COUNT, MICROSECONDS: integers. RATIO: a number, or none.
 *          FLAG: true or false. TEXT: a string.
 *   kind   GAUGE: what it is now, which goes up and down. COUNTER: how much
 *          there was since the start, which only goes up.
 *   help   half a sentence for a table, without a full stop.
 */
#ifndef ZSD_CTL_SCHEMA_H
#define ZSD_CTL_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

/* The C type of a figure, by its unit. */
#define CTL_TYPE_BYTES	      uint64_t
#define CTL_TYPE_COUNT	      uint64_t
#define CTL_TYPE_MICROSECONDS uint64_t

/* Of one export. */

#define CTL_REQUESTS(X)                                                       \
	X(read, COUNT, COUNTER, "reads answered")                             \
	X(write, COUNT, COUNTER, "writes answered")                           \
	X(flush, COUNT, COUNTER, "flushes answered")                          \
	X(trim, COUNT, COUNTER, "trims answered")                             \
	X(write_zeroes, COUNT, COUNTER, "write-zeroes answered")              \
	X(cache, COUNT, COUNTER, "cache requests answered")                   \
	X(block_status, COUNT, COUNTER, "block status requests answered")     \
	X(errors, COUNT, COUNTER, "requests answered with an error")          \
	X(read_bytes, BYTES, COUNTER, "returned by reads")                    \
	X(write_bytes, BYTES, COUNTER, "received with writes")                \
	X(overtakes, COUNT, COUNTER, "reads answered before earlier writes")

/* Of the server. */

#define CTL_CONNECTIONS(X)                                                    \
	X(open, COUNT, GAUGE, "connections now")                              \
	X(max, COUNT, GAUGE, "most there may be")                             \
	X(accepted, COUNT, COUNTER, "connections taken")                      \
	X(refused, COUNT, COUNTER, "connections turned away")                 \
	X(handshake_failures, COUNT, COUNTER,                                 \
	  "connections that ended before their first request")

#define CTL_POLLING(X)                                                        \
	X(window_us, MICROSECONDS, GAUGE,                                     \
	  "how long a worker polls before it sleeps, or 0")                   \
	X(hits, COUNT, COUNTER, "waits that ended while a worker polled")     \
	X(misses, COUNT, COUNTER, "times that a worker polled in vain")       \
	X(spun_us, MICROSECONDS, COUNTER, "time that was spent polling")

#define CTL_FIELD(name, unit, kind, help) CTL_TYPE_##unit name;

struct ctl_requests {
	CTL_REQUESTS(CTL_FIELD)
};

struct ctl_connections {
	CTL_CONNECTIONS(CTL_FIELD)
};

struct ctl_polling {
	CTL_POLLING(CTL_FIELD)
};

#endif

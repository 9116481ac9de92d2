/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counters - what the server counts, under the names that zsctl shows
 *
 * Each worker counts for itself (one writer, relaxed atomics); whoever wants
 * to know sums them up. X(field) makes structs, sums and JSON from one list.
 */
#ifndef ZSD_EXPORT_COUNTERS_H
#define ZSD_EXPORT_COUNTERS_H

#include <stdint.h>

/* Requests answered so far, by kind, and the bytes they moved. */
#define SERVER_REQUEST_COUNTERS(X)             \
	X(read)                                \
	X(write)                               \
	X(flush)                               \
	X(trim)                                \
	X(write_zeroes)                        \
	X(cache)                               \
	X(block_status)                        \
	X(errors) /* answered with an error */ \
	X(read_bytes) /* returned by reads */  \
	X(write_bytes) /* received with writes */

#define SERVER_CONNECTION_COUNTERS(X)                        \
	X(open) /* connections now */                        \
	X(max) /* most there may be (--max-connections) */   \
	X(accepted) /* connections taken so far */           \
	X(refused) /* turned away because max was reached */ \
	X(handshake_failures) /* ended before the transmission phase */

/* What polling (--poll) gained and cost; see busy_poll.h. */
#define SERVER_POLLING_COUNTERS(X)                                        \
	X(window_us) /* microseconds that a worker polls for; 0: never */ \
	X(hits) /* waits that ended while it did */                       \
	X(misses) /* times that it polled in vain, and went to sleep */   \
	X(spun_us) /* microseconds that were spent on both */

#define SERVER_COUNTER_FIELD(name) uint64_t name;

struct server_requests {
	SERVER_REQUEST_COUNTERS(SERVER_COUNTER_FIELD)
};

struct server_connections {
	SERVER_CONNECTION_COUNTERS(SERVER_COUNTER_FIELD)
};

struct server_polling {
	SERVER_POLLING_COUNTERS(SERVER_COUNTER_FIELD)
};

#undef SERVER_COUNTER_FIELD

struct server_counts {
	struct server_requests requests;
	struct server_connections connections;
	struct server_polling polling;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request_counters - what one worker counts of the requests it answers
 *
 * One writer, the worker; any thread may read. A sum over workers is no
 * instant's, as none of its parts waits for the others.
 */
#ifndef ZSD_EXPORT_REQUEST_COUNTERS_H
#define ZSD_EXPORT_REQUEST_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "export/counters.h"

/* COUNT_read, COUNT_write, … one for each field of struct server_requests. */
enum request_count {
#define REQUEST_COUNT_NAME(name) COUNT_##name,
	SERVER_REQUEST_COUNTERS(REQUEST_COUNT_NAME)
#undef REQUEST_COUNT_NAME
	NR_REQUEST_COUNTS
};

struct request_counters {
	_Atomic uint64_t counts[NR_REQUEST_COUNTS];
};

/* By the only writer, so that no locked instruction is needed. */
static inline void request_count(struct request_counters *counters,
				 enum request_count which, uint64_t n)
{
	_Atomic uint64_t *count = &counters->counts[which];
	uint64_t value = atomic_load_explicit(count, memory_order_relaxed);

	atomic_store_explicit(count, value + n, memory_order_relaxed);
}

/* Add what @from counted to @sum. From any thread. */
static inline void request_counters_sum(const struct request_counters *from,
					struct server_requests *sum)
{
#define REQUEST_COUNT_SUM(name)                                        \
	sum->name += atomic_load_explicit(&from->counts[COUNT_##name], \
					  memory_order_relaxed);
	SERVER_REQUEST_COUNTERS(REQUEST_COUNT_SUM)
#undef REQUEST_COUNT_SUM
}

#endif

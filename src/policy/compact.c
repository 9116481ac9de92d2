/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <sched.h>
#include <time.h>

#include "policy/compact.h"

/* What clients have asked for so far, where it takes a worker's time. */
static uint64_t nr_requests(const struct export_table *exports)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < exports->nr; i++) {
		struct ctl_requests sum;

		export_sum(exports->all[i], &sum);
		nr += sum.read + sum.write + sum.trim + sum.write_zeroes;
	}
	return nr;
}

static void make_way(const struct export_table *exports, uint64_t *nr_seen)
{
	const struct timespec rest = {.tv_nsec = COMPACT_REST_US * 1000L};
	uint64_t nr = nr_requests(exports);

	if (nr != *nr_seen)
		(void)nanosleep(&rest, NULL);
	else
		sched_yield();
	*nr_seen = nr;
}

void compact_run(struct export *export, const struct export_table *exports,
		 struct zs_compacted *out)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed_pages, nr_seen = nr_requests(exports);

	*out = (struct zs_compacted){0};
	while (zstore_compact_slice(export->store, &cursor,
				    COMPACT_SLICE_OBJECTS, &freed_pages)) {
		out->freed_pages += freed_pages;
		make_way(exports, &nr_seen);
	}
	out->freed_pages += freed_pages;
	out->moved_objs = cursor.moved_objs;
}

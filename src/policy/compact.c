/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "policy/compact.h"
#include "policy/pace.h"

void compact_run(struct export *export, const struct export_table *exports,
		 struct zs_compacted *out)
{
	struct zs_compact_cursor cursor = {0};
	uint64_t freed_pages;
	struct pace pace;

	pace_begin(&pace, exports);
	*out = (struct zs_compacted){0};
	while (zstore_compact_slice(export->store, &cursor,
				    COMPACT_SLICE_OBJECTS, &freed_pages)) {
		out->freed_pages += freed_pages;
		pace_rest(&pace, COMPACT_REST_US);
	}
	out->freed_pages += freed_pages;
	out->moved_objs = cursor.moved_objs;
}

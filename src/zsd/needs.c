/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what the disks take at once is there. With --swap their tables get
 * all their memory at the start, locked: were there not enough, the kernel
 * would end everybody else to get it.
 */
#include "config.h"

#include <errno.h>

#include "base/units.h"
#include "guard/around.h"
#include "zsd/server_internal.h"

/* What of memory must be left to what is stored, and to others: an eighth. */
#define LEFT_TO_OTHERS 8u

/* What is needed at once, bytes. */
struct needs {
	uint64_t tables;
	uint64_t reserves;
	uint64_t limits; /* the most that the disks may come to; 0: no bound */
};

static struct needs sum_up(const struct server_params *params)
{
	struct needs needs = {0};
	bool is_bound = true;

	for (size_t i = 0; i < params->nr_disks; i++) {
		const struct zstore_params *store = &params->disks[i].store;

		needs.tables += zstore_tables_bytes(store);
		needs.reserves += store->reserve_bytes;
		needs.limits += store->mem_limit_bytes;
		is_bound &= store->mem_limit_bytes != 0;
	}
	if (!is_bound)
		needs.limits = 0;
	return needs;
}

static int refuse(const struct server *s, const struct needs *needs,
		  const struct around *around)
{
	char tables[UNITS_TEXT_BYTES], reserves[UNITS_TEXT_BYTES];
	char there[UNITS_TEXT_BYTES];

	io_log(s->log, IO_LOG_ERROR,
	       "--swap: the tables of --size need %s at once, and --reserve "
	       "%s; %s has %s: give a smaller --size or --reserve",
	       units_format(needs->tables, tables),
	       units_format(needs->reserves, reserves), around->least_name,
	       units_format(around->least_bytes, there));
	return -ENOMEM;
}

static void warn(const struct server *s, const struct needs *needs,
		 const struct around *around)
{
	char limits[UNITS_TEXT_BYTES], there[UNITS_TEXT_BYTES];

	io_log(s->log, IO_LOG_WARNING,
	       "warning: --mem-limit lets zsd come to %s; %s has %s: writes "
	       "fail before the limit is met",
	       units_format(needs->limits, limits), around->least_name,
	       units_format(around->least_bytes, there));
}

int needs_check(const struct server *s)
{
	struct around around;
	struct needs needs;
	int err = 0;

	if (s->params->swap == SWAP_OFF)
		return 0;
	needs = sum_up(s->params);
	around_open(&around, "");
	if (!around.memory_bytes)
		io_log(s->log, IO_LOG_WARNING,
		       "warning: /proc/meminfo cannot be read: whether the disk "
		       "fits this machine is not checked. Set ProcSubset=all in "
		       "the unit");
	if (needs.tables + needs.reserves >
	    around.least_bytes - around.least_bytes / LEFT_TO_OTHERS)
		err = refuse(s, &needs, &around);
	else if (needs.limits > around.least_bytes)
		warn(s, &needs, &around);
	around_close(&around);
	return err;
}

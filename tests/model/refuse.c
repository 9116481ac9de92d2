/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/units.h"
#include "model/refuse.h"

/* An odd multiplier spreads consecutive numbers over all values. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

static _Atomic unsigned one_in;
static _Atomic uint64_t nr_left; /* commits up to the one to be refused */
static _Atomic uint64_t nr_commits;
static _Atomic uint64_t nr_refused;

void refuse_one_in(unsigned n)
{
	nr_left = 0;
	one_in = n;
}

void refuse_after(uint64_t n)
{
	one_in = 0;
	nr_left = n + 1;
}

uint64_t refuse_count(void)
{
	return nr_refused;
}

static bool is_refused(void)
{
	uint64_t n = atomic_fetch_add(&nr_commits, 1);
	unsigned chance = one_in;

	if (chance)
		return (n * SPREAD >> 32) % chance == 0;
	return nr_left && atomic_fetch_sub(&nr_left, 1) == 1;
}

/* Commit fewer pages than were asked for. Return: how many bytes. */
static uint64_t commit_part(const struct mapping *map, uint64_t offset,
			    uint64_t bytes, uint64_t nth)
{
	uint64_t part = nth * SPREAD % bytes / ZSD_PAGE_BYTES * ZSD_PAGE_BYTES;

	if (one_in == 1)
		return 0;
	if (part && __real_mapping_commit(map, offset, part, NULL))
		part = 0;
	return part;
}

int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes)
{
	uint64_t nth, part;

	if (!is_refused())
		return __real_mapping_commit(map, offset, bytes, done_bytes);
	nth = atomic_fetch_add(&nr_refused, 1);
	part = commit_part(map, offset, bytes, nth);
	if (done_bytes)
		*done_bytes = part;
	return nth % 2 ? -ENOSPC : -ENOMEM;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "policy/writeback/budget.h"

#define HOUR_S	  3600u
#define SIGNATURE "zsd-written 1"

/* Forget what is older than a day. */
static void go_to(struct budget *budget, uint64_t now_s)
{
	const uint64_t hour = now_s / HOUR_S;
	uint64_t nr = hour > budget->hour ? hour - budget->hour : 0;

	for (nr = min_u64(nr, BUDGET_HOURS); nr; nr--)
		budget->blocks[(hour - nr + 1) % BUDGET_HOURS] = 0;
	budget->hour = max_u64(budget->hour, hour);
}

uint64_t budget_used(struct budget *budget, uint64_t now_s)
{
	uint64_t sum = 0;

	go_to(budget, now_s);
	for (unsigned i = 0; i < BUDGET_HOURS; i++)
		sum += budget->blocks[i];
	return sum;
}

void budget_spend(struct budget *budget, uint64_t now_s, uint32_t blocks)
{
	uint32_t *spent;

	go_to(budget, now_s);
	spent = &budget->blocks[budget->hour % BUDGET_HOURS];
	*spent = (uint32_t)min_u64(UINT32_MAX, (uint64_t)*spent + blocks);
}

/* --- files ----------------------------------------------------------------- */

static int read_record(FILE *file, struct budget *out)
{
	struct budget budget = {0};

	if (fscanf(file, SIGNATURE " %" SCNu64, &budget.hour) != 1)
		return -EBADMSG;
	for (unsigned i = 0; i < BUDGET_HOURS; i++) {
		uint32_t *blocks =
			&budget.blocks[(budget.hour - i) % BUDGET_HOURS];

		if (budget.hour < BUDGET_HOURS ||
		    fscanf(file, " %" SCNu32, blocks) != 1)
			return -EBADMSG;
	}
	*out = budget;
	return 0;
}

int budget_load(const char *path, struct budget *out)
{
	FILE *file = fopen(path, "re");
	int err;

	if (!file)
		return -errno;
	err = read_record(file, out);
	(void)fclose(file);
	return err;
}

static int write_record(FILE *file, const struct budget *budget)
{
	(void)fprintf(file, SIGNATURE " %" PRIu64, budget->hour);
	for (unsigned i = 0; i < BUDGET_HOURS; i++)
		(void)fprintf(
			file, " %" PRIu32,
			budget->blocks[(budget->hour - i) % BUDGET_HOURS]);
	(void)fprintf(file, "\n");
	return fflush(file) || ferror(file) ? -EIO : 0;
}

int budget_save(const char *path, const struct budget *budget)
{
	char temporary[PATH_MAX];
	FILE *file;
	int err;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >=
	    (int)sizeof(temporary))
		return -ENAMETOOLONG;
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	err = write_record(file, budget);
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		(void)unlink(temporary);
	return err;
}

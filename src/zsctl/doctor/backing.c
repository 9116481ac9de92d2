/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is behind a disk: zsd's own word. */
#include "config.h"

#include "zsctl/doctor/internal.h"

/* Nearly full: so much of it has pages, percent. */
#define NEARLY_FULL 90

/* Of a block, bytes. */
#define BLOCK_BYTES 4096

static json_int_t figure(const json_t *export, const char *name)
{
	return doctor_figure(export, "backing", name);
}

static bool is_rotational(const json_t *export)
{
	return json_is_true(json_object_get(json_object_get(export, "backing"),
					    "rotational"));
}

/* What has gone wrong. Return: whether there was anything. */
static bool check_failures(struct doctor *d, const json_t *export,
			   const char *name)
{
	const json_int_t reads = figure(export, "failed_reads");
	const json_int_t writes = figure(export, "failed_writes");

	if (!reads && !writes)
		return false;
	doctor_add(d, "backing", reads ? DOCTOR_FAIL : DOCTOR_WARN,
		   "%lld blocks%s could not be read, %lld could not be written",
		   (long long)reads, name, (long long)writes);
	doctor_mend(d, "look at the kernel's log for what its storage says, "
		       "and take another one");
	return true;
}

/* What keeps it from taking more. Return: whether there was anything. */
static bool check_room(struct doctor *d, const json_t *export, const char *name)
{
	const json_int_t blocks = figure(export, "size_bytes") / BLOCK_BYTES;
	const json_int_t used = figure(export, "bd_count");
	const json_int_t limit = figure(export, "day_limit_bytes");

	if (used * 100 > blocks * NEARLY_FULL) {
		doctor_add(d, "backing", DOCTOR_WARN,
			   "%lld of %lld blocks%s are used: soon pages stay in "
			   "memory",
			   (long long)used, (long long)blocks, name);
		doctor_mend(d, "start zsd with a larger one");
	} else if (limit && figure(export, "day_written_bytes") >= limit) {
		doctor_add(d, "backing", DOCTOR_WARN,
			   "as much was written%s as may be in a day: pages "
			   "stay in memory",
			   name);
		doctor_mend(d, "start zsd with a larger --writeback-limit, if "
			       "the storage stands that");
	} else {
		return false;
	}
	return true;
}

void doctor_check_backing(struct doctor *d, const json_t *export)
{
	char name[DOCTOR_TEXT_BYTES];

	if (!json_is_object(json_object_get(export, "backing")))
		return;
	doctor_export_name(d, export, name);
	if (check_failures(d, export, name) || check_room(d, export, name))
		return;
	if (is_rotational(export)) {
		doctor_add(d, "backing", DOCTOR_WARN,
			   "it is%s on a disk that turns: a page that comes "
			   "back from there takes 10 ms and more",
			   name);
		doctor_mend(d, "put it on flash, or raise --writeback-age");
	} else {
		doctor_add(d, "backing", DOCTOR_PASS,
			   "there is one%s, with room", name);
	}
}

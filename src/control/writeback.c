/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `writeback`: pages go to the backing of their disk. Arguments are named as
 * those of zram's attribute; a range is one of pages.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

#include "control/commands.h"
#include "policy/writeback/writeback.h"

const struct ctl_argument control_writeback_arguments[] = {
	{"export", &ctl_text}, {"type", &ctl_text}, {"first", &ctl_count},
	{"last", &ctl_count},  {NULL, NULL},
};

static int take_pages(const json_t *arguments, const struct zstore *store,
		      struct zstore_writeback *how, struct ctl_error *error)
{
	const json_t *first = json_object_get(arguments, "first");
	const json_t *last = json_object_get(arguments, "last");
	const uint64_t end = zstore_params(store)->disk_bytes / ZSD_PAGE_BYTES;

	if (!first && !last)
		return 0;
	if (!first || !last)
		return ctl_error_set(error, -EINVAL,
				     "'first' and 'last' go together");
	how->first = (uint64_t)json_integer_value(first);
	how->end = (uint64_t)json_integer_value(last) + 1;
	if (how->first < how->end && how->end <= end)
		return 0;
	return ctl_error_set(error, -EINVAL,
			     "'first' and 'last' must be pages of the disk, "
			     "which has %llu, in order",
			     (unsigned long long)end);
}

/* What zram writes out it is told; so it is here. */
static int take_all(const json_t *arguments, const struct export *export,
		    struct zstore_writeback *how, struct ctl_error *error)
{
	struct control_type type;
	int err = control_take_type(arguments, CONTROL_TYPE_ANY, &type, error);

	how->is_idle = type.is_idle;
	how->is_huge = type.is_huge;
	how->is_incompressible = type.is_incompressible;
	if (!err)
		err = take_pages(arguments, export->store, how, error);
	if (!err && !json_object_get(arguments, "type") && !how->end)
		err = ctl_error_set(error, -EINVAL,
				    "give 'type', or 'first' and 'last': which "
				    "pages are to be written out");
	return err;
}

/* Why it ended before its end, for people; what was written stays. */
static const char *problem_of(int err, uint64_t nr_failed)
{
	switch (err) {
	case 0:
		return nr_failed ? "some blocks could not be written" : "";
	case -ENOSPC:
		return "the backing is full, or --mem-limit has no room for "
		       "its tables";
	case -EDQUOT:
		return "as much was written as may be in a day: see "
		       "--writeback-limit";
	case -EREMOTEIO:
		return "the backing cannot be written";
	case -EINPROGRESS:
		return "the disk was adopted, and is not rebuilt yet";
	default:
		return strerror(-err);
	}
}

int control_writeback(const struct control_env *env, const json_t *arguments,
		      json_t **result, struct ctl_error *error)
{
	struct writeback_run run = {.how = {.since_s = UINT32_MAX}};
	const uint64_t start_ns = uv_hrtime();
	struct writeback *writeback;
	struct ctl_writeback figures;
	struct export *export;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (!err)
		err = take_all(arguments, export, &run.how, error);
	if (err)
		return err;
	writeback = env->params.writebacks[export->index];
	if (!writeback)
		return ctl_error_set(error, -EINVAL,
				     "the disk has no backing: start zsd with "
				     "--backing");
	err = writeback_all(writeback, env->ctxs[export->index], &run);
	figures = (struct ctl_writeback){
		.pages_tried = run.at.nr_tried,
		.pages_written = run.at.nr_done,
		.bytes_written = run.at.bytes,
		.blocks = run.at.nr_blocks,
		.blocks_failed = run.nr_failed,
		.problem = problem_of(err, run.nr_failed),
		.duration_us = control_us_since(start_ns),
	};
	return control_hand_over(ctl_writeback_document(&figures), result);
}

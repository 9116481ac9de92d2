/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `blocks`: what each page of a disk is, as zram's block_state tells. A disk
 * may have millions of them, so that who asks gets some, and asks again.
 */
#include "config.h"

#include <errno.h>

#include "control/commands.h"
#include "zstore/zstore_age.h"

/* Pages in one result, and looks for them: some ms. A row has 40 bytes at most,
 * so that they fit a reply. */
#define MAX_ROWS  8192u
#define MAX_LOOKS 65536u

#define NR_FLAGS 6

const struct ctl_argument control_blocks_arguments[] = {
	{"export", &ctl_text},
	{"first", &ctl_count},
	{NULL, NULL},
};

/* In zram's order: same, written back, huge, idle, recompressed,
 * incompressible. */
static const char *flags_of(const struct zstore_block *block,
			    char text[NR_FLAGS + 1])
{
	text[0] = block->is_same ? 's' : '.';
	text[1] = block->is_backed ? 'w' : '.';
	text[2] = block->is_huge ? 'h' : '.';
	text[3] = block->is_idle ? 'i' : '.';
	text[4] = block->is_recompressed ? 'r' : '.';
	text[5] = block->is_incompressible ? 'n' : '.';
	text[NR_FLAGS] = '\0';
	return text;
}

static int add_row(json_t *rows, uint64_t index,
		   const struct zstore_block *block)
{
	char flags[NR_FLAGS + 1];

	return json_array_append_new(rows,
				     json_pack("[I,I,s]", (json_int_t)index,
					       (json_int_t)block->accessed_s,
					       flags_of(block, flags)));
}

/* From *@next on, which receives where to go on. Return: 0 or -ENOMEM. */
static int add_rows(const struct zstore *store, uint64_t end, json_t *rows,
		    uint64_t *next)
{
	const uint64_t first = *next;

	for (; *next < end && *next - first < MAX_LOOKS &&
	       json_array_size(rows) < MAX_ROWS;
	     ++*next) {
		struct zstore_block block;

		if (zstore_block(store, *next, &block) &&
		    add_row(rows, *next, &block))
			return -ENOMEM;
	}
	return 0;
}

int control_blocks(const struct control_env *env, const json_t *arguments,
		   json_t **result, struct ctl_error *error)
{
	uint64_t next = (uint64_t)json_integer_value(
		json_object_get(arguments, "first"));
	struct export *export;
	json_t *document;
	uint64_t end;
	int err;

	err = control_find_export(env, arguments, &export, error);
	if (err)
		return err;
	end = zstore_params(export->store)->disk_bytes / ZSD_PAGE_BYTES;
	if (next >= end)
		return ctl_error_set(
			error, -EINVAL,
			"'first' must be a page of the disk, which "
			"has %llu",
			(unsigned long long)end);
	document = json_pack("{s[]}", "blocks");
	if (!document ||
	    add_rows(export->store, end, json_object_get(document, "blocks"),
		     &next) ||
	    json_object_set_new(document, "next",
				next < end ? json_integer((json_int_t)next)
					   : json_null())) {
		json_decref(document);
		return -ENOMEM;
	}
	return control_hand_over(document, result);
}

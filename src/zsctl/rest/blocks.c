/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl blocks`: a line for each page that is stored, as zram's block_state. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zsctl/zsctl.h"

/* What zsd told of one page. */
static bool print_row(const json_t *row)
{
	static const char flags[] = "swhirn.";
	const char *text = json_string_value(json_array_get(row, 2));
	const json_t *index = json_array_get(row, 0);
	const json_t *accessed_s = json_array_get(row, 1);

	if (!json_is_integer(index) || !json_is_integer(accessed_s) || !text ||
	    strlen(text) != 6 || strspn(text, flags) != 6)
		return false;
	/* Whole seconds since boot, as zram's, which has places for more. */
	printf("%12lld %12lld.000000 %s\n",
	       (long long)json_integer_value(index),
	       (long long)json_integer_value(accessed_s), text);
	return true;
}

static enum zsctl_exit print_rows(const json_t *result)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(result, "blocks"), i, row)
	{
		if (print_row(row))
			continue;
		(void)fprintf(stderr, "zsctl: blocks: zsd tells something else "
				      "than is expected\n");
		return ZSCTL_UNREACHABLE;
	}
	return ZSCTL_OK;
}

/* Those from *@next on, which receives where to go on; -1: there are no more. */
static enum zsctl_exit ask_some(const struct zsctl_options *options,
				const char *name, json_int_t *next)
{
	static const char *const needed[] = {"blocks", NULL};
	json_t *arguments = zsctl_arguments(name);
	enum zsctl_exit code = ZSCTL_OK;
	struct zsctl_answer answer;
	const json_t *more;

	if (json_object_set_new(arguments, "first", json_integer(*next))) {
		json_decref(arguments);
		arguments = NULL;
	}
	code = zsctl_ask(options, "blocks", arguments, NULL, needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json)
		printf("%s\n", answer.line);
	else
		code = print_rows(answer.reply.result);
	more = json_object_get(answer.reply.result, "next");
	/* Never back: that would have no end. */
	*next = json_is_integer(more) && json_integer_value(more) > *next
			? json_integer_value(more)
			: -1;
	zsctl_answer_fini(&answer);
	return code;
}

static enum zsctl_exit blocks(const struct zsctl_options *options,
			      const char *name, const char *title)
{
	enum zsctl_exit code;
	json_int_t next = 0;

	if (!options->json && *title)
		printf("%s\n", title);
	do {
		code = ask_some(options, name, &next);
	} while (code == ZSCTL_OK && next >= 0);
	return code;
}

enum zsctl_exit zsctl_blocks(const struct zsctl_options *options)
{
	return zsctl_each_export(options, blocks);
}

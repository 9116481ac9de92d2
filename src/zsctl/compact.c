/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl compact`: free pages, and tell how many. */
#include "config.h"

#include <stdio.h>

#include "zsctl/text.h"
#include "zsctl/zsctl.h"

static void print_outcome(const json_t *result, const char *title)
{
	char size[TEXT_BYTES], pages[TEXT_BYTES], objects[TEXT_BYTES];
	char duration[TEXT_BYTES], release[TEXT_BYTES];

	printf("%sfreed %s (%s pages), moved %s objects in %s; "
	       "giving memory back took %s\n",
	       title, text_member(result, "bytes_freed", CTL_UNIT_BYTES, size),
	       text_member(result, "pages_compacted", CTL_UNIT_COUNT, pages),
	       text_member(result, "objects_moved", CTL_UNIT_COUNT, objects),
	       text_member(result, "duration_us", CTL_UNIT_MICROSECONDS,
			   duration),
	       text_member(result, "release_us", CTL_UNIT_MICROSECONDS,
			   release));
}

static enum zsctl_exit compact(const struct zsctl_options *options,
			       const char *name, const char *title)
{
	static const char *const needed[] = {"bytes_freed", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;

	code = zsctl_ask(options, "compact", zsctl_arguments(name),
			 "compacting...", needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json)
		printf("%s\n", answer.line);
	else
		print_outcome(answer.reply.result, title);
	zsctl_answer_fini(&answer);
	return ZSCTL_OK;
}

enum zsctl_exit zsctl_compact(const struct zsctl_options *options)
{
	return zsctl_each_export(options, compact);
}

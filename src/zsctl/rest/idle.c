/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl idle`: mark pages that rest, as zram's attribute does. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zsctl/text.h"
#include "zsctl/zsctl.h"

/* "all", or a number of seconds; 0 stands for all. Return: whether it is. */
static bool parse_age(const char *text, json_int_t *age_s)
{
	char *end;

	*age_s = 0;
	if (strcmp(text, "all") == 0)
		return true;
	errno = 0;
	*age_s = strtoll(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *age_s > 0;
}

static enum zsctl_exit idle(const struct zsctl_options *options,
			    const char *name, const char *title)
{
	static const char *const needed[] = {"pages_idle", NULL};
	json_t *arguments = zsctl_arguments(name);
	struct zsctl_answer answer;
	enum zsctl_exit code;
	char pages[TEXT_BYTES];
	json_int_t age_s;

	if (!parse_age(options->argument, &age_s)) {
		json_decref(arguments);
		(void)fprintf(stderr,
			      "zsctl: idle: '%s' must be all, or a number of "
			      "seconds, 1 at least\n",
			      options->argument);
		return ZSCTL_USAGE;
	}
	if (arguments && age_s &&
	    json_object_set_new(arguments, "age", json_integer(age_s))) {
		json_decref(arguments);
		arguments = NULL;
	}
	code = zsctl_ask(options, "idle", arguments, NULL, needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json)
		printf("%s\n", answer.line);
	else
		printf("%s%s pages are idle now\n", title,
		       text_member(answer.reply.result, "pages_idle",
				   CTL_UNIT_COUNT, pages));
	zsctl_answer_fini(&answer);
	return ZSCTL_OK;
}

enum zsctl_exit zsctl_idle(const struct zsctl_options *options)
{
	return zsctl_each_export(options, idle);
}

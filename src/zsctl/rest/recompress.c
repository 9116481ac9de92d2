/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl recompress`: zram's attribute of that name, with its arguments. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "zsctl/text.h"
#include "zsctl/zsctl.h"

/* Which there are, and whether the value is a number. */
static const struct {
	const char *name;
	bool is_number;
} keys[] = {
	{"type", false}, {"threshold", true}, {"max_pages", true},
	{"algo", false}, {"priority", true},
};

static json_t *parse_value(const char *text, bool is_number)
{
	long long number;
	char *end;

	if (!is_number)
		return *text ? json_string(text) : NULL;
	errno = 0;
	number = strtoll(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno
		       ? json_integer(number)
		       : NULL;
}

/* Put "KEY=VALUE" into @arguments. Return: whether it is one. */
static bool take(const char *text, json_t *arguments)
{
	const char *value = strchr(text, '=');

	for (size_t i = 0; value && i < ARRAY_SIZE(keys); i++) {
		const size_t n = (size_t)(value - text);

		if (strlen(keys[i].name) == n &&
		    strncmp(keys[i].name, text, n) == 0)
			return json_object_set_new(
				       arguments, keys[i].name,
				       parse_value(value + 1,
						   keys[i].is_number)) == 0;
	}
	return false;
}

static void print_outcome(const json_t *result, const char *title)
{
	char tried[TEXT_BYTES], done[TEXT_BYTES], before[TEXT_BYTES];
	char after[TEXT_BYTES], duration[TEXT_BYTES];

	printf("%stried %s pages, of which %s became shorter: %s of objects "
	       "are %s now; it took %s\n",
	       title, text_member(result, "pages_tried", CTL_UNIT_COUNT, tried),
	       text_member(result, "pages_recompressed", CTL_UNIT_COUNT, done),
	       text_member(result, "bytes_before", CTL_UNIT_BYTES, before),
	       text_member(result, "bytes_after", CTL_UNIT_BYTES, after),
	       text_member(result, "duration_us", CTL_UNIT_MICROSECONDS,
			   duration));
}

static enum zsctl_exit recompress(const struct zsctl_options *options,
				  const char *name, const char *title)
{
	static const char *const needed[] = {"pages_recompressed", NULL};
	json_t *arguments = zsctl_arguments(name);
	struct zsctl_answer answer;
	enum zsctl_exit code;

	for (unsigned i = 0; i < options->nr_list; i++) {
		if (take(options->list[i], arguments))
			continue;
		json_decref(arguments);
		(void)fprintf(stderr,
			      "zsctl: recompress: '%s' must be type=idle, huge "
			      "or huge_idle, threshold=BYTES, max_pages=N, "
			      "algo=ALG or priority=1\n",
			      options->list[i]);
		return ZSCTL_USAGE;
	}
	code = zsctl_ask(options, "recompress", arguments, "recompressing...",
			 needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json)
		printf("%s\n", answer.line);
	else
		print_outcome(answer.reply.result, title);
	zsctl_answer_fini(&answer);
	return ZSCTL_OK;
}

enum zsctl_exit zsctl_recompress(const struct zsctl_options *options)
{
	return zsctl_each_export(options, recompress);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl verify`: see whether the store is sound, and every page reads. */
#include "config.h"

#include <stdio.h>

#include "zsctl/text.h"
#include "zsctl/zsctl.h"

static void print_outcome(const json_t *result, const char *title, bool ok)
{
	char pages[TEXT_BYTES], duration[TEXT_BYTES];

	printf("%s%s: %s stored pages checked in %s\n", title,
	       ok ? "ok" : "BROKEN",
	       text_member(result, "pages_checked", CTL_UNIT_COUNT, pages),
	       text_member(result, "duration_us", CTL_UNIT_MICROSECONDS,
			   duration));
}

static void print_problem(const json_t *result)
{
	const char *problem =
		json_string_value(json_object_get(result, "problem"));
	char text[CTL_ERROR_TEXT_BYTES];

	(void)fprintf(stderr,
		      "zsctl: %s\n"
		      "zsctl: do not trust what the disk returns: replace "
		      "this zsd\n",
		      text_plain(problem ? problem : "it does not say why",
				 text, sizeof(text)));
}

static enum zsctl_exit verify(const struct zsctl_options *options,
			      const char *name, const char *title)
{
	static const char *const needed[] = {"ok", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;
	bool ok;

	code = zsctl_ask(options, "verify", zsctl_arguments(name),
			 "verifying...", needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	ok = json_is_true(json_object_get(answer.reply.result, "ok"));
	if (options->json)
		printf("%s\n", answer.line);
	else
		print_outcome(answer.reply.result, title, ok);
	if (!ok && !options->json)
		print_problem(answer.reply.result);
	zsctl_answer_fini(&answer);
	return ok ? ZSCTL_OK : ZSCTL_REFUSED;
}

enum zsctl_exit zsctl_verify(const struct zsctl_options *options)
{
	return zsctl_each_export(options, verify);
}

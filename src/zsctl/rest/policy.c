/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl policy`: what zsd does by itself with pages that rest, why, and what
 * that gained. */
#include "config.h"

#include <stdio.h>

#include "zsctl/text.h"
#include "zsctl/zsctl.h"

static double real(const json_t *policy, const char *name)
{
	return json_number_value(json_object_get(policy, name));
}

static void print_gain(const json_t *policy)
{
	const double before = real(policy, "bytes_before");
	const double after = real(policy, "bytes_after");
	char tried[TEXT_BYTES], done[TEXT_BYTES], from[TEXT_BYTES];
	char to[TEXT_BYTES], rounds[TEXT_BYTES], trainings[TEXT_BYTES];

	printf("  so far    %s rounds, %s trainings; %s pages tried, %s of "
	       "them became shorter\n",
	       text_member(policy, "rounds", CTL_UNIT_COUNT, rounds),
	       text_member(policy, "trainings", CTL_UNIT_COUNT, trainings),
	       text_member(policy, "pages_tried", CTL_UNIT_COUNT, tried),
	       text_member(policy, "pages_recompressed", CTL_UNIT_COUNT, done));
	if (before > 0)
		printf("  gain      %s of objects became %s: %.0f %% less\n",
		       text_member(policy, "bytes_before", CTL_UNIT_BYTES,
				   from),
		       text_member(policy, "bytes_after", CTL_UNIT_BYTES, to),
		       100 * (1 - after / before));
	printf("  sharing   %s pages have the object of another\n",
	       text_member(policy, "pages_sharing", CTL_UNIT_COUNT, done));
}

static void print_writeback(const json_t *policy)
{
	char reason[TEXT_BYTES], age[TEXT_BYTES], rounds[TEXT_BYTES];
	char pages[TEXT_BYTES], bytes[TEXT_BYTES];

	printf("  backing   pages that were not accessed for %s are written "
	       "out: %s\n",
	       text_member(policy, "writeback_age_seconds", CTL_UNIT_SECONDS,
			   age),
	       text_member(policy, "writeback_reason", CTL_UNIT_TEXT, reason));
	printf("            %s pages so far, %s of objects, in %s rounds and "
	       "between them\n",
	       text_member(policy, "pages_written_out", CTL_UNIT_COUNT, pages),
	       text_member(policy, "bytes_written_out", CTL_UNIT_BYTES, bytes),
	       text_member(policy, "writeback_rounds", CTL_UNIT_COUNT, rounds));
}

static void print_policy(const json_t *policy, const json_t *disk,
			 const char *title)
{
	char codec[TEXT_BYTES], state[TEXT_BYTES], reason[TEXT_BYTES];
	char age[TEXT_BYTES];

	printf("%s%s: %s\n", title,
	       text_member(policy, "state", CTL_UNIT_TEXT, state),
	       text_member(policy, "reason", CTL_UNIT_TEXT, reason));
	if (json_is_string(json_object_get(policy, "writeback_reason")))
		print_writeback(policy);
	if (!json_is_string(json_object_get(disk, "recomp_algorithm")))
		return;
	printf("  pages     that were not accessed for %s become %s\n",
	       text_member(policy, "age_seconds", CTL_UNIT_SECONDS, age),
	       text_member(disk, "recomp_algorithm", CTL_UNIT_TEXT, codec));
	printf("  machine   %.0f %% of memory in use; tasks wait for memory "
	       "%.2f %% of the time, for a processor %.2f %%\n",
	       100 * real(policy, "memory_used"), real(policy, "memory_stall"),
	       real(policy, "cpu_stall"));
	print_gain(policy);
}

static enum zsctl_exit policy(const struct zsctl_options *options,
			      const char *name, const char *title)
{
	static const char *const needed[] = {"exports", NULL};
	struct zsctl_answer answer;
	const json_t *export;
	enum zsctl_exit code;

	code = zsctl_ask(options, "stats", zsctl_arguments(name), NULL, needed,
			 &answer);
	if (code != ZSCTL_OK)
		return code;
	export = json_array_get(json_object_get(answer.reply.result, "exports"),
				0);
	if (options->json)
		zsctl_print_json(
			json_incref(json_object_get(export, "policy")));
	else
		print_policy(json_object_get(export, "policy"),
			     json_object_get(export, "disk"), title);
	zsctl_answer_fini(&answer);
	return ZSCTL_OK;
}

enum zsctl_exit zsctl_policy(const struct zsctl_options *options)
{
	return zsctl_each_export(options, policy);
}

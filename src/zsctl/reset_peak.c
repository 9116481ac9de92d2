/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl reset-peak`: measure the peak of memory use from now on. */
#include "config.h"

#include <stdio.h>

#include "zsctl/text.h"
#include "zsctl/zsctl.h"

static enum zsctl_exit reset_peak(const struct zsctl_options *options,
				  const char *name, const char *title)
{
	static const char *const needed[] = {"mem_used_max", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;
	char size[TEXT_BYTES];

	code = zsctl_ask(options, "reset_peak", zsctl_arguments(name), NULL,
			 needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json)
		printf("%s\n", answer.line);
	else
		printf("%smem_used_max starts again from %s\n", title,
		       text_member(answer.reply.result, "mem_used_max",
				   CTL_UNIT_BYTES, size));
	zsctl_answer_fini(&answer);
	return ZSCTL_OK;
}

enum zsctl_exit zsctl_reset_peak(const struct zsctl_options *options)
{
	return zsctl_each_export(options, reset_peak);
}

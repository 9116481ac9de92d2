/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl upgrade`: hand over to the zsd that is installed now. */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "zsctl/text.h"
#include "zsctl/zsctl.h"

/* How often to look whether it is done, ms, and for how long: a server has 60 s
 * to get ready. */
#define LOOK_MS	  50
#define MAX_LOOKS (70 * 1000 / LOOK_MS)

static json_int_t figure(const json_t *group, const char *name)
{
	return json_integer_value(json_object_get(group, name));
}

/* What comes of it, with what was so @before. Return: ZSCTL_OK where that is
 * not known yet. */
static enum zsctl_exit look(const struct zsctl_options *options,
			    const json_t *before, bool *is_done)
{
	static const char *const needed[] = {"survival", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;
	const json_t *survival;

	code = zsctl_ask(options, "stats", zsctl_arguments(NULL), NULL, needed,
			 &answer);
	if (code != ZSCTL_OK)
		return code;
	survival = json_object_get(answer.reply.result, "survival");
	*is_done =
		figure(survival, "generation") > figure(before, "generation");
	if (!*is_done && figure(survival, "refused_upgrades") >
				 figure(before, "refused_upgrades"))
		code = ZSCTL_REFUSED;
	if (*is_done && options->json)
		printf("%s\n", answer.line);
	zsctl_answer_fini(&answer);
	return code;
}

static enum zsctl_exit wait_for(const struct zsctl_options *options,
				const json_t *before)
{
	enum zsctl_exit code = ZSCTL_OK;
	bool is_done = false;

	for (unsigned i = 0; i < MAX_LOOKS && !is_done && code == ZSCTL_OK;
	     i++) {
		code = look(options, before, &is_done);
		if (!is_done)
			(void)usleep(LOOK_MS * 1000);
	}
	if (is_done && !options->json)
		printf("the zsd that is installed now serves\n");
	if (is_done || code == ZSCTL_UNREACHABLE)
		return code;
	(void)fprintf(
		stderr,
		"zsctl: the zsd that is installed now cannot take over, "
		"and the old one goes on; its log says why (journalctl -u "
		"zsd)\n");
	return ZSCTL_REFUSED;
}

enum zsctl_exit zsctl_upgrade(const struct zsctl_options *options)
{
	static const char *const needed[] = {"generation", "refused_upgrades",
					     NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;

	code = zsctl_ask(options, "upgrade", zsctl_arguments(NULL), NULL,
			 needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	code = wait_for(options, answer.reply.result);
	zsctl_answer_fini(&answer);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl writeback`: zram's attribute of that name, with its arguments. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "zsctl/text.h"
#include "zsctl/zsctl.h"

/* What one word of the list asks for. */
struct ask {
	const char *type; /* or NULL */
	json_int_t first, last; /* without one */
};

static bool parse_number(const char *text, const char **end, json_int_t *out)
{
	char *behind;

	errno = 0;
	*out = strtoll(text, &behind, 10);
	*end = behind;
	return *text >= '0' && *text <= '9' && !errno;
}

static bool parse_pages(const char *text, bool is_range, struct ask *ask)
{
	const char *end;

	if (!parse_number(text, &end, &ask->first))
		return false;
	ask->last = ask->first;
	if (is_range &&
	    (*end != '-' || !parse_number(end + 1, &end, &ask->last)))
		return false;
	return !*end && ask->first <= ask->last;
}

static bool is_type(const char *text)
{
	static const char *const types[] = {"idle", "huge", "huge_idle",
					    "incompressible"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i], text) == 0)
			return true;
	}
	return false;
}

/* "idle" or "type=idle", "page_index=N", "page_indexes=LOW-HIGH". */
static bool parse(const char *word, struct ask *ask)
{
	const char *value = strchr(word, '=');
	const size_t bytes = value ? (size_t)(value - word) : 0;

	*ask = (struct ask){0};
	if (!value || (bytes == 4 && !strncmp(word, "type", bytes))) {
		ask->type = value ? value + 1 : word;
		return is_type(ask->type);
	}
	if (bytes == 10 && !strncmp(word, "page_index", bytes))
		return parse_pages(value + 1, false, ask);
	return bytes == 12 && !strncmp(word, "page_indexes", bytes) &&
	       parse_pages(value + 1, true, ask);
}

static json_t *arguments_of(const struct ask *ask, const char *name)
{
	json_t *arguments = zsctl_arguments(name);
	int err = 0;

	if (ask->type)
		err = json_object_set_new(arguments, "type",
					  json_string(ask->type));
	else
		err = json_object_set_new(arguments, "first",
					  json_integer(ask->first)) ||
		      json_object_set_new(arguments, "last",
					  json_integer(ask->last));
	if (!err)
		return arguments;
	json_decref(arguments);
	return NULL;
}

/* Return: whether all was done. */
static bool print_outcome(const json_t *result, const char *title)
{
	const char *problem =
		json_string_value(json_object_get(result, "problem"));
	char pages[TEXT_BYTES], blocks[TEXT_BYTES], bytes[TEXT_BYTES];
	char duration[TEXT_BYTES];

	printf("%s%s pages are in the backing now: %s of objects in %s blocks "
	       "of 4 KiB; it took %s\n",
	       title,
	       text_member(result, "pages_written", CTL_UNIT_COUNT, pages),
	       text_member(result, "bytes_written", CTL_UNIT_BYTES, bytes),
	       text_member(result, "blocks", CTL_UNIT_COUNT, blocks),
	       text_member(result, "duration_us", CTL_UNIT_MICROSECONDS,
			   duration));
	if (!problem || !*problem)
		return true;
	(void)fflush(stdout);
	(void)fprintf(stderr, "zsctl: writeback: %s\n", problem);
	return false;
}

static enum zsctl_exit ask_one(const struct zsctl_options *options,
			       const struct ask *ask, const char *name,
			       const char *title)
{
	static const char *const needed[] = {"pages_written", "problem", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;
	const char *problem;
	bool is_done;

	code = zsctl_ask(options, "writeback", arguments_of(ask, name),
			 "writing out...", needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json) {
		printf("%s\n", answer.line);
		problem = json_string_value(
			json_object_get(answer.reply.result, "problem"));
		is_done = !problem || !*problem;
	} else {
		is_done = print_outcome(answer.reply.result, title);
	}
	zsctl_answer_fini(&answer);
	return is_done ? ZSCTL_OK : ZSCTL_REFUSED;
}

static enum zsctl_exit writeback(const struct zsctl_options *options,
				 const char *name, const char *title)
{
	enum zsctl_exit code = ZSCTL_OK;
	struct ask ask;

	/* As zram: what stands behind a type is not looked at. */
	for (unsigned i = 0; i < options->nr_list && code == ZSCTL_OK; i++) {
		(void)parse(options->list[i], &ask);
		code = ask_one(options, &ask, name, title);
		if (ask.type)
			break;
	}
	return code;
}

enum zsctl_exit zsctl_writeback(const struct zsctl_options *options)
{
	struct ask ask;

	for (unsigned i = 0; i < options->nr_list; i++) {
		if (parse(options->list[i], &ask))
			continue;
		(void)fprintf(stderr,
			      "zsctl: writeback: '%s' must be idle, huge, "
			      "huge_idle or incompressible, page_index=N or "
			      "page_indexes=LOW-HIGH\n",
			      options->list[i]);
		return ZSCTL_USAGE;
	}
	if (!options->nr_list) {
		(void)fprintf(stderr,
			      "zsctl: writeback: say which pages: idle, huge, "
			      "huge_idle, incompressible, page_index=N or "
			      "page_indexes=LOW-HIGH\n");
		return ZSCTL_USAGE;
	}
	return zsctl_each_export(options, writeback);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `zsctl stats`: every group and member that zsd sends, in its order, under the
 * names that --json and the manuals use, with what ctl/schema.h says of them.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "zsctl/text.h"
#include "zsctl/zsctl.h"

/* Width of the values: "1023.9 GiB", or twelve digits. */
#define VALUE_WIDTH 12

/* Room for the place of a group, bytes; what is longer is none of ours. */
#define PLACE_BYTES 128

/* The place of what is called @name in the group at @place. */
static void join_place(char out[PLACE_BYTES], const char *place,
		       const char *name, const char *end)
{
	if (snprintf(out, PLACE_BYTES, "%s.%s%s", place, name, end) >=
	    PLACE_BYTES)
		out[0] = '\0';
}

/* --- groups ----------------------------------------------------------------- */

/* The longest name in any group of @object, and in those of its arrays. */
static size_t name_width(json_t *object)
{
	size_t width = 0, inner, i;
	const char *name;
	json_t *value, *row;

	json_object_foreach(object, name, value)
	{
		inner = json_is_object(value) ? name_width(value)
					      : strlen(name);
		if (inner > width)
			width = inner;
		json_array_foreach(value, i, row)
		{
			inner = name_width(row);
			if (inner > width)
				width = inner;
		}
	}
	return width < TEXT_BYTES ? width : TEXT_BYTES;
}

static void print_figure(const char *place, const char *name,
			 const json_t *value, int width)
{
	const struct ctl_figure *figure = ctl_figure_find(place, name);
	char name_text[TEXT_BYTES], value_text[TEXT_BYTES];

	printf("  %-*s  %*s", width, text_plain(name, name_text, TEXT_BYTES),
	       VALUE_WIDTH,
	       text_value(value, figure ? figure->unit : CTL_UNIT_COUNT,
			  value_text));
	printf("%s%s\n", figure ? "  " : "", figure ? figure->help : "");
}

/* An array of objects: a line each, "name value" for each member. */
static void print_rows(const char *place, const char *name, const json_t *rows)
{
	char name_text[TEXT_BYTES], value_text[TEXT_BYTES];
	char row_place[PLACE_BYTES];
	const struct ctl_figure *figure;
	const char *member, *comma;
	json_t *row, *value;
	size_t i;

	join_place(row_place, place, name, "[]");
	printf("  %s%s\n", text_plain(name, name_text, TEXT_BYTES),
	       json_array_size(rows) ? "" : ": none");
	json_array_foreach(rows, i, row)
	{
		comma = "    ";
		json_object_foreach(row, member, value)
		{
			figure = ctl_figure_find(row_place, member);
			printf("%s%s %s", comma,
			       text_plain(member, name_text, TEXT_BYTES),
			       text_value(value,
					  figure ? figure->unit
						 : CTL_UNIT_COUNT,
					  value_text));
			comma = ", ";
		}
		printf("\n");
	}
}

/* Each group in @object, which is at @place. */
static void print_groups(const char *place, json_t *object, int width)
{
	char group_place[PLACE_BYTES], text[TEXT_BYTES];
	const char *group_name, *name;
	json_t *group, *value;

	json_object_foreach(object, group_name, group)
	{
		if (!json_is_object(group))
			continue;
		join_place(group_place, place, group_name, "");
		printf("\n%s\n", text_plain(group_name, text, TEXT_BYTES));
		json_object_foreach(group, name, value)
		{
			if (json_is_array(value))
				print_rows(group_place, name, value);
			else
				print_figure(group_place, name, value, width);
		}
	}
}

/* --- all of it ---------------------------------------------------------------
 */

/* Names and numbers may then mean something else: say so. */
static void check_protocol(const json_t *result)
{
	const json_t *protocol = json_object_get(result, "protocol");

	if (json_integer_value(protocol) != CTL_PROTOCOL)
		(void)fprintf(stderr,
			      "zsctl: zsd does not speak version %d of the "
			      "control protocol: use the zsctl that came with "
			      "it\n",
			      CTL_PROTOCOL);
}

static void print_head(const json_t *result)
{
	char version[TEXT_BYTES], pid[TEXT_BYTES], up[TEXT_BYTES];
	char threads[TEXT_BYTES], memory[TEXT_BYTES];

	printf("zsd %s, process %s, up %s, %s worker threads, %s of memory\n",
	       text_member(result, "version", CTL_UNIT_TEXT, version),
	       text_member(result, "pid", CTL_UNIT_COUNT, pid),
	       text_member(result, "uptime_seconds", CTL_UNIT_SECONDS, up),
	       text_member(result, "threads", CTL_UNIT_COUNT, threads),
	       text_member(result, "resident_bytes", CTL_UNIT_BYTES, memory));
}

/* The only one needs no name, unless it has one. */
static void print_export_head(const json_t *export, bool are_several)
{
	const char *name = json_string_value(json_object_get(export, "name"));
	const char *uuid = json_string_value(json_object_get(export, "uuid"));
	char text[CTL_ERROR_TEXT_BYTES];

	if (name && (*name || are_several))
		printf("\nexport '%s'\n", text_plain(name, text, sizeof(text)));
	if (uuid)
		printf("disk %s\n", text_plain(uuid, text, TEXT_BYTES));
}

static void print_all(json_t *result)
{
	const json_t *exports = json_object_get(result, "exports");
	const int width = (int)name_width(result);
	json_t *export;
	size_t i;

	check_protocol(result);
	print_head(result);
	json_array_foreach(exports, i, export)
	{
		print_export_head(export, json_array_size(exports) > 1);
		print_groups("stats.exports[]", export, width);
	}
	if (json_array_size(exports) > 1)
		printf("\nall exports\n");
	print_groups("stats", result, width);
}

static enum zsctl_exit stats(const struct zsctl_options *options)
{
	static const char *const needed[] = {"exports", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;

	code = zsctl_ask(options, "stats", zsctl_arguments(options->export),
			 NULL, needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json)
		printf("%s\n", answer.line);
	else
		print_all(answer.reply.result);
	zsctl_answer_fini(&answer);
	return ZSCTL_OK;
}

/* --- the table of size classes
 * ------------------------------------------------ */

/* As zsmalloc's `classes` file has them. */
static const char *const columns[] = {
	"class",	 "size",     "almost_full", "almost_empty",
	"obj_allocated", "obj_used", "pages_used",  "pages_per_zspage",
	"freeable",
};

static const char *cell(const json_t *row, size_t column, char text[TEXT_BYTES])
{
	const json_t *value = json_object_get(row, columns[column]);

	if (!value)
		return column == 0 ? "Total" : "";
	return text_value(value, CTL_UNIT_COUNT, text);
}

static void widen(int *width, const char *text)
{
	if ((int)strlen(text) > *width)
		*width = (int)strlen(text);
}

static void print_row(const json_t *row, const int *widths)
{
	char text[TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		printf("%s%*s", i ? "  " : "", widths[i], cell(row, i, text));
	printf("\n");
}

static void print_classes(const json_t *result)
{
	const json_t *rows = json_object_get(result, "classes");
	const json_t *total = json_object_get(result, "total");
	int widths[ARRAY_SIZE(columns)] = {0};
	char text[TEXT_BYTES];
	const json_t *row;
	size_t r, i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		widen(&widths[i], columns[i]);
		widen(&widths[i], cell(total, i, text));
		json_array_foreach(rows, r, row)
			widen(&widths[i], cell(row, i, text));
	}
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		printf("%s%*s", i ? "  " : "", widths[i], columns[i]);
	printf("\n");
	json_array_foreach(rows, r, row) print_row(row, widths);
	print_row(total, widths);
}

static enum zsctl_exit classes(const struct zsctl_options *options,
			       const char *name, const char *title)
{
	static const char *const needed[] = {"classes", "total", NULL};
	json_t *arguments = zsctl_arguments(name);
	struct zsctl_answer answer;
	enum zsctl_exit code;

	if (json_object_set_new(arguments, "classes", json_true())) {
		json_decref(arguments);
		arguments = NULL;
	}
	code = zsctl_ask(options, "stats", arguments, NULL, needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->json) {
		printf("%s\n", answer.line);
	} else {
		if (*title)
			printf("%s\n", title);
		print_classes(answer.reply.result);
	}
	zsctl_answer_fini(&answer);
	return ZSCTL_OK;
}

enum zsctl_exit zsctl_stats(const struct zsctl_options *options)
{
	return options->classes ? zsctl_each_export(options, classes)
				: stats(options);
}

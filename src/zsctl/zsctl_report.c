/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "ctl/ctl.h"
#include "zsctl/zsctl_report.h"
#include "zsctl/zsctl_text.h"

bool report_lacks(const json_t *result, const char *const *names)
{
	for (; *names; names++) {
		if (json_object_get(result, *names))
			continue;
		(void)fprintf(stderr,
			      "zsctl: zsd's reply lacks '%s'\n"
			      "zsctl: use the zsctl that came with this zsd\n",
			      *names);
		return true;
	}
	return false;
}

/* --- the table of size classes ------------------------------------------- */

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
	return text_value(value, TEXT_PLAIN, text);
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

enum zsctl_exit report_classes(json_t *result)
{
	const json_t *rows = json_object_get(result, "classes");
	const json_t *total = json_object_get(result, "total");
	int widths[ARRAY_SIZE(columns)] = {0};
	char text[TEXT_BYTES];
	static const char *const needed[] = {"classes", "total", NULL};
	const json_t *row;
	size_t r, i;

	if (report_lacks(result, needed))
		return ZSCTL_UNREACHABLE;
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
	return ZSCTL_OK;
}

/* --- outcomes in one line ------------------------------------------------ */

/* A time as people read it: "850 us", "12.3 ms", "4.5 s". */
static char *duration_text(const json_t *us_json, char text[TEXT_BYTES])
{
	const double us = (double)json_integer_value(us_json);

	if (!json_is_integer(us_json))
		(void)snprintf(text, TEXT_BYTES, "-");
	else if (us < 1e3)
		(void)snprintf(text, TEXT_BYTES, "%.0f us", us);
	else if (us < 1e6)
		(void)snprintf(text, TEXT_BYTES, "%.1f ms", us / 1e3);
	else
		(void)snprintf(text, TEXT_BYTES, "%.1f s", us / 1e6);
	return text;
}

enum zsctl_exit report_compact(json_t *result)
{
	static const char *const needed[] = {"bytes_freed", NULL};
	char size[TEXT_BYTES], pages[TEXT_BYTES], objects[TEXT_BYTES];
	char duration[TEXT_BYTES], release[TEXT_BYTES];

	if (report_lacks(result, needed))
		return ZSCTL_UNREACHABLE;
	printf("freed %s (%s pages), moved %s objects in %s; "
	       "giving memory back took %s\n",
	       text_value(json_object_get(result, "bytes_freed"), TEXT_SIZE,
			  size),
	       text_value(json_object_get(result, "pages_compacted"),
			  TEXT_PLAIN, pages),
	       text_value(json_object_get(result, "objects_moved"), TEXT_PLAIN,
			  objects),
	       duration_text(json_object_get(result, "duration_us"), duration),
	       duration_text(json_object_get(result, "release_us"), release));
	return ZSCTL_OK;
}

enum zsctl_exit report_verify(json_t *result)
{
	const char *problem =
		json_string_value(json_object_get(result, "problem"));
	const bool ok = json_is_true(json_object_get(result, "ok"));
	char pages[TEXT_BYTES], duration[TEXT_BYTES];
	static const char *const needed[] = {"ok", NULL};
	char problem_text[CTL_ERROR_TEXT_BYTES];

	if (report_lacks(result, needed))
		return ZSCTL_UNREACHABLE;
	printf("%s: %s stored pages checked in %s\n", ok ? "ok" : "BROKEN",
	       text_value(json_object_get(result, "pages_checked"), TEXT_PLAIN,
			  pages),
	       duration_text(json_object_get(result, "duration_us"), duration));
	if (ok)
		return ZSCTL_OK;
	(void)fprintf(stderr,
		      "zsctl: %s\n"
		      "zsctl: do not trust what the disk returns: replace "
		      "this zsd\n",
		      text_plain(problem ? problem : "it does not say why",
				 problem_text, sizeof(problem_text)));
	return ZSCTL_REFUSED;
}

void report_refusal(const char *command, const char *code, const char *message)
{
	char code_text[TEXT_BYTES], message_text[CTL_ERROR_TEXT_BYTES];

	(void)fprintf(stderr, "zsctl: zsd refused '%s': %s (%s)\n", command,
		      text_plain(message, message_text, sizeof(message_text)),
		      text_plain(code, code_text, sizeof(code_text)));
}

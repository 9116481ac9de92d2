/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * figures - tables of all figures in ctl/schema.h, as docs/control-protocol.md
 * has them: a line "<!-- figures PLACE -->" and a table for each group
 */
#include "config.h"

#include <stdio.h>

#include "ctl/schema.h"

static const char *const units[] = {
	[CTL_UNIT_COUNT] = "integer",
	[CTL_UNIT_BYTES] = "bytes",
	[CTL_UNIT_LIMIT] = "bytes; 0: none",
	[CTL_UNIT_SECONDS] = "seconds",
	[CTL_UNIT_MICROSECONDS] = "microseconds",
	[CTL_UNIT_SIGNED] = "integer, may be negative",
	[CTL_UNIT_REAL] = "real",
	[CTL_UNIT_FLAG] = "boolean",
	[CTL_UNIT_TEXT] = "string",
};

static void print_group(const struct ctl_group *group)
{
	const struct ctl_figure *figure;

	printf("<!-- figures %s -->\n\n"
	       "| member | unit | |\n"
	       "| --- | --- | --- |\n",
	       group->place);
	for (size_t i = 0; i < group->nr_figures; i++) {
		figure = &group->figures[i];
		printf("| `%s` | %s | %s%s |\n", figure->name,
		       units[figure->unit], figure->help,
		       figure->kind == CTL_KIND_COUNTER ? ", so far" : "");
	}
	printf("\n");
}

int main(void)
{
	for (size_t i = 0; i < ctl_nr_groups; i++)
		print_group(&ctl_groups[i]);
	return 0;
}

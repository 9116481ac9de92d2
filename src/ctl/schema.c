/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/compiler.h"
#include "ctl/schema.h"

#define FIGURE(name, unit, kind, help) \
	{#name, CTL_UNIT_##unit, CTL_KIND_##kind, help},
#define DEFINE_TABLE(name, FIGURES, place) \
	static const struct ctl_figure name##_figures[] = {FIGURES(FIGURE)};
CTL_GROUPS(DEFINE_TABLE)

#define GROUP(name, FIGURES, place) \
	{place, name##_figures, ARRAY_SIZE(name##_figures)},
const struct ctl_group ctl_groups[] = {CTL_GROUPS(GROUP)};
const size_t ctl_nr_groups = ARRAY_SIZE(ctl_groups);

static const struct ctl_figure *find_in(const struct ctl_group *group,
					const char *name)
{
	for (size_t i = 0; i < group->nr_figures; i++) {
		if (strcmp(group->figures[i].name, name) == 0)
			return &group->figures[i];
	}
	return NULL;
}

const struct ctl_figure *ctl_figure_find(const char *place, const char *name)
{
	for (size_t i = 0; i < ctl_nr_groups; i++) {
		if (strcmp(ctl_groups[i].place, place) == 0)
			return find_in(&ctl_groups[i], name);
	}
	return NULL;
}

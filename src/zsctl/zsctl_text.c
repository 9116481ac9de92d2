/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "zsctl/zsctl_text.h"

char *text_plain(const char *from, char *text, size_t bytes)
{
	size_t i;

	for (i = 0; i + 1 < bytes && from[i]; i++) {
		text[i] = '?';
		if (from[i] >= ' ' && from[i] <= '~')
			text[i] = from[i];
	}
	text[i] = '\0';
	return text;
}

static char *integer_text(json_int_t n, enum text_unit unit,
			  char text[TEXT_BYTES])
{
	if (unit == TEXT_PLAIN || n < 0)
		(void)snprintf(text, TEXT_BYTES, "%" JSON_INTEGER_FORMAT, n);
	else if (unit == TEXT_SIZE_OR_NONE && n == 0)
		(void)snprintf(text, TEXT_BYTES, "none");
	else
		units_format((uint64_t)n, text);
	return text;
}

char *text_value(const json_t *value, enum text_unit unit,
		 char text[TEXT_BYTES])
{
	if (json_is_integer(value))
		return integer_text(json_integer_value(value), unit, text);
	if (json_is_string(value))
		return text_plain(json_string_value(value), text, TEXT_BYTES);
	if (json_is_real(value))
		(void)snprintf(text, TEXT_BYTES, "%.2f",
			       json_real_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(text, TEXT_BYTES, "%s",
			       json_is_true(value) ? "yes" : "no");
	else
		(void)snprintf(text, TEXT_BYTES, "-");
	return text;
}

char *text_uptime(uint64_t seconds, char text[TEXT_BYTES])
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	size_t i = 0;

	if (seconds < 60) {
		(void)snprintf(text, TEXT_BYTES, "%" PRIu64 " s", seconds);
		return text;
	}
	while (i + 2 < ARRAY_SIZE(units) && seconds < units[i].seconds)
		i++;
	(void)snprintf(text, TEXT_BYTES, "%" PRIu64 " %s %" PRIu64 " %s",
		       seconds / units[i].seconds, units[i].name,
		       seconds % units[i].seconds / units[i + 1].seconds,
		       units[i + 1].name);
	return text;
}

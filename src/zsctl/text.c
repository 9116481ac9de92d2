/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "zsctl/text.h"

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

/* --- integers, by their unit ----------------------------------------------- */

static void write_count(uint64_t n, char text[TEXT_BYTES])
{
	(void)snprintf(text, TEXT_BYTES, "%" PRIu64, n);
}

static void write_size(uint64_t bytes, char text[TEXT_BYTES])
{
	units_format(bytes, text);
}

static void write_limit(uint64_t bytes, char text[TEXT_BYTES])
{
	if (bytes)
		units_format(bytes, text);
	else
		(void)snprintf(text, TEXT_BYTES, "none");
}

/* "850 us", "12.3 ms", "4.5 s" */
static void write_duration(uint64_t us, char text[TEXT_BYTES])
{
	if (us < 1000)
		(void)snprintf(text, TEXT_BYTES, "%" PRIu64 " us", us);
	else if (us < 1000000)
		(void)snprintf(text, TEXT_BYTES, "%.1f ms", (double)us / 1e3);
	else
		(void)snprintf(text, TEXT_BYTES, "%.1f s", (double)us / 1e6);
}

/* "3 d 4 h", "12 min 3 s", "7 s" */
static void write_time(uint64_t seconds, char text[TEXT_BYTES])
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	size_t i = 0;

	if (seconds < 60) {
		(void)snprintf(text, TEXT_BYTES, "%" PRIu64 " s", seconds);
		return;
	}
	while (i + 2 < ARRAY_SIZE(units) && seconds < units[i].seconds)
		i++;
	(void)snprintf(text, TEXT_BYTES, "%" PRIu64 " %s %" PRIu64 " %s",
		       seconds / units[i].seconds, units[i].name,
		       seconds % units[i].seconds / units[i + 1].seconds,
		       units[i + 1].name);
}

static void write_integer(json_int_t n, enum ctl_unit unit,
			  char text[TEXT_BYTES])
{
	static void (*const writers[])(uint64_t n, char text[TEXT_BYTES]) = {
		[CTL_UNIT_COUNT] = write_count,
		[CTL_UNIT_BYTES] = write_size,
		[CTL_UNIT_LIMIT] = write_limit,
		[CTL_UNIT_SECONDS] = write_time,
		[CTL_UNIT_MICROSECONDS] = write_duration,
	};

	if (n >= 0 && unit < ARRAY_SIZE(writers))
		writers[unit]((uint64_t)n, text);
	else
		(void)snprintf(text, TEXT_BYTES, "%" JSON_INTEGER_FORMAT, n);
}

/* --- values ----------------------------------------------------------------- */

char *text_value(const json_t *value, enum ctl_unit unit, char text[TEXT_BYTES])
{
	if (json_is_integer(value))
		write_integer(json_integer_value(value), unit, text);
	else if (json_is_string(value))
		text_plain(json_string_value(value), text, TEXT_BYTES);
	else if (json_is_real(value))
		(void)snprintf(text, TEXT_BYTES, "%.2f",
			       json_real_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(text, TEXT_BYTES, "%s",
			       json_is_true(value) ? "yes" : "no");
	else
		(void)snprintf(text, TEXT_BYTES, "-");
	return text;
}

char *text_member(const json_t *object, const char *name, enum ctl_unit unit,
		  char text[TEXT_BYTES])
{
	return text_value(json_object_get(object, name), unit, text);
}

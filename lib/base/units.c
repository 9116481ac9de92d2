/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

/* In order: each is 2^10 times the one before. */
static const char suffixes[] = "KMGT";

static int suffix_shift(const char *text, unsigned *shift)
{
	const char *found;

	*shift = 0;
	if (*text == '\0' || strcasecmp(text, "B") == 0)
		return 0;
	found = strchr(suffixes, toupper((unsigned char)*text));
	if (!found)
		return -EINVAL;
	text++;
	if (*text != '\0' && strcasecmp(text, "B") != 0 &&
	    strcasecmp(text, "iB") != 0)
		return -EINVAL;
	*shift = 10 * (unsigned)(found - suffixes + 1);
	return 0;
}

int units_parse(const char *text, uint64_t *out)
{
	unsigned long long n;
	unsigned shift;
	bool is_huge;
	char *end;
	int err;

	if (!isdigit((unsigned char)*text)) /* strtoull would take "-1" */
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	is_huge = errno;
	err = suffix_shift(end, &shift);
	if (err)
		return err;
	if (is_huge || n > UINT64_MAX >> shift)
		return -ERANGE;
	*out = (uint64_t)n << shift;
	return 0;
}

char *units_format(uint64_t bytes, char text[UNITS_TEXT_BYTES])
{
	uint64_t tenths, unit = KIB;
	size_t i = 0;

	if (bytes < KIB) {
		snprintf(text, UNITS_TEXT_BYTES, "%" PRIu64 " B", bytes);
		return text;
	}
	/* The last unit takes what is left; rounding must not print 1024.0. */
	while (i + 1 < strlen(suffixes) && bytes >= unit * 1024 - unit / 20) {
		unit <<= 10;
		i++;
	}
	tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
	snprintf(text, UNITS_TEXT_BYTES, "%" PRIu64 ".%u %ciB", tenths / 10,
		 (unsigned)(tenths % 10), suffixes[i]);
	return text;
}

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

/* Digits of a fraction that are told apart. */
#define FRACTION_DIGITS 9
#define FRACTION_ONE	UINT64_C(1000000000)

/* A number as it is written: "1.5" is 1 and 500,000,000. */
struct number {
	uint64_t whole;
	uint64_t fraction; /* of FRACTION_ONE */
	bool is_huge; /* too large for 64 bits */
};

/* Return: what follows the number, or NULL where there is none. */
static const char *read_fraction(const char *text, uint64_t *fraction)
{
	uint64_t digit = FRACTION_ONE / 10;

	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++, digit /= 10) {
		if (!digit && *text != '0')
			return NULL; /* no size needs more digits */
		*fraction += digit * (uint64_t)(*text - '0');
	}
	return text;
}

/* Return: what follows the number, or NULL where there is none. */
static const char *read_number(const char *text, struct number *number)
{
	char *end;

	if (!isdigit((unsigned char)*text)) /* strtoull would take "-1" */
		return NULL;
	errno = 0;
	number->whole = strtoull(text, &end, 10);
	number->is_huge = errno;
	number->fraction = 0;
	if (*end == '.')
		return read_fraction(end + 1, &number->fraction);
	return end;
}

/* --- suffixes ------------------------------------------------------------- */

static int suffix_shift(const char *text, unsigned *shift)
{
	const char *found;

	*shift = 0;
	if (*text == '\0' || strcasecmp(text, "B") == 0)
		return 0;
	found = strchr(suffixes, toupper((unsigned char)*text));
	if (!found || (text[1] != '\0' && strcasecmp(text + 1, "iB") != 0))
		return -EINVAL;
	*shift = 10 * (unsigned)(found - suffixes + 1);
	return 0;
}

static int scale(const struct number *number, unsigned shift, uint64_t *out)
{
	/* Less than 2^30 of less than 2^40: in two steps. */
	const uint64_t low_shift = shift > 30 ? 30 : shift;
	const uint64_t low = number->fraction << low_shift;
	const uint64_t part =
		(low / FRACTION_ONE << (shift - low_shift)) +
		(low % FRACTION_ONE << (shift - low_shift)) / FRACTION_ONE;

	if (number->fraction && !shift)
		return -EINVAL; /* a part of a byte */
	if (number->is_huge || number->whole > UINT64_MAX >> shift ||
	    part > UINT64_MAX - (number->whole << shift))
		return -ERANGE;
	*out = (number->whole << shift) + part;
	return 0;
}

/* --- shares --------------------------------------------------------------- */

/* Ten times what there is: more is a slip of the hand. */
#define MAX_PERCENT 1000

static int take_percent(const struct number *number, uint64_t whole_bytes,
			uint64_t *out)
{
	const uint64_t pages = whole_bytes / ZSD_PAGE_BYTES;

	if (number->is_huge || number->whole > MAX_PERCENT)
		return -ERANGE;
	/* In thousandths of a percent; no machine has 2^44 pages. */
	*out = pages * (number->whole * 1000 + number->fraction / 1000000) /
	       100000 * ZSD_PAGE_BYTES;
	return 0;
}

/* "ram", "ram/2" */
static int take_ram(const char *text, uint64_t whole_bytes, uint64_t *out)
{
	struct number divisor = {.whole = 1};
	const char *end = text;

	if (*text == '/')
		end = read_number(text + 1, &divisor);
	if (!end || *end || divisor.fraction || !divisor.whole)
		return -EINVAL;
	*out = whole_bytes / divisor.whole / ZSD_PAGE_BYTES * ZSD_PAGE_BYTES;
	return 0;
}

int units_parse(const char *text, uint64_t whole_bytes, uint64_t *out)
{
	struct number number;
	const char *end;
	unsigned shift;
	int err;

	if (whole_bytes && strncasecmp(text, "ram", 3) == 0)
		return take_ram(text + 3, whole_bytes, out);
	end = read_number(text, &number);
	if (!end)
		return -EINVAL;
	if (whole_bytes && strcmp(end, "%") == 0)
		return take_percent(&number, whole_bytes, out);
	err = suffix_shift(end, &shift);
	return err ? err : scale(&number, shift, out);
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "zsd/options/utf8.h"

/* Bytes that follow the first one of a character, or -1. RFC 3629. */
static int nr_following(unsigned char first)
{
	if (first < 0x80)
		return 0;
	if (first >= 0xc2 && first < 0xe0)
		return 1;
	if (first >= 0xe0 && first < 0xf0)
		return 2;
	return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

/* The second byte must not make a longer form than is needed, a surrogate, or
 * what is beyond Unicode. */
static bool is_second(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
	}
}

bool utf8_is_valid(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		const unsigned char first = *at++;
		const int nr = nr_following(first);

		if (nr < 0 || (nr && !is_second(first, *at)))
			return false;
		for (int i = 0; i < nr; i++) {
			if ((*at++ & 0xc0) != 0x80)
				return false;
		}
	}
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "ctl/ctl_base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

void ctl_base64_encode(const void *src, size_t bytes, char *dst)
{
	const unsigned char *from = src;

	for (size_t i = 0; i < bytes; i += 3, dst += 4) {
		uint32_t group = (uint32_t)from[i] << 16;

		if (i + 1 < bytes)
			group |= (uint32_t)from[i + 1] << 8;
		if (i + 2 < bytes)
			group |= from[i + 2];
		dst[0] = digits[group >> 18];
		dst[1] = digits[group >> 12 & 63];
		dst[2] = i + 1 < bytes ? digits[group >> 6 & 63] : '=';
		dst[3] = i + 2 < bytes ? digits[group & 63] : '=';
	}
	*dst = '\0';
}

/* Bytes that four characters stand for; 0 where they do not. */
static unsigned decode_group(const char *text, unsigned char bytes[3])
{
	unsigned nr_digits = 0;
	uint32_t group = 0;

	for (unsigned i = 0; i < 4; i++) {
		const char *digit = strchr(digits, text[i]);

		group <<= 6;
		if (text[i] == '=' && i >= 2)
			continue;
		if (!digit || nr_digits < i)
			return 0;
		group |= (uint32_t)(digit - digits);
		nr_digits++;
	}
	bytes[0] = (unsigned char)(group >> 16);
	bytes[1] = (unsigned char)(group >> 8);
	bytes[2] = (unsigned char)group;
	return nr_digits - 1;
}

int ctl_base64_decode(const char *text, void *dst, size_t dst_bytes,
		      size_t *out_bytes)
{
	const size_t chars = strlen(text);
	unsigned char *to = dst, bytes[3];
	size_t nr = 0;

	if (chars % 4)
		return -EPROTO;
	for (size_t i = 0; i < chars; i += 4) {
		unsigned n = decode_group(text + i, bytes);

		if (!n || (n < 3 && i + 4 < chars))
			return -EPROTO;
		if (n > dst_bytes - nr)
			return -EMSGSIZE;
		memcpy(to + nr, bytes, n);
		nr += n;
	}
	*out_bytes = nr;
	return 0;
}

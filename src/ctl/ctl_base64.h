/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_base64 - bytes as text, for a JSON string
 *
 * Source: RFC 4648, section 4: with padding, in one line.
 */
#ifndef ZSD_CTL_CTL_BASE64_H
#define ZSD_CTL_CTL_BASE64_H

#include <stddef.h>

#include "base/compiler.h"

/* Length of the text of so many bytes, without the final NUL. */
#define CTL_BASE64_CHARS(bytes) (((bytes) + 2) / 3 * 4)

/* ctl_base64_encode() - write @bytes and a NUL to @dst, which has room for
 * CTL_BASE64_CHARS(bytes) + 1 */
void ctl_base64_encode(const void *src, size_t bytes, char *dst);

/**
 * ctl_base64_decode() - read a text back
 * @text:      any; what is no base64 is an error
 * @dst:       room for @dst_bytes
 * @out_bytes: receives how many there were; untouched on error
 *
 * Return: 0, -EPROTO where it is no base64, -EMSGSIZE where there are more.
 */
int ctl_base64_decode(const char *text, void *dst, size_t dst_bytes,
		      size_t *out_bytes) ZSD_MUST_CHECK;

#endif

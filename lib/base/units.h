/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * units - sizes: the page, the binary multiples, and their text form
 */
#ifndef ZSD_BASE_UNITS_H
#define ZSD_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

/*
 * The unit of the store and of the arena, bytes. Linux swaps in pages of this
 * size on the machines we serve, and a zspage is a chain of them.
 */
#define ZSD_PAGE_SHIFT 12
#define ZSD_PAGE_BYTES ((uint32_t)1 << ZSD_PAGE_SHIFT)

/* Room for units_format(), bytes with the final NUL ("1023.9 GiB"). */
#define UNITS_TEXT_BYTES 32

/**
 * units_parse() - read a size such as "512M", "1.5G", "50%" or "ram/2"
 * @text:        a decimal number, a fraction allowed, with at most one suffix
 *               K, M, G or T in either case (powers of 1024), also written
 *               KiB …; a number with "%"; or "ram", "ram/N". Hostile input of
 *               any kind is answered with an error
 * @whole_bytes: what "%" and "ram" are shares of; 0: they are no sizes here
 * @out:         receives bytes, of a share whole pages; untouched on error
 *
 * "GB" is 10^9 to some and 2^30 to others, and so no size to us.
 *
 * Return: 0, -EINVAL where the text is no size, -ERANGE above 2^64-1 bytes.
 */
int units_parse(const char *text, uint64_t whole_bytes,
		uint64_t *out) ZSD_MUST_CHECK;

/**
 * units_format() - write a size as people read it: "512 B", "1.5 MiB"
 * @bytes: the size
 * @text:  receives at most UNITS_TEXT_BYTES, always terminated
 *
 * One decimal below 1024 of a unit, rounded to nearest. Return: @text.
 */
char *units_format(uint64_t bytes, char text[UNITS_TEXT_BYTES]);

#endif

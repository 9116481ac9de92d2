/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * area - a swap area: what mkswap(8) writes, and what swapon(8) asks for
 *
 * Terms:
 *   header   the first page of the area: version 1, how many pages there are,
 *            a UUID and a label, and a signature at its end
 *
 * Threads: pure functions, and system calls.
 * Source: Linux include/linux/swap.h (union swap_header), mm/swapfile.c;
 * swapon(2).
 */
#ifndef ZSD_ZSCTL_SWAP_AREA_H
#define ZSD_ZSCTL_SWAP_AREA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* The page of the machines that zsd runs on, bytes. */
#define AREA_PAGE_BYTES 4096u

#define AREA_UUID_BYTES	 16
#define AREA_LABEL_BYTES 16

/* Fewer are no swap area to the kernel, more do not fit its header. */
#define AREA_MIN_PAGES 10u
#define AREA_MAX_PAGES UINT32_MAX

/**
 * area_format() - the header of an area
 * @size_bytes: of the device
 * @label:      cut to AREA_LABEL_BYTES - 1
 * @page:       receives it, all of it
 *
 * Return: 0, or -ERANGE where the device is too small or too large.
 */
int area_format(uint64_t size_bytes, const uint8_t uuid[AREA_UUID_BYTES],
		const char *label,
		uint8_t page[AREA_PAGE_BYTES]) ZSD_MUST_CHECK;

/* Whether a page is the header of an area that fills a device of that size. */
bool area_is(const uint8_t page[AREA_PAGE_BYTES], uint64_t size_bytes);

/**
 * area_on() - swap on a device, and discard what is freed
 * @priority: 0 to 32767; the kernel takes the highest first
 *
 * Return: 0 or the -errno of swapon(2).
 */
int area_on(const char *path, unsigned priority) ZSD_MUST_CHECK;

/* area_off() - bring everything back, and swap there no more; takes its time.
 * Return: 0, -ENOMEM where there is no room for it, or -errno. */
int area_off(const char *path) ZSD_MUST_CHECK;

#endif

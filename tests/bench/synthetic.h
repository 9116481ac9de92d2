/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * synthetic - made-up memory pages that compress like those of programs
 *
 * For machines that have no recorded pages. Kinds of page, in runs of
 * SYNTHETIC_RUN_PAGES neighbours as heaps have them: records with pointers,
 * text, program code, pages of one repeated word, zeros, random bytes.
 * The same seed gives the same bytes on every little-endian machine.
 */
#ifndef ZSD_BENCH_SYNTHETIC_H
#define ZSD_BENCH_SYNTHETIC_H

#include <stdint.h>

/* Neighbouring pages of one kind. */
#define SYNTHETIC_RUN_PAGES 8u

/* Fills @nr_pages pages of 4 KiB at @pages. */
void synthetic_fill(unsigned char *pages, uint64_t nr_pages, uint64_t seed);

#endif

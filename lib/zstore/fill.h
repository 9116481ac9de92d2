/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fill - pages that repeat one 8-byte word
 */
#ifndef ZSD_ZSTORE_FILL_H
#define ZSD_ZSTORE_FILL_H

#include <stdbool.h>
#include <stdint.h>

/**
 * fill_detect() - whether a page repeats its first word throughout
 * @page: ZSD_PAGE_BYTES, any alignment
 * @word: receives the word if so
 *
 * Cost: two loads for most pages that do not.
 */
bool fill_detect(const void *page, uint64_t *word);

/* fill_page() - make @page (ZSD_PAGE_BYTES, any alignment) repeat @word */
void fill_page(void *page, uint64_t word);

#endif

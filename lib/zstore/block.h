/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block - several objects in one block of the backing
 *
 *   bytes 0-1    how many there are
 *   6 each       the directory: number of the page, length of its object
 *   …            free
 *   to the end   the objects, the first one last
 *
 * in the machine's byte order: only who has the image can read it. A page that
 * is stored raw fills a block, which then has no directory.
 *
 * Pure functions over bytes. What is found in damaged ones is inside the block.
 */
#ifndef ZSD_ZSTORE_BLOCK_H
#define ZSD_ZSTORE_BLOCK_H

#include <stdint.h>

/* Room for one more object, bytes, behind @nr that have @used_bytes. */
uint32_t block_room(unsigned nr, uint32_t used_bytes);

/* Where to put it: its entry is made, but not counted. There is room for it. */
unsigned char *block_add(unsigned char *block, unsigned nr, uint32_t used_bytes,
			 uint32_t page, uint32_t len_bytes);

/* All are there. */
void block_end(unsigned char *block, unsigned nr);

/* The first object of a page that has that length; or NULL. A page that was
 * written anew while the block was filled may have several. */
const unsigned char *block_find(const unsigned char *block, uint32_t page,
				uint32_t len_bytes);

#endif

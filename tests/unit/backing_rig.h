/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backing_rig - a file that may be a backing, and what is heard of one
 *
 * Files are made where direct I/O works: in the folder that ZSD_TEST_DIR names,
 * else in the working folder, else in /var/tmp. Where none of these is on a
 * disk the tests fail, and say so.
 */
#ifndef ZSD_UNIT_BACKING_RIG_H
#define ZSD_UNIT_BACKING_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backing/backing_internal.h"

#define RIG_PATH_BYTES 256

/* Blocks of the file that rig_setup() makes. */
#define RIG_BLOCKS 1024u

extern char rig_path[RIG_PATH_BYTES]; /* of that file */

/* The last line that was logged; "" at the start of each test. */
extern char rig_line[512];

/* Fixture: makes the file, with all of its blocks. */
void rig_setup(void);
void rig_teardown(void);

/* Parameters for it, with fetched() counted. */
struct backing_params rig_params(bool is_swapped_on, bool encrypt);

/* A key, other than that of another number. */
void rig_key(unsigned number, unsigned char key[BACKING_KEY_BYTES]);

/* Open for swap, claim and start; NULL @ops: the system's. */
struct backing *rig_start(bool encrypt, const struct backing_ops *ops);

/* How often fetched() was called; wait until it was called more often. */
unsigned rig_told(void);
void rig_wait_told(unsigned seen);

/* Ask until all are here. Fails after a minute. */
void rig_need(struct backing *backing, const uint32_t *blocks, unsigned nr);

/* What a test writes to a block; version 0 is what nobody wrote. */
void rig_fill(uint32_t block, unsigned version,
	      unsigned char page[BACKING_BLOCK_BYTES]);
bool rig_holds(uint32_t block, unsigned version,
	       const unsigned char page[BACKING_BLOCK_BYTES]);

/* Write one block, which must work. */
void rig_write(struct backing *backing, uint32_t block, unsigned version);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * behind - a backing in memory, that fails as it is told
 *
 * What is asked for is here when behind_arrive() was called, and is taken once.
 * Threads: any, but for behind_init() and behind_fini().
 */
#ifndef ZSD_MODEL_BEHIND_H
#define ZSD_MODEL_BEHIND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "zstore/zstore_backing.h"

enum behind_state {
	BEHIND_AWAY,
	BEHIND_ASKED,
	BEHIND_HERE,
};

struct behind {
	pthread_mutex_t lock; /* all below */
	unsigned char *bytes;
	bool owns_bytes;
	uint8_t *states; /* enum behind_state, by block */
	uint32_t nr_blocks;
	bool arrives_at_once;
	unsigned read_fails; /* one of so many; 0: none */
	unsigned write_fails;
	unsigned write_tears; /* one of so many comes in two parts, and others
			       * may read in between; 0: none */
	uint64_t nr_reads;
	uint64_t nr_read_failures;
	uint64_t nr_writes;
	uint64_t nr_write_failures;
	uint64_t random;
};

/* Release: behind_fini(). */
void behind_init(struct behind *behind, uint32_t nr_blocks);
void behind_fini(struct behind *behind);

/* The same over the caller's bytes, which may be other processes', too; what is
 * here is one's own. */
void behind_init_over(struct behind *behind, uint32_t nr_blocks,
		      unsigned char *bytes);

/* For struct zstore_params. */
struct zstore_backing behind_backing(struct behind *behind);

/* All that was asked for is here. Return: whether there was anything. */
bool behind_arrive(struct behind *behind);

/* How often it is to fail: one of so many, 0: never. */
void behind_fail(struct behind *behind, unsigned reads, unsigned writes);

/* Write a block as a whole, or not at all. Return: 0 or -EREMOTEIO. */
int behind_write(struct behind *behind, const struct zstore_block_out *out);

/* Write all that is due. Return: 0, or as zstore_writeback_fill(). */
int behind_write_out(struct behind *behind, struct zstore_ctx *ctx,
		     const struct zstore_writeback *how,
		     struct zstore_writing *at, unsigned looks);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_plan - which request comes next, and what the disk must hold by now
 *
 * Terms:
 *   block    the unit of every request: block_bytes of the disk, aligned.
 *   content  what a block holds as far as we know: pages of the pool from a
 *            certain one on, zeros, or CONTENT_UNKNOWN.
 *
 * At most one request is under way for a block at any time, over all
 * connections. So what a read must return is certain, and can be checked.
 *
 * Threads: one.
 */
#ifndef ZSD_BENCH_LOAD_PLAN_H
#define ZSD_BENCH_LOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_frame.h"

enum load_op {
	LOAD_READ,
	LOAD_WRITE,
	LOAD_TRIM,
	LOAD_NR_OPS,
};

/* Contents that are not the index of a page in the pool. */
#define CONTENT_ZEROS	UINT32_MAX
#define CONTENT_UNKNOWN (UINT32_MAX - 1)

/* What kind of requests, in which order. */
struct load_mix {
	unsigned percent[LOAD_NR_OPS]; /* sum 100 */
	bool sequential; /* blocks in order; else random */
	bool shuffled; /* each block once, at random */
	bool fill; /* block i gets the pool's pages from i blocks on */
};

struct load_request {
	enum load_op op;
	uint32_t content; /* written, or expected by a read */
	uint64_t block; /* index */
	uint64_t start_ns; /* the sender's */
};

struct load_plan {
	/* The caller's to set. */
	struct load_pages pages; /* at least one block of them */
	uint64_t nr_blocks; /* of the disk */
	uint64_t block_bytes; /* a multiple of 4 KiB */
	uint32_t first_content; /* of every block: CONTENT_* */
	struct rng rng;

	uint32_t *content; /* of each block */
	bool *busy; /* of each block: a request is under way */
	uint64_t cursor; /* next block of a sequential mix, or in order */
	uint32_t *order; /* of a shuffled mix: all blocks */
};

/* Ends the program where there is no memory; for as long as that lasts. */
void load_plan_init(struct load_plan *plan);

/* Begin a mix; a shuffled one must not ask for more requests than blocks. */
void load_plan_rewind(struct load_plan *plan, const struct load_mix *mix);

/* Choose a request, fewer of them under way than there are blocks. */
void load_plan_next(struct load_plan *plan, const struct load_mix *mix,
		    struct load_request *request);

/* The request was answered. A refused one has changed nothing. */
void load_plan_done(struct load_plan *plan, const struct load_request *request,
		    bool refused);

/* The block that a write carries; const but for struct iovec. */
unsigned char *load_plan_payload(const struct load_plan *plan,
				 const struct load_request *request);

/* Whether part of what a read returned is right, from @offset in its block. */
bool load_plan_check(const struct load_plan *plan,
		     const struct load_request *request, uint64_t offset,
		     const unsigned char *bytes, uint32_t nr_bytes);

#endif

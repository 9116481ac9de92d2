/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threads - the disk of model_threads, and those who work at it beside its
 * workers
 *
 * What they do must change nothing that a worker can see: one compacts, keeps
 * house and adds dictionaries, one recompresses, one has equal pages share
 * their objects, one begins epochs and marks idle pages, one verifies, and
 * where there is a backing one writes pages out and one brings blocks.
 *
 * Threads: members are one's own, or atomic, or do not change.
 */
#ifndef ZSD_MODEL_THREADS_H
#define ZSD_MODEL_THREADS_H

#include <pthread.h>
#include <stdatomic.h>

#include "model/behind.h"
#include "model/model.h"
#include "model/train.h"
#include "zstore/zstore.h"

#define NR_WORKERS 4u

/* Sets of pages. Of the shared ones, those at odd places are never trimmed. */
#define NR_OWN	  4000u
#define NR_SHARED 24u
#define NR_PARTED 24u
#define NR_PAGES  (NR_OWN + NR_SHARED + NR_PARTED)

/* Dictionaries of a codec to choose from; there may be 15 at a time. */
#define NR_DICTS 3u

struct dicts {
	unsigned char bytes[NR_DICTS][MODEL_DICT_BYTES];
	size_t nr_bytes[NR_DICTS]; /* 0: this round's codec has none */
};

struct model {
	struct model_run run;
	struct zstore_params params;
	struct zstore *store;
	struct zstore *beside; /* another disk, of a page for each worker */
	bool is_scarce; /* memory, in this round */
	bool is_failing; /* the backing, the same */
	struct behind behind; /* .nr_blocks 0: there is none in this round */
	_Atomic unsigned nr_running; /* workers that are not done */
	struct dicts dicts[ZSTORE_CODECS];
	/* When the current epoch began; who sees it is in that one, or later */
	_Atomic uint32_t now_s;
	/* Version that a worker has written of a shared page, and is done. */
	_Atomic uint32_t written[NR_SHARED][NR_WORKERS];

	uint64_t nr_slices, nr_compactions, nr_housekeepings, nr_verified;
	uint64_t nr_moved, nr_compacted, nr_dicts[ZSTORE_CODECS];
	uint64_t nr_epochs, nr_marked, nr_tried, nr_recompressed, nr_shared;
	uint64_t nr_out_tried, nr_written_out, nr_blocks_written, nr_given_up;
	uint64_t nr_full, nr_arrivals;
};

#define CHECK_MODEL(m, cond, ...) MODEL_CHECK(&(m)->run, cond, __VA_ARGS__)

/* Those beside the workers. */
#define NR_BESIDE 7u

struct beside {
	pthread_t threads[NR_BESIDE];
};

/* They end when no worker is running any more. */
void start_beside(struct model *m, struct beside *beside);
void join_beside(struct beside *beside);

/* --- threads_back.c: the backing ------------------------------------------- */

/* Before the store is made: 0 for none. Release: close_backing(). */
void open_backing(struct model *m, uint32_t nr_blocks, bool is_failing);
void close_backing(struct model *m);

/* One that writes out, and one that brings what was asked for. */
void *run_writer_out(void *arg);
void *run_bringer(void *arg);

/* The figures must be what the slots say. */
void check_blocks(struct model *m);

void report_back(const struct model *m);

/* --- threads_beside.c ------------------------------------------------------ */

/* Since when pages have rested, to be asked for. */
uint32_t draw_since(struct model *m, struct model_rng *rng);

/* Make what may be added for this round's codecs. */
void train_dicts(struct model *m);

pthread_t start_thread(struct model *m, void *(*fn)(void *), void *arg);

void verify_disk(struct model *m, struct zstore_ctx *ctx);

/* Nobody works at the disk: all that is said of its pages must come to what is
 * counted. */
void check_counts(struct model *m);

void report_beside(const struct model *m);

#endif

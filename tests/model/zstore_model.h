/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_model - what model_zstore knows of the disk that it tests
 *
 * One thread, so that all of it can be told exactly. The operations that change
 * the disk and read it are in model_zstore.c; those that leave its content as
 * it is, but not how it is stored, in two files of their own.
 */
#ifndef ZSD_MODEL_ZSTORE_MODEL_H
#define ZSD_MODEL_ZSTORE_MODEL_H

#include "model/beside.h"
#include "model/model.h"
#include "model/sharing.h"
#include "model/train.h"
#include "zstore/zstore.h"
#include "zstore/zstore_internal.h"

#define DISK_PAGES 1500u
#define DISK_BYTES (DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES)

/* Dictionaries to choose from: more than a store has numbers for. Models take
 * long to train. */
#define NR_DICTS  20u
#define NR_MODELS 3u

struct dict {
	unsigned char bytes[MODEL_DICT_BYTES];
	size_t nr_bytes;
};

/* What may be added for a codec. */
struct dicts {
	struct dict all[NR_DICTS];
	unsigned nr; /* 0: none is to be */
};

struct model {
	struct model_run run;
	struct model_rng rng;
	enum model_phase phase;
	enum model_page kind; /* of what is written; the last + 1: all */
	struct zstore_params params;
	struct zstore *store;
	struct zstore_ctx *ctx;
	/* By the store's codecs, to tell what a page compresses to; or NULL */
	struct zcomp_ctx *zcomp[ZSTORE_CODECS];
	struct zs_compact_cursor cursor;
	struct sharing sharing;
	uint64_t hot_page; /* around it is half of all that happens */

	unsigned char flat[DISK_BYTES]; /* the disk */
	bool is_stored[DISK_PAGES]; /* written since it was trimmed */
	uint64_t nr_stored;
	uint64_t nr_failed_writes; /* pages, of this round */

	uint32_t now_s; /* when the current epoch began */
	uint32_t accessed_s[DISK_PAGES]; /* the same, at the last access */
	bool may_be_idle[DISK_PAGES]; /* marked, and not accessed since */

	struct dicts dicts[ZSTORE_CODECS];

	struct beside beside; /* another disk */

	uint64_t nr_without_memory, nr_shared;
	uint64_t nr_enospc, nr_split, nr_moved, nr_compacted, nr_verified;
	uint64_t nr_compared, nr_counted, nr_huge, nr_same, nr_extents;
	uint64_t nr_dicts_used[ZSTORE_CODECS], nr_dicts_busy, nr_sampled;
	uint64_t nr_epochs, nr_marked, nr_blocks;
	uint64_t nr_recompressed, nr_incompressible, nr_again, nr_unready;
	uint64_t nr_passed_over; /* shared, and due but for that */
};

#define CHECK_MODEL(m, cond, ...) MODEL_CHECK(&(m)->run, cond, __VA_ARGS__)

static inline unsigned char *flat_page(struct model *m, uint64_t index)
{
	return m->flat + index * ZSD_PAGE_BYTES;
}

/* Half of them are near each other. */
uint64_t draw_page(struct model *m);

/* --- zstore_count.c: what is stored, to the byte --------------------------- */

/* Make what may be added for this round's codecs. */
void train_dicts(struct model *m, bool has_primary);

/* Operations; see model.h. */
void op_add_dict(void *arg);
void op_sample(void *arg);
void op_count(void *arg);

void report_counts(const struct model *m);

/* --- zstore_rest.c: pages that rest ---------------------------------------- */

/* Page @index was accessed just now. */
void note_access(struct model *m, uint64_t index);

/* The disk is new. */
void begin_ages(struct model *m);

void op_begin_epoch(void *arg);
void op_mark_idle(void *arg);
void op_block(void *arg);
void op_recompress(void *arg);

void report_rest(const struct model *m);

#endif

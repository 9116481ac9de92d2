/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_model - what model_zstore knows of the disk that it tests
 *
 * One thread, so that all of it can be told exactly. The operations that change
 * the disk and read it are in model_zstore.c; those that leave its content as
 * it is, but not how it is stored, in files of their own.
 */
#ifndef ZSD_MODEL_ZSTORE_MODEL_H
#define ZSD_MODEL_ZSTORE_MODEL_H

#include "model/behind.h"
#include "model/beside.h"
#include "model/model.h"
#include "model/sharing.h"
#include "model/train.h"
#include "zstore/zstore.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_internal.h"

#define DISK_PAGES 1500u
#define DISK_BYTES (DISK_PAGES * (uint64_t)ZSD_PAGE_BYTES)

/* Of a backing, at most. */
#define MAX_BLOCKS 2000u

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
	struct zstore_ctx *ctx; /* waits for blocks */
	struct zstore_ctx *server; /* does not; the same otherwise */
	struct behind behind;
	bool has_backing;
	unsigned nr_waits; /* of what is being done */
	/* By the store's codecs, to tell what a page compresses to; or NULL */
	struct zcomp_ctx *zcomp[ZSTORE_CODECS];
	struct zs_compact_cursor cursor;
	struct sharing sharing;
	uint64_t hot_page; /* around it is half of all that happens */

	unsigned char flat[DISK_BYTES]; /* the disk */
	bool is_stored[DISK_PAGES]; /* written since it was trimmed */
	uint64_t nr_stored;
	uint64_t nr_failed_writes; /* pages, of this round */
	uint64_t nr_failed_reads; /* the same */

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
	uint64_t nr_written_out, nr_blocks_written, nr_given_up, nr_stale;
	uint64_t nr_full, nr_backed_counted, nr_arrivals, nr_eio;
};

#define CHECK_MODEL(m, cond, ...) MODEL_CHECK(&(m)->run, cond, __VA_ARGS__)

static inline unsigned char *flat_page(struct model *m, uint64_t index)
{
	return m->flat + index * ZSD_PAGE_BYTES;
}

static inline uint64_t slot_of(const struct model *m, uint64_t index)
{
	return slot_exists(m->store, index) ? slot_load(&m->store->slots[index])
					    : 0;
}

static inline bool is_backed(const struct model *m, uint64_t index)
{
	return slot_kind(slot_of(m, index)) == SLOT_BACKED;
}

/* Half of them are near each other. */
uint64_t draw_page(struct model *m);

/* Access a page, so that it must stay in memory if it is being written out. */
void disturb_page(struct model *m, uint64_t index);

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

/* As likely some seconds ago as some days; UINT32_MAX: whenever. */
uint32_t draw_since(struct model *m);

/* What is said of one page. */
void check_block(struct model *m, uint64_t index, struct zstore_block *block);

/* Whether another page has its object, too. */
bool has_sharers(const struct model *m, uint64_t index);

/* --- zstore_back.c: pages in a backing ------------------------------------- */

/* Of this round, before the store: 0 for none. Release: close_backing(). */
void open_backing(struct model *m, uint32_t nr_blocks);
void close_backing(struct model *m);

/* The context that does not wait. */
void open_server(struct model *m);

/* For one call: either context. */
struct zstore_ctx *draw_ctx(struct model *m);

/* Whether it is to be called again, since it does not wait: then what it waits
 * for is here. */
bool must_wait(struct model *m, int err);

void op_write_out(void *arg);
void op_count_blocks(void *arg);
void op_read_failing(void *arg);

void report_back(const struct model *m);

#endif

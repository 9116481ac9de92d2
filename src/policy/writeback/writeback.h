/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writeback - writing pages of a disk out to its backing, within a budget
 *
 * One for each disk that has a backing. Whoever wants pages written out has a
 * cursor of its own (struct zstore_writing); batches of blocks of several are
 * written one after the other. What was written counts against the limit of a
 * day, in a record that the image keeps and, if there is a place for it, a file
 * (budget.h). A block that could not be written gives its part back.
 *
 * Memory: all that it needs is allocated at the beginning.
 * Threads: any that may take their time; a batch has the lock.
 */
#ifndef ZSD_POLICY_WRITEBACK_WRITEBACK_H
#define ZSD_POLICY_WRITEBACK_WRITEBACK_H

#include "backing/backing.h"
#include "ctl/schema.h"
#include "export/export.h"
#include "policy/pace.h"
#include "zstore/zstore_backing.h"

/* Looks at slots between two rests, some 80 us. */
#define WRITEBACK_LOOKS 8192u

/* Written in a day at most unless the user says otherwise, bytes: 1 GiB, as
 * Android's mmd. */
#define WRITEBACK_DAY_BYTES (UINT64_C(1) << 30)

struct writeback;

struct writeback_params {
	struct export *export; /* its store has a backing; outlives it */
	struct backing *backing; /* started; outlives it */
	const struct export_table *exports; /* whose clients are not to wait */
	uint64_t day_limit_bytes; /* that may be written; 0: no limit */
	bool is_encrypted; /* to be told */
	bool is_new; /* the disk; else the image has its record */
	const char *record; /* file for the budget, or NULL; not copied */
	struct io_log *log; /* outlives it */
};

/* writeback_create() - Return: 0 or -ENOMEM. Release: writeback_destroy(),
 * which takes NULL too. */
int writeback_create(const struct writeback_params *params,
		     struct writeback **out) ZSD_MUST_CHECK;
void writeback_destroy(struct writeback *writeback);

/* What a run does and did. */
struct writeback_run {
	struct zstore_writeback how;
	struct zstore_writing at; /* {0} to begin with */
	uint64_t nr_failed; /* blocks that could not be written */
	uint64_t max_blocks; /* that are written at most; 0: all */
};

/**
 * writeback_batch() - fill some blocks, write them, and rest
 * @ctx:  of the export's store; it waits
 * @run:  the caller's
 * @pace: the caller's
 *
 * Cost: a write of up to BACKING_WRITE_MAX blocks, and looks at slots.
 * Return: 1 where there may be more; 0 at the end; or
 *   -ENOSPC, -ENOMEM, -EINPROGRESS  as zstore_writeback_fill()
 *   -EDQUOT     the limit of the day is used up
 *   -EREMOTEIO  none of the blocks could be written
 * What was written before that stays.
 */
int writeback_batch(struct writeback *writeback, struct zstore_ctx *ctx,
		    struct writeback_run *run,
		    struct pace *pace) ZSD_MUST_CHECK;

/* writeback_all() - batches, up to the end of them. Return: 0, or as
 * writeback_batch(). */
int writeback_all(struct writeback *writeback, struct zstore_ctx *ctx,
		  struct writeback_run *run) ZSD_MUST_CHECK;

/* Blocks that the limit of the day leaves; UINT64_MAX without one. */
uint64_t writeback_left(struct writeback *writeback);

/* writeback_tell() - what is told of a backing */
void writeback_tell(struct writeback *writeback, struct ctl_backing *out);

#endif

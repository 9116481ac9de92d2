/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compact - compaction of a disk that keeps out of its clients' way
 *
 * While clients ask for something, it moves a few objects at a time and sleeps
 * in between, for ten times as long: see pace.h. Without clients it goes on.
 *
 * Threads: any that may take its time; one for each disk at a time.
 */
#ifndef ZSD_POLICY_COMPACT_H
#define ZSD_POLICY_COMPACT_H

#include "export/export.h"

/* Objects that are moved at a time, in some 20 us; and how long to sleep beside
 * requests, us, to which the kernel adds 50. */
#define COMPACT_SLICE_OBJECTS 32u
#define COMPACT_REST_US	      200u

/**
 * compact_run() - compact a disk
 * @export:  its
 * @exports: all whose clients are not to be kept waiting
 * @out:     receives what was done
 *
 * Cost: about a second for 1.5 million objects; ten times that beside requests.
 */
void compact_run(struct export *export, const struct export_table *exports,
		 struct zs_compacted *out);

#endif

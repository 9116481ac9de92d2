/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recompress - recompression of a disk by hand, as zram's attribute does it
 *
 * Threads: any that may take its time.
 */
#ifndef ZSD_POLICY_RECOMPRESS_H
#define ZSD_POLICY_RECOMPRESS_H

#include "export/export.h"
#include "policy/pace.h"
#include "zstore/zstore_recompress.h"

/* Looks at slots between two rests, some 80 us; and a rest beside requests, for
 * each us that a piece has taken. */
#define RECOMPRESS_LOOKS      8192u
#define RECOMPRESS_REST_TIMES 3u

/* How long a page waits for room, ms, and how often. */
#define RECOMPRESS_RETRY_MS 10u
#define RECOMPRESS_RETRIES  100u

/**
 * recompress_piece() - a page, or some looks, and a rest
 * @ctx:      of a store that has a secondary codec
 * @how, @at: as of zstore_recompress()
 * @pace:     the caller's
 * @in_haste: without the rest
 *
 * Return: as zstore_recompress(), which is to be ended.
 */
int recompress_piece(struct zstore_ctx *ctx,
		     const struct zstore_recompress *how,
		     struct zstore_recompressing *at, struct pace *pace,
		     bool in_haste) ZSD_MUST_CHECK;

/**
 * recompress_run() - recompress all that there is
 * @exports: all whose clients are not to be kept waiting
 * @out:     receives what was done, in any case
 *
 * Cost: zstore_recompress() for each page; beside requests up to four times
 * that.
 * Return: 0, or -ENOSPC or -ENOMEM where there was no room for a shorter object
 * for a second, or -EIO or -EINPROGRESS as zstore_recompress().
 */
int recompress_run(struct zstore_ctx *ctx, const struct export_table *exports,
		   const struct zstore_recompress *how,
		   struct zstore_recompressing *out) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transmission_internal - how the files of transmission share its work
 *
 *   transmission.c         takes requests up and runs them; writes, trims
 *   transmission_read.c    reads
 *   transmission_status.c  block status
 */
#ifndef ZSD_SERVE_TRANSMISSION_INTERNAL_H
#define ZSD_SERVE_TRANSMISSION_INTERNAL_H

#include "serve/transmission.h"

/* What a look at the store is charged: TRANSMISSION_MAX_LOOKS are a budget. */
#define LOOK_CHARGE (TRANSMISSION_BUDGET / TRANSMISSION_MAX_LOOKS)

/* What one call of transmission_run() works with. */
struct turn {
	struct transmission *t;
	struct stream_buf *rx;
	struct stream_buf *tx;
	int64_t budget; /* what is left of it */
};

/* How a handler of a request leaves it. */
enum progress {
	DONE, /* answered */
	GOES_ON, /* more can be done at once */
	LACKS_INPUT, /* the payload is not all there */
	LACKS_ROOM, /* the reply does not fit */
	BROKEN, /* the stream of replies cannot be kept whole */
};

/*
 * The next piece of the request: at most @max_bytes, and unless it is the last
 * one it ends where a page of the disk does, so that no page is touched twice.
 */
uint32_t transmission_next_piece(const struct transmission *t,
				 size_t max_bytes);

/* @bytes of the request are done. */
void transmission_advance(struct transmission *t, uint32_t bytes);

/*
 * Answer the request with its error, or, if it has none, with success and
 * nothing else. A request has room for that from its start.
 */
enum progress transmission_answer(struct turn *turn);

/* transmission_read.c: runs NBD_CMD_READ of any kind. */
enum progress transmission_read(struct turn *turn);

/* transmission_status.c: runs NBD_CMD_BLOCK_STATUS. */
enum progress transmission_block_status(struct turn *turn);

#endif

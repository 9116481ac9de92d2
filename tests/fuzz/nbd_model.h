/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_model - what the server must answer to a stream of requests
 *
 * Reads the stream as the specification says. tests/nbd follows the replies,
 * which may come in any order; here it is known what each must say: an error
 * that the request gives reason for, and the data of a read must be those of
 * the flat disk at that moment. Requests that overlap are answered in the order
 * of sending, if one of them changes the disk.
 *
 * Only requests that were answered have changed the flat disk.
 * Source: NBD doc/proto.md, "Transmission".
 */
#ifndef ZSD_FUZZ_NBD_MODEL_H
#define ZSD_FUZZ_NBD_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nbd/nbd_export.h"
#include "nbd/nbdc_replies.h"
#include "zstore/zstore.h"

struct nbd_model {
	const struct nbd_export *export;
	struct zstore_ctx *ctx; /* to look at what failed */
	bool may_be_full; /* writes may fail with ENOSPC */
	bool has_context; /* base:allocation was selected */
	struct nbdc_replies replies;

	uint8_t *wire; /* what the client sends */
	size_t sent; /* bytes, so far */
	size_t at; /* the first request that is not all there */
	unsigned nr_replies;
};

/* What comes next in the stream. */
enum model_next {
	MODEL_NOTHING, /* not a whole request */
	MODEL_REQUEST,
	MODEL_GOODBYE, /* CMD_DISC */
	MODEL_NO_MAGIC,
	MODEL_TOO_LONG, /* a payload that is not even skipped */
};

/* @payload_bytes: receives what has come of the payload. @request is filled in
 * for all but MODEL_NOTHING; if only the payload is not all there, for that too
 * (else its type is not CMD_WRITE). */
enum model_next nbd_model_next(const struct nbd_model *m,
			       struct nbdc_request *request,
			       size_t *payload_bytes);

/* The client sent @bytes more of the stream; the server sent these. */
void nbd_model_sent(struct nbd_model *m, size_t bytes);
void nbd_model_receive(struct nbd_model *m, const uint8_t *data, size_t bytes);

/*
 * The server waits for more, and there is none: all whole requests must have
 * been answered, and the pages of a write that are all there are written.
 */
void nbd_model_end(struct nbd_model *m);

#endif

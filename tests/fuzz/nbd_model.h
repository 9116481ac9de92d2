/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_model - what the server must answer to a stream of requests
 *
 * Reads the stream as the specification says and follows the replies one by
 * one: each must be to the next request, with an error that the request gives
 * reason for, and the data of a read must be those of the flat disk at that
 * moment. It shares no code with src/nbd.
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
#include "zstore/zstore.h"

/* Header of a simple reply, and of a chunk, and the longest of a chunk that is
 * looked at as one: a block status. */
#define MODEL_REPLY_BYTES 16u
#define MODEL_CHUNK_BYTES 20u
#define MODEL_MAX_CHUNK	  (MODEL_CHUNK_BYTES + 4 + 8 * 8192u)

struct model_request {
	uint16_t flags;
	uint16_t type;
	uint64_t cookie;
	uint64_t offset;
	uint32_t length;
	const uint8_t *payload; /* what has come of it */
	size_t payload_bytes;
};

struct nbd_model {
	const struct nbd_export *export;
	struct zstore_ctx *ctx; /* to look at what failed */
	bool may_be_full; /* writes may fail with ENOSPC */
	bool structured; /* structured replies were negotiated */
	bool has_context; /* base:allocation was selected */

	const uint8_t *wire; /* what the client sent */
	size_t sent; /* bytes, so far */
	size_t at; /* where the next request begins that has no reply */

	uint8_t reply[MODEL_MAX_CHUNK]; /* the one that comes */
	size_t reply_bytes;
	bool is_last; /* the chunk whose data come is */
	uint64_t covered; /* bytes that chunks told of, of one read */
	unsigned nr_contents; /* chunks that did */
	uint32_t error; /* that a chunk told */
	uint64_t data_offset; /* of a read: where its data stand */
	uint32_t data_left; /* and how much of it is to come */
	unsigned nr_replies;
};

/* What comes next in the stream. */
enum model_next {
	MODEL_NOTHING, /* not a whole request */
	MODEL_REQUEST,
	MODEL_GOODBYE, /* NBD_CMD_DISC */
	MODEL_NO_MAGIC,
	MODEL_TOO_LONG, /* a payload that is not even skipped */
};

/* @request is filled in for all but MODEL_NOTHING; if only the payload is not
 * all there, for that too (else its type is not NBD_CMD_WRITE). */
enum model_next nbd_model_next(const struct nbd_model *m,
			       struct model_request *request);

/* The request that the next reply is to, and its fields checked against it. */
void nbd_model_request(const struct nbd_model *m, uint64_t cookie,
		       struct model_request *request);

/* It was answered with @error. */
void nbd_model_answered(struct nbd_model *m,
			const struct model_request *request, uint32_t error);

/*
 * nbd_chunks.c: the header of a chunk is in m->reply, as far as it has come.
 * nbd_chunk_bytes() says how much of it must come before nbd_chunk_receive()
 * looks at it; the data of a read are not part of it.
 */
size_t nbd_chunk_bytes(const struct nbd_model *m);
void nbd_chunk_receive(struct nbd_model *m);

/* All data of the chunk have come. */
void nbd_chunk_end(struct nbd_model *m);

/* The server sent @bytes more. */
void nbd_model_receive(struct nbd_model *m, const uint8_t *data, size_t bytes);

/*
 * The server waits for more, and there is none: all whole requests must have
 * been answered, and the pages of a write that are all there are written.
 */
void nbd_model_end(struct nbd_model *m);

#endif

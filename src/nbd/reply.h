/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply - what a client is answered in the transmission phase
 *
 * Either a simple reply, or, where structured replies were negotiated, one or
 * more chunks, the last of which carries NBD_REPLY_FLAG_DONE. All functions
 * write headers only, to where they will be sent from; the data of a read and
 * the extents of a block status are put behind them by the caller.
 *
 * Source: NBD doc/proto.md, "Simple reply message", "Structured reply chunk
 * message", "Structured reply types", "Error values".
 */
#ifndef ZSD_NBD_REPLY_H
#define ZSD_NBD_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "nbd/nbd_proto.h"

/* What goes before the data of a read, and before extents, bytes. */
#define NBD_DATA_CHUNK_BYTES   (NBD_CHUNK_BYTES + NBD_OFFSET_BYTES)
#define NBD_HOLE_CHUNK_BYTES   (NBD_CHUNK_BYTES + NBD_OFFSET_HOLE_BYTES)
#define NBD_STATUS_CHUNK_BYTES (NBD_CHUNK_BYTES + NBD_CONTEXT_ID_BYTES)

/* Longest text that goes with an error, bytes. */
#define NBD_ERROR_TEXT_BYTES 64u

/* No function here writes more than this, bytes: the largest is an error with
 * its text and an offset. */
#define NBD_REPLY_MAX_BYTES                                         \
	(NBD_CHUNK_BYTES + NBD_ERROR_BYTES + NBD_ERROR_TEXT_BYTES + \
	 NBD_OFFSET_BYTES)

/**
 * nbd_error_from_errno() - the NBD error for 0 or a -errno
 *
 * A store that is full, whether by its limit (-ENOSPC) or because the system
 * has no memory (-ENOMEM), is NBD_ENOSPC: the specification discourages
 * NBD_ENOMEM. What the protocol has no word for is NBD_EINVAL, as the
 * specification says.
 * Source: NBD doc/proto.md, "Error values".
 */
uint32_t nbd_error_from_errno(int err);

/**
 * nbd_reply_encode() - write the header of a simple reply
 * @bytes:  receives NBD_SIMPLE_REPLY_BYTES
 * @cookie: of the request
 * @error:  NBD_SUCCESS or an NBD error; the data of a read follows a success
 *          only
 */
void nbd_reply_encode(unsigned char bytes[NBD_SIMPLE_REPLY_BYTES],
		      uint64_t cookie, uint32_t error);

/* Writes a chunk that says only that the reply is complete. */
void nbd_chunk_encode_none(unsigned char bytes[NBD_CHUNK_BYTES],
			   uint64_t cookie);

/**
 * nbd_chunk_encode_data() - write what goes before data that was read
 * @is_last:    no other chunk will follow
 * @offset:     of the disk, where the data is from
 * @data_bytes: how much follows, at least 1
 */
void nbd_chunk_encode_data(unsigned char bytes[NBD_DATA_CHUNK_BYTES],
			   uint64_t cookie, bool is_last, uint64_t offset,
			   uint32_t data_bytes);

/* Likewise, but it says of @hole_bytes that they are zeros. Nothing follows. */
void nbd_chunk_encode_hole(unsigned char bytes[NBD_HOLE_CHUNK_BYTES],
			   uint64_t cookie, bool is_last, uint64_t offset,
			   uint32_t hole_bytes);

/**
 * nbd_chunk_encode_status() - write what goes before @nr_extents extents
 *
 * At least 1; nbd_extent_encode() writes each. It is the last chunk.
 */
void nbd_chunk_encode_status(unsigned char bytes[NBD_STATUS_CHUNK_BYTES],
			     uint64_t cookie, uint32_t context_id,
			     uint32_t nr_extents);

/* @state: NBD_STATE_* */
void nbd_extent_encode(unsigned char bytes[NBD_EXTENT_BYTES], uint32_t length,
		       uint32_t state);

/**
 * nbd_chunk_encode_error() - write an error and a text for people
 * @bytes:  room for NBD_REPLY_MAX_BYTES
 * @error:  an NBD error
 * @offset: where on the disk it happened, or NULL for all of the request
 *
 * It is the last chunk. Return: how many bytes it is.
 */
uint32_t nbd_chunk_encode_error(unsigned char *bytes, uint64_t cookie,
				uint32_t error, const uint64_t *offset);

#endif

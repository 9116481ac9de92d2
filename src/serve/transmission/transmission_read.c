/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only looks at the disk. Reads: as one simple reply, as chunks of data
 * and of zeros, or, where the client does not want it fragmented, as one chunk.
 * Block status: as much as is found in one go.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "base/units.h"
#include "serve/transmission/transmission.h"

/* Looks at the store for one chunk: data then is at most one piece. */
#define CHUNK_LOOKS (TRANSMISSION_PIECE_BYTES / ZSD_PAGE_BYTES)

_Static_assert(ZSTORE_HOLE == NBD_STATE_HOLE && ZSTORE_ZERO == NBD_STATE_ZERO,
	       "the store's states go out as they are");
_Static_assert(TRANSMISSION_PIECE_BYTES >=
		       TRANSMISSION_MAX_EXTENTS * NBD_EXTENT_BYTES,
	       "all extents fit a piece");

/* Room for @bytes of data, or 0. Less will do where the ring is empty: it has
 * no more memory then, and will not have more later. */
static uint32_t room_for(struct transmission *t, uint32_t bytes)
{
	uint32_t room = transmission_room(t, bytes);

	return room < bytes && io_ring_used(t->tx) ? 0 : room;
}

/* How much of a read can be made now, bytes, or 0: a piece, up to the end of a
 * page. */
static uint32_t next_piece(struct transmission *t, const struct req *req)
{
	uint32_t most =
		(uint32_t)min_u64(req->left_bytes, TRANSMISSION_PIECE_BYTES);

	return transmission_next_piece(req, room_for(t, most));
}

/* @bytes of data, which are in place, are part of the reply. */
static void take_data(struct transmission *t, struct req *req, uint32_t bytes)
{
	io_ring_fill(t->tx, bytes);
	transmission_advance(req, bytes);
}

/* --- simple replies ------------------------------------------------------ */

/* A read failed: take back what was made of the reply, if it is still here. */
static enum progress fail_simple(struct transmission *t, struct req *req,
				 int err)
{
	if (req->is_reply_begun) {
		if (max_u64(t->tx->head, t->told_pos) > req->reply_pos)
			return BROKEN;
		io_ring_unfill_to(t->tx, req->reply_pos);
		req->is_reply_begun = false;
	}
	req->error = nbd_error_from_errno(err);
	return transmission_answer(t, req);
}

static void begin_simple(struct transmission *t, struct req *req)
{
	req->reply_pos = t->tx->tail;
	nbd_reply_encode(io_ring_end(t->tx), req->nbd.cookie, NBD_SUCCESS);
	io_ring_fill(t->tx, NBD_SIMPLE_REPLY_BYTES);
	req->is_reply_begun = true;
}

/* A reply is begun when its first data is there: until then nobody has to wait
 * for it. */
static enum progress read_simple(struct transmission *t, struct req *req)
{
	unsigned char *data = io_ring_end(t->tx);
	uint32_t bytes = next_piece(t, req);
	int err;

	if (req->error) /* refused when it was begun already */
		return fail_simple(t, req, -EIO);
	if (!bytes)
		return LACKS_ROOM;
	if (!req->is_reply_begun)
		data += NBD_SIMPLE_REPLY_BYTES;
	err = zstore_read(t->view->store, req->offset, bytes, data);
	if (err == -EINPROGRESS)
		return WAITS;
	if (err)
		return fail_simple(t, req, err);
	if (!req->is_reply_begun)
		begin_simple(t, req);
	take_data(t, req, bytes);
	return req->left_bytes ? GOES_ON : DONE;
}

/* --- chunks -------------------------------------------------------------- */

/* A read failed at @offset: what is not covered by a chunk was not read. */
static enum progress fail_in_chunks(struct transmission *t,
				    const struct req *req, uint64_t offset)
{
	uint32_t bytes;

	bytes = nbd_chunk_encode_error(io_ring_end(t->tx), req->nbd.cookie,
				       req->error, &offset);
	io_ring_fill(t->tx, bytes);
	return DONE;
}

/* A chunk is begun only when its data is there, so it can be the last one. */
static enum progress put_data(struct transmission *t, struct req *req,
			      uint32_t bytes)
{
	unsigned char *chunk = io_ring_end(t->tx);
	int err;

	err = zstore_read(t->view->store, req->offset, bytes,
			  chunk + NBD_DATA_CHUNK_BYTES);
	if (err == -EINPROGRESS)
		return WAITS;
	if (err) {
		req->error = nbd_error_from_errno(err);
		return fail_in_chunks(t, req, req->offset);
	}
	nbd_chunk_encode_data(chunk, req->nbd.cookie, bytes == req->left_bytes,
			      req->offset, bytes);
	io_ring_fill(t->tx, NBD_DATA_CHUNK_BYTES);
	take_data(t, req, bytes);
	return req->left_bytes ? GOES_ON : DONE;
}

static enum progress put_hole(struct transmission *t, struct req *req,
			      uint32_t bytes)
{
	nbd_chunk_encode_hole(io_ring_end(t->tx), req->nbd.cookie,
			      bytes == req->left_bytes, req->offset, bytes);
	io_ring_fill(t->tx, NBD_HOLE_CHUNK_BYTES);
	transmission_advance(req, bytes);
	return req->left_bytes ? GOES_ON : DONE;
}

static enum progress read_sparsely(struct transmission *t, struct req *req)
{
	uint32_t looks = CHUNK_LOOKS, bytes, piece;
	unsigned state;

	bytes = (uint32_t)zstore_extent(t->view->store, req->offset,
					req->left_bytes, &looks, &state);
	if (state & ZSTORE_ZERO)
		return put_hole(t, req, bytes);
	piece = next_piece(t, req);
	return piece ? put_data(t, req, min_u32(piece, bytes)) : LACKS_ROOM;
}

/* --- one chunk ----------------------------------------------------------- */

/* All data was sent. Where some of it could not be read, it says so now. */
static enum progress end_unfragmented(struct transmission *t, struct req *req)
{
	if (req->error)
		return fail_in_chunks(t, req, req->error_offset);
	nbd_chunk_encode_none(io_ring_end(t->tx), req->nbd.cookie);
	io_ring_fill(t->tx, NBD_CHUNK_BYTES);
	return DONE;
}

static void begin_unfragmented(struct transmission *t, struct req *req)
{
	nbd_chunk_encode_data(io_ring_end(t->tx), req->nbd.cookie, false,
			      req->offset, req->left_bytes);
	io_ring_fill(t->tx, NBD_DATA_CHUNK_BYTES);
	req->is_reply_begun = true;
}

/*
 * More than a piece: the chunk goes out while the rest of it is read. When
 * that fails it must still be completed, with zeros.
 */
static enum progress read_unfragmented(struct transmission *t, struct req *req)
{
	uint32_t bytes;
	int err = 0;

	if (req->left_bytes == 0)
		return end_unfragmented(t, req);
	bytes = next_piece(t, req);
	if (!bytes)
		return LACKS_ROOM;
	if (!req->is_reply_begun) {
		if (req->left_bytes <= TRANSMISSION_PIECE_BYTES)
			return bytes == req->left_bytes
				       ? put_data(t, req, bytes)
				       : LACKS_ROOM;
		begin_unfragmented(t, req);
	}
	if (!req->error)
		err = zstore_read(t->view->store, req->offset, bytes,
				  io_ring_end(t->tx));
	if (err == -EINPROGRESS)
		return WAITS;
	if (err) {
		req->error = nbd_error_from_errno(err);
		req->error_offset = req->offset;
	}
	if (req->error)
		memset(io_ring_end(t->tx), 0, bytes);
	take_data(t, req, bytes);
	return GOES_ON;
}

enum progress transmission_read(struct transmission *t, struct req *req)
{
	if (!t->session->structured_replies)
		return read_simple(t, req);
	if (req->nbd.flags & NBD_CMD_FLAG_DF)
		return read_unfragmented(t, req);
	return read_sparsely(t, req);
}

/* --- block status --------------------------------------------------------- */

/* Writes what the store says to @bytes; returns the number of extents. */
static uint32_t put_extents(const struct transmission *t, struct req *req,
			    unsigned char *bytes, uint32_t max_extents)
{
	uint32_t looks = TRANSMISSION_MAX_LOOKS, nr = 0, length;
	unsigned state;

	while (nr < max_extents && req->left_bytes && looks) {
		length = (uint32_t)zstore_extent(t->view->store, req->offset,
						 req->left_bytes, &looks,
						 &state);
		nbd_extent_encode(bytes, length, state);
		bytes += NBD_EXTENT_BYTES;
		transmission_advance(req, length);
		nr++;
	}
	return nr;
}

/*
 * Not all of what was asked for, if that takes long: the specification lets an
 * answer be short, and so there is no state to keep between turns.
 */
enum progress transmission_block_status(struct transmission *t, struct req *req)
{
	bool wants_one = req->nbd.flags & NBD_CMD_FLAG_REQ_ONE;
	uint32_t most = wants_one ? 1 : TRANSMISSION_MAX_EXTENTS, nr;
	uint32_t room = room_for(t, most * NBD_EXTENT_BYTES);
	unsigned char *bytes = io_ring_end(t->tx);

	if (!room)
		return LACKS_ROOM;
	nr = put_extents(t, req, bytes + NBD_STATUS_CHUNK_BYTES,
			 min_u32(most, room / NBD_EXTENT_BYTES));
	nbd_chunk_encode_status(bytes, req->nbd.cookie, NBD_CONTEXT_ID, nr);
	io_ring_fill(t->tx, NBD_STATUS_CHUNK_BYTES + nr * NBD_EXTENT_BYTES);
	return DONE;
}

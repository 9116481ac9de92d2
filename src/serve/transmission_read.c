/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads: as one simple reply, as chunks of data and of zeros, or, where the
 * client does not want it fragmented, as one chunk.
 */
#include "config.h"

#include <string.h>

#include "base/bits.h"
#include "serve/transmission_internal.h"

/* Looks at the store for one chunk: data then is at most one piece. */
#define CHUNK_LOOKS (TRANSMISSION_PIECE_BYTES / ZSD_PAGE_BYTES)

/* Room for the next piece, with whatever header or error goes with it. */
static bool reserve_piece(struct turn *turn)
{
	return buf_reserve(turn->tx, NBD_REPLY_MAX_BYTES +
					     min_u64(turn->t->left_bytes,
						     TRANSMISSION_PIECE_BYTES));
}

/* @bytes of data, which are in place, are part of the reply. */
static void take_data(struct turn *turn, uint32_t bytes)
{
	buf_fill(turn->tx, bytes);
	turn->budget -= bytes;
	transmission_advance(turn->t, bytes);
}

/* --- simple replies ------------------------------------------------------ */

/* A read failed: take back what was made of the reply, if it is still here. */
static enum progress fail_simple(struct turn *turn, int err)
{
	struct transmission *t = turn->t;
	struct stream_buf *tx = turn->tx;

	if (tx->consumed > t->reply_pos)
		return BROKEN;
	buf_unfill(tx, (size_t)(tx->consumed + buf_used(tx) - t->reply_pos));
	t->is_reply_begun = false;
	t->error = nbd_error_from_errno(err);
	return transmission_answer(turn);
}

static enum progress read_simple(struct turn *turn)
{
	struct transmission *t = turn->t;
	struct stream_buf *tx = turn->tx;
	uint32_t bytes;
	int err;

	if (!t->is_reply_begun) {
		t->reply_pos = tx->consumed + buf_used(tx);
		nbd_reply_encode(buf_free_data(tx), t->req.cookie, NBD_SUCCESS);
		buf_fill(tx, NBD_SIMPLE_REPLY_BYTES);
		t->is_reply_begun = true;
	}
	bytes = transmission_next_piece(t, TRANSMISSION_PIECE_BYTES);
	err = zstore_read(t->store, t->offset, bytes, buf_free_data(tx));
	if (err)
		return fail_simple(turn, err);
	take_data(turn, bytes);
	return t->left_bytes ? GOES_ON : DONE;
}

/* --- chunks -------------------------------------------------------------- */

/* A read failed at @offset: what is not covered by a chunk was not read. */
static enum progress fail_in_chunks(struct turn *turn, uint64_t offset)
{
	struct transmission *t = turn->t;
	uint32_t bytes;

	bytes = nbd_chunk_encode_error(buf_free_data(turn->tx), t->req.cookie,
				       t->error, &offset);
	buf_fill(turn->tx, bytes);
	return DONE;
}

/* A chunk is begun only when its data is there, so it can be the last one. */
static enum progress put_data(struct turn *turn, uint32_t bytes)
{
	struct transmission *t = turn->t;
	unsigned char *chunk = buf_free_data(turn->tx);
	int err;

	err = zstore_read(t->store, t->offset, bytes,
			  chunk + NBD_DATA_CHUNK_BYTES);
	if (err) {
		t->error = nbd_error_from_errno(err);
		return fail_in_chunks(turn, t->offset);
	}
	nbd_chunk_encode_data(chunk, t->req.cookie, bytes == t->left_bytes,
			      t->offset, bytes);
	buf_fill(turn->tx, NBD_DATA_CHUNK_BYTES);
	take_data(turn, bytes);
	return t->left_bytes ? GOES_ON : DONE;
}

static enum progress put_hole(struct turn *turn, uint32_t bytes)
{
	struct transmission *t = turn->t;

	nbd_chunk_encode_hole(buf_free_data(turn->tx), t->req.cookie,
			      bytes == t->left_bytes, t->offset, bytes);
	buf_fill(turn->tx, NBD_HOLE_CHUNK_BYTES);
	transmission_advance(t, bytes);
	return t->left_bytes ? GOES_ON : DONE;
}

static enum progress read_sparsely(struct turn *turn)
{
	struct transmission *t = turn->t;
	uint32_t looks = CHUNK_LOOKS, bytes;
	unsigned state;

	bytes = (uint32_t)zstore_extent(t->store, t->offset, t->left_bytes,
					&looks, &state);
	turn->budget -= (CHUNK_LOOKS - looks) * LOOK_CHARGE;
	return state & ZSTORE_ZERO ? put_hole(turn, bytes)
				   : put_data(turn, bytes);
}

/* --- one chunk ----------------------------------------------------------- */

/* All data was sent. Where some of it could not be read, it says so now. */
static enum progress end_unfragmented(struct turn *turn)
{
	struct transmission *t = turn->t;

	if (t->error)
		return fail_in_chunks(turn, t->error_offset);
	nbd_chunk_encode_none(buf_free_data(turn->tx), t->req.cookie);
	buf_fill(turn->tx, NBD_CHUNK_BYTES);
	return DONE;
}

/*
 * More than a piece: the chunk goes out while the rest of it is read. When
 * that fails it must still be completed, with zeros.
 */
static enum progress read_unfragmented(struct turn *turn)
{
	struct transmission *t = turn->t;
	struct stream_buf *tx = turn->tx;
	uint32_t bytes;
	int err = 0;

	if (t->left_bytes == 0)
		return end_unfragmented(turn);
	if (!t->is_reply_begun) {
		if (t->left_bytes <= TRANSMISSION_PIECE_BYTES)
			return put_data(turn, t->left_bytes);
		nbd_chunk_encode_data(buf_free_data(tx), t->req.cookie, false,
				      t->offset, t->left_bytes);
		buf_fill(tx, NBD_DATA_CHUNK_BYTES);
		t->is_reply_begun = true;
	}
	bytes = transmission_next_piece(t, TRANSMISSION_PIECE_BYTES);
	if (!t->error)
		err = zstore_read(t->store, t->offset, bytes,
				  buf_free_data(tx));
	if (err) {
		t->error = nbd_error_from_errno(err);
		t->error_offset = t->offset;
	}
	if (t->error)
		memset(buf_free_data(tx), 0, bytes);
	take_data(turn, bytes);
	return GOES_ON;
}

enum progress transmission_read(struct turn *turn)
{
	const struct transmission *t = turn->t;

	if (!reserve_piece(turn))
		return LACKS_ROOM;
	if (!t->session->structured_replies)
		return read_simple(turn);
	if (t->req.flags & NBD_CMD_FLAG_DF)
		return read_unfragmented(turn);
	return read_sparsely(turn);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "serve/transmission_internal.h"

_Static_assert(ZSTORE_HOLE == NBD_STATE_HOLE && ZSTORE_ZERO == NBD_STATE_ZERO,
	       "the store's states go out as they are");
_Static_assert(TRANSMISSION_ROOM_BYTES >=
		       NBD_STATUS_CHUNK_BYTES +
			       TRANSMISSION_MAX_EXTENTS * NBD_EXTENT_BYTES,
	       "all extents fit the room there is");

/* Writes what the store says to @bytes; returns the number of extents. */
static uint32_t put_extents(struct transmission *t, unsigned char *bytes,
			    uint32_t max_extents, uint32_t *looks)
{
	uint32_t nr = 0, length;
	unsigned state;

	while (nr < max_extents && t->left_bytes && *looks) {
		length = (uint32_t)zstore_extent(t->store, t->offset,
						 t->left_bytes, looks, &state);
		nbd_extent_encode(bytes, length, state);
		bytes += NBD_EXTENT_BYTES;
		transmission_advance(t, length);
		nr++;
	}
	return nr;
}

/*
 * Not all of what was asked for, if that takes long: the specification lets an
 * answer be short, and so there is no state to keep between turns.
 */
enum progress transmission_block_status(struct turn *turn)
{
	struct transmission *t = turn->t;
	bool wants_one = t->req.flags & NBD_CMD_FLAG_REQ_ONE;
	uint32_t max_extents = wants_one ? 1 : TRANSMISSION_MAX_EXTENTS;
	uint32_t looks = TRANSMISSION_MAX_LOOKS, nr;
	unsigned char *bytes;

	if (!buf_reserve(turn->tx, NBD_STATUS_CHUNK_BYTES +
					   max_extents * NBD_EXTENT_BYTES))
		return LACKS_ROOM;
	bytes = buf_free_data(turn->tx);
	nr = put_extents(t, bytes + NBD_STATUS_CHUNK_BYTES, max_extents,
			 &looks);
	nbd_chunk_encode_status(bytes, t->req.cookie, NBD_CONTEXT_ID, nr);
	buf_fill(turn->tx, NBD_STATUS_CHUNK_BYTES + nr * NBD_EXTENT_BYTES);
	turn->budget -= (TRANSMISSION_MAX_LOOKS - looks) * LOOK_CHARGE;
	return DONE;
}

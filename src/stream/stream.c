/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <sys/uio.h>

#include "base/bits.h"
#include "stream/stream.h"

/*
 * What stands above it is stored before what stands below. That is all that a
 * death needs: the kernel ends a thread between two of its instructions, and
 * whoever looks afterwards has waited for that.
 */
static inline void in_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static void flip(_Atomic uint32_t *index, uint32_t next)
{
	in_order();
	atomic_store_explicit(index, next, memory_order_relaxed);
	in_order();
}

static uint32_t current_of(const _Atomic uint32_t *index)
{
	return atomic_load_explicit(index, memory_order_relaxed) & 1;
}

/* --- calls ---------------------------------------------------------------- */

static void begin_way(struct stream_way *way, uint64_t position)
{
	way->calls[0].base = position;
	way->calls[0].msg.msg_len = 0;
	atomic_store_explicit(&way->current, 0, memory_order_relaxed);
}

/* From here on a position is that of this call. */
static struct mmsghdr *begin_call(struct stream_way *way, uint64_t base,
				  struct iovec *piece)
{
	uint32_t next = !current_of(&way->current);
	struct stream_call *call = &way->calls[next];

	call->base = base;
	call->msg = (struct mmsghdr){
		.msg_hdr = {.msg_iov = piece, .msg_iovlen = 1},
	};
	flip(&way->current, next);
	return &call->msg;
}

static uint64_t position(const struct stream_way *way)
{
	const struct stream_call *call = &way->calls[current_of(&way->current)];

	return call->base + call->msg.msg_len;
}

ssize_t stream_recv(struct stream *stream, int fd, const struct io_ring *rx,
		    size_t bytes)
{
	struct iovec piece = {.iov_base = io_ring_end(rx), .iov_len = bytes};
	struct mmsghdr *msg = begin_call(&stream->rx, rx->tail, &piece);

	if (recvmmsg(fd, msg, 1, MSG_DONTWAIT, NULL) < 0)
		return -1;
	return msg->msg_len;
}

ssize_t stream_send(struct stream *stream, int fd, const struct io_ring *tx)
{
	struct iovec piece = {.iov_base = io_ring_at(tx, tx->head),
			      .iov_len = io_ring_used(tx)};
	struct mmsghdr *msg = begin_call(&stream->tx, tx->head, &piece);

	if (sendmmsg(fd, msg, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -1;
	return msg->msg_len;
}

/* --- states --------------------------------------------------------------- */

void stream_begin(struct stream *stream, const struct io_ring *rx,
		  const struct io_ring *tx)
{
	begin_way(&stream->rx, rx->tail);
	begin_way(&stream->tx, tx->head);
	stream->mark = stream->suspect = (struct stream_mark){0};
	stream->nr_deaths = stream->nr_adoptions = 0;
}

void stream_commit(struct stream *stream, const struct io_ring *rx,
		   const struct io_ring *tx)
{
	uint32_t next = !current_of(&stream->current);
	struct stream_commit *commit = &stream->commits[next];

	commit->rx_head = rx->head;
	commit->rx_tail = rx->tail;
	commit->tx_head = tx->head;
	commit->tx_tail = tx->tail;
	flip(&stream->current, next);
	stream->mark.request = 0;
}

void stream_keep(struct stream *stream)
{
	flip(&stream->is_kept, 1);
}

void stream_drop(struct stream *stream)
{
	flip(&stream->is_kept, 0);
}

/* --- afterwards ----------------------------------------------------------- */

static const struct stream_commit *last_commit(const struct stream *stream)
{
	return &stream->commits[current_of(&stream->current)];
}

const void *stream_committed(const struct stream *stream)
{
	return last_commit(stream)->state;
}

static bool can_be(const struct io_ring *ring)
{
	return ring->head <= ring->tail &&
	       ring->tail - ring->head <= ring->bytes;
}

/*
 * A ring that is empty may go on to the start of its memory, with no call in
 * which to say so: the commit says it. Positions only grow, so of the two the
 * greater one is right.
 */
int stream_resume(const struct stream *stream, struct io_ring *rx,
		  struct io_ring *tx)
{
	const struct stream_commit *commit = last_commit(stream);

	rx->head = commit->rx_head;
	rx->tail = max_u64(commit->rx_tail, position(&stream->rx));
	tx->head = max_u64(commit->tx_head, position(&stream->tx));
	tx->tail = commit->tx_tail;
	return can_be(rx) && can_be(tx) ? 0 : -EUCLEAN;
}

uint64_t stream_blame(struct stream *stream, bool was_killed)
{
	const struct stream_mark *mark = &stream->mark;
	struct stream_mark *suspect = &stream->suspect;

	stream->nr_adoptions++;
	if (was_killed || !mark->request) {
		/* nobody's fault, or none of a request's */
	} else if (mark->request == suspect->request &&
		   mark->offset == suspect->offset) {
		stream->nr_deaths++;
	} else {
		*suspect = *mark;
		stream->nr_deaths = 1;
	}
	in_order();
	stream->mark.request = 0;
	return stream->nr_deaths < STREAM_MAX_DEATHS ? 0 : suspect->request;
}

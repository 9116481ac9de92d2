/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream - what is left of a connection when its server dies
 *
 * A socket outlives the process that served it, if somebody else has it open;
 * shared memory does, too. So a connection's rings are shared, and a struct
 * stream stands beside them. It says at every instant, that of a SIGKILL as
 * well, how many bytes the kernel has put into the receive ring, how many it
 * has taken out of the send ring, and from which state all else follows. The
 * next process goes on from there, and the client sees nothing of it.
 *
 * Terms:
 *   commit    the state of a connection between two rounds of work: where its
 *             rings begin and end, and what its user saves with that.
 *   position  a place in a ring (ring.h). They only grow.
 *   flip      the store of an index by which the new one of two records takes
 *             the place of the old one.
 *   kept      what another process can go on with, from stream_keep() to
 *             stream_drop().
 *   mark      which request is being run.
 *
 * A round, in this order:
 *   1. run requests, write answers into the send ring;
 *   2. commit, by a flip;
 *   3. send, up to the end of the ring as it was committed;
 *   4. receive.
 * Nothing is sent that is not committed, so what is done again, having been
 * done after the last commit, was never answered. Nothing is received before
 * the commit, because it may take the place of input that would have to be
 * looked at again. Of what was committed no byte may change: answers are not
 * taken back.
 *
 * How many bytes went through is said by the kernel. recvmmsg(2) and
 * sendmmsg(2) store that in the message's header, which stands in the shared
 * memory, before they return and whatever signal is pending. With recv(2) there
 * would be an instant in which the bytes are here and the number is not. Before
 * each call a position and a number of 0 are made ready, and come into force by
 * a flip: so the position is right before, during and after the call.
 *
 * Addresses in it are those of the last process. Only numbers are believed.
 *
 * Threads: one at a time, the connection's. A dead process's stream may be
 * looked at when all of its threads are gone.
 * Source: Linux net/socket.c, do_recvmmsg, __sys_sendmmsg: the store of
 * msg_len follows the transfer with no look at signals between them.
 */
#ifndef ZSD_STREAM_STREAM_H
#define ZSD_STREAM_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "io/ring.h"

/* What its user saves with a commit, at most, bytes. */
#define STREAM_STATE_BYTES (12u << 10)

/* Longest name of an export, bytes: what the NBD protocol allows. */
#define STREAM_NAME_BYTES 4096u

/* How often a server may die of a request before it is refused. */
#define STREAM_MAX_DEATHS 3u

/* What the client was told, and does not change. */
struct stream_session {
	uint64_t disk_bytes;
	uint32_t number; /* by which whoever holds its socket knows it */
	bool structured_replies;
	bool has_context;
	char export_name[STREAM_NAME_BYTES + 1];
};

/* A call that moves bytes: it began at a position, and moved msg_len. */
struct stream_call {
	uint64_t base;
	struct mmsghdr msg;
};

struct stream_way {
	struct stream_call calls[2];
	_Atomic uint32_t current;
};

struct stream_commit {
	uint64_t rx_head;
	uint64_t rx_tail;
	uint64_t tx_head;
	uint64_t tx_tail;
	_Alignas(8) unsigned char state[STREAM_STATE_BYTES];
};

/* A request, and the place on the disk to which it has got. */
struct stream_mark {
	uint64_t request; /* its number and 1, or 0: none is being run */
	uint64_t offset;
};

/* In shared memory; fresh memory, all zeros, is one that is not kept. */
struct stream {
	_Atomic uint32_t is_kept;
	_Atomic uint32_t current; /* commit */
	struct stream_mark mark;
	struct stream_mark suspect; /* that of the last death in a request */
	uint32_t nr_deaths; /* at the suspect, one after the other */
	uint32_t nr_adoptions;
	struct stream_way rx;
	struct stream_way tx;
	struct stream_commit commits[2];
	struct stream_session session;
};

/* --- the server ----------------------------------------------------------- */

/**
 * stream_begin() - take the rings as they are for the first state
 * @rx, @tx: all of their memory must be there (io_ring_prepare())
 *
 * The session is to be filled in. Then a commit, then stream_keep().
 */
void stream_begin(struct stream *stream, const struct io_ring *rx,
		  const struct io_ring *tx);

/* stream_next() - where to save what goes with the next commit: up to
 * STREAM_STATE_BYTES, aligned to 8 */
static inline void *stream_next(struct stream *stream)
{
	uint32_t current =
		atomic_load_explicit(&stream->current, memory_order_relaxed);

	return stream->commits[!(current & 1)].state;
}

/* stream_commit() - what was saved, and the rings as they are, come into force;
 * no request is being run. A few ns. */
void stream_commit(struct stream *stream, const struct io_ring *rx,
		   const struct io_ring *tx);

/* From here on, and up to here, another process can go on with it. */
void stream_keep(struct stream *stream);
void stream_drop(struct stream *stream);

static inline bool stream_is_kept(const struct stream *stream)
{
	return atomic_load_explicit(&stream->is_kept, memory_order_relaxed);
}

/**
 * stream_recv() - receive into a ring, whose tail it leaves to the caller
 * @bytes: at most the room
 *
 * All that was run must be committed. Does not wait.
 * Return: as recv(2).
 */
ssize_t stream_recv(struct stream *stream, int fd, const struct io_ring *rx,
		    size_t bytes) ZSD_MUST_CHECK;

/* stream_send() - the same the other way; the caller moves the head. All that
 * is in use must be committed. Return: as send(2). */
ssize_t stream_send(struct stream *stream, int fd,
		    const struct io_ring *tx) ZSD_MUST_CHECK;

/* --- the next one --------------------------------------------------------- */

/* stream_committed() - what was saved with the last commit */
const void *stream_committed(const struct stream *stream);

/**
 * stream_resume() - give rings that were mapped anew the positions they had
 *
 * Changes the rings alone. Return: 0, or -EUCLEAN where the positions cannot
 * be: the stream is damaged, and nothing can be done for its client.
 */
int stream_resume(const struct stream *stream, struct io_ring *rx,
		  struct io_ring *tx) ZSD_MUST_CHECK;

/**
 * stream_blame() - count how often the server died in the same place
 * @was_killed: by somebody else, at whatever moment: nothing is counted. Who
 *              waited for the process knows
 *
 * Once for each process that goes on. A request is counted where the server
 * died while it was being run, and has got no further than the time before.
 * Return: the number and 1 of a request in which it did so STREAM_MAX_DEATHS
 * times, until that is answered; 0 where there is none.
 */
uint64_t stream_blame(struct stream *stream, bool was_killed);

#endif

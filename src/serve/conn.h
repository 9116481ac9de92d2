/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn - one client's connection, from accept to close
 *
 *      conn_create()            main thread: all its memory is taken here
 *           |
 *      conn_attach()            its worker's thread, from here to the end
 *           |
 *       HANDSHAKE ------------- deadline, protocol error, EOF, stop --.
 *           |  EXPORT_NAME, GO                                        |
 *      TRANSMISSION <---------.                                       |
 *           |   |             | its turn comes                        |
 *           |   `- RUNNABLE --'  (has work left, let others run)      |
 *           |                                                         |
 *           |  goodbye, EOF, protocol error, stop                     |
 *           v                                                         |
 *        DRAINING   what was answered is sent, nothing is received    |
 *           |  all sent, or the deadline                              |
 *           |                                                         |
 *      LINGERING   over TCP: what the client still sends is dropped   |
 *           |  it closes too, or the deadline                         |
 *           v                                                         v
 *         CLOSED ---- libuv lets go of the timer ----> worker_closed(), free
 *
 * A turn takes CONN_TURN_NS: receive what there is, run it, send the answers
 * with one send(2), and again while more than one request comes at a time.
 * Answers to reads leave before writes are begun. Then it waits for the socket.
 * A client that does not read its answers stops being read from, and nobody
 * else notices. At depth one a request costs epoll_wait, recv and send.
 *
 * Where the kernel has no memory for recv(2) or send(2), the connection pauses
 * for a moment and tries again: nothing but its client and its own errors end
 * it.
 *
 * A TCP connection that is closed while input waits, or before it comes, is
 * reset by the kernel, and the answers that the client has not received by then
 * are lost. So it lingers until the client closes. A Unix socket keeps them.
 *
 * Stop: a connection that is told to stop serves what its socket held at that
 * moment, to the end of the last request of it, and closes.
 *
 * With an area (serve.h) a connection is kept from the end of its handshake to
 * its own: another process can go on with it. Each step is then committed
 * before anything is sent, and recvmmsg(2) and sendmmsg(2) take the place of
 * the calls above. All of its memory is there from the start.
 *
 * Ownership: a connection owns its socket and its rings. It frees itself after
 * worker_closed(). Threads: that of its worker, after conn_attach().
 */
#ifndef ZSD_SERVE_CONN_H
#define ZSD_SERVE_CONN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/compiler.h"
#include "base/list.h"
#include "base/units.h"
#include "io/loop.h"
#include "io/ring.h"
#include "nbd/handshake.h"
#include "serve/transmission/transmission.h"
#include "stream/area.h"

/* What a connection has memory for from its start, bytes of each ring: an
 * option of the handshake, and its answer. */
#define CONN_FIRST_BYTES ((size_t)(64 * KIB) + NBD_HANDSHAKE_OUT_BYTES)

/*
 * Receive ring, bytes. A read behind a queue of writes is found once it is in
 * here, so that it holds as many pages as a kernel has under way on a
 * connection, with their headers, and half as many more.
 */
#define CONN_RX_BYTES ((size_t)(1024 * KIB))

/* Unsent answers above which nothing more is received or answered, bytes. */
#define CONN_BACKLOG_BYTES ((size_t)(128 * KIB))

/* Send ring, bytes: as many pages as can be asked for at a time. */
#define CONN_TX_BYTES ((size_t)(512 * KIB))

/* How long a connection has its thread to itself, ns. Others that share it
 * wait for so long, and so does a read that comes meanwhile. */
#define CONN_TURN_NS UINT64_C(1000000)

/*
 * How long a connection that is to be closed may take to be rid of what it has
 * to send, or to send the rest of a request, milliseconds.
 */
#define CONN_LINGER_MS 5000u

/* Most memory that a connection takes, bytes: zsd(8) says so. */
#define CONN_MAX_BYTES (1600 * KIB)

struct serve_params;
struct worker;

enum conn_state {
	CONN_HANDSHAKE,
	CONN_TRANSMISSION,
	CONN_DRAINING,
	CONN_LINGERING,
	CONN_CLOSED,
};

struct conn {
	struct list_node node; /* on the worker's inbox, then its list */
	struct list_node runnable; /* on the worker's list of those */
	struct list_node paused; /* on the worker's list of those */
	struct conn_pool *pool;
	struct worker *worker;
	struct io_watch watch;
	uint64_t id; /* for people, in the log */
	uint32_t number; /* see serve_give() */
	int fd;
	enum conn_state state;
	int reason; /* why it closes: 0 or -errno */
	bool was_served; /* it got past the handshake */
	bool is_stopping; /* conn_stop() was called */
	bool is_tcp;
	bool is_watched; /* io_watch_add() was called */
	bool may_recv; /* there was more than was received last */
	bool has_hung_up; /* the client has, or will not send any more: the end
			   * of what it sent is still to be received */
	bool wants_room; /* is told when the client has read */
	bool has_room; /* it was told so, and nothing was sent since */
	bool input_ended; /* nothing more is received */
	bool at_end; /* the client sends nothing more */
	size_t stop_bytes; /* if stopping: what may still be received */
	uv_timer_t deadline; /* of the handshake, later of the end */
	struct io_ring rx;
	struct io_ring tx;
	struct nbd_handshake handshake;
	struct transmission transmission;
	unsigned slot; /* of the pool's area, if that has one */
	struct stream *stream; /* the same, or NULL */
	bool is_kept; /* another process can go on with it */
};

/*
 * Connections that have memory already, and wait for a client: one that comes
 * when the system has none, maybe after it lost its connection, is served all
 * the same. They come back when they are closed.
 */
struct conn_pool {
	struct stream_area *area; /* of their rings, or NULL */
	pthread_mutex_t lock;
	struct list_node ready; /* struct conn.node */
	unsigned nr; /* of those */
	unsigned nr_kept; /* at most */
};

/**
 * conn_pool_init() - keep connections ready
 * @nr_kept:  how many
 * @is_full:  whether with all the memory that they can need, or with what they
 *            need to begin with; always so with an area
 * @area:     where connections are kept: see stream.h; or NULL
 *
 * Return: 0 or -ENOMEM. Release: conn_pool_fini(), after all connections.
 */
int conn_pool_init(struct conn_pool *pool, unsigned nr_kept, bool is_full,
		   bool inherit_priority,
		   struct stream_area *area) ZSD_MUST_CHECK;
void conn_pool_fini(struct conn_pool *pool);

/**
 * conn_create() - take a connection from the pool, or the memory for one
 * @fd: a connected stream socket; the connection's if it succeeds
 * @id: for people, in the log
 *
 * Context: any thread. Return: 0 or -ENOMEM.
 * Release: conn_destroy() before conn_attach(), never after.
 */
int conn_create(struct conn_pool *pool, int fd, uint64_t id,
		struct conn **out) ZSD_MUST_CHECK;
void conn_destroy(struct conn *conn);

/**
 * conn_adopt() - the same of a connection whose server is dead
 * @slot:   of the pool's area
 * @fd:     its socket
 * @params: with the exports, one of which must be its
 * @was_killed: see stream_blame()
 *
 * Return: besides
 *   -ENOENT   there was nothing to be kept yet
 *   -ENXIO    there is no such export, or it has another size
 *   -EUCLEAN  what was kept is damaged
 */
int conn_adopt(struct conn_pool *pool, unsigned slot, int fd, uint64_t id,
	       const struct serve_params *params, bool was_killed,
	       struct conn **out) ZSD_MUST_CHECK;

/* conn_attach() - greet the client and serve it; or go on with one that was
 * adopted. Context: worker thread. */
void conn_attach(struct conn *conn, struct worker *worker);

/* conn_run() - take its turn, having been runnable. Context: worker thread. */
void conn_run(struct conn *conn);

/* conn_stop() - finish what was received, then close. Context: worker thread.
 * Does nothing where it is closing already. */
void conn_stop(struct conn *conn);

/* conn_wake() - what some of its requests wait for may be there. Context:
 * worker thread. */
void conn_wake(struct conn *conn);

/* --- between the files of conn -------------------------------------------- */

/* conn.c: take the client's socket away at once; the memory lives until libuv
 * has let go of the timer, so the caller may go on to return. @reason: 0 or
 * -errno, the first one counts. */
void conn_close(struct conn *conn);
void conn_close_for(struct conn *conn, int reason);

/* conn.c: be told of its socket. Return: 0 or -errno of io_watch_add(). */
int conn_watch(struct conn *conn) ZSD_MUST_CHECK;

/* conn.c: nothing more is received; close when all is sent. */
void conn_drain(struct conn *conn, int reason);

/* conn_turn.c: the handshake is over, here or long ago, and has chosen an
 * export. */
void conn_begin_transmission(struct conn *conn);

/* conn_turn.c: conn_run(), where it neither lingers nor is closed. */
void conn_turn(struct conn *conn);

/* conn_turn.c: told by the loop. */
void conn_ready(struct io_watch *watch, uint32_t events);

#endif

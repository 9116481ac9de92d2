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
 *         CLOSED ---- libuv lets go of the handles ----> worker_closed(), free
 *
 * A turn is: run what the receive buffer holds, send the answers with one
 * send(2), receive, and again while more than one request came at a time.
 * Then it waits for the socket:
 *   readable   unless more than CONN_BACKLOG_BYTES of answers are unsent
 *   writable   while answers are unsent
 * so a client that does not read stops being read from, and nobody else
 * notices. At depth one a request costs recv, send, epoll_wait.
 *
 * Sockets are read and written here, with uv_poll to wait: libuv then
 * allocates nothing for a request.
 *
 * A TCP connection that is closed while input waits, or before it comes, is
 * reset by the kernel, and the answers that the client has not received by then
 * are lost. So it lingers until the client closes. A Unix socket keeps them.
 *
 * Stop: a connection that is told to stop serves what its socket held at that
 * moment, to the end of the last request of it, and closes.
 *
 * Ownership: a connection owns its socket and its buffers. It frees itself
 * after worker_closed(). Threads: that of its worker, after conn_attach().
 */
#ifndef ZSD_SERVE_CONN_H
#define ZSD_SERVE_CONN_H

#include <stdint.h>

#include "base/compiler.h"
#include "nbd/handshake.h"
#include "serve/transmission.h"

/*
 * Receive buffer, bytes. Holds the longest piece of input that is looked at as
 * one (an option; a request and a page are far less); of this size so that a
 * client's whole queue of 4 KiB writes arrives in one or two recv(2).
 */
#define CONN_RX_BYTES (256u << 10)

/* Unsent answers above which nothing more is received or answered, bytes. */
#define CONN_BACKLOG_BYTES (64u << 10)

/* Send buffer, bytes: the backlog, and room for the largest piece of a read. */
#define CONN_TX_BYTES (CONN_BACKLOG_BYTES + TRANSMISSION_ROOM_BYTES)

/*
 * How long a connection that is to be closed may take to be rid of what it has
 * to send, or to send the rest of a request, milliseconds.
 */
#define CONN_LINGER_MS 5000u

/* Most memory that a connection takes, bytes: zsd(8) says so. */
#define CONN_MAX_BYTES (640u << 10)

struct conn;
struct worker;

/**
 * conn_create() - take the memory for a connection
 * @fd: a connected stream socket; the connection's if it succeeds
 * @id: for people, in the log
 *
 * Context: any thread. Return: 0 or -ENOMEM.
 * Release: conn_destroy() before conn_attach(), never after.
 */
int conn_create(int fd, uint64_t id, struct conn **out) ZSD_MUST_CHECK;
void conn_destroy(struct conn *conn);

/* conn_attach() - greet the client and serve it. Context: worker thread. */
void conn_attach(struct conn *conn, struct worker *worker);

/* conn_run() - take its turn, having been runnable. Context: worker thread. */
void conn_run(struct conn *conn);

/* conn_stop() - finish what was received, then close. Context: worker thread.
 * Does nothing where it is closing already. */
void conn_stop(struct conn *conn);

#endif

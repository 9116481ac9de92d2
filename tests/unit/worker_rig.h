/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker_rig - a worker on the flat_store, and clients that talk to it
 *
 * There is one worker, which worker_rig_start() makes, and clients are sockets
 * of the test's. Waits are bounded: a worker that says nothing fails the test.
 */
#ifndef ZSD_UNIT_WORKER_RIG_H
#define ZSD_UNIT_WORKER_RIG_H

#include <check.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "flat_store.h"
#include "nbd/nbdc_bytes.h"
#include "serve/conn.h"
#include "serve/serve.h"

/* Until then everything that is waited for must have come, seconds. */
#define DEADLINE_S 20

/* How long a client waits for the next byte, seconds: less than a connection
 * lingers, so that one that ends only because of that is found out. */
#define PATIENCE_S (CONN_LINGER_MS / 1000 - 1)

/* --- the worker ---------------------------------------------------------- */

/* Connections at most. */
#define MAX_CONNECTIONS 64u

extern struct serve *serve;
extern struct export_table exports;

/* How often the worker said that a connection has left. */
extern atomic_uint nr_left;

/* Of the worker that is started next; 0 unless a test says more. */
extern unsigned poll_us;

/* Whether its connections are kept; and where, or NULL. */
extern bool keeps;
extern struct stream_area *kept_area;

void start_worker(unsigned handshake_timeout_s);

/* What is left when the workers have been stopped: serve_destroy() stops the
 * process if anything of libuv's is not put away. */
void end_worker(void);

/* Ends the worker, which closes all that is left. */
void stop_worker(void);

/* A test's fixture: a new store, and a worker, which is ended after it. */
void worker_setup(void);
void worker_teardown(void);

/* Waits until a condition is true. */
#define WAIT_UNTIL(condition)                               \
	do {                                                \
		const time_t end = time(NULL) + DEADLINE_S; \
                                                            \
		while (!(condition))                        \
			wait_a_moment(end);                 \
	} while (0)
void wait_a_moment(time_t end);

/* Waits until the worker has no connection left. */
void wait_for_no_conns(void);

/* --- a client ------------------------------------------------------------ */

/* A socket to the worker. */
int connect_client(void);

/* The same over TCP, and of what it is sent it takes little at a time. */
int connect_tcp_client(void);

/* The same, past the handshake. */
int connect_served(void);

void send_all(int fd, const void *data, size_t bytes);
void receive_all(int fd, void *data, size_t bytes);

/* The server has closed, having sent nothing more. */
void receive_end(int fd);

/* Client flags and GO for the default export. */
#define HANDSHAKE_BYTES (4 + NBDC_OPTION_BYTES + 6)
#define GO_REPLY_BYTES	(32 + 20)

void put_handshake(unsigned char p[HANDSHAKE_BYTES]);
void receive_welcome(int fd);
void shake_hands(int fd);

void put_request(unsigned char p[NBDC_REQUEST_BYTES], uint16_t type,
		 uint64_t cookie, uint64_t offset, uint32_t length);
void send_request(int fd, uint16_t type, uint64_t cookie, uint64_t offset,
		  uint32_t length);
void receive_reply(int fd, uint64_t cookie, uint32_t error);

/* The data of a read, which must be what the store holds. */
void receive_data(int fd, uint64_t offset, size_t bytes);

#endif

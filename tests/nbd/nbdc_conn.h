/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdc_conn - a connection to an NBD server
 *
 * Every wait is bounded, so that a server that says nothing fails a test
 * instead of hanging it. What a test wants to be wrong it sends by itself, with
 * nbdc_send_bytes().
 *
 * Functions that can fail return 0 or -errno: -ECONNRESET where the server
 * hangs up, -ETIMEDOUT where it is silent, -EPROTO where it breaks the rules.
 * nbdc_explain() says it in words.
 *
 * Threads: one a connection.
 */
#ifndef ZSD_TESTS_NBD_NBDC_CONN_H
#define ZSD_TESTS_NBD_NBDC_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "nbd/nbdc_replies.h"

/* Longest silence of the server that is borne, unless a test says more. */
#define NBDC_TIMEOUT_S 30u

/* Most requests that are sent at a time: a header and a payload each must fit
 * the 1024 pieces that one sendmsg(2) takes. */
#define NBDC_BATCH 512u

/* What one recv(2) brings: the replies of 32 reads of 4 KiB twice over, and
 * small enough to stay in the second-level cache. */
#define NBDC_RECEIVE_BYTES (256u << 10)

struct nbdc_buffers {
	unsigned char header[NBDC_BATCH][NBDC_REQUEST_BYTES];
	struct iovec piece[2 * NBDC_BATCH];
	unsigned char received[NBDC_RECEIVE_BYTES];
};

struct nbdc_conn {
	int fd;
	uint64_t size_bytes; /* of the export, once it is negotiated */
	uint16_t flags; /* EXPORT_* */
	struct nbdc_replies replies;

	struct nbdc_buffers *buffers;
	unsigned nr_headers; /* of what is being sent */
	unsigned first_piece, nr_pieces; /* that are not sent whole */
	size_t taken, nr_received; /* bytes */
};

/* What to negotiate; all zeros is a plain session with the default export. */
struct nbdc_wish {
	const char *name; /* of the export; NULL is "" */
	bool structured; /* replies */
	bool context; /* base:allocation */
	bool by_name; /* OPT_EXPORT_NAME instead of OPT_GO */
};

/* What a failed call with @conn returned, in words. */
const char *nbdc_explain(const struct nbdc_conn *conn, int err);

/* End the program where @err is one. */
void nbdc_must(const struct nbdc_conn *conn, int err);

/* --- bytes --------------------------------------------------------------- */

/* Take a socket that is connected. Release: nbdc_close(). */
void nbdc_adopt(struct nbdc_conn *conn, int fd);

/* @address: a Unix socket's path, with a slash in it; else HOST:PORT. */
int nbdc_connect(struct nbdc_conn *conn, const char *address,
		 unsigned timeout_s) ZSD_MUST_CHECK;

/* Hang up, without a word. */
void nbdc_close(struct nbdc_conn *conn);

int nbdc_send_bytes(struct nbdc_conn *conn, const void *bytes,
		    size_t nr_bytes) ZSD_MUST_CHECK;
int nbdc_receive_bytes(struct nbdc_conn *conn, void *bytes,
		       size_t nr_bytes) ZSD_MUST_CHECK;

/* The server hangs up, after anything, or having said nothing more. */
int nbdc_drain(struct nbdc_conn *conn) ZSD_MUST_CHECK;
int nbdc_receive_end(struct nbdc_conn *conn) ZSD_MUST_CHECK;

/* --- handshake ----------------------------------------------------------- */

/* Take the greeting, and answer with @client_flags. */
int nbdc_greet(struct nbdc_conn *conn, uint32_t client_flags) ZSD_MUST_CHECK;

int nbdc_send_option(struct nbdc_conn *conn, uint32_t option, const void *data,
		     size_t bytes) ZSD_MUST_CHECK;

/* All answers to an option. @last: receives the type of the last. */
int nbdc_receive_answer(struct nbdc_conn *conn, uint32_t option,
			uint32_t *last) ZSD_MUST_CHECK;

/* From connected to the transmission phase. Return: besides, -ENOENT where the
 * server refuses what was wished for. */
int nbdc_negotiate(struct nbdc_conn *conn,
		   const struct nbdc_wish *wish) ZSD_MUST_CHECK;

/* nbdc_connect() and nbdc_negotiate(); @wish may be NULL. */
int nbdc_open(struct nbdc_conn *conn, const char *address,
	      const struct nbdc_wish *wish) ZSD_MUST_CHECK;

/* --- requests, one after another ----------------------------------------- */

/* Send a request. @data: what a write carries; or where what is read goes, NULL
 * for nowhere. The caller's, until the reply is there. */
int nbdc_send(struct nbdc_conn *conn, const struct nbdc_request *request,
	      void *data) ZSD_MUST_CHECK;

/* Wait for one reply, whichever is the first to be whole. @done: receives the
 * request, and its error. */
int nbdc_receive(struct nbdc_conn *conn,
		 struct nbdc_pending *done) ZSD_MUST_CHECK;

/* Both, while nothing else is under way. @error: receives ERR_*, or OK. */
int nbdc_run(struct nbdc_conn *conn, const struct nbdc_request *request,
	     void *data, uint32_t *error) ZSD_MUST_CHECK;

/* The same; ends the program where it does not succeed. */
void nbdc_must_run(struct nbdc_conn *conn, const struct nbdc_request *request,
		   void *data);

/* CMD_DISC, and hang up. */
void nbdc_leave(struct nbdc_conn *conn);

/* --- many requests, at little cost --------------------------------------- */

/* Add a request to those that are sent next, NBDC_BATCH at most; not while some
 * are unsent. @payload: of a write, until it is sent; @user: data in its
 * events. */
void nbdc_add(struct nbdc_conn *conn, const struct nbdc_request *request,
	      void *payload, void *user);

/* Send them in one go, as far as the socket takes them, or all: @wait. */
int nbdc_push(struct nbdc_conn *conn, bool wait) ZSD_MUST_CHECK;
bool nbdc_has_unsent(const struct nbdc_conn *conn);

/* Take what there is off the socket, once, all before it having been looked at.
 * @wait: until there is some. */
int nbdc_pull(struct nbdc_conn *conn, bool wait) ZSD_MUST_CHECK;

/* What it says, event by event, up to one that is NBDC_MORE. */
int nbdc_next(struct nbdc_conn *conn, struct nbdc_event *event) ZSD_MUST_CHECK;

#endif

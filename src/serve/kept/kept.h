/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kept - what another process needs to go on with a client
 *
 * Fills the stream of a connection (stream.h) with what follows from no bytes
 * in its rings: the session, requests that are taken up, how far each has got.
 * What only says what to look at first, or how much to do at a time, is found
 * out anew.
 *
 * All of these do nothing for a connection that has no stream. Threads: that of
 * the connection's worker, but for kept_resume().
 */
#ifndef ZSD_SERVE_KEPT_KEPT_H
#define ZSD_SERVE_KEPT_KEPT_H

#include "serve/conn.h"
#include "serve/serve.h"

/* kept_begin() - the handshake is over: keep it from now on */
void kept_begin(struct conn *conn);

/* kept_save() - inside kept_commit() */
void kept_save(struct conn *conn);

/* kept_commit() - after each step, before anything is sent or received. Some
 * 5 ns, and 2 ns for each request that is under way. */
static inline void kept_commit(struct conn *conn)
{
	if (conn->is_kept)
		kept_save(conn);
}

/* kept_end() - nothing of it is to be kept any more. Before its socket is
 * closed. */
void kept_end(struct conn *conn);

/**
 * kept_resume() - make of a stream that is kept the connection that it was
 * @conn:   new, with the stream and its rings mapped
 * @params: exports, and where to log
 * @was_killed: see stream_blame()
 *
 * What is missing is its worker. Context: any thread.
 * Return: 0, -ENXIO or -EUCLEAN: see conn_adopt().
 */
int kept_resume(struct conn *conn, const struct serve_params *params,
		bool was_killed) ZSD_MUST_CHECK;

#endif

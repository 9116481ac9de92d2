/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn_internal - what conn.c and its worker both look at
 */
#ifndef ZSD_SERVE_CONN_INTERNAL_H
#define ZSD_SERVE_CONN_INTERNAL_H

#include <stdbool.h>
#include <uv.h>

#include "base/list.h"
#include "serve/conn.h"

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
	struct worker *worker;
	uint64_t id;
	int fd;
	enum conn_state state;
	int reason; /* why it closes: 0 or -errno */
	bool was_served; /* it got past the handshake */
	bool is_stopping; /* conn_stop() was called */
	bool is_tcp;
	bool at_end; /* the client sends nothing more */
	size_t stop_bytes; /* then: what may still be received */
	int watched; /* uv_poll events waited for */
	unsigned nr_handles; /* of uv, not let go of yet */
	uv_poll_t poll;
	uv_timer_t deadline; /* of the handshake, later of the end */
	struct stream_buf rx;
	struct stream_buf tx;
	struct nbd_handshake handshake;
	struct transmission transmission;
};

#endif

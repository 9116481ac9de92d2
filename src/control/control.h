/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control - the control socket: a thread that answers zsctl
 *
 * Has a uv loop of its own, so that a slow or hostile control client delays
 * other control clients at worst, never data. Allocates as it likes: it is
 * not on the data path. The protocol is docs/control-protocol.md; its text
 * form is parsed and made by src/ctl.
 *
 * Ownership: the control owns the listening socket it is given and the clients
 * that connect to it. Threads: created and destroyed by the main thread.
 */
#ifndef ZSD_CONTROL_CONTROL_H
#define ZSD_CONTROL_CONTROL_H

#include "base/compiler.h"
#include "export/counters.h"
#include "guard/reserve.h"
#include "guard/residence.h"
#include "zstore/zstore.h"

/*
 * How long a client may keep us waiting, milliseconds: for a whole line while
 * nothing of its is under way, or to take a reply. There are few places, so
 * that sixteen that say nothing would keep zsctl out for ever. Whoever watches
 * the server asks more often than this; a person at a socket can connect again.
 */
#define CONTROL_IDLE_MS 60000u

struct control;

struct control_params {
	int listen_fd; /* a listening Unix stream socket */
	struct zstore *store; /* outlives the control */
	struct residence *residence; /* to join and to tell of; outlives it */
	struct housekeeper *keeper; /* to tell of; outlives it */
	unsigned nr_threads; /* worker threads, to be shown */
	unsigned idle_ms; /* CONTROL_IDLE_MS, but for tests */
	/* Fill in the server's counters; called from the control's thread. */
	void (*count)(void *arg, struct server_counts *counts);
	void *count_arg;
};

/**
 * control_start() - start the control thread
 * @params: copied; on success the listening socket is the control's
 *
 * Return: 0 or -errno. End: control_stop(), which waits for the command under
 * way, closes all clients and joins the thread; it takes NULL too.
 */
int control_start(const struct control_params *params,
		  struct control **out) ZSD_MUST_CHECK;
void control_stop(struct control *control);

#endif

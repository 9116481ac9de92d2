/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control - the control socket: a thread that answers zsctl
 *
 * Has an event loop of its own, so that a slow or hostile control client delays
 * other control clients at worst, never data. Allocates as it likes: it is
 * not on the data path. The protocol is docs/control-protocol.md; its text
 * form is parsed and made by src/ctl.
 *
 * Ownership: the control owns the listening sockets it is given and the clients
 * that connect to them. Threads: created and destroyed by the main thread.
 */
#ifndef ZSD_CONTROL_CONTROL_H
#define ZSD_CONTROL_CONTROL_H

#include "base/compiler.h"
#include "ctl/schema.h"
#include "export/export.h"
#include "guard/reserve.h"
#include "guard/residence.h"
#include "io/listen.h"
#include "io/log.h"
#include "policy/policy.h"

/*
 * How long a client may keep us waiting, milliseconds: for a whole line while
 * nothing of its is under way, or to take a reply. There are few places, so
 * that sixteen that say nothing would keep zsctl out for ever. A monitor asks
 * more often than this; a person at a socket can connect again.
 */
#define CONTROL_IDLE_MS 60000u

struct control;

struct control_params {
	/* Listening Unix stream sockets, non-blocking. */
	int listen_fds[IO_LISTEN_MAX];
	size_t nr_listen_fds;
	struct export_table *exports; /* outlive the control */
	struct residence *residence; /* to join and to tell of; outlives it */
	struct reserve *const *reserves; /* by export, to tell of; outlive it */
	struct writeback *const *writebacks; /* by export, or NULL; the same */
	struct policy *policy; /* to tell of, and to mark pages; outlives it */
	struct io_log *log; /* outlives it */
	unsigned nr_threads; /* worker threads, to be shown */
	unsigned idle_ms; /* CONTROL_IDLE_MS, but for tests */
	/* Fill in what is counted of connections, polling and survival; called
	 * from the control's thread. */
	void (*count)(void *arg, struct ctl_connections *connections,
		      struct ctl_polling *polling,
		      struct ctl_survival *survival);
	void *count_arg;
	/* Hand over to the program that is installed now; called likewise, with
	 * count_arg. Return: 0, -EOPNOTSUPP where nobody could, or -errno. */
	int (*upgrade)(void *arg);
};

/**
 * control_start() - start the control thread
 * @params: copied; the listening sockets are the control's, also on error
 *
 * Return: 0 or -errno. End: control_stop(), which waits for the command under
 * way, closes all clients and joins the thread; it takes NULL too.
 */
int control_start(const struct control_params *params,
		  struct control **out) ZSD_MUST_CHECK;
void control_stop(struct control *control);

#endif

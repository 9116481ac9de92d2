/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper_internal - how the files of the keeper share its work
 *
 *   keeper.c      its loop: signals, connections, what is due
 *   succession.c  servers: starting, taking over, deaths
 */
#ifndef ZSD_KEEP_KEEPER_INTERNAL_H
#define ZSD_KEEP_KEEPER_INTERNAL_H

#include "keep/held.h"
#include "keep/keeper.h"
#include "keep/ward.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS (NS_PER_S / 1000)

struct keeper {
	const struct keeper_params *params;
	struct io_log *log;
	struct held held;
	struct ward serving; /* or about to */
	struct ward standby; /* or about to be */
	struct keep_figures figures;
	int signal_fd;
	unsigned nr_short_lives; /* of those that served, one after another */
	unsigned nr_failures; /* to have one stand by, one after another */
	uint64_t died_ns; /* the last one that was serving */
	uint64_t start_at_ns; /* the next one to stand by; 0: at once */
	uint64_t accept_at_ns; /* not before */
	bool was_ready; /* the first one was */
	bool is_ending; /* told to */
	bool accepts_to_refuse; /* though it was */
	bool is_stuck; /* servers die too fast: waits for SIGHUP */
	bool is_over;
	int result; /* of keeper_run() */
};

/* --- succession.c --------------------------------------------------------- */

/* Start the first server. Return: 0 or -errno, which was logged. */
int keeper_begin(struct keeper *k) ZSD_MUST_CHECK;

/* Whether there should be one that stands by, and is none. */
bool keeper_wants_standby(const struct keeper *k);
void keeper_start_standby(struct keeper *k);

/* Where nobody serves, and one stands by, it is its turn. */
void keeper_hand_over_if_due(struct keeper *k);

/* Hear all that a server has said. */
void keeper_hear(struct keeper *k, struct ward *w);

/* See which of them died, and what follows from it. */
void keeper_reap(struct keeper *k);

/* keeper_end() - no server is started any more; @result of keeper_run() */
void keeper_end(struct keeper *k, int result);

void keeper_tell(const struct ward *w, enum keep_kind kind, uint32_t number,
		 int fd);

#endif

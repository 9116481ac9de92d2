/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper_internal - how the files of the keeper share its work
 *
 *   keeper.c      its loop: signals, connections, what is due
 *   succession.c  servers: starting, taking over, deaths
 */
#ifndef ZSD_KEEP_KEEPER_INTERNAL_H
#define ZSD_KEEP_KEEPER_INTERNAL_H

#include <limits.h>

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
	char path[PATH_MAX]; /* where the program is installed */
	int program_fd; /* what servers run, whatever is there by now */
	int upgrade_fd; /* what is to be run from now on, or -1 */
	bool is_handing_over; /* the server was killed for that */
	int signal_fd;
	unsigned nr_short_lives; /* of those that served, one after another */
	unsigned nr_failures; /* to have one stand by, one after another */
	uint64_t died_ns; /* the last one that was serving */
	uint64_t start_at_ns; /* the next one to stand by; 0: at once */
	uint64_t accept_at_ns; /* not before */
	bool has_begun; /* there are disks to be taken over */
	bool was_announced; /* that somebody serves */
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

/*
 * keeper_upgrade() - hand over to the program that is installed now
 *
 * A server of that is started to stand by. When it is ready, the one that
 * serves is killed, and what follows is what follows from a death. Where it
 * does not get ready, or dies before it serves, all stays as it was.
 */
void keeper_upgrade(struct keeper *k);

/* When one that gets ready, or takes over, has had enough time for that, or
 * UINT64_MAX; and what follows. */
uint64_t keeper_patience_ends_ns(const struct keeper *k);
void keeper_end_patience(struct keeper *k);

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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crew - workers that help one of them
 *
 * One connection is served by one worker: its bytes are one stream. But what it
 * writes is packed page by page, and that takes most of the time. So a worker
 * with a lot to pack has those help that have nothing else to do.
 *
 * Terms:
 *   member  a worker. It rests, where it waits for its sockets, asleep or
 *           looking again and again; else it is busy.
 *   job     a page to be packed.
 *   batch   jobs of one member, the owner, which does them together with those
 *           that rest. It goes on when all are done: no job outlives its batch,
 *           so that nobody else need know of them, and a connection that ends,
 *           stops or is handed over has none.
 *
 * Who comes late finds no job left. Jobs are claimed one by one, so that a
 * member that is slow, or is kept from running, does fewer. The owner waits for
 * jobs that were begun: a moment awake, and then by a lock that each helper
 * holds while it works, so that one that is less urgent inherits.
 *
 * On each processor but one may be a helper: one is the owner's. Who has helped
 * sleeps again: to look for the next batch instead was tried, for 50 and 150
 * us, and gained nothing, for it takes what the client would run on.
 *
 * Memory: allocates nothing. Ownership: the members are their workers'.
 * Threads: each member by its own, but for what is atomic.
 * Source: work is shared by a common counter, as in OpenMP's dynamic loops.
 */
#ifndef ZSD_SERVE_CREW_H
#define ZSD_SERVE_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Jobs of a batch. As many as a kernel has pages under way in half a turn. */
#define CREW_MAX_JOBS 64u

/* Members, at most: as many as workers. */
#define CREW_MAX_MEMBERS 256u

/* A batch that takes one member less than this, ns, is not worth waking another
 * one: that takes up to a tenth of it, at both ends. */
#define CREW_WORTH_NS 50000u

struct crew_job {
	uint64_t offset; /* of the disk; a page's */
	const void *src;
	unsigned export_index;
	int err; /* of zstore_write(): set by whoever does it */
};

struct crew_member {
	struct crew *crew;
	/* Do a job in the calling member's thread. */
	void (*run)(void *arg, struct crew_job *job);
	/* Have the member's thread call crew_resume(). From any thread. */
	void (*wake)(void *arg);
	void *arg;
	unsigned index;
	_Atomic uint32_t state; /* enum crew_state, and who calls: see crew.c */
	pthread_mutex_t working; /* held while it helps */

	/* Its batch. */
	_Atomic uint32_t unclaimed; /* see crew.c */
	_Atomic uint32_t nr_done; /* by helpers */
	struct crew_job jobs[CREW_MAX_JOBS];
};

/* All zero is a crew without members, of which none may help. */
struct crew {
	unsigned max_helpers; /* of a batch; set before the first one joins */
	_Atomic unsigned nr;
	struct crew_member *_Atomic members[CREW_MAX_MEMBERS];
};

/**
 * crew_member_init() - @run, @wake: see above
 *
 * Cannot fail. Release: crew_member_fini(), when no member of the crew has a
 * thread any more.
 */
void crew_member_init(struct crew_member *member, struct crew *crew,
		      bool inherit_priority,
		      void (*run)(void *arg, struct crew_job *job),
		      void (*wake)(void *arg), void *arg);
void crew_member_fini(struct crew_member *member);

/* crew_join() - from now on it may be called. By its thread, busy; the member
 * stays until all threads of the crew have ended. */
void crew_join(struct crew_member *member);

/* crew_rest() - it has nothing to do. @sleeps: or looks again by itself. */
void crew_rest(struct crew_member *member, bool sleeps);

/* crew_serve() - it has something of its own to do: it is called no more. Who
 * has called it already finds it busy for now. Cost: a load, mostly. */
void crew_serve(struct crew_member *member);

/* crew_resume() - it is busy again, and has helped whoever called it. */
void crew_resume(struct crew_member *member);

/* crew_nr_resting() - how many others would help now, at most as many as may.
 * Cost: a look at each member. */
unsigned crew_nr_resting(const struct crew_member *member);

/**
 * crew_run() - do the first @nr of the member's jobs, 1 to CREW_MAX_JOBS
 *
 * Each runs once, in any order, by any member; all are done on return.
 * Return: how many of them others did.
 */
unsigned crew_run(struct crew_member *member, unsigned nr);

#endif

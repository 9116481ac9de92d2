/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * residence - stay in memory, and able to run, when memory is short
 *
 * The kernel may swap on the disk that we serve, on this very machine. Then it
 * waits for us to free memory, and we must never wait for it to do so. The
 * measures, all taken before the first client can come:
 *
 *   memory lock    nothing of ours is swapped out or dropped: to bring it back
 *                  would take a request to ourselves (mlockall)
 *   I/O flusher    what we ask of the kernel starts no I/O to reclaim memory,
 *                  for that I/O would be ours to serve (PR_SET_IO_FLUSHER)
 *   real time      the threads that serve, and the one that gets memory, come
 *                  before those who are short of it: they run first, and may go
 *                  a quarter below the watermark that stops others
 *   oom score      we are the last that the kernel kills to get memory: all
 *                  that was swapped out would die with us
 *   no core dump   what programs swapped out is theirs, and some of it lies in
 *                  buffers on our heap; the image is in no dump anyway
 *                  (PR_SET_DUMPABLE)
 *
 * Terms:
 *   urgent         a thread that the kernel waits for: it runs in real time
 *   foremost       one that urgent ones wait for, and that has little to do: it
 *                  runs in real time, and before them, where they would have
 *                  it wait for a turn of a tenth of a second
 *                  (sched_rr_timeslice)
 *   last           one that nobody waits for, and that has time: all others
 *                  run before it (setpriority(2), nice 19), in any mode
 *
 * Threads: begun and ended by the main thread; each thread joins by itself,
 * first of all. Memory: allocates at the beginning alone.
 * Source: prctl(2), mlockall(2), sched(7), proc(5); Linux mm/page_alloc.c.
 */
#ifndef ZSD_GUARD_RESIDENCE_H
#define ZSD_GUARD_RESIDENCE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "io/log.h"

enum swap_mode {
	SWAP_OFF, /* no measure is taken */
	SWAP_ON, /* one that cannot be taken is warned of */
	SWAP_STRICT, /* one that cannot be taken ends the start */
};

/* Longest name of a thread, bytes with the final 0. */
#define RESIDENCE_NAME_BYTES 16

/* See above. What a thread starts is ordinary, whatever it is itself. */
enum residence_rank {
	RESIDENCE_ORDINARY,
	RESIDENCE_URGENT,
	RESIDENCE_FOREMOST,
	RESIDENCE_LAST,
};

/* What one thread looks like now. */
struct residence_thread {
	char name[RESIDENCE_NAME_BYTES];
	pid_t tid;
	bool is_urgent; /* or foremost */
	bool is_io_flusher;
	bool is_real_time;
	uint64_t minor_faults; /* page faults since READY without I/O */
	uint64_t major_faults; /* and with I/O */
};

/* What the process looks like now. */
struct residence_state {
	uint64_t vm_lck_bytes; /* locked; address space of the store included */
	uint64_t vm_swap_bytes; /* swapped out */
	int oom_score_adj;
	/* Heap in use above what it was when READY. */
	uint64_t heap_growth_bytes;
};

struct residence;

/**
 * residence_begin() - take the measures that come before all else
 * @mode: SWAP_OFF takes none, and all calls below do nothing but keep record
 * @max_threads: how many may join
 * @log: for residence_check(); outlives it
 *
 * Before threads are started and before the store is made. What is in memory by
 * now is locked; what is mapped from now on is locked as it is touched.
 * Return: 0 or -ENOMEM. A measure that fails is remembered.
 * Release: residence_end(), after all threads; takes NULL too.
 */
int residence_begin(enum swap_mode mode, unsigned max_threads,
		    struct io_log *log, struct residence **out) ZSD_MUST_CHECK;
void residence_end(struct residence *r);

/**
 * residence_settle() - from now on, what is mapped gets its memory at once
 *
 * After the store was made, whose address space is far larger than memory, and
 * before threads are started, whose stacks this is for.
 */
void residence_settle(struct residence *r);

/**
 * residence_join() - the calling thread is one of us
 * @name: cut off after RESIDENCE_NAME_BYTES - 1
 * @rank: who waits for it
 */
void residence_join(struct residence *r, const char *name,
		    enum residence_rank rank);

/**
 * residence_check() - log measures that failed
 * @nr_threads: waits until so many have joined
 * @was_said:   the process that started this one has warned of them
 *
 * Also marks READY for the counts since then.
 * Return: 0, or with SWAP_STRICT the -errno of one that failed.
 */
int residence_check(struct residence *r, unsigned nr_threads,
		    bool was_said) ZSD_MUST_CHECK;

enum swap_mode residence_mode(const struct residence *r);

/* Read the state of the process from /proc. What cannot be read is 0. */
void residence_state(struct residence *r, struct residence_state *out);

/**
 * residence_thread() - read the state of one thread
 * @i: from 0, in the order of joining
 *
 * Return: false where there is none.
 */
bool residence_thread(struct residence *r, unsigned i,
		      struct residence_thread *out);

/* Whether a thread runs in real time; 0: this one. */
static inline bool residence_is_real_time(pid_t tid)
{
	return (sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK) == SCHED_RR;
}

#endif

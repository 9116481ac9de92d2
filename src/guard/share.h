/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share - how much of a processor a real-time thread takes from the others
 *
 * A thread that runs in real time (see residence.h) comes before all that does
 * not, for as long as it has work. It must, while memory is short: others wait
 * for what it does, and the kernel's last memory is for it. At other times a
 * busy client would have it keep everybody else from the processor.
 *
 * So time is cut into windows. A thread that has had its share of one, and
 * that the kernel could give memory to, runs as any other until the next one
 * begins.
 *
 * Terms:
 *   window   SHARE_WINDOW_MS, by the clock of the thread's loop
 *   share    processor time in a window in real time, SHARE_US
 *
 * Cost: a comparison each time that it is asked; some system calls a window.
 * Ownership: its thread's. Memory: allocates at the beginning alone.
 * Source: sched(7), sched_setscheduler(2).
 */
#ifndef ZSD_GUARD_SHARE_H
#define ZSD_GUARD_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "guard/watermark.h"

/*
 * A window, ms, and what of it may be taken in real time, us. A program that
 * has to answer within a tenth of a second, as a terminal or a sound server
 * has, comes to run; a burst of a hundred pages at 100 us each is still done
 * in one go.
 */
#define SHARE_WINDOW_MS 100u
#define SHARE_US	10000u

/* How often to look how much was taken, ms. */
#define SHARE_LOOK_MS 2u

/*
 * Memory that the kernel must have above its watermarks, bytes, for a thread to
 * do without real time until the window ends: more than programs use up in that
 * time, and answers to clients take.
 */
#define SHARE_ROOM_BYTES (32u << 20)

struct share {
	bool is_open;
	bool is_given_up; /* the thread runs as any other */
	uint64_t ends_ms; /* the window */
	uint64_t looks_ms; /* when to look again; UINT64_MAX: never */
	uint64_t start_ns; /* the thread's processor time when it began */
	struct watermark watermark;
};

/* share_open() - get ready. Return: 0 or -errno. Release: share_close(). */
int share_open(struct share *share) ZSD_MUST_CHECK;
void share_close(struct share *share);

/* share_begin() - by the thread, first of all: where it does not run in real
 * time, or the share was not opened, nothing is done from here on. */
void share_begin(struct share *share);

/* share_look() - see share_keep() */
void share_look(struct share *share, uint64_t now_ms);

/**
 * share_keep() - give real time up, or take it back, where that is due
 * @now_ms: by any clock that goes on; the same one each time
 *
 * The thread asks whenever it has done something. Where real time cannot be
 * taken back it is tried again in the next window.
 */
static inline void share_keep(struct share *share, uint64_t now_ms)
{
	if (unlikely(now_ms >= share->looks_ms))
		share_look(share, now_ms);
}

#endif

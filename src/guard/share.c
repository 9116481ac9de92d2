/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "guard/residence.h"
#include "guard/share.h"

#define NS_PER_S UINT64_C(1000000000)

#define ROOM_PAGES (SHARE_ROOM_BYTES / ZSD_PAGE_BYTES)

static uint64_t thread_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Return: whether the thread runs by @policy now. */
static bool run_by(int policy)
{
	const struct sched_param param = {
		.sched_priority = policy == SCHED_OTHER
					  ? 0
					  : sched_get_priority_min(policy),
	};

	return sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param) == 0;
}

static void begin_window(struct share *share, uint64_t now_ms)
{
	if (share->is_given_up)
		share->is_given_up = !run_by(SCHED_RR);
	share->ends_ms = now_ms + SHARE_WINDOW_MS;
	share->looks_ms =
		share->is_given_up ? share->ends_ms : now_ms + SHARE_LOOK_MS;
	share->start_ns = thread_ns();
}

static bool has_had_it(const struct share *share)
{
	return thread_ns() - share->start_ns >= SHARE_US * UINT64_C(1000);
}

int share_open(struct share *share)
{
	int err;

	memset(share, 0, sizeof(*share));
	err = watermark_open(&share->watermark);
	share->is_open = !err;
	return err;
}

void share_close(struct share *share)
{
	if (share->is_open)
		watermark_close(&share->watermark);
	share->is_open = false;
}

void share_begin(struct share *share)
{
	const bool is_asked = share->is_open && residence_is_real_time(0);

	share->looks_ms = is_asked ? 0 : UINT64_MAX;
}

void share_look(struct share *share, uint64_t now_ms)
{
	if (now_ms >= share->ends_ms) {
		begin_window(share, now_ms);
		return;
	}
	share->looks_ms = now_ms + SHARE_LOOK_MS;
	if (!has_had_it(share))
		return;
	if (watermark_room_pages(&share->watermark) >= ROOM_PAGES)
		share->is_given_up = run_by(SCHED_OTHER);
	/* Of whether there is memory it is enough to ask once a window. */
	share->looks_ms = share->ends_ms;
}

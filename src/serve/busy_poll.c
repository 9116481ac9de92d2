/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "serve/busy_poll.h"

#define NS_PER_US 1000u

/* By the only writer, so that no locked instruction is needed. */
static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter,
		atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

void busy_poll_init(struct busy_poll *poll, unsigned window_us)
{
	CHECK(window_us <= BUSY_POLL_MAX_US);
	memset(poll, 0, sizeof(*poll));
	poll->window_ns = (uint64_t)window_us * NS_PER_US;
}

bool busy_poll_spins_on(struct busy_poll *poll)
{
	uint64_t waited_ns = uv_hrtime() - poll->waits_since_ns;

	if (waited_ns <= poll->window_ns)
		return true;
	poll->is_spinning = false;
	count(&poll->misses, 1);
	count(&poll->spun_ns, waited_ns);
	return false;
}

void busy_poll_end_wait(struct busy_poll *poll)
{
	uint64_t waited_ns = uv_hrtime() - poll->waits_since_ns;

	if (poll->is_spinning) {
		count(&poll->hits, 1);
		count(&poll->spun_ns, waited_ns);
	}
	poll->is_spinning = poll->is_spinning || waited_ns <= poll->window_ns;
}

void busy_poll_begin_wait(struct busy_poll *poll)
{
	poll->waits_since_ns = uv_hrtime();
}

void busy_poll_sum(const struct busy_poll *poll, struct ctl_polling *sum)
{
	sum->window_us = poll->window_ns / NS_PER_US;
	sum->hits += atomic_load_explicit(&poll->hits, memory_order_relaxed);
	sum->misses +=
		atomic_load_explicit(&poll->misses, memory_order_relaxed);
	sum->spun_us +=
		atomic_load_explicit(&poll->spun_ns, memory_order_relaxed) /
		NS_PER_US;
}

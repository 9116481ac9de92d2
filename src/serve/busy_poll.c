/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

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

void busy_poll_init(struct busy_poll *poll, uv_loop_t *loop, unsigned window_us)
{
	CHECK(window_us <= BUSY_POLL_MAX_US);
	uv_idle_init(loop, &poll->spin); /* cannot fail */
	poll->spin.data = poll;
	poll->window_ns = (uint64_t)window_us * NS_PER_US;
	poll->waits_since_ns = 0;
}

void busy_poll_close(struct busy_poll *poll)
{
	uv_close((uv_handle_t *)&poll->spin, NULL);
}

/* In vain. */
static void give_up(struct busy_poll *poll, uint64_t waited_ns)
{
	uv_idle_stop(&poll->spin);
	count(&poll->misses, 1);
	count(&poll->spun_ns, waited_ns);
}

/* Once between two looks at the sockets. */
static void on_spin(uv_idle_t *spin)
{
	struct busy_poll *poll = spin->data;
	uint64_t waited_ns = uv_hrtime() - poll->waits_since_ns;

	if (waited_ns > poll->window_ns)
		give_up(poll, waited_ns);
}

void busy_poll_end_wait(struct busy_poll *poll)
{
	uint64_t waited_ns = uv_hrtime() - poll->waits_since_ns;

	if (uv_is_active((uv_handle_t *)&poll->spin)) {
		count(&poll->hits, 1);
		count(&poll->spun_ns, waited_ns);
	} else if (waited_ns <= poll->window_ns) {
		BUG_ON(uv_idle_start(&poll->spin, on_spin));
	}
}

void busy_poll_begin_wait(struct busy_poll *poll)
{
	poll->waits_since_ns = uv_hrtime();
}

void busy_poll_sum(const struct busy_poll *poll, struct server_polling *sum)
{
	sum->window_us = poll->window_ns / NS_PER_US;
	sum->hits += atomic_load_explicit(&poll->hits, memory_order_relaxed);
	sum->misses +=
		atomic_load_explicit(&poll->misses, memory_order_relaxed);
	sum->spun_us +=
		atomic_load_explicit(&poll->spun_ns, memory_order_relaxed) /
		NS_PER_US;
}

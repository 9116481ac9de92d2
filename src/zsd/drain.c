/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "zsd/server_internal.h"

/*
 * After how long whoever is left is worth a line of the log, ms: clients that
 * were only negotiating, or are on their way out, have gone by then.
 */
#define FIRST_REPORT_MS 100u

/* How often the service manager hears that we wait, ms, and how long it then
 * has patience, s: some of our messages may come late on a busy machine. */
#define REPORT_MS  10000u
#define PATIENCE_S 60u

/* Something that the loop is to do in @ms, but not after the end. */
static void set_tick(struct drain *d, uint64_t ms);

static void finish(struct drain *d)
{
	drain_stop(d);
	d->calls.over(d->arg);
}

static void log_report(const struct drain *d, unsigned nr)
{
	io_log(d->log, IO_LOG_NOTICE,
	       "waiting for %u connection%s to be closed. To close %s, swapoff "
	       "or umount, then nbd-client -d",
	       nr, nr == 1 ? "" : "s", nr == 1 ? "it" : "them");
}

void drain_report(struct drain *d)
{
	log_report(d, d->calls.count(d->arg));
}

static void report(struct drain *d, unsigned nr)
{
	char status[128];

	if (!d->was_logged)
		log_report(d, nr);
	d->was_logged = true;
	(void)snprintf(status, sizeof(status),
		       "Waiting for %u connections to be closed: swapoff, then "
		       "nbd-client -d",
		       nr);
	d->calls.status(d->arg, status, PATIENCE_S);
}

static void on_tick(uv_timer_t *tick)
{
	struct drain *d = tick->data;
	unsigned nr = d->calls.count(d->arg);

	if (nr == 0) {
		finish(d);
	} else if (d->timeout_s && uv_now(tick->loop) >= d->end_ms) {
		io_log(d->log, IO_LOG_WARNING,
		       "--stop-timeout: after %u s %u connection%s still "
		       "open: closing %s",
		       d->timeout_s, nr, nr == 1 ? " is" : "s are",
		       nr == 1 ? "it" : "them");
		finish(d);
	} else {
		report(d, nr);
		set_tick(d, REPORT_MS);
	}
}

static void set_tick(struct drain *d, uint64_t ms)
{
	uint64_t now_ms = uv_now(d->tick.loop);

	if (d->timeout_s)
		ms = min_u64(ms, d->end_ms - min_u64(now_ms, d->end_ms));
	BUG_ON(uv_timer_start(&d->tick, on_tick, ms, 0));
}

static void on_left(struct io_waker *left)
{
	struct drain *d = container_of(left, struct drain, left);

	if (d->is_under_way && d->calls.count(d->arg) == 0)
		finish(d);
}

int drain_open(struct drain *d, struct io_loop *loop, struct io_log *log,
	       unsigned timeout_s, const struct drain_calls *calls, void *arg)
{
	int err;

	memset(d, 0, sizeof(*d));
	d->log = log;
	d->timeout_s = timeout_s;
	d->calls = *calls;
	d->arg = arg;
	err = io_waker_open(loop, &d->left, on_left);
	if (err)
		return err;
	uv_timer_init(&loop->uv, &d->tick); /* cannot fail */
	d->tick.data = d;
	d->is_open = true;
	return 0;
}

void drain_start(struct drain *d)
{
	d->is_under_way = true;
	if (d->calls.count(d->arg) == 0) {
		finish(d);
		return;
	}
	uv_update_time(d->tick.loop);
	d->end_ms = uv_now(d->tick.loop) + (uint64_t)d->timeout_s * 1000;
	set_tick(d, FIRST_REPORT_MS);
}

void drain_left(void *arg)
{
	struct drain *d = arg;

	io_wake(&d->left);
}

void drain_stop(struct drain *d)
{
	d->is_under_way = false;
	if (d->is_open)
		uv_timer_stop(&d->tick);
}

void drain_close(struct drain *d)
{
	if (!d->is_open)
		return;
	drain_stop(d);
	d->is_open = false;
	io_waker_close(&d->left);
	uv_close((uv_handle_t *)&d->tick, NULL);
}

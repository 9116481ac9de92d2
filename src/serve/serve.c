/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "serve/worker.h"

struct serve {
	struct serve_params params;
	struct worker_commons commons;
	struct worker *workers[SERVE_MAX_THREADS];
	unsigned nr_workers; /* those that run */
	bool is_draining; /* takes nobody any more */
	_Atomic uint64_t nr_accepted;
	_Atomic uint64_t nr_refused;
};

static int start_workers(struct serve *s)
{
	int err = 0;

	while (s->nr_workers < s->params.nr_threads && !err) {
		err = worker_create(&s->params, &s->commons, s->nr_workers,
				    &s->workers[s->nr_workers]);
		s->nr_workers += !err;
	}
	return err;
}

int serve_create(const struct serve_params *params, struct serve **out)
{
	struct serve *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->params = *params;
	s->commons.crowd.max = uv_available_parallelism() - 1;
	s->commons.crew.max_helpers = s->commons.crowd.max;
	err = conn_pool_init(&s->commons.pool, params->nr_ready,
			     params->is_swapped_on, params->is_swapped_on,
			     params->area);
	if (err) {
		free(s);
		return err;
	}
	err = start_workers(s);
	if (err) {
		serve_stop(s);
		serve_join(s);
		serve_destroy(s);
		return err;
	}
	*out = s;
	return 0;
}

/* The worker with the fewest connections. */
static struct worker *pick_worker(const struct serve *s)
{
	struct worker *best = s->workers[0];

	for (unsigned i = 1; i < s->nr_workers; i++) {
		if (worker_nr_conns(s->workers[i]) < worker_nr_conns(best))
			best = s->workers[i];
	}
	return best;
}

int serve_give(struct serve *s, int fd, uint32_t number, bool is_local)
{
	uint64_t id = s->nr_accepted + s->nr_refused + 1;
	unsigned max = s->params.max_connections;
	struct conn *conn;
	int err = -EUSERS;

	if (!is_local)
		max -= s->params.nr_local;
	if (s->is_draining)
		err = -ESHUTDOWN;
	else if (serve_nr_conns(s) < max)
		err = conn_create(&s->commons.pool, fd, id, &conn);
	if (err) {
		atomic_fetch_add(&s->nr_refused, 1);
		return err;
	}
	conn->number = number;
	atomic_fetch_add(&s->nr_accepted, 1);
	worker_give(pick_worker(s), conn);
	return 0;
}

int serve_adopt(struct serve *s, unsigned slot, int fd, bool was_killed)
{
	uint64_t id = s->nr_accepted + s->nr_refused + 1;
	struct conn *conn;
	int err = conn_adopt(&s->commons.pool, slot, fd, id, &s->params,
			     was_killed, &conn);

	if (err)
		return err;
	atomic_fetch_add(&s->nr_accepted, 1);
	worker_give(pick_worker(s), conn);
	return 0;
}

/* A connection gives its slot back a moment after its place. */
static struct stream_area_params area_params(const struct serve_params *params)
{
	return (struct stream_area_params){
		.nr_slots = params->max_connections + params->nr_threads,
		.rx_bytes = CONN_RX_BYTES,
		.tx_bytes = CONN_TX_BYTES,
		.inherit_priority = params->is_swapped_on,
	};
}

int serve_area_create(const struct serve_params *params,
		      struct stream_area **out)
{
	const struct stream_area_params area = area_params(params);

	return stream_area_create(&area, out);
}

int serve_area_open(const struct serve_params *params, int fd,
		    struct stream_area **out)
{
	const struct stream_area_params area = area_params(params);

	return stream_area_open(fd, &area, out);
}

unsigned serve_nr_conns(const struct serve *s)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < s->nr_workers; i++)
		nr += worker_nr_conns(s->workers[i]);
	return nr;
}

void serve_count(const struct serve *s, struct ctl_connections *connections,
		 struct ctl_polling *polling)
{
	*connections = (struct ctl_connections){
		.open = serve_nr_conns(s),
		.max = s->params.max_connections,
		.accepted = atomic_load(&s->nr_accepted),
		.refused = atomic_load(&s->nr_refused),
	};
	*polling = (struct ctl_polling){0};
	for (unsigned i = 0; i < s->nr_workers; i++) {
		const struct worker *w = s->workers[i];

		connections->handshake_failures +=
			atomic_load(&w->handshake_failures);
		busy_poll_sum(&w->busy_poll, polling);
	}
}

void serve_drain(struct serve *s)
{
	s->is_draining = true;
	for (unsigned i = 0; i < s->nr_workers; i++)
		worker_drain(s->workers[i]);
}

void serve_wake(struct serve *s)
{
	for (unsigned i = 0; i < s->nr_workers; i++)
		worker_wake(s->workers[i]);
}

void serve_stop(struct serve *s)
{
	for (unsigned i = 0; s && i < s->nr_workers; i++)
		worker_stop(s->workers[i]);
}

void serve_join(struct serve *s)
{
	for (unsigned i = 0; s && i < s->nr_workers; i++)
		worker_join(s->workers[i]);
}

void serve_destroy(struct serve *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->nr_workers; i++)
		worker_destroy(s->workers[i]);
	conn_pool_fini(&s->commons.pool);
	free(s);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that a keeper has started: what it makes is held by the keeper, and
 * what another one left it goes on with.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "zsd/server_internal.h"
#include "zsd/survive/remains.h"

/* Connections that the keeper holds at a time: some are being refused. */
unsigned kept_max_connections(const struct server_params *params)
{
	return params->max_connections + KEPT_MORE_CONNECTIONS;
}

int kept_join(struct server *s)
{
	int err = remains_outlive();

	if (err)
		io_log(s->log, IO_LOG_WARNING,
		       "warning: no process to outlive this one: %s: after its "
		       "death clients wait longer, the longer the more is "
		       "stored",
		       strerror(-err));
	err = keep_link_open((unsigned)s->params->nr_disks,
			     kept_max_connections(s->params), &s->link);
	return err ? server_complain(s, "cannot hear the keeper", err) : 0;
}

/* --- disks ----------------------------------------------------------------- */

static struct zstore *store_of(const struct server *s, size_t index)
{
	return s->exports.all[index]->store;
}

static int give_stores(struct server *s)
{
	int err = 0;

	for (size_t i = 0; i < s->exports.nr && !err; i++)
		err = keep_link_give_image(s->link, (unsigned)i,
					   zstore_image_fd(store_of(s, i)));
	return err ? server_complain(s, "cannot tell the keeper", err) : 0;
}

static int adopt_stores(struct server *s)
{
	int err = 0;

	for (size_t i = 0; i < s->exports.nr && !err; i++) {
		err = zstore_adopt(store_of(s, i));
		if (err)
			server_complain(s, "cannot take over a disk", err);
	}
	return err;
}

/* What the connections of the other server are in. */
static int open_area(const struct server *s, const struct serve_params *params,
		     struct stream_area **out)
{
	int fd = fcntl(keep_link_area(s->link), F_DUPFD_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = serve_area_open(params, fd, out);
	if (err)
		close(fd);
	return err;
}

int kept_have_stores(struct server *s)
{
	return keep_link_is_first(s->link) ? give_stores(s) : 0;
}

/* --- connections ----------------------------------------------------------- */

static void on_closed(void *arg, uint32_t number)
{
	keep_link_drop(arg, number);
}

/* So many have had a turn, or need none. */
static void count_resumed(struct server *s, unsigned nr)
{
	const uint64_t first_ns = atomic_load(&s->first_turn_ns);
	uint64_t since_ns = first_ns ? uv_hrtime() - first_ns : 0;

	if (atomic_fetch_sub(&s->nr_resuming, nr) == nr)
		keep_link_ready(s->link, since_ns / 1000);
}

/* Clients are answered again. */
static void on_resumed(void *arg, unsigned nr)
{
	struct server *s = arg;
	uint64_t nothing = 0;

	(void)atomic_compare_exchange_strong(&s->first_turn_ns, &nothing,
					     uv_hrtime());
	count_resumed(s, nr);
}

static int make_area(struct server *s, const struct serve_params *params)
{
	int err = serve_area_create(params, &s->area);

	if (!err)
		err = keep_link_give_area(s->link, stream_area_fd(s->area));
	return err;
}

int kept_open_area(struct server *s, struct serve_params *params)
{
	int err = keep_link_is_first(s->link) ? make_area(s, params)
					      : open_area(s, params, &s->area);

	if (err)
		return server_complain(s, "cannot keep connections", err);
	params->area = s->area;
	/* Those that the other has ready are not ours to take. */
	if (!keep_link_is_first(s->link))
		params->nr_ready = 0;
	params->closed = on_closed;
	params->closed_arg = s->link;
	params->resumed = on_resumed;
	params->resumed_arg = s;
	return 0;
}

/* Where it cannot be served, it is closed. */
static void adopt(struct server *s, unsigned slot, bool was_killed)
{
	uint32_t number = stream_area_number(s->area, slot);
	int fd = keep_link_take_held(s->link, number), err = -ENOENT;

	atomic_fetch_add(&s->nr_resuming, 1);
	if (fd >= 0)
		err = serve_adopt(s->serve, slot, fd, was_killed);
	if (!err)
		return;
	count_resumed(s, 1);
	if (fd >= 0) {
		io_log(s->log, IO_LOG_ERROR,
		       "cannot go on with a connection: %s", strerror(-err));
		close(fd);
		keep_link_drop(s->link, number);
	}
	stream_area_free(s->area, slot);
}

/* What is left is nobody's: clients that negotiated. They try again. */
static void drop_others(struct server *s)
{
	for (uint32_t i = 0; i < kept_max_connections(s->params); i++) {
		int fd = keep_link_take_held(s->link, i);

		if (fd < 0)
			continue;
		close(fd);
		keep_link_drop(s->link, i);
	}
}

static void adopt_connections(struct server *s)
{
	struct keep_figures figures;

	stream_area_look(s->area);
	keep_link_figures(s->link, &figures);
	for (unsigned i = 0; stream_area_find_kept(s->area, &i); i++)
		adopt(s, i, figures.was_killed);
	drop_others(s);
}

int kept_take_over(struct server *s)
{
	int err;

	if (!s->link || keep_link_is_first(s->link))
		return 0;
	stream_area_map_ahead(s->area);
	err = keep_link_wait(s->link);
	if (err)
		return server_complain(s, "the keeper is gone", err);
	err = adopt_stores(s);
	if (!err)
		err = backings_claim(s);
	if (err)
		return err;
	atomic_store(&s->nr_resuming, 1); /* until all are given to workers */
	adopt_connections(s);
	count_resumed(s, 1);
	/* Who was served is served again. The rest can wait. */
	stream_area_unmap_ahead(s->area);
	for (size_t i = 0; i < s->exports.nr; i++)
		reserve_wake(s->reserves[i]);
	return 0;
}

static void on_conn(void *arg, uint32_t number, int fd)
{
	struct server *s = arg;

	if (!server_take_connection(s, fd, number))
		keep_link_drop(s->link, number);
}

static void on_end(void *arg)
{
	stop_begin(arg, "told to end");
}

/* It goes on for those it has. Nobody can come any more. */
static void on_gone(void *arg)
{
	struct server *s = arg;

	/* Signals are meant for us now. */
	if (stop_open(s))
		io_log(s->log, IO_LOG_WARNING, "warning: signals are ignored");
	if (!s->is_ending)
		stop_begin(s, "the keeper is gone");
}

int kept_wait_for_connections(struct server *s)
{
	const struct keep_link_events events = {
		.conn = on_conn, .end = on_end, .gone = on_gone, .arg = s};
	int err = keep_link_watch(s->link, &s->loop, &events);

	return err ? server_complain(s, "cannot wait for connections", err) : 0;
}

void kept_count(const struct server *s, struct ctl_survival *out)
{
	struct keep_figures figures;

	*out = (struct ctl_survival){0};
	if (!s->link)
		return;
	keep_link_figures(s->link, &figures);
	*out = (struct ctl_survival){
		.keeper_pid = (uint64_t)getppid(),
		.generation = figures.generation,
		.deaths = figures.deaths,
		.last_pause_us = figures.pause_us,
		.standby_ready = figures.is_standby_ready,
		.refused_upgrades = figures.nr_refused,
	};
}

int kept_upgrade(const struct server *s)
{
	return s->link ? keep_link_upgrade(s->link) : -EOPNOTSUPP;
}

void kept_leave(struct server *s)
{
	if (s->link)
		keep_link_unwatch(s->link);
}

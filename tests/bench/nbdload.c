/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdload - puts load on an NBD server over a Unix socket and measures it
 *
 * Speaks the protocol itself, so that it costs little next to the server and
 * works against any. With --verify it is a test of the server's memory: it
 * knows what every block must hold.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <string.h>

#include "load_conn.h"
#include "load_cpu.h"
#include "load_loop.h"
#include "load_options.h"
#include "load_pages.h"
#include "load_plan.h"
#include "load_report.h"
#include "load_wire.h"

struct session {
	struct load_options options;
	struct load_pages pages;
	struct load_plan plan;
	struct load_export export;
	struct load_conn *conn[LOAD_MAX_CONNECTIONS];
	struct load_work work;
};

static void open_pages(struct session *session)
{
	const struct load_options *options = &session->options;

	bench_open_pages(&options->page_files, options->seed, &session->pages);
	if (session->pages.nr_pages > LOAD_PLAN_MAX_PAGES)
		error(1, EFBIG, "the pages, more than %ju",
		      (uintmax_t)LOAD_PLAN_MAX_PAGES);
	if (session->pages.nr_pages <
	    options->block_bytes / LOAD_MIN_BLOCK_BYTES)
		error(1, 0, "the pages are less than one block");
}

static void open_connections(struct session *session)
{
	const struct load_options *options = &session->options;

	for (unsigned i = 0; i < options->nr_connections; i++) {
		int err = load_conn_open(options->socket_path,
					 options->export_name, options->depth,
					 options->timeout_s, &session->conn[i],
					 &session->export);
		if (err)
			error(1, -err, "%s", options->socket_path);
	}
	if (options->nr_connections > 1 &&
	    !(session->export.flags & WIRE_EXPORT_MULTI_CONN))
		error(1, 0, "the export does not allow several connections");
	if ((options->percent[LOAD_TRIM] || options->trim_percent) &&
	    !(session->export.flags & WIRE_EXPORT_TRIM))
		error(1, 0, "the export does not know trim");
}

static void make_plan(struct session *session)
{
	const struct load_options *options = &session->options;
	struct load_params params = {
		.pages = &session->pages,
		.span_bytes = options->span_bytes,
		.block_bytes = (uint32_t)options->block_bytes,
		.first_content =
			options->fresh ? CONTENT_ZEROS : CONTENT_UNKNOWN,
		.trim_is_undefined = options->trim_is_undefined,
		.seed = options->seed,
	};
	int err;

	if (!params.span_bytes)
		params.span_bytes = session->export.size_bytes /
				    options->block_bytes * options->block_bytes;
	if (params.span_bytes > session->export.size_bytes)
		error(1, 0, "the disk is smaller than --span");
	/* There must always be a block that is not busy. */
	if (params.span_bytes / options->block_bytes <=
	    (uint64_t)options->depth * options->nr_connections)
		error(1, 0, "fewer blocks than requests under way");
	err = load_plan_init(&session->plan, &params);
	if (err)
		error(1, -err, "the plan");
}

static void run(struct session *session, const struct load_mix *mix,
		uint64_t nr_requests, uint64_t run_ns)
{
	const struct load_options *options = &session->options;
	int err;

	load_plan_rewind(&session->plan);
	session->work = (struct load_work){
		.plan = &session->plan,
		.mix = *mix,
		.nr_left = nr_requests,
		.deadline_ns = run_ns ? load_now_ns() + run_ns : UINT64_MAX,
		.verify = options->verify,
	};
	err = load_loop(session->conn, options->nr_connections, &session->work,
			options->timeout_s);
	if (err)
		error(1, -err, "%s", options->socket_path);
}

/* Whether all requests of the last run were answered as they should be. */
static bool run_was_good(const struct session *session, const char *what)
{
	const struct load_tally *tally = &session->work.tally;
	bool good = true;

	if (tally->nr_mismatches) {
		error(0, 0,
		      "%s: %ju reads returned wrong bytes, first block %ju",
		      what, (uintmax_t)tally->nr_mismatches,
		      (uintmax_t)tally->first_mismatch_block);
		good = false;
	}
	if (tally->nr_errors) {
		error(0, 0, "%s: %ju requests refused, first with NBD error %u",
		      what, (uintmax_t)tally->nr_errors, tally->first_error);
		good = false;
	}
	if (tally->nr_enospc && !session->options.allow_enospc) {
		error(0, 0, "%s: %ju requests refused for lack of space", what,
		      (uintmax_t)tally->nr_enospc);
		good = false;
	}
	return good;
}

static bool prefill(struct session *session)
{
	static const struct load_mix mix = {
		.percent = {[LOAD_WRITE] = 100},
		.sequential = true,
		.fill = true,
	};

	run(session, &mix, session->plan.nr_blocks, 0);
	return run_was_good(session, "prefill");
}

/* Exactly the share of blocks that was asked for, each once. */
static bool trim_share(struct session *session)
{
	static const struct load_mix mix = {
		.percent = {[LOAD_TRIM] = 100},
		.shuffled = true,
	};
	unsigned percent = session->options.trim_percent;
	int err = load_plan_shuffle(&session->plan);

	if (err)
		error(1, -err, "the plan");
	run(session, &mix, session->plan.nr_blocks * percent / 100, 0);
	return run_was_good(session, "trim");
}

static void read_cpu(const struct session *session, struct load_cpu *out)
{
	int err = load_cpu_now(session->options.server_pid, out);

	if (err)
		error(1, -err, "processor time");
}

static bool measure(struct session *session)
{
	const struct load_options *options = &session->options;
	struct load_mix mix = {.sequential = options->sequential};
	struct load_result result = {
		.options = options,
		.tally = &session->work.tally,
	};
	struct load_cpu start, end;
	uint64_t start_ns;
	int err;

	memcpy(mix.percent, options->percent, sizeof(mix.percent));
	read_cpu(session, &start);
	start_ns = load_now_ns();
	if (options->has_nr_requests)
		run(session, &mix, options->nr_requests, 0);
	else
		run(session, &mix, UINT64_MAX, options->run_ns);
	result.elapsed_ns = load_now_ns() - start_ns;
	read_cpu(session, &end);
	result.cpu = load_cpu_between(&start, &end);
	err = load_report(&result);
	if (err)
		error(1, -err, "standard output");
	return run_was_good(session, "measured requests");
}

int main(int argc, char **argv)
{
	static struct session session; /* too large for the stack */
	bool good = true;

	load_options_parse(argc, argv, &session.options);
	open_pages(&session);
	open_connections(&session);
	make_plan(&session);
	if (session.options.prefill)
		good = prefill(&session);
	if (good && session.options.trim_percent)
		good = trim_share(&session);
	if (good &&
	    !(session.options.has_nr_requests && !session.options.nr_requests))
		good = measure(&session);
	for (unsigned i = 0; i < session.options.nr_connections; i++)
		load_conn_close(session.conn[i]);
	load_plan_fini(&session.plan);
	load_pages_fini(&session.pages);
	return good ? 0 : 1;
}

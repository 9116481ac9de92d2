/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdload - puts load on an NBD server and measures it
 *
 * It costs little next to the server, and works against any. With --verify it
 * is a test of the server's memory: it knows what every block must hold.
 *
 * Exit status: 0 all well; 1 requests failed, reads returned wrong bytes or the
 * connection broke; 2 usage.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/units.h"
#include "bench_frame.h"
#include "cpu_time.h"
#include "load_conn.h"
#include "load_plan.h"

#define MAX_CONNECTIONS 64u

static bench_read_fn read_mix;

static struct {
	const char *address;
	const char *export_name;
	struct bench_page_files page_files;
	struct load_mix mix;
	uint64_t depth;
	uint64_t nr_connections;
	uint64_t block_bytes;
	uint64_t span_bytes; /* 0: the whole disk */
	bool prefill;
	uint64_t trim_percent; /* of all blocks, after prefill */
	uint64_t run_ns; /* of the measured part, but for */
	uint64_t nr_requests; /* so many, if not UINT64_MAX */
	bool verify;
	bool fresh;
	bool trim_is_undefined;
	bool allow_enospc;
	uint64_t seed;
	uint64_t server_pid; /* 0: not told */
	uint64_t timeout_s;
} options = {
	.export_name = "",
	.mix = {.percent = {[LOAD_WRITE] = 100}},
	.depth = 1,
	.nr_connections = 1,
	.block_bytes = ZSD_PAGE_BYTES,
	.run_ns = 5 * NS_PER_S,
	.nr_requests = UINT64_MAX,
	.seed = 1,
	.timeout_s = NBDC_TIMEOUT_S,
};

static const struct bench_option table[] = {
	{"socket", 'u', "ADDRESS", "the server's Unix socket, or HOST:PORT",
	 bench_read_text, &options.address, 0, 0},
	{"export-name", 'n', "NAME", "export to ask for (default: \"\")",
	 bench_read_text, &options.export_name, 0, 0},
	{"span", 0, "SIZE", "use the first SIZE bytes (default: all)",
	 bench_read_disk_size, &options.span_bytes, 0, 0},
	{"pages", 0, "FILE",
	 "write pages of this file; repeatable (default: 16 MiB made up)",
	 bench_read_pages, &options.page_files, 0, 0},
	{"mix", 0, "R:W:T",
	 "percentages of reads, writes and trims (default 0:100:0)", read_mix,
	 NULL, 0, 0},
	{"block-bytes", 'b', "SIZE", "4K (default) to 1M, multiple of 4K",
	 bench_read_disk_size, &options.block_bytes, 0, 0},
	{"sequential", 0, NULL, "blocks in order, not at random",
	 bench_read_switch, &options.mix.sequential, 0, 0},
	{"depth", 'd', "N", "requests under way per connection (default 1)",
	 bench_read_number, &options.depth, 1, LOAD_MAX_DEPTH},
	{"connections", 'c', "N", "connections (default 1)", bench_read_number,
	 &options.nr_connections, 1, MAX_CONNECTIONS},
	{"seed", 0, "N", "of blocks and pages (default 1)", bench_read_number,
	 &options.seed, 0, UINT64_MAX},
	{"prefill", 0, NULL, "write every block first, in order (not measured)",
	 bench_read_switch, &options.prefill, 0, 0},
	{"trim-share", 0, "PERCENT",
	 "then trim so many of all blocks, drawn at random (not measured)",
	 bench_read_number, &options.trim_percent, 0, 100},
	{"seconds", 0, "N", "measure for N seconds (default 5)",
	 bench_read_seconds, &options.run_ns, 0, 0},
	{"requests", 0, "N", "measure N requests instead (0: none)",
	 bench_read_number, &options.nr_requests, 0, UINT64_MAX - 1},
	{"timeout", 0, "N",
	 "seconds without a reply after which to give up (default 30)",
	 bench_read_number, &options.timeout_s, 1, 3600},
	{"verify", 0, NULL,
	 "compare what every read returns with what was written",
	 bench_read_switch, &options.verify, 0, 0},
	{"fresh", 0, NULL,
	 "the disk is new: blocks not written yet must read as zeros",
	 bench_read_switch, &options.fresh, 0, 0},
	{"trim-undefined", 0, NULL,
	 "trimmed blocks may read as anything (default: as zeros)",
	 bench_read_switch, &options.trim_is_undefined, 0, 0},
	{"allow-enospc", 0, NULL,
	 "requests refused for lack of space are no failure", bench_read_switch,
	 &options.allow_enospc, 0, 0},
	{"server-pid", 0, "PID",
	 "report the processor time that this process spends",
	 bench_read_number, &options.server_pid, 1, INT32_MAX},
	{0},
};

static void read_mix(const char *text, const struct bench_option *option,
		     struct argp_state *state)
{
	unsigned *p = options.mix.percent;
	char end;

	(void)option;
	if (sscanf(text, "%3u:%3u:%3u%c", &p[LOAD_READ], &p[LOAD_WRITE],
		   &p[LOAD_TRIM], &end) != 3 ||
	    p[LOAD_READ] + p[LOAD_WRITE] + p[LOAD_TRIM] != 100)
		argp_error(state, "'%s' is not three percentages R:W:T", text);
}

static struct load_plan plan;
static struct load_work work;
static struct load_conn *conns[MAX_CONNECTIONS];

/* --- what to do, on which connections ------------------------------------ */

static void open_pages(void)
{
	bench_open_pages(&options.page_files, options.seed, &plan.pages);
	if (plan.pages.nr_pages >= CONTENT_UNKNOWN)
		error(1, EFBIG, "the pages");
	if (plan.pages.nr_pages < options.block_bytes / ZSD_PAGE_BYTES)
		error(1, 0, "the pages are less than one block");
}

/* Return: the size of the disk. */
static uint64_t open_connections(void)
{
	const struct nbdc_wish wish = {.name = options.export_name};
	struct nbdc_conn conn = {0};

	for (unsigned i = 0; i < options.nr_connections; i++) {
		nbdc_must(&conn, nbdc_connect(&conn, options.address,
					      (unsigned)options.timeout_s));
		nbdc_must(&conn, nbdc_negotiate(&conn, &wish));
		conns[i] = load_conn_open(&conn, (unsigned)options.depth);
	}
	if (options.nr_connections > 1 && !(conn.flags & EXPORT_MULTI_CONN))
		error(1, 0, "the export does not allow several connections");
	if ((options.mix.percent[LOAD_TRIM] || options.trim_percent) &&
	    !(conn.flags & EXPORT_TRIM))
		error(1, 0, "the export does not know trim");
	return conn.size_bytes;
}

static void make_plan(uint64_t disk_bytes)
{
	uint64_t span = options.span_bytes ? options.span_bytes : disk_bytes;

	if (span > disk_bytes)
		error(1, 0, "the disk is smaller than --span");
	plan.block_bytes = options.block_bytes;
	plan.nr_blocks = span / options.block_bytes;
	plan.first_content = options.fresh ? CONTENT_ZEROS : CONTENT_UNKNOWN;
	plan.trim_is_undefined = options.trim_is_undefined;
	plan.rng.state = options.seed;
	/* There must always be a block that is not busy. */
	if (plan.nr_blocks <= options.depth * options.nr_connections)
		error(1, 0, "fewer blocks than requests under way");
	load_plan_init(&plan);
}

/* --- a run --------------------------------------------------------------- */

/* Ends the program, with what is known so far, where something went wrong. */
static void check(const struct load_conn *c, int err)
{
	const struct load_tally *tally = &work.tally;

	if (err)
		error(0, 0, "the server: %s",
		      nbdc_explain(load_conn_base(c), err));
	if (tally->nr_mismatches)
		error(0, 0, "%ju reads returned wrong bytes, first block %ju",
		      (uintmax_t)tally->nr_mismatches,
		      (uintmax_t)tally->first_mismatch_block);
	if (tally->nr_errors)
		error(0, 0, "%ju requests refused, first with NBD error %u",
		      (uintmax_t)tally->nr_errors, tally->first_error);
	if (tally->nr_enospc && !options.allow_enospc)
		error(0, 0, "%ju requests refused for lack of space",
		      (uintmax_t)tally->nr_enospc);
	if (err || tally->nr_mismatches || tally->nr_errors ||
	    (tally->nr_enospc && !options.allow_enospc))
		exit(1);
}

static bool any_is_busy(void)
{
	for (unsigned i = 0; i < options.nr_connections; i++)
		if (load_conn_is_busy(conns[i]))
			return true;
	return false;
}

/* A single connection that has sent all it may blocks in recv(2): a loop of
 * two system calls. Return: whether that is so. */
static bool step_over_one(void)
{
	if (options.nr_connections != 1 || load_conn_has_unsent(conns[0]))
		return false;
	check(conns[0], load_conn_receive(conns[0], &work, true));
	check(conns[0], load_conn_send(conns[0], &work));
	return true;
}

static void step_over_many(void)
{
	struct pollfd ready[MAX_CONNECTIONS] = {0};
	nfds_t nr = (nfds_t)options.nr_connections;

	for (nfds_t i = 0; i < nr; i++) {
		ready[i].fd = load_conn_base(conns[i])->fd;
		ready[i].events = POLLIN;
		if (load_conn_has_unsent(conns[i]))
			ready[i].events |= POLLOUT;
	}
	if (!poll(ready, nr, (int)options.timeout_s * 1000))
		check(conns[0], -ETIMEDOUT);
	for (nfds_t i = 0; i < nr; i++) {
		if (ready[i].revents & ~POLLOUT)
			check(conns[i],
			      load_conn_receive(conns[i], &work, false));
		if (ready[i].revents)
			check(conns[i], load_conn_send(conns[i], &work));
	}
}

static void run(const struct load_mix *mix, uint64_t nr_requests,
		uint64_t run_ns)
{
	uint64_t now_ns = bench_now_ns(CLOCK_MONOTONIC);

	load_plan_rewind(&plan, mix);
	work = (struct load_work){
		.plan = &plan,
		.mix = *mix,
		.nr_left = nr_requests,
		.deadline_ns = run_ns ? now_ns + run_ns : UINT64_MAX,
		.verify = options.verify,
	};
	for (unsigned i = 0; i < options.nr_connections; i++)
		check(conns[i], load_conn_send(conns[i], &work));
	while (any_is_busy()) {
		if (!step_over_one())
			step_over_many();
	}
	check(conns[0], 0);
}

/* --- what came of it ----------------------------------------------------- */

static double us_each(uint64_t ns, uint64_t nr)
{
	return nr ? (double)ns / 1e3 / (double)nr : 0;
}

static void report_latency(const char *name, const struct histogram *h)
{
	static const struct {
		const char *name;
		double quantile;
	} quantiles[] = {{"p50", 0.5},
			 {"p99", 0.99},
			 {"p99.9", 0.999},
			 {"p99.99", 0.9999},
			 {"max", 1}};

	printf(",\"%s\":{\"requests\":%ju,\"mean_us\":%.3f", name,
	       (uintmax_t)h->total, us_each(h->sum_ns, h->total));
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
		printf(",\"%s_us\":%.3f", quantiles[i].name,
		       (double)histogram_quantile(h, quantiles[i].quantile) /
			       1e3);
	printf("}");
}

static void report(const struct cpu_time *cpu, uint64_t elapsed_ns)
{
	static const char *const names[] = {
		[LOAD_READ] = "read",
		[LOAD_WRITE] = "write",
		[LOAD_TRIM] = "trim",
	};
	const struct load_tally *tally = &work.tally;
	/* The machine is counted in coarse ticks: never below what is known. */
	uint64_t known_ns = cpu->server_ns + cpu->client_ns;
	uint64_t other_ns = max_u64(cpu->machine_ns, known_ns) - known_ns;
	struct histogram all = {0};

	for (int op = 0; op < LOAD_NR_OPS; op++)
		histogram_merge(&all, &tally->latency[op]);
	printf("{\"depth\":%ju,\"connections\":%ju,\"block_bytes\":%ju"
	       ",\"requests\":%ju,\"seconds\":%.6f,\"iops\":%.1f"
	       ",\"server_cpu_us\":%.4f,\"client_cpu_us\":%.4f"
	       ",\"other_cpu_share\":%.4f,\"enospc\":%ju,\"mismatches\":%ju",
	       (uintmax_t)options.depth, (uintmax_t)options.nr_connections,
	       (uintmax_t)options.block_bytes, (uintmax_t)all.total,
	       (double)elapsed_ns / 1e9,
	       (double)all.total * 1e9 / (double)elapsed_ns,
	       us_each(cpu->server_ns, all.total),
	       us_each(cpu->client_ns, all.total),
	       (double)other_ns / (double)elapsed_ns,
	       (uintmax_t)tally->nr_enospc, (uintmax_t)tally->nr_mismatches);
	report_latency("latency", &all);
	for (int op = 0; op < LOAD_NR_OPS; op++)
		if (tally->latency[op].total)
			report_latency(names[op], &tally->latency[op]);
	printf("}\n");
	if (fflush(stdout))
		error(1, errno, "standard output");
}

static void measure(void)
{
	struct cpu_time start = cpu_time_now((pid_t)options.server_pid), end;
	uint64_t start_ns = bench_now_ns(CLOCK_MONOTONIC), elapsed_ns;
	bool is_timed = options.nr_requests == UINT64_MAX;

	run(&options.mix, options.nr_requests, is_timed ? options.run_ns : 0);
	elapsed_ns = bench_now_ns(CLOCK_MONOTONIC) - start_ns;
	end = cpu_time_now((pid_t)options.server_pid);
	end = cpu_time_between(&start, &end);
	report(&end, elapsed_ns);
}

int main(int argc, char **argv)
{
	static const struct load_mix fill = {.percent = {[LOAD_WRITE] = 100},
					     .sequential = true,
					     .fill = true};
	static const struct load_mix trim = {.percent = {[LOAD_TRIM] = 100},
					     .shuffled = true};

	bench_parse(argc, argv, table,
		    "Put load on an NBD server and measure it: one line of "
		    "JSON.",
		    NULL, NULL);
	if (!options.address || options.block_bytes > MIB ||
	    options.span_bytes % options.block_bytes)
		error(2, 0,
		      "--socket is missing, --block-bytes is more than "
		      "1M, or --span is no multiple of it");
	open_pages();
	make_plan(open_connections());
	if (options.prefill)
		run(&fill, plan.nr_blocks, 0);
	if (options.trim_percent)
		run(&trim, plan.nr_blocks * options.trim_percent / 100, 0);
	if (options.nr_requests)
		measure();
	for (unsigned i = 0; i < options.nr_connections; i++)
		load_conn_close(conns[i]);
	load_plan_fini(&plan);
	load_pages_fini(&plan.pages);
	return 0;
}

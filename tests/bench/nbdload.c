/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdload - puts load on an NBD server and measures it
 *
 * It costs little next to the server, and works against any. With --verify it
 * is a test of the server's memory: it knows what every block must hold.
 *
 * The latency of a request runs from just before the system call that sends its
 * batch to just after the one that brought the end of its reply.
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
#include "load_plan.h"
#include "nbd/nbdc_conn.h"

#define MAX_CONNECTIONS 64u

static bench_read_fn bench_read_mix;

static struct {
	const char *address;
	struct bench_page_files page_files;
	struct load_mix mix;
	uint64_t depth;
	uint64_t nr_connections;
	uint64_t block_bytes;
	bool prefill;
	uint64_t trim_percent; /* of all blocks, after prefill */
	uint64_t run_ns; /* of the measured part, but for */
	uint64_t nr_requests; /* so many, if not UINT64_MAX */
	bool verify;
	bool fresh;
	bool allow_enospc;
	uint64_t seed;
	uint64_t timeout_s;
} options = {
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
	BENCH_OPTION("socket", 'u', "ADDRESS", text, &options.address,
		     "the server's Unix socket, or HOST:PORT"),
	BENCH_PAGES(&options.page_files),
	BENCH_OPTION("mix", 0, "R:W:T", mix, NULL,
		     "percent of reads, writes and trims (default 0:100:0)"),
	BENCH_OPTION("block-bytes", 'b', "SIZE", disk_size,
		     &options.block_bytes, "of a request (default 4K)"),
	BENCH_OPTION("sequential", 0, NULL, switch, &options.mix.sequential,
		     "blocks in order, not at random"),
	BENCH_NUMBER("depth", 'd', &options.depth, 1, NBDC_BATCH,
		     "requests under way on each connection (default 1)"),
	BENCH_NUMBER("connections", 'c', &options.nr_connections, 1,
		     MAX_CONNECTIONS, "how many (default 1)"),
	BENCH_NUMBER("seed", 0, &options.seed, 0, UINT64_MAX,
		     "of blocks and pages (default 1)"),
	BENCH_OPTION("prefill", 0, NULL, switch, &options.prefill,
		     "write every block first, in order (not measured)"),
	BENCH_NUMBER("trim-share", 0, &options.trim_percent, 0, 100,
		     "then trim so many percent of all blocks (not measured)"),
	BENCH_OPTION("seconds", 0, "N", seconds, &options.run_ns,
		     "measure for so long (default 5)"),
	BENCH_NUMBER("requests", 0, &options.nr_requests, 0, UINT64_MAX - 1,
		     "measure so many requests instead (0: none)"),
	BENCH_NUMBER("timeout", 0, &options.timeout_s, 1, 3600,
		     "longest silence that is borne, seconds (default 30)"),
	BENCH_OPTION("verify", 0, NULL, switch, &options.verify,
		     "compare what is read with what was written"),
	BENCH_OPTION("fresh", 0, NULL, switch, &options.fresh,
		     "what was not written yet must read as zeros"),
	BENCH_OPTION("allow-enospc", 0, NULL, switch, &options.allow_enospc,
		     "requests refused for lack of space are no failure"),
	{0},
};

static void bench_read_mix(const char *text, const struct bench_option *option,
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

/* A request that is under way. */
struct slot {
	struct load_request request;
	bool is_wrong; /* some of its data was not as expected */
};

struct client {
	struct nbdc_conn conn;
	struct slot slots[NBDC_BATCH];
	struct slot *free_slots[NBDC_BATCH];
	unsigned nr_free;
};

static struct client *clients;
static struct load_plan plan;

/* What can go wrong with a request. */
enum fault {
	MISMATCH,
	REFUSED,
	NO_SPACE,
	NR_FAULTS,
};

/* What is to be done, on all connections, and what came of it. */
static struct work {
	struct load_mix mix;
	uint64_t nr_left; /* requests not started yet */
	uint64_t nr_under_way;
	uint64_t deadline_ns; /* none is started after this */
	uint64_t *latency_ns; /* of each request that was answered well */
	size_t nr_latencies, room;
	uint64_t nr_faults[NR_FAULTS];
	uint64_t first_fault[NR_FAULTS]; /* its block, or the server's number */
} work;

/* --- what to do, on which connections ------------------------------------ */

static void open_clients(void)
{
	const struct nbdc_wish wish = {0};

	clients = calloc(options.nr_connections, sizeof(*clients));
	if (!clients)
		error(1, ENOMEM, "connections");
	for (unsigned i = 0; i < options.nr_connections; i++) {
		struct client *c = &clients[i];

		nbdc_must(&c->conn, nbdc_connect(&c->conn, options.address,
						 (unsigned)options.timeout_s));
		nbdc_must(&c->conn, nbdc_negotiate(&c->conn, &wish));
		for (; c->nr_free < options.depth; c->nr_free++)
			c->free_slots[c->nr_free] = &c->slots[c->nr_free];
	}
	if (options.nr_connections > 1 &&
	    !(clients->conn.flags & EXPORT_MULTI_CONN))
		error(1, 0, "the export does not allow several connections");
}

static void make_plan(void)
{
	bench_open_pages(&options.page_files, options.seed, &plan.pages);
	if (plan.pages.nr_pages >= CONTENT_UNKNOWN ||
	    plan.pages.nr_pages < options.block_bytes / ZSD_PAGE_BYTES)
		error(1, 0, "too many pages, or less than one block");
	plan.block_bytes = options.block_bytes;
	plan.nr_blocks = clients->conn.size_bytes / options.block_bytes;
	plan.first_content = options.fresh ? CONTENT_ZEROS : CONTENT_UNKNOWN;
	plan.rng.state = options.seed;
	/* There must always be a block that is not busy. */
	if (plan.nr_blocks <= options.depth * options.nr_connections)
		error(1, 0, "fewer blocks than requests under way");
	load_plan_init(&plan);
}

/* --- a run --------------------------------------------------------------- */

/* Ends the program, with what is known so far, where something went wrong. */
static void conclude(const struct client *c, int err)
{
	static const char *const faults[] = {
		[MISMATCH] = "reads returned wrong bytes, first block",
		[REFUSED] = "requests refused, first with NBD error",
		[NO_SPACE] = "requests refused for lack of space, NBD error",
	};
	bool is_good = !err;

	if (err)
		error(0, 0, "the server: %s", nbdc_explain(&c->conn, err));
	for (unsigned i = 0; i < NR_FAULTS; i++) {
		if (!work.nr_faults[i] ||
		    (i == NO_SPACE && options.allow_enospc))
			continue;
		error(0, 0, "%ju %s %ju", (uintmax_t)work.nr_faults[i],
		      faults[i], (uintmax_t)work.first_fault[i]);
		is_good = false;
	}
	if (!is_good)
		exit(1);
}

static void check(const struct client *c, int err)
{
	if (unlikely(err))
		conclude(c, err);
}

static void note_fault(enum fault fault, uint64_t what)
{
	if (!work.nr_faults[fault]++)
		work.first_fault[fault] = what;
}

/* Large arrays are not copied when they grow: glibc moves their pages. */
static void note_latency(uint64_t ns)
{
	if (work.nr_latencies == work.room) {
		work.room = 2 * work.room + (1u << 20);
		work.latency_ns =
			realloc(work.latency_ns, work.room * sizeof(uint64_t));
		if (!work.latency_ns)
			error(1, ENOMEM, "latencies");
	}
	work.latency_ns[work.nr_latencies++] = ns;
}

static void add_request(struct client *c, uint64_t now_ns)
{
	static const uint16_t command[LOAD_NR_OPS] = {
		[LOAD_READ] = CMD_READ,
		[LOAD_WRITE] = CMD_WRITE,
		[LOAD_TRIM] = CMD_TRIM,
	};
	static uint64_t cookie;
	struct slot *slot = c->free_slots[--c->nr_free];
	struct nbdc_request request = {.cookie = ++cookie};

	work.nr_left--;
	work.nr_under_way++;
	load_plan_next(&plan, &work.mix, &slot->request);
	slot->request.start_ns = now_ns;
	slot->is_wrong = false;
	request.type = command[slot->request.op];
	request.offset = slot->request.block * options.block_bytes;
	request.length = (uint32_t)options.block_bytes;
	nbdc_add(&c->conn, &request,
		 request.type == CMD_WRITE
			 ? load_plan_payload(&plan, &slot->request)
			 : NULL,
		 slot);
}

/* As many as depth allows, once all before them are sent. */
static void send_requests(struct client *c)
{
	uint64_t now_ns = bench_now_ns(CLOCK_MONOTONIC);

	if (!nbdc_has_unsent(&c->conn) && now_ns < work.deadline_ns) {
		while (c->nr_free && work.nr_left)
			add_request(c, now_ns);
	}
	check(c, nbdc_push(&c->conn, false));
}

static void finish(struct client *c, struct slot *slot, uint32_t error,
		   uint64_t now_ns)
{
	const struct load_request *request = &slot->request;

	if (error == OK)
		note_latency(now_ns - request->start_ns);
	else
		note_fault(error == ERR_NOSPC ? NO_SPACE : REFUSED, error);
	if (slot->is_wrong)
		note_fault(MISMATCH, request->block);
	load_plan_done(&plan, request, error != OK);
	c->free_slots[c->nr_free++] = slot;
	work.nr_under_way--;
}

static void receive_replies(struct client *c, bool wait)
{
	struct nbdc_event event;
	struct slot *slot;
	uint64_t now_ns;

	check(c, nbdc_pull(&c->conn, wait));
	now_ns = bench_now_ns(CLOCK_MONOTONIC);
	for (;;) {
		check(c, nbdc_next(&c->conn, &event));
		if (event.kind == NBDC_MORE)
			return;
		slot = event.pending->data;
		if (event.kind == NBDC_DONE)
			finish(c, slot, event.pending->error, now_ns);
		else if (options.verify &&
			 !load_plan_check(&plan, &slot->request,
					  event.offset % options.block_bytes,
					  event.data, event.bytes))
			slot->is_wrong = true;
	}
}

/* A single connection that has sent all it may blocks in recv(2): a loop of
 * two system calls. Return: whether that is so. */
static bool step_over_one(void)
{
	if (options.nr_connections != 1 || nbdc_has_unsent(&clients->conn))
		return false;
	receive_replies(clients, true);
	send_requests(clients);
	return true;
}

static void step_over_many(void)
{
	struct pollfd ready[MAX_CONNECTIONS] = {0};
	nfds_t nr = (nfds_t)options.nr_connections;

	for (nfds_t i = 0; i < nr; i++) {
		ready[i].fd = clients[i].conn.fd;
		ready[i].events = POLLIN;
		if (nbdc_has_unsent(&clients[i].conn))
			ready[i].events |= POLLOUT;
	}
	if (!poll(ready, nr, (int)options.timeout_s * 1000))
		check(clients, -ETIMEDOUT);
	for (nfds_t i = 0; i < nr; i++) {
		if (ready[i].revents & ~POLLOUT)
			receive_replies(&clients[i], false);
		if (ready[i].revents)
			send_requests(&clients[i]);
	}
}

static void run(const struct load_mix *mix, uint64_t nr_requests,
		uint64_t run_ns)
{
	uint64_t now_ns = bench_now_ns(CLOCK_MONOTONIC);

	load_plan_rewind(&plan, mix);
	work.mix = *mix;
	work.nr_left = nr_requests;
	work.deadline_ns = run_ns ? now_ns + run_ns : UINT64_MAX;
	work.nr_latencies = 0;
	memset(work.nr_faults, 0, sizeof(work.nr_faults));
	for (unsigned i = 0; i < options.nr_connections; i++)
		send_requests(&clients[i]);
	while (work.nr_under_way) {
		if (!step_over_one())
			step_over_many();
	}
	conclude(clients, 0);
}

/* --- what came of it ----------------------------------------------------- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report_latencies(void)
{
	static const char *const names[] = {"p50", "p99", "p999", "p9999"};
	static const unsigned per_10000[] = {5000, 9900, 9990, 9999};
	size_t nr = work.nr_latencies;
	uint64_t sum_ns = 0;

	if (!nr)
		return;
	qsort(work.latency_ns, nr, sizeof(uint64_t), compare_u64);
	for (size_t i = 0; i < nr; i++)
		sum_ns += work.latency_ns[i];
	printf(",\"latency\":{\"mean_us\":%.3f",
	       (double)sum_ns / 1e3 / (double)nr);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t rank = div_round_up(nr * per_10000[i], 10000);

		printf(",\"%s_us\":%.3f", names[i],
		       (double)work.latency_ns[rank - 1] / 1e3);
	}
	printf("}");
}

static void measure(void)
{
	bool is_timed = options.nr_requests == UINT64_MAX;
	uint64_t start_ns = bench_now_ns(CLOCK_MONOTONIC);
	uint64_t cpu_ns = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID);
	double elapsed_ns, nr;

	run(&options.mix, options.nr_requests, is_timed ? options.run_ns : 0);
	cpu_ns = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	elapsed_ns = (double)(bench_now_ns(CLOCK_MONOTONIC) - start_ns);
	nr = (double)work.nr_latencies;
	printf("{\"block_bytes\":%ju,\"requests\":%.0f,\"seconds\":%.6f"
	       ",\"iops\":%.1f,\"client_cpu_us\":%.4f,\"enospc\":%ju",
	       (uintmax_t)options.block_bytes, nr, elapsed_ns / 1e9,
	       nr * 1e9 / elapsed_ns, (double)cpu_ns / 1e3 / nr,
	       (uintmax_t)work.nr_faults[NO_SPACE]);
	report_latencies();
	printf("}\n");
	if (fflush(stdout))
		error(1, errno, "standard output");
}

int main(int argc, char **argv)
{
	static const struct load_mix fill = {.percent = {[LOAD_WRITE] = 100},
					     .sequential = true,
					     .fill = true};
	static const struct load_mix trim = {.percent = {[LOAD_TRIM] = 100},
					     .shuffled = true};

	bench_parse(argc, argv, table,
		    "Put load on an NBD server and measure it.", NULL);
	if (!options.address || options.block_bytes > MIB)
		error(2, 0, "--socket is missing, or --block-bytes too large");
	open_clients();
	make_plan();
	if (options.prefill)
		run(&fill, plan.nr_blocks, 0);
	if (options.trim_percent)
		run(&trim, plan.nr_blocks * options.trim_percent / 100, 0);
	if (options.nr_requests)
		measure();
	for (unsigned i = 0; i < options.nr_connections; i++)
		nbdc_leave(&clients[i].conn);
	return 0;
}

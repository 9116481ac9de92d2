/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compactcost - what compaction costs: objects moved a second, and what it
 * adds to the time of a write on another thread
 *
 * A store is filled with pages. Each round trims a share of them at random,
 * compacts, and writes them again. Another thread writes random pages all the
 * while: how long that takes beside compaction stands beside how long it takes
 * while this thread sleeps. No server, no socket: see nbdload for those.
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bits.h"
#include "base/units.h"
#include "bench_args.h"
#include "histogram.h"
#include "load_pages.h"
#include "rng.h"
#include "zstore/zstore.h"

const char *argp_program_version = "compactcost (" PACKAGE_STRING ")";

/* What the other thread's undisturbed writes are timed in, each round, ns. */
#define PAUSE_NS 10000000

enum long_option {
	OPT_PAGES = 256,
	OPT_CHAIN_SIZE,
	OPT_TRIM,
	OPT_ROUNDS,
	OPT_ALONE,
	OPT_SEED,
	OPT_JSON,
};

struct cost_options {
	struct bench_page_files page_files;
	struct zstore_params store;
	unsigned percent; /* trimmed before each compaction */
	unsigned nr_rounds;
	uint64_t seed;
	bool alone;
	bool json;
};

/* What this thread does while the other writes. */
enum phase {
	PHASE_FILL,
	PHASE_PAUSE,
	PHASE_COMPACT,
	NR_PHASES,
};

static const char *const phase_name[NR_PHASES] = {
	"filling",
	"undisturbed",
	"compacting",
};

struct bench {
	struct cost_options options;
	struct load_pages pages;
	struct zstore *store;
	struct zstore_ctx *ctx;
	struct rng rng;
	uint64_t nr_pages; /* of the disk */
	bool *trimmed; /* each of them */

	_Atomic enum phase phase;
	_Atomic bool end;
	struct histogram delay[NR_PHASES]; /* the other thread's */

	uint64_t moved_objs, freed_pages, cpu_ns, wall_ns;
	struct zstore_stats stats; /* after a compaction */
};

static const struct argp_option option_table[] = {
	{"pages", OPT_PAGES, "FILE", 0,
	 "pages of this file; repeatable (default: 16 MiB made up)", 0},
	{"algorithm", 'a', "ALG[:LEVEL]", 0, "codec (default lz4)", 0},
	{"size", 's', "SIZE", 0, "of the disk (default 64M)", 0},
	{"chain-size", OPT_CHAIN_SIZE, "N", 0, "as zsd's", 0},
	{"trim", OPT_TRIM, "PERCENT", 0,
	 "of the pages before each compaction (default 50)", 0},
	{"rounds", OPT_ROUNDS, "N", 0, "trims and compactions (default 10)", 0},
	{"alone", OPT_ALONE, 0, 0, "without the thread that writes beside", 0},
	{"seed", OPT_SEED, "N", 0, "of what is trimmed (default 1)", 0},
	{"json", OPT_JSON, 0, 0, "one line of JSON", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct cost_options *options = state->input;

	switch (key) {
	case OPT_PAGES:
		bench_arg_page_file(arg, &options->page_files, state);
		break;
	case 'a':
		if (zcomp_parse(arg, &options->store.zcomp))
			argp_error(state, "'%s' is no algorithm", arg);
		break;
	case 's':
		options->store.disk_bytes = bench_arg_disk_size(arg, state);
		break;
	case OPT_CHAIN_SIZE:
		options->store.chain_size = (unsigned)bench_arg_number(
			arg, ZS_CHAIN_SIZE_MIN, ZS_CHAIN_SIZE_MAX, state);
		break;
	case OPT_TRIM:
		options->percent =
			(unsigned)bench_arg_number(arg, 1, 99, state);
		break;
	case OPT_ROUNDS:
		options->nr_rounds =
			(unsigned)bench_arg_number(arg, 1, 1000000, state);
		break;
	case OPT_ALONE:
		options->alone = true;
		break;
	case OPT_SEED:
		options->seed = bench_arg_number(arg, 0, UINT64_MAX, state);
		break;
	case OPT_JSON:
		options->json = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "what is '%s'?", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void parse_options(int argc, char **argv, struct cost_options *out)
{
	static const struct argp argp = {
		option_table, parse_option,
		NULL,	      "Measure what compaction of a store costs.",
		NULL,	      NULL,
		NULL,
	};

	*out = (struct cost_options){
		.store =
			{
				.disk_bytes = 64 * MIB,
				.reserve_bytes = 4 * MIB,
				.chain_size = ZS_CHAIN_SIZE_DEFAULT,
			},
		.percent = 50,
		.nr_rounds = 10,
		.seed = 1,
	};
	if (zcomp_parse("lz4", &out->store.zcomp))
		error(1, 0, "there is no lz4");
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, out);
}

/* --- the store ------------------------------------------------------------ */

static void open_bench(struct bench *b)
{
	const struct cost_options *options = &b->options;
	int err;

	bench_open_pages(&options->page_files, options->seed, &b->pages);
	b->rng.state = options->seed;
	b->nr_pages = options->store.disk_bytes / ZSD_PAGE_BYTES;
	b->trimmed = calloc(b->nr_pages, sizeof(*b->trimmed));
	err = b->trimmed ? zstore_create(&options->store, &b->store) : -ENOMEM;
	if (!err)
		err = zstore_ctx_create(b->store, &b->ctx);
	if (err)
		error(1, -err, "the store");
	atomic_init(&b->phase, PHASE_FILL);
	atomic_init(&b->end, false);
}

static void close_bench(struct bench *b)
{
	zstore_ctx_destroy(b->ctx);
	zstore_destroy(b->store);
	free(b->trimmed);
	load_pages_fini(&b->pages);
}

static void write_page(const struct bench *b, struct zstore_ctx *ctx,
		       uint64_t index, uint64_t page)
{
	const unsigned char *src =
		b->pages.base + page % b->pages.nr_pages * ZSD_PAGE_BYTES;
	int err =
		zstore_write(ctx, index * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES, src);

	if (err)
		error(1, -err, "page %ju", (uintmax_t)index);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- the other thread ----------------------------------------------------- */

/* What was disturbed by compaction at its start or at its end was disturbed. */
static enum phase phase_of(enum phase start, enum phase end)
{
	if (start == PHASE_COMPACT || end == PHASE_COMPACT)
		return PHASE_COMPACT;
	return start == end ? start : PHASE_FILL;
}

static void *write_beside(void *arg)
{
	struct bench *b = arg;
	struct rng rng = {.state = ~b->options.seed};
	struct zstore_ctx *ctx;
	int err = zstore_ctx_create(b->store, &ctx);

	if (err)
		error(1, -err, "the second context");
	while (!atomic_load(&b->end)) {
		enum phase start = atomic_load(&b->phase);
		uint64_t start_ns = now_ns(CLOCK_MONOTONIC), ns;

		write_page(b, ctx, rng_below(&rng, b->nr_pages),
			   rng_next(&rng) >> 1);
		ns = now_ns(CLOCK_MONOTONIC) - start_ns;
		histogram_add(
			&b->delay[phase_of(start, atomic_load(&b->phase))], ns);
	}
	zstore_ctx_destroy(ctx);
	return NULL;
}

/* --- rounds --------------------------------------------------------------- */

static void fill(struct bench *b, bool all)
{
	for (uint64_t i = 0; i < b->nr_pages; i++) {
		if (all || b->trimmed[i])
			write_page(b, b->ctx, i, i);
		if (i % 64 == 0)
			(void)zstore_housekeep(b->store, UINT64_MAX);
	}
}

static void trim(struct bench *b)
{
	for (uint64_t i = 0; i < b->nr_pages; i++) {
		b->trimmed[i] = rng_below(&b->rng, 100) < b->options.percent;
		if (b->trimmed[i])
			zstore_trim(b->ctx, i * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES);
	}
}

static void compact(struct bench *b)
{
	uint64_t cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t wall_ns = now_ns(CLOCK_MONOTONIC);
	struct zs_compacted done;

	atomic_store(&b->phase, PHASE_COMPACT);
	zs_compact(zstore_pool(b->store), &done);
	b->cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	b->wall_ns += now_ns(CLOCK_MONOTONIC) - wall_ns;
	atomic_store(&b->phase, PHASE_FILL);
	b->moved_objs += done.moved_objs;
	b->freed_pages += done.freed_pages;
	zstore_stats(b->store, &b->stats);
}

static void pause_a_moment(struct bench *b)
{
	const struct timespec moment = {.tv_nsec = PAUSE_NS};

	atomic_store(&b->phase, PHASE_PAUSE);
	nanosleep(&moment, NULL);
	atomic_store(&b->phase, PHASE_FILL);
}

static void run(struct bench *b)
{
	pthread_t beside;

	fill(b, true);
	if (!b->options.alone && pthread_create(&beside, NULL, write_beside, b))
		error(1, 0, "no thread");
	for (unsigned i = 0; i < b->options.nr_rounds; i++) {
		trim(b);
		pause_a_moment(b);
		compact(b);
		fill(b, false);
	}
	atomic_store(&b->end, true);
	if (!b->options.alone)
		pthread_join(beside, NULL);
}

/* --- report --------------------------------------------------------------- */

static double per_second(uint64_t n, uint64_t ns)
{
	return (double)n * 1e9 / (double)max_u64(ns, 1);
}

static double pool_per_byte(const struct bench *b)
{
	return (double)b->stats.mem_used_total /
	       (double)max_u64(b->stats.compr_data_size, 1);
}

static double us_at(const struct histogram *delay, double quantile)
{
	return (double)histogram_quantile(delay, quantile) / 1e3;
}

static void report_text(const struct bench *b, const char *algorithm)
{
	const struct histogram *delay = b->delay;

	printf("%s, chains of %u, %u %% trimmed, %u times: %ju objects moved, "
	       "%ju pages freed\n",
	       algorithm, b->options.store.chain_size, b->options.percent,
	       b->options.nr_rounds, (uintmax_t)b->moved_objs,
	       (uintmax_t)b->freed_pages);
	printf("%.3f ms of processor time, %.3f ms in all: %.0f objects a "
	       "processor second, %.0f a second\n",
	       (double)b->cpu_ns / 1e6, (double)b->wall_ns / 1e6,
	       per_second(b->moved_objs, b->cpu_ns),
	       per_second(b->moved_objs, b->wall_ns));
	printf("zspages after the last: %.4f bytes for each compressed byte\n",
	       pool_per_byte(b));
	for (enum phase p = PHASE_PAUSE; p < NR_PHASES && !b->options.alone;
	     p++)
		printf("a write beside, %s: %ju of them, median %.1f us, "
		       "p99.9 %.1f us, longest %.1f us\n",
		       phase_name[p], (uintmax_t)delay[p].total,
		       us_at(&delay[p], 0.5), us_at(&delay[p], 0.999),
		       us_at(&delay[p], 1));
}

static void report_json(const struct bench *b, const char *algorithm)
{
	const struct histogram *delay = b->delay;

	printf("{\"algorithm\":\"%s\",\"chain_size\":%u"
	       ",\"trimmed_percent\":%u,\"rounds\":%u,\"objects_moved\":%ju"
	       ",\"pages_freed\":%ju,\"cpu_ms\":%.3f,\"wall_ms\":%.3f"
	       ",\"objects_per_cpu_second\":%.0f,\"objects_per_second\":%.0f"
	       ",\"pool_per_compressed_byte\":%.4f",
	       algorithm, b->options.store.chain_size, b->options.percent,
	       b->options.nr_rounds, (uintmax_t)b->moved_objs,
	       (uintmax_t)b->freed_pages, (double)b->cpu_ns / 1e6,
	       (double)b->wall_ns / 1e6, per_second(b->moved_objs, b->cpu_ns),
	       per_second(b->moved_objs, b->wall_ns), pool_per_byte(b));
	for (enum phase p = PHASE_PAUSE; p < NR_PHASES && !b->options.alone;
	     p++)
		printf(",\"%s\":{\"writes\":%ju,\"p50_us\":%.1f"
		       ",\"p999_us\":%.1f,\"max_us\":%.1f}",
		       phase_name[p], (uintmax_t)delay[p].total,
		       us_at(&delay[p], 0.5), us_at(&delay[p], 0.999),
		       us_at(&delay[p], 1));
	printf("}\n");
}

static void report(const struct bench *b)
{
	char algorithm[ZCOMP_NAME_BYTES];

	zcomp_format(&b->options.store.zcomp, algorithm);
	if (b->options.json)
		report_json(b, algorithm);
	else
		report_text(b, algorithm);
}

int main(int argc, char **argv)
{
	static struct bench b;

	parse_options(argc, argv, &b.options);
	open_bench(&b);
	run(&b);
	report(&b);
	close_bench(&b);
	return fflush(stdout) ? 1 : 0;
}

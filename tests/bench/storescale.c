/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storescale - how a store's writes scale with threads: no server, no client
 *
 * Each thread writes pages of the files, chosen at random, to random pages of
 * one disk that is full from the start, as fast as it can. With --locks it also
 * says how often each lock was taken, found busy, and for how long it was held;
 * looking costs time of its own, so rates are to be taken without.
 */
#include "config.h"

#include <argp.h>
#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/units.h"
#include "bench_frame.h"
#include "lock_watch.h"
#include "rng.h"
#include "zsmalloc/zs_internal.h"
#include "zstore/zstore.h"

const char *argp_program_version = "storescale (" PACKAGE_STRING ")";

#define MAX_THREADS 256u

#define NS_PER_S ((uint64_t)1000000000)

/* Writes between two looks at whether time is up. */
#define BATCH_WRITES 64u

/* Locks that are watched: one for each class, and these. */
enum scale_lock {
	LOCK_ARENA = ZS_NR_CLASSES,
	LOCK_HANDLES,
	LOCK_OTHER,
	NR_LOCKS,
};

_Static_assert(NR_LOCKS <= LOCK_WATCH_MAX, "all locks can be watched");

enum long_option {
	OPT_PAGES = 256,
	OPT_SECONDS,
	OPT_LOCKS,
};

struct scale_options {
	struct bench_page_files page_files;
	struct zcomp_params zcomp;
	uint64_t disk_bytes;
	uint64_t run_ns;
	unsigned nr_threads;
	bool locks;
};

struct scale {
	struct scale_options options;
	struct load_pages pages;
	struct zstore *store;
	pthread_barrier_t start;
	_Atomic bool stop;
};

/* One thread's part of it. */
struct writer {
	struct scale *scale;
	pthread_t thread;
	unsigned index;
	uint64_t nr_writes;
	uint64_t cpu_ns;
	uint64_t nr_switches; /* it had to wait */
	uint64_t nr_preempted;
	struct lock_tally locks[LOCK_WATCH_MAX];
};

static const struct argp_option option_table[] = {
	{"pages", OPT_PAGES, "FILE", 0,
	 "pages of this file; repeatable (default: 16 MiB made up)", 0},
	{"algorithm", 'a', "ALG[:LEVEL]", 0, "codec (default lz4)", 0},
	{"size", 's', "SIZE", 0, "of the disk (default 256M)", 0},
	{"threads", 't', "N", 0, "that write (default 1)", 0},
	{"seconds", OPT_SECONDS, "N", 0, "how long (default 1)", 0},
	{"locks", OPT_LOCKS, 0, 0, "watch the locks, too", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct scale_options *options = state->input;

	switch (key) {
	case OPT_PAGES:
		bench_arg_page_file(arg, &options->page_files, state);
		break;
	case 'a':
		if (zcomp_parse(arg, &options->zcomp))
			argp_error(state, "'%s' is no algorithm", arg);
		break;
	case 's':
		options->disk_bytes = bench_arg_disk_size(arg, state);
		break;
	case 't':
		options->nr_threads =
			(unsigned)bench_arg_number(arg, 1, MAX_THREADS, state);
		break;
	case OPT_SECONDS:
		options->run_ns = bench_arg_ns(arg, state);
		break;
	case OPT_LOCKS:
		options->locks = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "what is '%s'?", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void parse_options(int argc, char **argv, struct scale_options *out)
{
	static const struct argp argp = {
		option_table,
		parse_option,
		NULL,
		"Measure how writes to a store scale with threads; one line "
		"of JSON.",
		NULL,
		NULL,
		NULL,
	};

	*out = (struct scale_options){
		.disk_bytes = 256 * MIB,
		.run_ns = NS_PER_S,
		.nr_threads = 1,
	};
	if (zcomp_parse("lz4", &out->zcomp))
		error(1, 0, "there is no lz4");
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, out);
}

/* --- the disk -------------------------------------------------------------- */

static const unsigned char *page_at(const struct scale *scale, uint64_t index)
{
	return scale->pages.base + index * ZSD_PAGE_BYTES;
}

static struct zstore_ctx *open_ctx(const struct scale *scale)
{
	struct zstore_ctx *ctx;
	int err = zstore_ctx_create(scale->store, &ctx);

	if (err)
		error(1, -err, "a context");
	return ctx;
}

static void write_page(struct zstore_ctx *ctx, uint64_t at,
		       const unsigned char *page)
{
	int err = zstore_write(ctx, at * ZSD_PAGE_BYTES, ZSD_PAGE_BYTES, page);

	if (err)
		error(1, -err, "page %ju", (uintmax_t)at);
}

static void fill_disk(struct scale *scale)
{
	const struct zstore_params params = {
		.disk_bytes = scale->options.disk_bytes,
		.reserve_bytes = 4 * MIB,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
		.zcomp = scale->options.zcomp,
	};
	struct zstore_ctx *ctx;
	int err = zstore_create(&params, &scale->store);

	if (err)
		error(1, -err, "the store");
	ctx = open_ctx(scale);
	for (uint64_t i = 0; i < params.disk_bytes / ZSD_PAGE_BYTES; i++)
		write_page(ctx, i, page_at(scale, i % scale->pages.nr_pages));
	zstore_ctx_destroy(ctx);
}

/* --- the threads ------------------------------------------------------------ */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* On a core of its own, as long as there are some. */
static void pin(unsigned index)
{
	cpu_set_t allowed, one;
	unsigned nth;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		error(1, errno, "sched_getaffinity");
	nth = index % (unsigned)CPU_COUNT(&allowed);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			error(1, errno, "sched_setaffinity");
		return;
	}
}

static void write_until_stopped(struct writer *writer, struct zstore_ctx *ctx)
{
	struct scale *scale = writer->scale;
	uint64_t nr_slots = scale->options.disk_bytes / ZSD_PAGE_BYTES;
	struct rng rng = {writer->index};

	while (!atomic_load_explicit(&scale->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < BATCH_WRITES; i++)
			write_page(ctx, rng_below(&rng, nr_slots),
				   page_at(scale,
					   rng_below(&rng,
						     scale->pages.nr_pages)));
		writer->nr_writes += BATCH_WRITES;
	}
}

static void *run_writer(void *arg)
{
	struct writer *writer = arg;
	struct zstore_ctx *ctx = open_ctx(writer->scale);
	struct rusage before, after;
	uint64_t start_ns;

	pin(writer->index);
	pthread_barrier_wait(&writer->scale->start);
	(void)getrusage(RUSAGE_THREAD, &before);
	start_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	write_until_stopped(writer, ctx);
	writer->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
	(void)getrusage(RUSAGE_THREAD, &after);
	writer->nr_switches = (uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
	writer->nr_preempted = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
	lock_watch_collect(writer->locks);
	zstore_ctx_destroy(ctx);
	return NULL;
}

static unsigned name_lock(void *arg, const pthread_mutex_t *mutex)
{
	const struct zs_pool *pool = arg;
	uintptr_t at = (uintptr_t)mutex, classes = (uintptr_t)pool->classes;

	if (mutex == &pool->arena.lock)
		return LOCK_ARENA;
	if (mutex == &pool->handles.lock)
		return LOCK_HANDLES;
	if (at >= classes && at < classes + sizeof(pool->classes))
		return (unsigned)((at - classes) / sizeof(pool->classes[0]));
	return LOCK_OTHER;
}

/* Return: how long it took, nanoseconds. */
static uint64_t run_writers(struct scale *scale, struct writer *writers)
{
	unsigned nr = scale->options.nr_threads;
	const struct timespec time = {
		.tv_sec = (time_t)(scale->options.run_ns / NS_PER_S),
		.tv_nsec = (long)(scale->options.run_ns % NS_PER_S),
	};
	uint64_t start_ns;

	pthread_barrier_init(&scale->start, NULL, nr + 1);
	for (unsigned i = 0; i < nr; i++) {
		int err;

		writers[i].scale = scale;
		writers[i].index = i;
		err = pthread_create(&writers[i].thread, NULL, run_writer,
				     &writers[i]);
		if (err)
			error(1, err, "thread %u", i);
	}
	pthread_barrier_wait(&scale->start);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	nanosleep(&time, NULL);
	atomic_store(&scale->stop, true);
	for (unsigned i = 0; i < nr; i++)
		pthread_join(writers[i].thread, NULL);
	pthread_barrier_destroy(&scale->start);
	return clock_ns(CLOCK_MONOTONIC) - start_ns;
}

/* --- the report --------------------------------------------------------------
 */

static struct writer sum_writers(const struct writer *writers, unsigned nr)
{
	struct writer sum = {0};

	for (unsigned i = 0; i < nr; i++) {
		sum.nr_writes += writers[i].nr_writes;
		sum.cpu_ns += writers[i].cpu_ns;
		sum.nr_switches += writers[i].nr_switches;
		sum.nr_preempted += writers[i].nr_preempted;
		for (unsigned k = 0; k < NR_LOCKS; k++) {
			struct lock_tally *into = &sum.locks[k];
			const struct lock_tally *from = &writers[i].locks[k];

			into->nr_taken += from->nr_taken;
			into->nr_busy += from->nr_busy;
			into->wait_ns += from->wait_ns;
			into->hold_ns += from->hold_ns;
		}
	}
	return sum;
}

/* All locks that were taken, each class by itself. */
static void report_locks(const struct writer *sum)
{
	static const char *const name[] = {"arena", "handles", "other"};
	const char *separator = "";

	printf(",\"locks\":[");
	for (unsigned i = 0; i < NR_LOCKS; i++) {
		const struct lock_tally *lock = &sum->locks[i];

		if (!lock->nr_taken)
			continue;
		printf("%s{\"lock\":\"%s\",\"class\":%u,\"taken\":%ju"
		       ",\"busy\":%ju,\"wait_ns\":%ju,\"hold_ns\":%ju}",
		       separator,
		       i < ZS_NR_CLASSES ? "class" : name[i - ZS_NR_CLASSES], i,
		       (uintmax_t)lock->nr_taken, (uintmax_t)lock->nr_busy,
		       (uintmax_t)lock->wait_ns, (uintmax_t)lock->hold_ns);
		separator = ",";
	}
	printf("]");
}

static void report(const struct scale *scale, const struct writer *writers,
		   uint64_t elapsed_ns)
{
	struct writer sum = sum_writers(writers, scale->options.nr_threads);

	printf("{\"threads\":%u,\"seconds\":%.6f,\"writes\":%ju"
	       ",\"per_second\":%.1f,\"cpu_us\":%.4f"
	       ",\"voluntary_switches\":%ju,\"involuntary_switches\":%ju",
	       scale->options.nr_threads, (double)elapsed_ns / 1e9,
	       (uintmax_t)sum.nr_writes,
	       (double)sum.nr_writes * 1e9 / (double)elapsed_ns,
	       (double)sum.cpu_ns / 1e3 / (double)sum.nr_writes,
	       (uintmax_t)sum.nr_switches, (uintmax_t)sum.nr_preempted);
	if (scale->options.locks)
		report_locks(&sum);
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct scale scale = {0};
	struct writer *writers;
	uint64_t elapsed_ns;

	parse_options(argc, argv, &scale.options);
	bench_open_pages(&scale.options.page_files, 1, &scale.pages);
	fill_disk(&scale);
	writers = calloc(scale.options.nr_threads, sizeof(*writers));
	if (!writers)
		error(1, ENOMEM, "threads");
	if (scale.options.locks)
		lock_watch_set(name_lock, zstore_pool(scale.store));
	elapsed_ns = run_writers(&scale, writers);
	lock_watch_set(NULL, NULL);
	report(&scale, writers, elapsed_ns);
	free(writers);
	zstore_destroy(scale.store);
	load_pages_fini(&scale.pages);
	return fflush(stdout) ? 1 : 0;
}

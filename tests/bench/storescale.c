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
#include "model/own_ctx.h"
#include "rng.h"
#include "zsmalloc/zs_internal.h"
#include "zstore/zstore.h"
#include "zstore/zstore_internal.h"

#define MAX_THREADS 256u

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

struct scale_options {
	struct bench_page_files page_files;
	struct zcomp_params zcomp;
	uint64_t disk_bytes;
	uint64_t run_ns;
	uint64_t nr_threads;
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

static struct scale_options options = {
	.disk_bytes = 256 * MIB, .run_ns = NS_PER_S, .nr_threads = 1};

static const struct bench_option table[] = {
	BENCH_PAGES(&options.page_files),
	BENCH_ALGORITHM(&options.zcomp),
	BENCH_OPTION("size", 's', "SIZE", disk_size, &options.disk_bytes,
		     "of the disk (default 256M)"),
	BENCH_NUMBER("threads", 't', &options.nr_threads, 1, MAX_THREADS,
		     "that write (default 1)"),
	BENCH_OPTION("seconds", 0, "N", seconds, &options.run_ns,
		     "how long (default 1)"),
	BENCH_OPTION("locks", 0, NULL, switch, &options.locks,
		     "watch the locks, too"),
	{0},
};

/* --- the disk -------------------------------------------------------------- */

static const unsigned char *page_at(const struct scale *scale, uint64_t index)
{
	return scale->pages.base + index * ZSD_PAGE_BYTES;
}

static struct zstore_ctx *open_ctx(const struct scale *scale)
{
	struct zstore_ctx *ctx;
	int err = own_ctx_create(scale->store, &ctx);

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
	own_ctx_destroy(ctx);
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
	own_ctx_destroy(ctx);
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
	unsigned nr = (unsigned)scale->options.nr_threads;
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
	struct writer sum =
		sum_writers(writers, (unsigned)scale->options.nr_threads);

	printf("{\"threads\":%ju,\"seconds\":%.6f,\"writes\":%ju"
	       ",\"per_second\":%.1f,\"cpu_us\":%.4f"
	       ",\"voluntary_switches\":%ju,\"involuntary_switches\":%ju",
	       (uintmax_t)scale->options.nr_threads, (double)elapsed_ns / 1e9,
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

	bench_parse(argc, argv, table,
		    "Measure how writes to a store scale with threads.", NULL);
	scale.options = options;
	bench_open_pages(&scale.options.page_files, 1, &scale.pages);
	fill_disk(&scale);
	writers = calloc(scale.options.nr_threads, sizeof(*writers));
	if (!writers)
		error(1, ENOMEM, "threads");
	if (scale.options.locks)
		lock_watch_set(name_lock, scale.store->pool);
	elapsed_ns = run_writers(&scale, writers);
	lock_watch_set(NULL, NULL);
	report(&scale, writers, elapsed_ns);
	free(writers);
	zstore_destroy(scale.store);
	load_pages_fini(&scale.pages);
	return fflush(stdout) ? 1 : 0;
}

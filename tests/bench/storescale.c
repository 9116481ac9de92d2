/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storescale - how a store scales with threads: no server, no client
 *
 * Each thread writes pages of the files, chosen at random, to random pages of
 * one disk that is full from the start, as fast as it can. With --locks it also
 * says how often each lock was taken, found busy, and for how long it was held;
 * looking costs time of its own, so rates are to be taken without.
 *
 * With --reads it reads random pages instead, and knows the next ones in
 * advance as a server does that has received several requests: --ahead says how
 * it uses that. With --no-codec nothing is decompressed, so that what is left
 * is the store's own time: the object's bytes are only looked at.
 *
 * With --crew the first thread alone has pages to write, so many at a time, and
 * the others help it, as workers do.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/units.h"
#include "bench_frame.h"
#include "lock_watch.h"
#include "model/own_ctx.h"
#include "rng.h"
#include "serve/crew.h"
#include "zcomp/zcomp_internal.h"
#include "zsmalloc/zs_internal.h"
#include "zstore/zstore.h"
#include "zstore/zstore_internal.h"

#define MAX_THREADS 256u

/* Pages between two looks at whether time is up. */
#define BATCH_PAGES 64u

/* Requests that are known in advance, at most. */
#define MAX_AHEAD 3u

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
	uint64_t ahead;
	uint64_t crew; /* pages at a time; 0: each thread has its own */
	bool locks;
	bool reads;
	bool no_codec;
};

struct scale {
	struct scale_options options;
	struct load_pages pages;
	struct zstore *store;
	struct crew crew;
	pthread_barrier_t start;
	_Atomic bool stop;
};

/* One thread's part of it. */
struct worker {
	struct scale *scale;
	pthread_t thread;
	unsigned index;
	struct zstore_ctx *ctx;
	struct crew_member member;
	sem_t woken; /* to help */
	uint64_t nr_done; /* pages */
	uint64_t cpu_ns;
	uint64_t nr_switches; /* it had to wait */
	uint64_t nr_preempted;
	struct lock_tally locks[LOCK_WATCH_MAX];
};

static struct scale_options options = {
	.disk_bytes = 256 * MIB,
	.run_ns = NS_PER_S,
	.nr_threads = 1,
	.ahead = MAX_AHEAD,
};

static const struct bench_option table[] = {
	BENCH_PAGES(&options.page_files),
	BENCH_ALGORITHM(&options.zcomp),
	BENCH_OPTION("size", 's', "SIZE", disk_size, &options.disk_bytes,
		     "of the disk (default 256M)"),
	BENCH_NUMBER("threads", 't', &options.nr_threads, 1, MAX_THREADS,
		     "that write or read (default 1)"),
	BENCH_OPTION("seconds", 0, "N", seconds, &options.run_ns,
		     "how long (default 1)"),
	BENCH_OPTION("locks", 0, NULL, switch, &options.locks,
		     "watch the locks, too"),
	BENCH_OPTION("reads", 0, NULL, switch, &options.reads,
		     "read instead of writing"),
	BENCH_NUMBER("ahead", 0, &options.ahead, 0, MAX_AHEAD,
		     "0: each read comes unexpected; 1: the store is told of "
		     "the next one; 3 (default): of the next three, in stages"),
	BENCH_NUMBER("crew", 0, &options.crew, 0, CREW_MAX_JOBS,
		     "one thread writes so many pages at a time, the others "
		     "help it"),
	BENCH_OPTION("no-codec", 0, NULL, switch, &options.no_codec,
		     "do not decompress what is read"),
	{0},
};

/* --- a codec that does nothing ---------------------------------------------- */

/* Look at each byte of the source, as a codec would, and do nothing else. */
static int look_at(void *scratch, const void *digest, const void *src,
		   size_t src_bytes, void *dst, size_t dst_bytes)
{
	const unsigned char *from = src;
	uint64_t sum = 0, word;

	(void)scratch;
	(void)digest;
	for (size_t at = 0; at + sizeof(word) <= src_bytes;
	     at += sizeof(word)) {
		memcpy(&word, from + at, sizeof(word));
		sum += word;
	}
	memcpy(dst, &sum, dst_bytes < sizeof(sum) ? dst_bytes : sizeof(sum));
	return 0;
}

/* Packs as @codec does, so that objects are as long. */
static const struct zcomp_ops *without_work(const struct zcomp_ops *codec)
{
	static struct zcomp_ops ops;

	ops = *codec;
	ops.decompress = look_at;
	return &ops;
}

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
	struct zstore_params params = {
		.disk_bytes = scale->options.disk_bytes,
		.reserve_bytes = 4 * MIB,
		.chain_size = ZS_CHAIN_SIZE_DEFAULT,
		.zcomp = scale->options.zcomp,
	};
	struct zstore_ctx *ctx;
	int err;

	if (scale->options.no_codec)
		params.zcomp.ops = without_work(params.zcomp.ops);
	err = zstore_create(&params, &scale->store);
	if (err)
		error(1, -err, "the store");
	ctx = open_ctx(scale);
	for (uint64_t i = 0; i < params.disk_bytes / ZSD_PAGE_BYTES; i++)
		write_page(ctx, i, page_at(scale, i % scale->pages.nr_pages));
	own_ctx_destroy(ctx);
}

/* --- the threads ------------------------------------------------------------ */

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

static uint64_t nr_slots(const struct scale *scale)
{
	return scale->options.disk_bytes / ZSD_PAGE_BYTES;
}

static void write_batch(struct worker *worker, struct zstore_ctx *ctx,
			struct rng *rng)
{
	struct scale *scale = worker->scale;

	for (unsigned i = 0; i < BATCH_PAGES; i++)
		write_page(ctx, rng_below(rng, nr_slots(scale)),
			   page_at(scale,
				   rng_below(rng, scale->pages.nr_pages)));
}

/* Tell the store of requests that are to come; next[0] is due after this one. */
static void look_ahead(struct zstore_ctx *ctx, unsigned ahead,
		       const uint64_t next[MAX_AHEAD])
{
	if (ahead == 0)
		return;
	if (ahead > 1) {
		zstore_prefetch(ctx, next[2], ZSTORE_NEAR_SLOT);
		zstore_prefetch(ctx, next[1], ZSTORE_NEAR_ENTRY);
	} else {
		zstore_prefetch(ctx, next[0], ZSTORE_NEAR_SLOT);
		zstore_prefetch(ctx, next[0], ZSTORE_NEAR_ENTRY);
	}
	zstore_prefetch(ctx, next[0], ZSTORE_NEAR_OBJECT);
}

/* The offsets of the requests that are known are in @next. */
static void read_batch(struct worker *worker, struct zstore_ctx *ctx,
		       struct rng *rng, uint64_t next[MAX_AHEAD])
{
	struct scale *scale = worker->scale;
	unsigned char page[ZSD_PAGE_BYTES];

	for (unsigned i = 0; i < BATCH_PAGES; i++) {
		uint64_t offset = next[0];
		int err;

		next[0] = next[1];
		next[1] = next[2];
		next[2] = rng_below(rng, nr_slots(scale)) * ZSD_PAGE_BYTES;
		look_ahead(ctx, (unsigned)scale->options.ahead, next);
		err = zstore_read(ctx, offset, sizeof(page), page);
		if (err)
			error(1, -err, "offset %ju", (uintmax_t)offset);
	}
}

/* --- a crew ----------------------------------------------------------------- */

static void do_job(void *arg, struct crew_job *job)
{
	struct worker *worker = arg;

	job->err = zstore_write(worker->ctx, job->offset, ZSD_PAGE_BYTES,
				job->src);
}

static void wake(void *arg)
{
	struct worker *worker = arg;

	sem_post(&worker->woken);
}

static void write_together(struct worker *worker, struct rng *rng)
{
	const unsigned nr = (unsigned)worker->scale->options.crew;
	struct scale *scale = worker->scale;

	for (unsigned i = 0; i < nr; i++)
		worker->member.jobs[i] = (struct crew_job){
			.offset = rng_below(rng, nr_slots(scale)) *
				  ZSD_PAGE_BYTES,
			.src = page_at(scale,
				       rng_below(rng, scale->pages.nr_pages)),
		};
	(void)crew_run(&worker->member, nr);
	for (unsigned i = 0; i < nr; i++) {
		if (worker->member.jobs[i].err)
			error(1, -worker->member.jobs[i].err, "a page");
	}
	worker->nr_done += nr;
}

static void help_until_stopped(struct worker *worker)
{
	while (!atomic_load(&worker->scale->stop)) {
		crew_rest(&worker->member, true);
		while (sem_wait(&worker->woken))
			;
		crew_resume(&worker->member);
	}
}

static void crew_until_stopped(struct worker *worker)
{
	struct rng rng = {worker->index};

	crew_join(&worker->member);
	if (worker->index)
		help_until_stopped(worker);
	else
		while (!atomic_load(&worker->scale->stop))
			write_together(worker, &rng);
}

/* --- a thread --------------------------------------------------------------- */

static void work_until_stopped(struct worker *worker, struct zstore_ctx *ctx)
{
	struct scale *scale = worker->scale;
	struct rng rng = {worker->index};
	uint64_t next[MAX_AHEAD] = {0};

	while (!atomic_load_explicit(&scale->stop, memory_order_relaxed)) {
		if (scale->options.reads)
			read_batch(worker, ctx, &rng, next);
		else
			write_batch(worker, ctx, &rng);
		worker->nr_done += BATCH_PAGES;
	}
}

static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	struct zstore_ctx *ctx = open_ctx(worker->scale);
	struct rusage before, after;
	uint64_t start_ns;

	worker->ctx = ctx;
	pin(worker->index);
	pthread_barrier_wait(&worker->scale->start);
	(void)getrusage(RUSAGE_THREAD, &before);
	start_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	if (worker->scale->options.crew)
		crew_until_stopped(worker);
	else
		work_until_stopped(worker, ctx);
	worker->cpu_ns = bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
	(void)getrusage(RUSAGE_THREAD, &after);
	worker->nr_switches = (uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
	worker->nr_preempted = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
	lock_watch_collect(worker->locks);
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
static uint64_t run_workers(struct scale *scale, struct worker *workers)
{
	unsigned nr = (unsigned)scale->options.nr_threads;
	const struct timespec time = {
		.tv_sec = (time_t)(scale->options.run_ns / NS_PER_S),
		.tv_nsec = (long)(scale->options.run_ns % NS_PER_S),
	};
	uint64_t start_ns;

	scale->crew.max_helpers = nr - 1;
	pthread_barrier_init(&scale->start, NULL, nr + 1);
	for (unsigned i = 0; i < nr; i++) {
		int err;

		workers[i].scale = scale;
		workers[i].index = i;
		sem_init(&workers[i].woken, 0, 0);
		crew_member_init(&workers[i].member, &scale->crew, false,
				 do_job, wake, &workers[i]);
		err = pthread_create(&workers[i].thread, NULL, run_worker,
				     &workers[i]);
		if (err)
			error(1, err, "thread %u", i);
	}
	pthread_barrier_wait(&scale->start);
	start_ns = bench_now_ns(CLOCK_MONOTONIC);
	nanosleep(&time, NULL);
	atomic_store(&scale->stop, true);
	for (unsigned i = 0; i < nr; i++)
		wake(&workers[i]);
	for (unsigned i = 0; i < nr; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_barrier_destroy(&scale->start);
	return bench_now_ns(CLOCK_MONOTONIC) - start_ns;
}

/* --- the report ------------------------------------------------------------ */

static struct worker sum_workers(const struct worker *workers, unsigned nr)
{
	struct worker sum = {0};

	for (unsigned i = 0; i < nr; i++) {
		sum.nr_done += workers[i].nr_done;
		sum.cpu_ns += workers[i].cpu_ns;
		sum.nr_switches += workers[i].nr_switches;
		sum.nr_preempted += workers[i].nr_preempted;
		for (unsigned k = 0; k < NR_LOCKS; k++)
			lock_tally_add(&sum.locks[k], &workers[i].locks[k]);
	}
	return sum;
}

/* All locks that were taken, each class by itself. */
static void report_locks(const struct worker *sum)
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

static void report(const struct scale *scale, const struct worker *workers,
		   uint64_t elapsed_ns)
{
	struct worker sum =
		sum_workers(workers, (unsigned)scale->options.nr_threads);

	printf("{\"threads\":%ju,\"seconds\":%.6f,\"%s\":%ju"
	       ",\"per_second\":%.1f,\"cpu_us\":%.4f"
	       ",\"voluntary_switches\":%ju,\"involuntary_switches\":%ju",
	       (uintmax_t)scale->options.nr_threads, (double)elapsed_ns / 1e9,
	       scale->options.reads ? "reads" : "writes",
	       (uintmax_t)sum.nr_done,
	       (double)sum.nr_done * 1e9 / (double)elapsed_ns,
	       (double)sum.cpu_ns / 1e3 / (double)sum.nr_done,
	       (uintmax_t)sum.nr_switches, (uintmax_t)sum.nr_preempted);
	if (scale->options.locks)
		report_locks(&sum);
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct scale scale = {0};
	struct worker *workers;
	uint64_t elapsed_ns;

	bench_parse(
		argc, argv, table,
		"Measure how writes to a store, or reads, scale with threads.",
		NULL);
	scale.options = options;
	bench_open_pages(&scale.options.page_files, 1, &scale.pages);
	fill_disk(&scale);
	workers = calloc(scale.options.nr_threads, sizeof(*workers));
	if (!workers)
		error(1, ENOMEM, "threads");
	if (scale.options.locks)
		lock_watch_set(name_lock, scale.store->pool);
	elapsed_ns = run_workers(&scale, workers);
	lock_watch_set(NULL, NULL);
	report(&scale, workers, elapsed_ns);
	free(workers);
	zstore_destroy(scale.store);
	load_pages_fini(&scale.pages);
	return fflush(stdout) ? 1 : 0;
}

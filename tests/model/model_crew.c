/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A crew of threads that run batches, rest, and help, at random.
 *
 * Each job says who owns it and which one it is; doing it twice, not at all,
 * late, or another one's, is found out when its batch is over. Jobs take
 * different times, and some give their processor away in the midst.
 *
 * What it does depends on the seed and on how the threads are scheduled.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "base/compiler.h"
#include "model/model.h"
#include "serve/crew.h"

#define NR_MEMBERS 4u

struct worker;

/* A job's page. */
struct mark {
	uint64_t number; /* of the job, in all of its owner's */
	unsigned nr_done;
};

struct worker {
	struct crew_member member;
	struct model_rng rng;
	pthread_t thread;
	sem_t woken;
	struct mark marks[CREW_MAX_JOBS];
	uint64_t nr_jobs; /* of its batches, so far */
	uint64_t nr_by_others;
	uint64_t nr_slept;
	uint64_t nr_offered; /* batches, while somebody rested */
};

static struct model_run run;
static struct crew crew;
static struct worker workers[NR_MEMBERS];
static _Atomic unsigned nr_awake = NR_MEMBERS;
static _Atomic unsigned nr_running = NR_MEMBERS;

static int result_of(uint64_t number)
{
	return (int)(number % 1000);
}

/* By any thread, with nothing of its own but the job. */
static void do_job(void *arg, struct crew_job *job)
{
	struct worker *w = arg;
	struct mark mark;

	memcpy(&mark, job->src, sizeof(mark));
	MODEL_CHECK(&run, mark.number == job->offset,
		    "job %llu has the page of %llu",
		    (unsigned long long)job->offset,
		    (unsigned long long)mark.number);
	if (model_rng_one_in(&w->rng, 50))
		sched_yield();
	for (uint64_t i = model_rng_below(&w->rng, 300); i; i--)
		cpu_relax();
	job->err = result_of(mark.number);
	mark.nr_done++;
	memcpy((void *)(uintptr_t)job->src, &mark, sizeof(mark));
}

static void wake(void *arg)
{
	struct worker *w = arg;

	sem_post(&w->woken);
}

static void run_batch(struct worker *w)
{
	unsigned nr = (unsigned)model_rng_range(&w->rng, 1, CREW_MAX_JOBS);

	for (unsigned i = 0; i < nr; i++) {
		w->marks[i] = (struct mark){.number = w->nr_jobs + i};
		w->member.jobs[i] = (struct crew_job){
			.offset = w->nr_jobs + i,
			.src = &w->marks[i],
			.err = -1,
		};
	}
	w->nr_offered += crew_nr_resting(&w->member) > 0;
	w->nr_by_others += crew_run(&w->member, nr);
	for (unsigned i = 0; i < nr; i++) {
		MODEL_CHECK(&run, w->marks[i].nr_done == 1,
			    "job %llu was done %u times",
			    (unsigned long long)w->marks[i].number,
			    w->marks[i].nr_done);
		MODEL_CHECK(&run,
			    w->member.jobs[i].err ==
				    result_of(w->marks[i].number),
			    "job %llu has another result",
			    (unsigned long long)w->marks[i].number);
	}
	w->nr_jobs += nr;
}

/* Until it is called; never all of them at once. */
static void sleep_until_called(struct worker *w)
{
	if (atomic_fetch_sub(&nr_awake, 1) > 1) {
		crew_rest(&w->member, true);
		while (sem_wait(&w->woken))
			;
		crew_resume(&w->member);
		w->nr_slept++;
	}
	atomic_fetch_add(&nr_awake, 1);
}

static void look_again(struct worker *w)
{
	crew_rest(&w->member, false);
	for (uint64_t i = model_rng_below(&w->rng, 2000); i; i--)
		cpu_relax();
	if (model_rng_one_in(&w->rng, 3)) {
		crew_serve(&w->member);
		run_batch(w);
	}
	crew_resume(&w->member);
}

/* Help the others, which must find somebody to call. */
static void help_to_the_end(struct worker *w)
{
	atomic_fetch_sub(&nr_running, 1);
	atomic_fetch_sub(&nr_awake, 1);
	for (unsigned i = 0; i < NR_MEMBERS; i++)
		wake(&workers[i]);
	while (atomic_load(&nr_running)) {
		look_again(w);
		sched_yield();
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	crew_join(&w->member);
	while (w->nr_jobs < run.nr_ops / NR_MEMBERS) {
		switch (model_rng_below(&w->rng, 4)) {
		case 0:
			sleep_until_called(w);
			break;
		case 1:
			look_again(w);
			break;
		default:
			run_batch(w);
			break;
		}
	}
	help_to_the_end(w);
	return NULL;
}

int main(void)
{
	uint64_t nr_by_others = 0, nr_slept = 0, nr_offered = 0;

	model_run_begin(&run, "model_crew");
	crew.max_helpers = NR_MEMBERS - 2; /* so that one is left out */
	for (unsigned i = 0; i < NR_MEMBERS; i++) {
		struct worker *w = &workers[i];

		model_rng_init(&w->rng, run.seed + i);
		sem_init(&w->woken, 0, 0);
		crew_member_init(&w->member, &crew, i % 2, do_job, wake, w);
	}
	for (unsigned i = 0; i < NR_MEMBERS; i++)
		MODEL_CHECK(&run,
			    !pthread_create(&workers[i].thread, NULL, work,
					    &workers[i]),
			    "no thread");
	for (unsigned i = 0; i < NR_MEMBERS; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < NR_MEMBERS; i++) {
		struct worker *w = &workers[i];

		nr_by_others += w->nr_by_others;
		nr_slept += w->nr_slept;
		nr_offered += w->nr_offered;
		crew_member_fini(&w->member);
		sem_destroy(&w->woken);
	}
	model_report_fact(&run, "jobs done by others", nr_by_others);
	model_report_fact(&run, "times that one slept", nr_slept);
	model_report_fact(&run, "batches while one rested", nr_offered);
	return 0;
}

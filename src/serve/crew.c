/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <uv.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/lock.h"
#include "serve/crew.h"

/* How long to wait awake for jobs that others have begun, ns: longer than a
 * page takes most codecs. */
#define WAIT_AWAKE_NS 20000u

/* Of a member. In one word with the owner of the batch that it is called to, so
 * that of several who call one member one succeeds, and is who it was. */
enum crew_state {
	BUSY,
	SPINS, /* rests, and looks again by itself */
	SLEEPS, /* rests, and must be woken */
	CALLED, /* and above these bits, the owner's index */
};

#define OWNER_SHIFT 2
#define STATE	    (((uint32_t)1 << OWNER_SHIFT) - 1)

/*
 * How many jobs there are, and how many of them were claimed. In one word, so
 * that whoever comes late, even from the batch before, claims one that is there
 * or none. Claims beyond the last are as many as members: the halves never meet.
 */
#define NR_SHIFT 16
#define CLAIMED	 (((uint32_t)1 << NR_SHIFT) - 1)

_Static_assert(CREW_MAX_JOBS + CREW_MAX_MEMBERS < CLAIMED,
	       "each member may claim one more than there is");

void crew_member_init(struct crew_member *m, struct crew *crew,
		      bool inherit_priority,
		      void (*run)(void *arg, struct crew_job *job),
		      void (*wake)(void *arg), void *arg)
{
	*m = (struct crew_member){
		.crew = crew, .run = run, .wake = wake, .arg = arg};
	lock_init(&m->working, inherit_priority);
}

void crew_member_fini(struct crew_member *m)
{
	pthread_mutex_destroy(&m->working);
}

void crew_join(struct crew_member *m)
{
	m->index = atomic_fetch_add(&m->crew->nr, 1);
	CHECK(m->index < CREW_MAX_MEMBERS);
	atomic_store(&m->crew->members[m->index], m);
}

/* The member of that number; NULL where it is about to join. */
static struct crew_member *member_at(const struct crew *crew, unsigned i)
{
	return atomic_load_explicit(&crew->members[i], memory_order_acquire);
}

/* --- jobs ------------------------------------------------------------------- */

static struct crew_job *claim(struct crew_member *owner)
{
	uint32_t was = atomic_fetch_add_explicit(&owner->unclaimed, 1,
						 memory_order_acquire);
	unsigned next = was & CLAIMED;

	return next < was >> NR_SHIFT ? &owner->jobs[next] : NULL;
}

/* Do those of @owner's jobs that nobody has claimed. Return: how many. */
static unsigned do_jobs(struct crew_member *m, struct crew_member *owner)
{
	struct crew_job *job;
	unsigned nr = 0;

	while ((job = claim(owner))) {
		m->run(m->arg, job);
		nr++;
		if (m != owner)
			atomic_fetch_add_explicit(&owner->nr_done, 1,
						  memory_order_release);
	}
	return nr;
}

static void help(struct crew_member *m, struct crew_member *owner)
{
	pthread_mutex_lock(&m->working);
	(void)do_jobs(m, owner);
	pthread_mutex_unlock(&m->working);
}

/* --- rest ------------------------------------------------------------------- */

static bool is_rest(uint32_t state)
{
	return state == SPINS || state == SLEEPS;
}

void crew_rest(struct crew_member *m, bool sleeps)
{
	atomic_store(&m->state, sleeps ? SLEEPS : SPINS);
}

void crew_serve(struct crew_member *m)
{
	uint32_t state = atomic_load_explicit(&m->state, memory_order_relaxed);

	/* Where this fails it was called: see crew_resume(). */
	if (is_rest(state))
		(void)atomic_compare_exchange_strong(&m->state, &state, BUSY);
}

void crew_resume(struct crew_member *m)
{
	uint32_t was = atomic_exchange(&m->state, BUSY);

	if ((was & STATE) == CALLED)
		help(m, member_at(m->crew, was >> OWNER_SHIFT));
}

static bool rests(const struct crew_member *m)
{
	return is_rest(atomic_load_explicit(&m->state, memory_order_relaxed));
}

unsigned crew_nr_resting(const struct crew_member *m)
{
	const struct crew *crew = m->crew;
	unsigned nr_members = atomic_load(&crew->nr), nr = 0;

	for (unsigned i = 0; i < nr_members && nr < crew->max_helpers; i++) {
		const struct crew_member *other = member_at(crew, i);

		nr += other && other != m && rests(other);
	}
	return nr;
}

/* --- batches ---------------------------------------------------------------- */

/* Return: whether it rested, and comes. */
static bool call(struct crew_member *m, const struct crew_member *owner)
{
	uint32_t state = atomic_load(&m->state);

	if (!is_rest(state) ||
	    !atomic_compare_exchange_strong(
		    &m->state, &state, owner->index << OWNER_SHIFT | CALLED))
		return false;
	if (state == SLEEPS)
		m->wake(m->arg);
	return true;
}

static void call_helpers(struct crew_member *owner, unsigned nr)
{
	const struct crew *crew = owner->crew;
	unsigned nr_members = atomic_load(&crew->nr);

	for (unsigned i = 0; i < nr_members && nr; i++) {
		struct crew_member *m = member_at(crew, i);

		if (m && m != owner && call(m, owner))
			nr--;
	}
}

static bool are_done(const struct crew_member *owner, unsigned nr)
{
	return atomic_load_explicit(&owner->nr_done, memory_order_acquire) ==
	       nr;
}

/* Until helpers have done @nr jobs, which they have begun. */
static void wait_for_helpers(struct crew_member *owner, unsigned nr)
{
	const uint64_t end_ns = uv_hrtime() + WAIT_AWAKE_NS;
	const struct crew *crew = owner->crew;
	unsigned nr_members = atomic_load(&crew->nr);

	while (!are_done(owner, nr) && uv_hrtime() < end_ns)
		cpu_relax();
	for (unsigned i = 0; i < nr_members && !are_done(owner, nr); i++) {
		struct crew_member *m = member_at(crew, i);

		if (!m || m == owner)
			continue;
		pthread_mutex_lock(&m->working);
		pthread_mutex_unlock(&m->working);
	}
	BUG_ON(!are_done(owner, nr));
}

unsigned crew_run(struct crew_member *owner, unsigned nr)
{
	unsigned nr_own;

	CHECK(nr && nr <= CREW_MAX_JOBS);
	atomic_store_explicit(&owner->nr_done, 0, memory_order_relaxed);
	atomic_store_explicit(&owner->unclaimed, nr << NR_SHIFT,
			      memory_order_release);
	if (nr > 1)
		call_helpers(owner, owner->crew->max_helpers);
	nr_own = do_jobs(owner, owner);
	wait_for_helpers(owner, nr - nr_own);
	return nr - nr_own;
}

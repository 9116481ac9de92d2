/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/units.h"
#include "guard/residence.h"

#ifndef PR_SET_IO_FLUSHER /* Linux 5.6 */
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

/* More than a limit on locked memory allows, less than address space has. */
#define PROBE_BYTES (64 * GIB)

/* One above all that is not real-time; others may be put above us. */
#define PRIORITY 1

/* The last that there is, as setpriority(2) has it. */
#define LAST_NICE 19

/*
 * Stack of each thread, bytes, all of it in memory. The deepest use, zstd's
 * compression, takes some 20 KiB.
 */
#define STACK_BYTES (512 * KIB)

#define OOM_SCORE_ADJ_MIN (-1000) /* never killed; Linux uapi/linux/oom.h */

enum measure {
	MEMORY_LOCK,
	IO_FLUSHER,
	REAL_TIME,
	OOM_SCORE,
	NR_MEASURES
};

static const struct {
	const char *what;
	const char *mend;
} measures[NR_MEASURES] = {
	[MEMORY_LOCK] = {"cannot lock memory",
			 "CAP_IPC_LOCK, or LimitMEMLOCK=infinity"},
	[IO_FLUSHER] = {"cannot become an I/O flusher",
			"CAP_SYS_RESOURCE, and Linux 5.6"},
	[REAL_TIME] = {"cannot run in real time",
		       "CAP_SYS_NICE, and RestrictRealtime=no"},
	[OOM_SCORE] = {"cannot be kept from the OOM killer",
		       "CAP_SYS_RESOURCE, or OOMScoreAdjust=-1000"},
};

struct residence {
	enum swap_mode mode;
	struct io_log *log;
	uv_mutex_t lock;
	uv_cond_t joined;
	int errs[NR_MEASURES]; /* 0, or why a measure failed */
	size_t heap_bytes; /* in use by READY */
	unsigned nr_members;
	unsigned max_members;
	struct residence_thread members[]; /* with their faults by READY */
};

/* --- the measures ------------------------------------------------------- */

static int error_of(int result)
{
	return result ? -errno : 0;
}

/*
 * Whether any amount may be locked. With a limit, locking what is mapped in the
 * future would make mapping the store fail.
 */
static int may_lock(void)
{
	void *probe = mmap(NULL, PROBE_BYTES, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (probe == MAP_FAILED)
		return -errno;
	err = error_of(mlock2(probe, PROBE_BYTES, MLOCK_ONFAULT));
	munmap(probe, PROBE_BYTES);
	return err;
}

static int lock_memory(void)
{
	int err = may_lock();

	if (!err)
		err = error_of(mlockall(MCL_CURRENT));
	if (!err)
		err = error_of(mlockall(MCL_FUTURE | MCL_ONFAULT));
	return err;
}

/* Stacks of threads to come are as large as this limit says. */
static void shrink_stacks(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) == 0 &&
	    limit.rlim_cur > STACK_BYTES) {
		limit.rlim_cur = STACK_BYTES;
		(void)setrlimit(RLIMIT_STACK,
				&limit); /* else they are larger */
	}
}

static int read_oom_score_adj(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "re");
	char line[16];
	int score = 0;

	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file))
		score = (int)strtol(line, NULL, 10);
	(void)fclose(file);
	return score;
}

static int lower_oom_score(void)
{
	int fd, err;

	if (read_oom_score_adj() == OOM_SCORE_ADJ_MIN)
		return 0;
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = dprintf(fd, "%d", OOM_SCORE_ADJ_MIN) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int run_in_real_time(enum residence_rank rank)
{
	const struct sched_param param = {
		.sched_priority =
			PRIORITY + (rank == RESIDENCE_FOREMOST ? 1 : 0),
	};

	return error_of(
		sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param));
}

/* --- life --------------------------------------------------------------- */

int residence_begin(enum swap_mode mode, unsigned max_threads,
		    struct io_log *log, struct residence **out)
{
	struct residence *r;

	r = calloc(1, sizeof(*r) + max_threads * sizeof(r->members[0]));
	if (!r)
		return -ENOMEM;
	r->mode = mode;
	r->log = log;
	r->max_members = max_threads;
	if (uv_mutex_init(&r->lock))
		goto err;
	if (uv_cond_init(&r->joined))
		goto err_lock;
	*out = r;
	if (mode == SWAP_OFF)
		return 0;
	r->errs[IO_FLUSHER] = error_of(prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	r->errs[OOM_SCORE] = lower_oom_score();
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail */
	shrink_stacks();
	r->errs[MEMORY_LOCK] = lock_memory();
	return 0;

err_lock:
	uv_mutex_destroy(&r->lock);
err:
	free(r);
	return -ENOMEM;
}

void residence_end(struct residence *r)
{
	if (!r)
		return;
	uv_cond_destroy(&r->joined);
	uv_mutex_destroy(&r->lock);
	free(r);
}

void residence_settle(struct residence *r)
{
	if (r->mode != SWAP_OFF && !r->errs[MEMORY_LOCK])
		r->errs[MEMORY_LOCK] = error_of(mlockall(MCL_FUTURE));
}

void residence_join(struct residence *r, const char *name,
		    enum residence_rank rank)
{
	const bool is_urgent =
		rank == RESIDENCE_URGENT || rank == RESIDENCE_FOREMOST;
	struct residence_thread *member;
	int err = 0;

	if (rank == RESIDENCE_LAST) /* else it is as any other */
		(void)setpriority(PRIO_PROCESS, 0, LAST_NICE);
	if (r->mode != SWAP_OFF && is_urgent)
		err = run_in_real_time(rank);
	uv_mutex_lock(&r->lock);
	BUG_ON(r->nr_members == r->max_members);
	member = &r->members[r->nr_members++];
	(void)snprintf(member->name, sizeof(member->name), "%s", name);
	member->tid = gettid();
	member->is_urgent = is_urgent;
	member->is_real_time = residence_is_real_time(0);
	member->is_io_flusher = prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1;
	if (err)
		r->errs[REAL_TIME] = err;
	if (r->mode != SWAP_OFF && !member->is_io_flusher &&
	    !r->errs[IO_FLUSHER])
		r->errs[IO_FLUSHER] = -EPERM;
	uv_cond_signal(&r->joined);
	uv_mutex_unlock(&r->lock);
}

/* --- READY -------------------------------------------------------------- */

/* Page faults of a thread so far: fields 10 and 12 of its stat. */
static void read_faults(pid_t tid, uint64_t *minor, uint64_t *major)
{
	unsigned long long minflt = 0, majflt = 0;
	char path[64], line[512];
	const char *at;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	file = fopen(path, "re");
	if (!file)
		goto out;
	/* The name, field 2, is in parentheses and may hold anything. */
	at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (at)
		(void)sscanf(at + 1,
			     " %*c %*d %*d %*d %*d %*d %*u %llu %*u %llu",
			     &minflt, &majflt);
	(void)fclose(file);
out:
	*minor = minflt;
	*major = majflt;
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static int tell(const struct residence *r, bool was_said)
{
	int err = 0;

	if (was_said && r->mode != SWAP_STRICT)
		return 0;
	for (size_t i = 0; i < NR_MEASURES; i++) {
		if (!r->errs[i])
			continue;
		err = r->errs[i];
		io_log(r->log,
		       r->mode == SWAP_STRICT ? IO_LOG_ERROR : IO_LOG_WARNING,
		       "%s: %s: %s; this needs %s",
		       r->mode == SWAP_STRICT ? "--swap=strict" : "warning",
		       measures[i].what, strerror(-err), measures[i].mend);
	}
	if (err && r->mode == SWAP_ON)
		io_log(r->log, IO_LOG_WARNING,
		       "warning: do not swap on this disk on this machine: "
		       "it could hang");
	return r->mode == SWAP_STRICT ? err : 0;
}

int residence_check(struct residence *r, unsigned nr_threads, bool was_said)
{
	int err;

	uv_mutex_lock(&r->lock);
	while (r->nr_members < nr_threads)
		uv_cond_wait(&r->joined, &r->lock);
	err = tell(r, was_said);
	for (unsigned i = 0; i < r->nr_members; i++)
		read_faults(r->members[i].tid, &r->members[i].minor_faults,
			    &r->members[i].major_faults);
	r->heap_bytes = heap_bytes();
	uv_mutex_unlock(&r->lock);
	return err;
}

/* --- reports ------------------------------------------------------------ */

enum swap_mode residence_mode(const struct residence *r)
{
	return r->mode;
}

void residence_state(struct residence *r, struct residence_state *out)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long kib;
	char line[256];
	size_t heap, before;

	memset(out, 0, sizeof(*out));
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmLck: %llu kB", &kib) == 1)
			out->vm_lck_bytes = kib * KIB;
		else if (sscanf(line, "VmSwap: %llu kB", &kib) == 1)
			out->vm_swap_bytes = kib * KIB;
	}
	if (file)
		(void)fclose(file);
	out->oom_score_adj = read_oom_score_adj();
	uv_mutex_lock(&r->lock); /* somebody may ask before we are READY */
	before = r->heap_bytes;
	uv_mutex_unlock(&r->lock);
	heap = heap_bytes();
	out->heap_growth_bytes = heap > before ? heap - before : 0;
}

bool residence_thread(struct residence *r, unsigned i,
		      struct residence_thread *out)
{
	uint64_t minor, major;

	uv_mutex_lock(&r->lock);
	if (i >= r->nr_members) {
		uv_mutex_unlock(&r->lock);
		return false;
	}
	*out = r->members[i];
	uv_mutex_unlock(&r->lock);
	read_faults(out->tid, &minor, &major);
	out->minor_faults = minor - out->minor_faults;
	out->major_faults = major - out->major_faults;
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The limits that whoever started us set on the process. What they forbid would
 * fail or end a zsd that serves, so they are raised before, or named.
 * Source: getrlimit(2).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/units.h"
#include "zsd/server_internal.h"

/* Descriptors besides connections: standard ones, listeners, memfds, and for
 * each loop its epolls, eventfd and signal pipe. Rounded up. */
#define FDS_FIXED    64u
#define FDS_A_WORKER 8u

/* Address space of a thread: its stack, and the heap that the C library keeps
 * apart for it. */
#define THREAD_SPACE_BYTES (128 * MIB)

/* Programs, libraries, main's heap, rings of connections. Rounded up. */
#define SPACE_FIXED	   (512 * MIB)
#define SPACE_A_CONNECTION (2 * MIB)

/* --- what zsd needs ------------------------------------------------------- */

static uint64_t need_all(const struct server_params *params)
{
	(void)params;
	return RLIM_INFINITY;
}

/* For a limit on real time, or on memory that is locked. */
static uint64_t need_all_for_swap(const struct server_params *params)
{
	return params->swap == SWAP_OFF ? 0 : RLIM_INFINITY;
}

/* ftruncate(2) of the largest image; whatever a backing has. */
static uint64_t need_file_bytes(const struct server_params *params)
{
	uint64_t most = 0;

	for (size_t i = 0; i < params->nr_disks; i++) {
		if (params->disks[i].backing)
			return RLIM_INFINITY;
		most = max_u64(most,
			       zstore_image_bytes(&params->disks[i].store));
	}
	return most;
}

static uint64_t need_descriptors(const struct server_params *params)
{
	return FDS_FIXED + params->nr_threads * FDS_A_WORKER +
	       params->max_connections;
}

static uint64_t need_space(const struct server_params *params)
{
	uint64_t bytes = SPACE_FIXED + params->nr_threads * THREAD_SPACE_BYTES +
			 params->max_connections * SPACE_A_CONNECTION;

	for (size_t i = 0; i < params->nr_disks; i++)
		bytes += zstore_image_bytes(&params->disks[i].store);
	return bytes;
}

/* --- the limits ----------------------------------------------------------- */

static const struct limit {
	__rlimit_resource_t resource;
	const char *name; /* in getrlimit(2) */
	const char *option; /* of prlimit(1) */
	const char *setting; /* in a unit */
	const char *why;
	uint64_t (*need)(const struct server_params *params);
	bool is_vital; /* zsd does not start with less */
} limits[] = {
	{RLIMIT_FSIZE, "RLIMIT_FSIZE", "fsize", "LimitFSIZE",
	 "the memory of a disk is a file for the kernel", need_file_bytes,
	 true},
	{RLIMIT_CPU, "RLIMIT_CPU", "cpu", "LimitCPU",
	 "the kernel would kill zsd at the end of its time", need_all, true},
	{RLIMIT_RTTIME, "RLIMIT_RTTIME", "rttime", "LimitRTTIME",
	 "the kernel would kill a zsd that is busy in real time",
	 need_all_for_swap, true},
	{RLIMIT_NOFILE, "RLIMIT_NOFILE", "nofile", "LimitNOFILE",
	 "--max-connections and --threads need that many descriptors",
	 need_descriptors, true},
	{RLIMIT_AS, "RLIMIT_AS", "as", "LimitAS",
	 "a disk takes address space, though not memory", need_space, true},
	/* With CAP_IPC_LOCK it does not count: residence finds that out. */
	{RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", "memlock", "LimitMEMLOCK",
	 "all memory is locked", need_all_for_swap, false},
};

static const char *describe(uint64_t value, char text[UNITS_TEXT_BYTES])
{
	if (value == RLIM_INFINITY)
		return "unlimited";
	(void)snprintf(text, UNITS_TEXT_BYTES, "%" PRIu64, value);
	return text;
}

/* The hard limit too, where we may; the soft one as far as that goes.
 * Return: what it is then. */
static uint64_t raise_limit(const struct limit *limit, uint64_t need)
{
	struct rlimit now, more;

	if (getrlimit(limit->resource, &now) < 0 || now.rlim_cur >= need)
		return RLIM_INFINITY;
	more.rlim_cur = need;
	more.rlim_max = max_u64(need, now.rlim_max);
	if (setrlimit(limit->resource, &more) == 0)
		return need;
	more.rlim_cur = min_u64(need, now.rlim_max);
	more.rlim_max = now.rlim_max;
	return setrlimit(limit->resource, &more) == 0 ? more.rlim_cur
						      : now.rlim_cur;
}

static int check_limit(const struct server *s, const struct limit *limit)
{
	char has_text[UNITS_TEXT_BYTES], need_text[UNITS_TEXT_BYTES];
	const uint64_t need = limit->need(s->params);
	const uint64_t has = raise_limit(limit, need);
	const char *needed = describe(need, need_text);

	if (has >= need || !limit->is_vital)
		return 0;
	io_log(s->log, IO_LOG_ERROR,
	       "%s is %s and must be %s: %s. Set %s=%s in the unit, or start "
	       "zsd with prlimit --%s=%s",
	       limit->name, describe(has, has_text), needed, limit->why,
	       limit->setting, need == RLIM_INFINITY ? "infinity" : needed,
	       limit->option, needed);
	return -EPERM;
}

int limits_raise(const struct server *s)
{
	int err = 0;

	/* Each that is too low is named, not only the first. */
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (check_limit(s, &limits[i]))
			err = -EPERM;
	}
	return err;
}

int limits_probe(void)
{
	int pipe_fds[2], loop_fds[2], err = 0;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	loop_fds[0] = dup(pipe_fds[0]);
	loop_fds[1] = dup(pipe_fds[0]);
	if (loop_fds[0] < 0 || loop_fds[1] < 0)
		err = -EMFILE;
	for (int i = 0; i < 2; i++) {
		close(pipe_fds[i]);
		if (loop_fds[i] >= 0)
			close(loop_fds[i]);
	}
	return err;
}

void server_tell_status(struct server *s, const char *text, unsigned patience_s)
{
	if (s->link)
		keep_link_status(s->link, text, patience_s);
	else
		notify_status(text, patience_s);
}

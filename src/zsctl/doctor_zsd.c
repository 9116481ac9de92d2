/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How zsd runs: what it tells of itself, and what the kernel tells of it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "zsctl/doctor_internal.h"

/* Out of the reach of the OOM killer. Source: proc(5). */
#define OOM_SCORE_ADJ_MIN (-1000)

/*
 * How many times larger than the limit a disk may be. What is swapped out takes
 * a quarter to a third of what it was; some more is left for pages of one word.
 */
#define DISK_PER_LIMIT 6u

/* --- zsd's own word -------------------------------------------------------- */

static const char *swap_mode(const struct doctor *d)
{
	const char *mode =
		json_string_value(json_object_get(d->safety, "mode"));

	return mode ? mode : "off";
}

static bool is_swap_mode(const struct doctor *d)
{
	return strcmp(swap_mode(d), "off") != 0;
}

static json_int_t safety_number(const struct doctor *d, const char *name)
{
	return json_integer_value(json_object_get(d->safety, name));
}

static void check_swap_mode(struct doctor *d)
{
	if (is_swap_mode(d)) {
		doctor_add(d, "swap mode", DOCTOR_PASS, "%s", swap_mode(d));
		return;
	}
	doctor_add(d, "swap mode", DOCTOR_FAIL,
		   "off: zsd may wait for the memory that it is to free");
	doctor_mend(d, "start zsd with --swap");
}

/* Those that the kernel waits for when it swaps; the others are at leisure. */
static bool is_urgent(const json_t *thread)
{
	const char *name = json_string_value(json_object_get(thread, "name"));

	return name && strcmp(name, "main") != 0 &&
	       strcmp(name, "control") != 0;
}

/* Of how many threads @member is false; @all: of those at leisure, too. */
static size_t count_without(const struct doctor *d, const char *member,
			    bool all)
{
	const json_t *threads = json_object_get(d->safety, "threads");
	const json_t *thread;
	size_t i, nr = 0;

	json_array_foreach(threads, i, thread)
	{
		if ((all || is_urgent(thread)) &&
		    !json_is_true(json_object_get(thread, member)))
			nr++;
	}
	return nr;
}

static void check_threads(struct doctor *d)
{
	size_t nr;

	if (!is_swap_mode(d))
		return;
	nr = count_without(d, "io_flusher", true);
	doctor_add(d, "I/O flusher", nr ? DOCTOR_FAIL : DOCTOR_PASS,
		   nr ? "not set for %zu threads: what they ask of the kernel "
			"may wait for zsd"
		      : "set for all threads",
		   nr);
	if (nr)
		doctor_mend(d, "give zsd CAP_SYS_RESOURCE, as its unit does, "
			       "and start it again");
	nr = count_without(d, "realtime", false);
	doctor_add(d, "real time", nr ? DOCTOR_FAIL : DOCTOR_PASS,
		   nr ? "not for %zu threads: those who lack memory run first"
		      : "for all threads that serve",
		   nr);
	if (nr)
		doctor_mend(d, "give zsd CAP_SYS_NICE, as its unit does, and "
			       "see that RestrictRealtime= is not set");
}

static void check_reserve(struct doctor *d)
{
	const json_int_t starved = safety_number(d, "starved_requests");
	const json_int_t failed = safety_number(d, "failed_requests");

	if (!is_swap_mode(d))
		return;
	if (failed) {
		doctor_add(d, "reserve", DOCTOR_FAIL,
			   "%lld writes found no memory, and failed",
			   (long long)failed);
		doctor_mend(d, "sysctl vm.min_free_kbytes=65536, or give zsd a "
			       "larger --reserve");
	} else if (starved) {
		doctor_add(d, "reserve", DOCTOR_WARN,
			   "%lld writes had to wait for memory",
			   (long long)starved);
		doctor_mend(d, "give zsd a larger --reserve");
	} else {
		doctor_add(d, "reserve", DOCTOR_PASS,
			   "no write had to wait for memory");
	}
}

/* Where the disk is full the kernel knows it; of the limit it knows nothing. */
static void check_limit(struct doctor *d)
{
	const json_t *mm_stat = json_object_get(d->stats, "mm_stat");
	const uint64_t limit = (uint64_t)json_integer_value(
		json_object_get(mm_stat, "mem_limit"));

	if (!limit) {
		doctor_add(d, "mem-limit", DOCTOR_PASS, "none");
		return;
	}
	if (d->disk_bytes / DISK_PER_LIMIT <= limit) {
		doctor_add(d, "mem-limit", DOCTOR_PASS,
			   "the disk is %.1f times as large",
			   (double)d->disk_bytes / (double)limit);
		return;
	}
	doctor_add(d, "mem-limit", DOCTOR_WARN,
		   "the disk is %.1f times as large: the kernel will go on "
		   "trying when writes fail, and the machine crawls",
		   (double)d->disk_bytes / (double)limit);
	doctor_mend(d, "start zsd with a --size of 3 or 4 times the "
		       "--mem-limit");
}

/* --- the kernel's word ------------------------------------------------------ */

struct status_line {
	const char *name; /* with the colon */
	long long kib; /* -1: not found */
};

static bool find_status_line(void *arg, char *text)
{
	struct status_line *line = arg;
	const size_t bytes = strlen(line->name);

	if (strncmp(text, line->name, bytes) != 0)
		return true;
	line->kib = strtoll(text + bytes, NULL, 10);
	return false;
}

/* A line of /proc/PID/status, KiB; -1 if there is none. */
static long long status_kib(const struct doctor *d, const char *name)
{
	struct status_line line = {.name = name, .kib = -1};
	char path[DOCTOR_PATH_BYTES];

	if (doctor_each_line(doctor_path(d, path, "/proc/%lld/status", d->pid),
			     find_status_line, &line))
		return -1;
	return line.kib;
}

static void check_memory(struct doctor *d)
{
	const long long locked = status_kib(d, "VmLck:");
	const long long swapped = status_kib(d, "VmSwap:");
	char size[UNITS_TEXT_BYTES];

	if (swapped < 0) {
		doctor_add(d, "memory", DOCTOR_WARN,
			   "cannot see process %lld from here", d->pid);
		doctor_mend(d, "run zsctl doctor where zsd runs");
		return;
	}
	doctor_add(d, "locked memory", locked > 0 ? DOCTOR_PASS : DOCTOR_FAIL,
		   locked > 0 ? "it is" : "none: zsd can be swapped out");
	if (locked <= 0)
		doctor_mend(d, "start zsd with --swap, with CAP_IPC_LOCK or "
			       "LimitMEMLOCK=infinity");
	doctor_add(d, "swapped out", swapped ? DOCTOR_FAIL : DOCTOR_PASS,
		   swapped ? "%s of zsd itself" : "%s",
		   units_format((uint64_t)swapped * KIB, size));
	if (swapped)
		doctor_mend(d, "start zsd with --swap, and set MemorySwapMax=0 "
			       "in its unit");
}

static void check_oom_score(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	long long score;

	if (doctor_read_number(doctor_path(d, path, "/proc/%lld/oom_score_adj",
					   d->pid),
			       &score))
		return; /* check_memory() has said that it is not seen */
	doctor_add(d, "OOM killer",
		   score <= OOM_SCORE_ADJ_MIN ? DOCTOR_PASS : DOCTOR_FAIL,
		   score <= OOM_SCORE_ADJ_MIN
			   ? "leaves zsd alone (%lld)"
			   : "may kill zsd, and all that is swapped out is "
			     "lost (oom_score_adj %lld)",
		   score);
	if (score > OOM_SCORE_ADJ_MIN)
		doctor_mend(d,
			    "OOMScoreAdjust=-1000 in its unit, or now: echo "
			    "-1000 > /proc/%lld/oom_score_adj",
			    d->pid);
}

/* --- its control group ------------------------------------------------------ */

static bool find_cgroup(void *arg, char *text)
{
	char *cgroup = arg;

	/* "0::/PATH": the one of version 2. */
	if (strncmp(text, "0::/", 4) != 0)
		return true;
	(void)snprintf(cgroup, DOCTOR_PATH_BYTES, "%s", text + 3);
	return false;
}

/* What a limit is set to in @cgroup or the nearest group around it that has
 * one; false where all is "max". */
static bool find_limit(const struct doctor *d, const char *cgroup,
		       const char *name, char limit[DOCTOR_FILE_BYTES])
{
	char group[DOCTOR_PATH_BYTES], path[DOCTOR_PATH_BYTES];

	(void)snprintf(group, sizeof(group), "%s", cgroup);
	while (*group && strcmp(group, "/") != 0) {
		doctor_path(d, path, "/sys/fs/cgroup%s/%s", group, name);
		if (!doctor_read(path, limit) && strcmp(limit, "max") != 0)
			return true;
		*strrchr(group, '/') = '\0';
	}
	return false;
}

static void check_swap_limit(struct doctor *d, const char *cgroup)
{
	char limit[DOCTOR_FILE_BYTES];

	if (find_limit(d, cgroup, "memory.swap.max", limit) &&
	    strcmp(limit, "0") == 0) {
		doctor_add(d, "MemorySwapMax", DOCTOR_PASS, "0");
		return;
	}
	doctor_add(d, "MemorySwapMax", DOCTOR_FAIL,
		   "not 0: only its memory lock keeps zsd from being swapped "
		   "out");
	if (*cgroup && strcmp(cgroup, "/") != 0)
		doctor_mend(d,
			    "MemorySwapMax=0 in its unit, or now: echo 0 > "
			    "/sys/fs/cgroup%s/memory.swap.max",
			    cgroup);
	else
		doctor_mend(d, "start zsd by its unit: systemctl start "
			       "zsd.service");
}

static void check_slowdown(struct doctor *d, const char *cgroup)
{
	char limit[DOCTOR_FILE_BYTES];

	if (!find_limit(d, cgroup, "memory.high", limit)) {
		doctor_add(d, "MemoryHigh", DOCTOR_PASS, "not set");
		return;
	}
	doctor_add(d, "MemoryHigh", DOCTOR_FAIL,
		   "%s: beyond it the kernel slows zsd down, and all who wait "
		   "for swap",
		   limit);
	doctor_mend(d, "unset MemoryHigh= in its unit and slices, and use zsd "
		       "--mem-limit");
}

static void check_cgroup(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES], cgroup[DOCTOR_PATH_BYTES] = "";

	if (doctor_each_line(doctor_path(d, path, "/proc/%lld/cgroup", d->pid),
			     find_cgroup, cgroup))
		return; /* check_memory() has said that it is not seen */
	check_swap_limit(d, cgroup);
	check_slowdown(d, cgroup);
}

void doctor_check_zsd(struct doctor *d)
{
	check_swap_mode(d);
	check_threads(d);
	check_memory(d);
	check_oom_score(d);
	check_cgroup(d);
	check_reserve(d);
	check_limit(d);
}

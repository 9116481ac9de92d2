/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How zsd runs: what it tells of itself, and what the kernel tells of it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "zsctl/doctor/internal.h"

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
	static const char *const others[] = {"main", "control", "policy"};
	const char *name = json_string_value(json_object_get(thread, "name"));

	for (size_t i = 0; name && i < ARRAY_SIZE(others); i++) {
		if (strcmp(name, others[i]) == 0)
			return false;
	}
	return name;
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

static void check_reserve(struct doctor *d, const json_t *export)
{
	const json_int_t starved =
		doctor_figure(export, "memory", "starved_requests");
	const json_int_t failed =
		doctor_figure(export, "memory", "failed_requests");
	char name[DOCTOR_TEXT_BYTES];

	doctor_export_name(d, export, name);
	if (failed) {
		doctor_add(d, "reserve", DOCTOR_FAIL,
			   "%lld writes%s found no memory, and failed",
			   (long long)failed, name);
		doctor_mend(d, "give zsd a larger --reserve, and see "
			       "vm.min_free_kbytes");
	} else if (starved) {
		doctor_add(d, "reserve", DOCTOR_WARN,
			   "%lld writes%s had to wait for memory",
			   (long long)starved, name);
		doctor_mend(d, "give zsd a larger --reserve");
	} else {
		doctor_add(d, "reserve", DOCTOR_PASS,
			   "no write%s had to wait for memory", name);
	}
}

/* Where the disk is full the kernel knows it; of the limit it knows nothing. */
static void check_limit(struct doctor *d, const json_t *export)
{
	const double limit =
		(double)doctor_figure(export, "mm_stat", "mem_limit");
	const double size = (double)doctor_figure(export, "disk", "size_bytes");
	char name[DOCTOR_TEXT_BYTES];

	doctor_export_name(d, export, name);
	if (limit <= 0) {
		doctor_add(d, "mem-limit", DOCTOR_PASS, "none%s", name);
		return;
	}
	if (size / limit <= DISK_PER_LIMIT) {
		doctor_add(d, "mem-limit", DOCTOR_PASS,
			   "the disk%s is %.1f times as large", name,
			   size / limit);
		return;
	}
	doctor_add(d, "mem-limit", DOCTOR_WARN,
		   "the disk%s is %.1f times as large: the kernel goes on "
		   "trying when writes fail, and the machine crawls",
		   name, size / limit);
	doctor_mend(d, "start zsd with a --size of 3 or 4 times the "
		       "--mem-limit");
}

static void check_exports(struct doctor *d)
{
	const json_t *export;
	size_t i;

	json_array_foreach(d->exports, i, export)
	{
		if (is_swap_mode(d))
			check_reserve(d, export);
		doctor_check_backing(d, export);
		check_limit(d, export);
	}
}

/* --- the kernel's word ------------------------------------------------------ */

/* A line of /proc/PID/status, KiB; -1 if there is none. */
static long long status_kib(const struct doctor *d, const char *name)
{
	char path[DOCTOR_PATH_BYTES], rest[FILES_TEXT_BYTES];

	if (files_find_line(doctor_path(d, path, "/proc/%lld/status", d->pid),
			    name, rest))
		return -1;
	return strtoll(rest, NULL, 10);
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

	if (files_read_number(doctor_path(d, path, "/proc/%lld/oom_score_adj",
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

/*
 * With systemd's ProcSubset=pid zsd's /proc has processes alone: it cannot see
 * how much memory is free.
 * "22 1 0:21 / /proc rw,... - proc proc rw,subset=pid"; source: proc(5).
 */
static bool find_subset(void *arg, char *text)
{
	bool *is_subset = arg;

	if (!strstr(text, " /proc ") || !strstr(text, " - proc "))
		return true;
	*is_subset = strstr(text, "subset=pid");
	return true; /* what is mounted later hides it */
}

static void check_proc(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	bool is_subset = false;

	if (files_each_line(doctor_path(d, path, "/proc/%lld/mountinfo",
					d->pid),
			    find_subset, &is_subset))
		return; /* check_memory() has said that it is not seen */
	if (!is_subset) {
		doctor_add(d, "/proc", DOCTOR_PASS, "zsd sees all of it");
		return;
	}
	doctor_add(d, "/proc", DOCTOR_FAIL,
		   "ProcSubset=pid: zsd does not see how much memory is free");
	doctor_mend(d, "ProcSubset=all in its unit");
}

static void check_survival(struct doctor *d)
{
	const json_int_t deaths =
		json_integer_value(json_object_get(d->survival, "deaths"));

	if (!json_integer_value(json_object_get(d->survival, "keeper_pid"))) {
		doctor_add(d, "survival", DOCTOR_WARN,
			   "--survive=off: what is swapped out is lost with "
			   "this process");
		doctor_mend(d, "leave --survive=off out");
	} else if (!json_is_true(
			   json_object_get(d->survival, "standby_ready"))) {
		doctor_add(d, "survival", DOCTOR_WARN,
			   "no other server stands by: if this one dies, "
			   "clients wait until one has been started");
		doctor_mend(d, "look at zsd's log for why, if it stays so");
	} else if (deaths) {
		doctor_add(d, "survival", DOCTOR_WARN,
			   "%lld servers died so far; another one stands by",
			   (long long)deaths);
		doctor_mend(d, "look at zsd's log for why, and report it");
	} else {
		doctor_add(d, "survival", DOCTOR_PASS,
			   "another server stands by");
	}
}

void doctor_check_zsd(struct doctor *d)
{
	check_swap_mode(d);
	check_threads(d);
	check_memory(d);
	check_oom_score(d);
	check_proc(d);
	check_survival(d);
	check_exports(d);
}

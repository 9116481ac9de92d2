/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control groups that zsd runs in, and the memory that is there for it. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "zsctl/doctor/internal.h"
#include "zsctl/system/sysctl.h"

/* --- which group ------------------------------------------------------------ */

/* Version 1 has a hierarchy for memory, version 2 one for everything. */
struct cgroup {
	char path[DOCTOR_PATH_BYTES]; /* within its hierarchy; "" is not known */
	const char *mount; /* of the hierarchy */
	const char *max_file; /* the most memory that it may have */
};

static void set_cgroup(struct cgroup *cgroup, const char *mount,
		       const char *max_file, const char *path)
{
	cgroup->mount = mount;
	cgroup->max_file = max_file;
	(void)snprintf(cgroup->path, sizeof(cgroup->path), "%s", path);
}

/* "0::/PATH" is the one of version 2, "4:memory:/PATH" of version 1, which has
 * the limits where there are both. Source: cgroups(7). */
static bool find_cgroup(void *arg, char *text)
{
	struct cgroup *cgroup = arg;
	char *path = strchr(text, '/');

	if (path && strstr(text, ":memory:")) {
		set_cgroup(cgroup, "/sys/fs/cgroup/memory",
			   "memory.limit_in_bytes", path);
		return false;
	}
	if (strncmp(text, "0::/", 4) == 0)
		set_cgroup(cgroup, "/sys/fs/cgroup", "memory.max", path);
	return true;
}

static bool is_version_2(const struct cgroup *cgroup)
{
	return strcmp(cgroup->max_file, "memory.max") == 0;
}

/* --- its limits
 * --------------------------------------------------------------- */

struct limit {
	uint64_t bytes; /* UINT64_MAX: none */
	char group[DOCTOR_PATH_BYTES]; /* that has it */
};

/* The smallest of @file in the group and those around it: all of them hold. */
static void find_limit(const struct doctor *d, const struct cgroup *cgroup,
		       const char *file, struct limit *limit)
{
	char group[DOCTOR_PATH_BYTES], path[DOCTOR_PATH_BYTES];
	long long bytes;
	char *end;

	limit->bytes = UINT64_MAX;
	(void)snprintf(group, sizeof(group), "%s", cgroup->path);
	do {
		doctor_path(d, path, "%s%s/%s", cgroup->mount, group, file);
		if (!files_read_number(path, &bytes) && bytes >= 0 &&
		    (uint64_t)bytes < limit->bytes) {
			limit->bytes = (uint64_t)bytes;
			memcpy(limit->group, group, sizeof(group));
		}
		end = strrchr(group, '/');
		if (end)
			*end = '\0';
	} while (end);
}

static void check_swap_max(struct doctor *d, const struct cgroup *cgroup)
{
	struct limit limit;

	if (!is_version_2(cgroup))
		return; /* which has nothing of the kind */
	find_limit(d, cgroup, "memory.swap.max", &limit);
	if (limit.bytes == 0) {
		doctor_add(d, "MemorySwapMax", DOCTOR_PASS, "0");
		return;
	}
	doctor_add(d, "MemorySwapMax", DOCTOR_FAIL,
		   "not 0: only its memory lock keeps zsd from being swapped "
		   "out");
	if (strcmp(cgroup->path, "/") != 0)
		doctor_mend(d,
			    "MemorySwapMax=0 in its unit, or now: echo 0 > "
			    "/sys/fs/cgroup%s/memory.swap.max",
			    cgroup->path);
	else
		doctor_mend(d, "start zsd by its unit: systemctl start "
			       "zsd.service");
}

static void check_high(struct doctor *d, const struct cgroup *cgroup)
{
	char size[UNITS_TEXT_BYTES];
	struct limit limit;

	find_limit(d, cgroup, "memory.high", &limit);
	if (limit.bytes == UINT64_MAX) {
		doctor_add(d, "MemoryHigh", DOCTOR_PASS, "not set");
		return;
	}
	doctor_add(d, "MemoryHigh", DOCTOR_FAIL,
		   "%s in %s: beyond it the kernel slows zsd down, and all who "
		   "wait for swap",
		   units_format(limit.bytes, size), limit.group);
	doctor_mend(d, "unset MemoryHigh= in its unit and slices, and use zsd "
		       "--mem-limit");
}

/* --- what zsd may come to use
 * --------------------------------------------------- */

/* At worst nothing compresses. */
static uint64_t most_bytes(const struct doctor *d)
{
	uint64_t sum = 0, limit;
	const json_t *export;
	size_t i;

	json_array_foreach(d->exports, i, export)
	{
		limit = (uint64_t)doctor_figure(export, "mm_stat", "mem_limit");
		sum += limit ? limit
			     : (uint64_t)doctor_figure(export, "disk",
						       "size_bytes");
	}
	return sum;
}

static void check_max(struct doctor *d, const struct cgroup *cgroup)
{
	char size[UNITS_TEXT_BYTES], max[UNITS_TEXT_BYTES];
	const uint64_t bytes = most_bytes(d);
	struct limit limit;

	find_limit(d, cgroup, cgroup->max_file, &limit);
	if (limit.bytes >= bytes) {
		doctor_add(d, "MemoryMax", DOCTOR_PASS,
			   limit.bytes == UINT64_MAX ? "not set"
						     : "more than zsd may use");
		return;
	}
	doctor_add(d, "MemoryMax", DOCTOR_FAIL,
		   "%s in %s: zsd may come to use %s, and gets no memory then",
		   units_format(limit.bytes, max), limit.group,
		   units_format(bytes, size));
	doctor_mend(d, "unset MemoryMax= in its unit and slices, or give zsd a "
		       "--mem-limit of at most half of it");
}

static void check_machine_memory(struct doctor *d)
{
	char size[UNITS_TEXT_BYTES], memory[UNITS_TEXT_BYTES];
	const uint64_t bytes = most_bytes(d);
	long long kib;

	if (sysctl_memory_kib(d->root, &kib))
		return; /* vm.min_free_kbytes says so */
	units_format((uint64_t)kib * KIB, memory);
	if (bytes < (uint64_t)kib * KIB) {
		doctor_add(d, "memory", DOCTOR_PASS,
			   "%s: more than zsd may use", memory);
		return;
	}
	doctor_add(d, "memory", DOCTOR_WARN,
		   "%s: what does not compress may come to %s in zsd", memory,
		   units_format(bytes, size));
	doctor_mend(d, "give zsd a --mem-limit of at most half of the memory");
}

/* --- who starts zsd again
 * ------------------------------------------------------- */

/* If all of zsd dies, it is systemd that must go on: what of it is swapped out,
 * onto the disk of that zsd, it could not read. */
static void check_init(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES], text[FILES_TEXT_BYTES];

	if (!json_integer_value(json_object_get(d->survival, "keeper_pid")) ||
	    files_read(doctor_path(d, path,
				   "/sys/fs/cgroup/init.scope/memory.swap.max"),
		       text))
		return; /* another init, which starts nothing again */
	if (strcmp(text, "0") == 0) {
		doctor_add(d, "init.scope", DOCTOR_PASS, "MemorySwapMax=0");
	} else {
		doctor_add(d, "init.scope", DOCTOR_WARN,
			   "systemd may be swapped out, and cannot start zsd "
			   "again then if all of it dies");
		doctor_mend(d, "install init.scope.d/zsd.conf, or now: echo 0 "
			       "> /sys/fs/cgroup/init.scope/memory.swap.max");
	}
	if (files_find_line(doctor_path(d, path, "/proc/1/status"),
			    "VmSwap:", text))
		return;
	if (strtoll(text, NULL, 10) == 0) {
		doctor_add(d, "process 1", DOCTOR_PASS, "not swapped out");
		return;
	}
	doctor_add(d, "process 1", DOCTOR_WARN,
		   "some of systemd is swapped out (%s)", text);
	doctor_mend(d, "see to init.scope, then swapoff and swapon once");
}

void doctor_check_cgroup(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	struct cgroup cgroup = {.path = ""};

	check_machine_memory(d);
	if (files_each_line(doctor_path(d, path, "/proc/%lld/cgroup", d->pid),
			    find_cgroup, &cgroup) ||
	    !*cgroup.path)
		return; /* that the process is not seen was said */
	check_swap_max(d, &cgroup);
	check_high(d, &cgroup);
	check_max(d, &cgroup);
	check_init(d);
}

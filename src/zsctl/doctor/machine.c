/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How this machine's kernel deals with memory, swap and time. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "zsctl/doctor/internal.h"
#include "zsctl/system/sysctl.h"

/* --- swapping --------------------------------------------------------------- */

static void check_page_cluster(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	long long log_pages;

	doctor_path(d, path, "/proc/sys/vm/page-cluster");
	if (files_read_number(path, &log_pages))
		return; /* a kernel without swap */
	if (log_pages >= SYSCTL_MIN_PAGE_CLUSTER) {
		doctor_add(d, "vm.page-cluster", DOCTOR_PASS, "%lld",
			   log_pages);
		return;
	}
	doctor_add(d, "vm.page-cluster", DOCTOR_FAIL,
		   "%lld: pages that follow each other are swapped in one by "
		   "one, each by a request of its own, which takes up to three "
		   "times as long",
		   log_pages);
	doctor_mend(d,
		    "sysctl vm.page-cluster=%d, and a file in /etc/sysctl.d "
		    "to keep it",
		    SYSCTL_DEFAULT_PAGE_CLUSTER);
}

static void check_min_free(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	long long needed_kib, kib;

	doctor_path(d, path, "/proc/sys/vm/min_free_kbytes");
	if (files_read_number(path, &kib) ||
	    sysctl_min_free_kib(d->root, &needed_kib)) {
		doctor_add(d, "vm.min_free_kbytes", DOCTOR_WARN,
			   "cannot be seen, or how much memory there is");
		doctor_mend(d, "run zsctl doctor as root, where /proc is "
			       "whole");
		return;
	}
	if (kib >= needed_kib) {
		doctor_add(d, "vm.min_free_kbytes", DOCTOR_PASS, "%lld", kib);
		return;
	}
	doctor_add(d, "vm.min_free_kbytes", DOCTOR_FAIL,
		   "%lld: the kernel begins to swap when there is hardly "
		   "memory left to do it with",
		   kib);
	doctor_mend(d,
		    "sysctl vm.min_free_kbytes=%lld, and a file in "
		    "/etc/sysctl.d to keep it",
		    needed_kib);
}

static void check_zswap(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES], text[FILES_TEXT_BYTES];

	doctor_path(d, path, "/sys/module/zswap/parameters/enabled");
	if (files_read(path, text) || strcmp(text, "Y") != 0) {
		doctor_add(d, "zswap", DOCTOR_PASS, "not in front of zsd");
		return;
	}
	doctor_add(d, "zswap", DOCTOR_WARN,
		   "enabled: it compresses what is swapped out, keeps a part "
		   "of it, and hands on to zsd what it evicts");
	doctor_mend(d, "echo N > /sys/module/zswap/parameters/enabled, and "
		       "zswap.enabled=0 on the kernel's command line");
}

/* --- time
 * ---------------------------------------------------------------------- */

/* zsd's threads run in real time; this is the kernel's bound on all that do. */
static void check_throttle(struct doctor *d)
{
	char path[DOCTOR_PATH_BYTES];
	long long us;

	doctor_path(d, path, "/proc/sys/kernel/sched_rt_runtime_us");
	if (files_read_number(path, &us))
		return; /* newer kernels have another way */
	if (us >= 0) {
		doctor_add(d, "RT throttling", DOCTOR_PASS,
			   "%lld us for real time", us);
		return;
	}
	doctor_add(d, "RT throttling", DOCTOR_FAIL,
		   "off: a real-time program that does not sleep locks up the "
		   "machine");
	doctor_mend(d, "sysctl kernel.sched_rt_runtime_us=950000");
}

void doctor_check_machine(struct doctor *d)
{
	check_page_cluster(d);
	check_min_free(d);
	check_zswap(d);
	check_throttle(d);
}

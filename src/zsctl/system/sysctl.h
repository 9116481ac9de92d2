/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl - what settings of the machine should be, for swapping on zsd
 *
 * Threads: functions of the files below @root.
 */
#ifndef ZSD_ZSCTL_SYSTEM_SYSCTL_H
#define ZSD_ZSCTL_SYSTEM_SYSCTL_H

#include "base/compiler.h"

/*
 * vm.page-cluster: the kernel reads 2^N pages at a time where they follow each
 * other. The least that will do, and its own default. The kernel's zram wants 0,
 * for there nothing is gained: decompressing is all that a page costs. Here a
 * request costs ten times that: in a guest a pass in order took 39 s with 0, 15
 * with 2 and 12 with 3, and one at random the same (docs/benchmarks.md).
 */
#define SYSCTL_MIN_PAGE_CLUSTER	    2
#define SYSCTL_DEFAULT_PAGE_CLUSTER 3

/* sysctl_memory_kib() - the memory of the machine at @root, KiB. Return: 0 or
 * -errno. */
int sysctl_memory_kib(const char *root, long long *out) ZSD_MUST_CHECK;

/* sysctl_min_free_kib() - what vm.min_free_kbytes should be at least. Return: 0
 * or -errno. */
int sysctl_min_free_kib(const char *root, long long *out) ZSD_MUST_CHECK;

#endif

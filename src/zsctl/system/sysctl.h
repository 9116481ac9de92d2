/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl - what settings of the machine should be, for swapping on zsd
 *
 * Threads: functions of the files below @root.
 */
#ifndef ZSD_ZSCTL_SYSTEM_SYSCTL_H
#define ZSD_ZSCTL_SYSTEM_SYSCTL_H

#include "base/compiler.h"

/* sysctl_memory_kib() - the memory of the machine at @root, KiB. Return: 0 or
 * -errno. */
int sysctl_memory_kib(const char *root, long long *out) ZSD_MUST_CHECK;

/* sysctl_min_free_kib() - what vm.min_free_kbytes should be at least. Return: 0
 * or -errno. */
int sysctl_min_free_kib(const char *root, long long *out) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_cpu - processor time: of the server, of this process, of all others
 *
 * The first two come from the kernel's per-process clocks, which count all
 * threads, dead ones too, to the nanosecond. What others take of the machine
 * tells how far a result can be trusted; it comes from /proc/stat, which
 * counts in ticks of some milliseconds.
 */
#ifndef ZSD_BENCH_LOAD_CPU_H
#define ZSD_BENCH_LOAD_CPU_H

#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

/* All in nanoseconds of processor time, from some start on. */
struct load_cpu {
	uint64_t server_ns; /* 0 where there is no server to look at */
	uint64_t client_ns;
	uint64_t machine_ns; /* of all cores, with what a hypervisor took */
};

/**
 * load_cpu_now() - read all three
 * @server_pid: 0 for none
 *
 * Return: 0, -ESRCH where there is no such process, -EPROTO for a /proc/stat
 * that is not Linux's, or the -errno of fopen(3) or clock_gettime(2).
 */
int load_cpu_now(pid_t server_pid, struct load_cpu *out) ZSD_MUST_CHECK;

/* What was spent from @start to @end. */
struct load_cpu load_cpu_between(const struct load_cpu *start,
				 const struct load_cpu *end);

#endif

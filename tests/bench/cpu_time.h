/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_time - processor time: of the server, of this process, of all others
 *
 * The first two come from the kernel's per-process clocks, which count all
 * threads, dead ones too, to the nanosecond. What others take of the machine
 * tells how far a result can be trusted; it comes from /proc/stat, which
 * counts in ticks of some milliseconds.
 */
#ifndef ZSD_BENCH_CPU_TIME_H
#define ZSD_BENCH_CPU_TIME_H

#include <stdint.h>
#include <sys/types.h>

/* All in nanoseconds of processor time, from some start on. */
struct cpu_time {
	uint64_t server_ns; /* 0 where there is no server to look at */
	uint64_t client_ns;
	uint64_t machine_ns; /* of all cores, with what a hypervisor took */
};

/* @server_pid: 0 for none. Ends the program where there is no such process. */
struct cpu_time cpu_time_now(pid_t server_pid);

/* What was spent from @start to @end. */
struct cpu_time cpu_time_between(const struct cpu_time *start,
				 const struct cpu_time *end);

#endif

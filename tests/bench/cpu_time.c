/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <unistd.h>

#include "bench_frame.h"
#include "cpu_time.h"

/* What the line "cpu  1 2 3 ..." says, proc_stat(5), without the idle time. */
static uint64_t machine_ns(void)
{
	uint64_t user, nice, system, irq, softirq, steal;
	FILE *stat = fopen("/proc/stat", "re");

	if (!stat)
		error(1, errno, "/proc/stat");
	if (fscanf(stat, "cpu %ju %ju %ju %*u %*u %ju %ju %ju", &user, &nice,
		   &system, &irq, &softirq, &steal) != 6)
		error(1, 0, "/proc/stat is not Linux's");
	(void)fclose(stat);
	return (user + nice + system + irq + softirq + steal) *
	       (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

struct cpu_time cpu_time_now(pid_t server_pid)
{
	struct cpu_time now = {0};
	clockid_t server;
	int err;

	if (server_pid) {
		err = clock_getcpuclockid(server_pid, &server);
		if (err)
			error(1, err, "process %d", (int)server_pid);
		now.server_ns = bench_now_ns(server);
	}
	now.client_ns = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID);
	now.machine_ns = machine_ns();
	return now;
}

struct cpu_time cpu_time_between(const struct cpu_time *start,
				 const struct cpu_time *end)
{
	return (struct cpu_time){
		.server_ns = end->server_ns - start->server_ns,
		.client_ns = end->client_ns - start->client_ns,
		.machine_ns = end->machine_ns - start->machine_ns,
	};
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load_cpu.h"

#define NS_PER_S 1000000000u

static int clock_ns(clockid_t clock, uint64_t *out)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		return -errno;
	*out = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	return 0;
}

/* The fields of a processor's line in /proc/stat, proc_stat(5). */
enum stat_field {
	STAT_USER,
	STAT_NICE,
	STAT_SYSTEM,
	STAT_IDLE,
	STAT_IOWAIT,
	STAT_IRQ,
	STAT_SOFTIRQ,
	STAT_STEAL,
	NR_STAT_FIELDS,
};

/* Sums what the line "cpu  1 2 3 ..." says, without the idle time. */
static int parse_stat(const char *line, uint64_t *out)
{
	const char *at = line + strlen("cpu");
	uint64_t ticks = 0;

	if (strncmp(line, "cpu ", strlen("cpu ")) != 0)
		return -EPROTO;
	for (int i = 0; i < NR_STAT_FIELDS; i++) {
		char *end;
		uint64_t value = strtoull(at, &end, 10);

		if (end == at)
			return -EPROTO;
		if (i != STAT_IDLE && i != STAT_IOWAIT)
			ticks += value;
		at = end;
	}
	*out = ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}

static int machine_ns(uint64_t *out)
{
	char line[256]; /* ten numbers of at most twenty digits */
	FILE *stat = fopen("/proc/stat", "re");
	int err = -EPROTO;

	if (!stat)
		return -errno;
	if (fgets(line, sizeof(line), stat))
		err = parse_stat(line, out);
	(void)fclose(stat);
	return err;
}

int load_cpu_now(pid_t server_pid, struct load_cpu *out)
{
	clockid_t server;
	int err;

	out->server_ns = 0;
	if (server_pid) {
		err = clock_getcpuclockid(server_pid, &server);
		if (err)
			return -err;
		err = clock_ns(server, &out->server_ns);
		if (err)
			return err;
	}
	err = clock_ns(CLOCK_PROCESS_CPUTIME_ID, &out->client_ns);
	return err ? err : machine_ns(&out->machine_ns);
}

struct load_cpu load_cpu_between(const struct load_cpu *start,
				 const struct load_cpu *end)
{
	return (struct load_cpu){
		.server_ns = end->server_ns - start->server_ns,
		.client_ns = end->client_ns - start->client_ns,
		.machine_ns = end->machine_ns - start->machine_ns,
	};
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * share - how a program fares beside others
 *
 * usage: share SECONDS
 *
 * Half of the time it does nothing but work, and prints how much of a processor
 * it got, percent. The other half it sleeps for a millisecond again and again,
 * and prints how much later than that it ran, us: the median and the longest.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

#define SLEEP_NS 1000000u

#define MAX_SLEEPS 100000u

static uint64_t late_ns[MAX_SLEEPS];

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		error(1, errno, "clock_gettime");
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static double work(uint64_t ns)
{
	uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
	uint64_t cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);

	while (now_ns(CLOCK_MONOTONIC) < start_ns + ns)
		;
	cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	return 100.0 * (double)cpu_ns /
	       (double)(now_ns(CLOCK_MONOTONIC) - start_ns);
}

static unsigned sleep_often(uint64_t ns)
{
	const struct timespec pause = {.tv_nsec = SLEEP_NS};
	uint64_t start_ns = now_ns(CLOCK_MONOTONIC), before_ns = start_ns;
	unsigned nr = 0;

	while (before_ns < start_ns + ns && nr < MAX_SLEEPS) {
		uint64_t after_ns;

		nanosleep(&pause, NULL);
		after_ns = now_ns(CLOCK_MONOTONIC);
		late_ns[nr++] = after_ns - before_ns - SLEEP_NS;
		before_ns = after_ns;
	}
	return nr;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	uint64_t half_ns;
	double percent;
	unsigned nr;

	if (argc != 2)
		error(2, 0, "usage: share SECONDS");
	half_ns = strtoull(argv[1], NULL, 10) * NS_PER_S / 2;
	percent = work(half_ns);
	nr = sleep_often(half_ns);
	if (!nr)
		error(2, 0, "usage: share SECONDS");
	qsort(late_ns, nr, sizeof(late_ns[0]), compare);
	printf("%.1f %ju %ju\n", percent, (uintmax_t)late_ns[nr / 2] / 1000,
	       (uintmax_t)late_ns[nr - 1] / 1000);
	return 0;
}

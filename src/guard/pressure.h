/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pressure - how short this machine is of memory, processors, and storage
 *
 * Memory in use is what the kernel could not give without swapping; stalls are
 * the part of the last ten seconds in which some task had to wait.
 *
 * Threads: one at a time for each struct. Allocates nothing after opening.
 * Source: proc(5), /proc/meminfo; Linux Documentation/accounting/psi.rst.
 */
#ifndef ZSD_GUARD_PRESSURE_H
#define ZSD_GUARD_PRESSURE_H

/* What cannot be seen is 0: nothing is known to be short. */
struct pressure_reading {
	double memory_used; /* of the machine's memory, 0 to 1 */
	double memory_stall; /* percent: "some avg10" */
	double cpu_stall; /* the same */
	double io_stall; /* percent of the time in which all had to: "full" */
};

struct pressure {
	int meminfo_fd;
	int memory_fd;
	int cpu_fd;
	int io_fd;
};

/* pressure_open() - files that are not there, or not for us, are done without.
 * @root: before all paths; "" but for tests. Release: pressure_close(). */
void pressure_open(struct pressure *pressure, const char *root);
void pressure_close(struct pressure *pressure);

/* pressure_read() - Cost: four system calls, some 40 us. */
void pressure_read(const struct pressure *pressure,
		   struct pressure_reading *out);

#endif

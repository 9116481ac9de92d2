/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_report - the result of a run, for people or as one line of JSON
 */
#ifndef ZSD_BENCH_LOAD_REPORT_H
#define ZSD_BENCH_LOAD_REPORT_H

#include <stdint.h>

#include "load_conn.h"
#include "load_cpu.h"
#include "load_options.h"

struct load_result {
	const struct load_options *options;
	const struct load_tally *tally;
	uint64_t elapsed_ns;
	struct load_cpu cpu; /* spent meanwhile */
};

/* Prints to standard output. Return: 0, or -EIO where that failed. */
int load_report(const struct load_result *result) ZSD_MUST_CHECK;

#endif

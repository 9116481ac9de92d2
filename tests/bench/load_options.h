/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_options - the command line of nbdload
 */
#ifndef ZSD_BENCH_LOAD_OPTIONS_H
#define ZSD_BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench_args.h"
#include "load_plan.h"

#define LOAD_MAX_CONNECTIONS 64u

/* Bounds of --block-bytes. */
#define LOAD_MIN_BLOCK_BYTES ((uint64_t)4096)
#define LOAD_MAX_BLOCK_BYTES ((uint64_t)1 << 20)

struct load_options {
	const char *socket_path;
	const char *export_name;
	struct bench_page_files page_files;
	unsigned depth;
	unsigned nr_connections;
	unsigned percent[LOAD_NR_OPS];
	uint64_t block_bytes;
	bool sequential;
	uint64_t run_ns; /* of the measured part; if nr_requests is not */
	uint64_t nr_requests; /* of the measured part */
	bool has_nr_requests;
	uint64_t span_bytes; /* 0: the whole disk */
	bool prefill;
	unsigned trim_percent; /* of all blocks, after prefill */
	bool verify;
	bool fresh;
	bool trim_is_undefined;
	bool allow_enospc;
	uint64_t seed;
	pid_t server_pid; /* 0: not told */
	unsigned timeout_s;
	bool json;
};

/* Parses all of the command line; exits with 2 where it is wrong. */
void load_options_parse(int argc, char **argv, struct load_options *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options - zsd's command line
 */
#ifndef ZSD_ZSD_OPTIONS_OPTIONS_H
#define ZSD_ZSD_OPTIONS_OPTIONS_H

#include "zsd/server.h"

/* What is assumed where the command line is silent. */
#define OPTIONS_RESERVE_BYTES	    (4 * MIB)
#define OPTIONS_SWAP_RESERVE_BYTES  (16 * MIB)
#define OPTIONS_MAX_CONNECTIONS	    64u
#define OPTIONS_HANDSHAKE_TIMEOUT_S 10u
#define OPTIONS_ALGORITHM	    "lz4"
#define OPTIONS_DESCRIPTION	    "compressed memory"

/* Exit status of a wrong command line. */
#define OPTIONS_EXIT_USAGE 2

struct options {
	struct server_params server; /* strings: argv's, or those below */
	char *default_control_path; /* allocated, or NULL */
	char *exports[EXPORT_MAX]; /* allocated: of each --export */
	size_t nr_exports;
};

/**
 * options_parse() - read the command line
 * @is_kept: a keeper has started this process: it has the sockets
 * @out:     receives what it says, all of it checked
 *
 * A wrong one is explained on standard error and ends the process with
 * OPTIONS_EXIT_USAGE; --help, --usage and --version end it with 0.
 * Release: options_fini().
 */
void options_parse(int argc, char **argv, bool is_kept, struct options *out);

void options_fini(struct options *options);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zsd/options/options.h"
#include "zsd/server.h"
#include "zsd/server_internal.h"

/*
 * Whoever starts us may have closed standard input, output or error. What is
 * opened next would take their numbers, and what is written to them would go
 * into it.
 */
static int open_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest number that is free is what open(2) returns. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	}
	return 0;
}

static int run(struct server_params *params, char *const *argv)
{
	struct io_log *log = NULL;
	int err = 0;

	if (params->daemon && !params->is_kept)
		err = daemon_begin(&params->ready_fd);
	if (!err)
		err = io_log_create(&log);
	if (err) {
		(void)fprintf(stderr, "zsd: cannot start: %s\n",
			      strerror(-err));
		return err;
	}
	/* Servers of a keeper have what it has found. */
	if (!params->is_kept)
		err = restore_check(params, log);
	if (!err && params->survive != SURVIVE_OFF && !params->is_kept)
		err = survive_run(params, log, argv);
	else if (!err)
		err = server_run(params, log);
	io_log_close(log);
	return err;
}

int main(int argc, char **argv)
{
	struct options options;
	bool is_kept;
	int err;

	if (open_standard_descriptors())
		return EXIT_FAILURE;
	is_kept = keep_link_is_wanted();
	signals_prepare(is_kept);
	options_parse(argc, argv, is_kept, &options);
	err = run(&options.server, argv);
	options_fini(&options);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

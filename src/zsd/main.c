/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>

#include "zsd/server.h"
#include "zsd/options.h"

int main(int argc, char **argv)
{
	struct options options;
	int err;

	options_parse(argc, argv, &options);
	err = server_run(&options.server);
	options_fini(&options);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pagegen - writes a file of made-up memory pages
 *
 * The same seed and size give the same file; see synthetic.h for what is in it.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "bench_frame.h"
#include "synthetic.h"

static struct {
	uint64_t bytes;
	uint64_t seed;
} options = {.bytes = 16 * MIB, .seed = 1};

static const struct bench_option table[] = {
	BENCH_OPTION("size", 's', "SIZE", disk_size, &options.bytes,
		     "size of the file (default 16M)"),
	BENCH_NUMBER("seed", 'S', &options.seed, 0, UINT64_MAX,
		     "which pages to make up (default 1)"),
	{0},
};

int main(int argc, char **argv)
{
	const char *path =
		bench_parse(argc, argv, table,
			    "Write made-up memory pages to FILE.", "FILE");
	unsigned char *pages;
	FILE *file;

	pages = malloc(options.bytes);
	if (!pages)
		error(1, ENOMEM, "%s", path);
	synthetic_fill(pages, options.bytes / ZSD_PAGE_BYTES, options.seed);
	file = fopen(path, "wb");
	if (!file || fwrite(pages, options.bytes, 1, file) != 1 || fclose(file))
		error(1, errno, "%s", path);
	free(pages);
	return 0;
}

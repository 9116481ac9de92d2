/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make_model PAGES MODEL - train the model that comes with zsd
 *
 * Runs while zsd is built. PAGES are pages of memory as zstd(1) packs them. The
 * same pages give the same model on every machine.
 *
 * It has no dictionary: one that is trained on other programs makes pages
 * longer (docs/plz.md).
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/units.h"
#include "plz/plz.h"

/* Far more than is of use. */
#define MOST_BYTES ((size_t)(256 * MIB))

static void die(const char *what, const char *why)
{
	fprintf(stderr, "make_model: %s: %s\n", what, why);
	exit(1);
}

static void *allocate(size_t bytes)
{
	void *memory = malloc(bytes);

	if (!memory)
		die("memory", strerror(ENOMEM));
	return memory;
}

/* --- files --------------------------------------------------------------- */

/* All bytes of a file. Release: free(3). */
static void *read_file(const char *path, size_t *out_bytes)
{
	FILE *file = fopen(path, "rb");
	size_t room = MIB, bytes = 0, n;
	char *memory = allocate(room);

	if (!file)
		die(path, strerror(errno));
	while ((n = fread(memory + bytes, 1, room - bytes, file)) > 0) {
		bytes += n;
		if (bytes < room)
			continue;
		room *= 2;
		memory = realloc(memory, room);
		if (!memory || room > MOST_BYTES)
			die(path, strerror(ENOMEM));
	}
	if (ferror(file))
		die(path, strerror(errno));
	fclose(file);
	*out_bytes = bytes;
	return memory;
}

static void write_file(const char *path, const void *bytes, size_t nr_bytes)
{
	FILE *file = fopen(path, "wb");

	if (!file)
		die(path, strerror(errno));
	if (fwrite(bytes, 1, nr_bytes, file) != nr_bytes)
		die(path, strerror(errno));
	if (fclose(file))
		die(path, strerror(errno));
}

/* --- the model ----------------------------------------------------------- */

/* The pages in a file. Release: free(3). */
static void *unpack(const char *path, unsigned *nr_pages)
{
	size_t packed_bytes, bytes;
	void *packed = read_file(path, &packed_bytes);
	unsigned long long length =
		ZSTD_getFrameContentSize(packed, packed_bytes);
	void *pages;

	if (!length || length > MOST_BYTES || length % ZSD_PAGE_BYTES)
		die(path, "these are no pages that zstd has packed");
	pages = allocate(length);
	bytes = ZSTD_decompress(pages, length, packed, packed_bytes);
	if (bytes != length)
		die(path, "damaged");
	free(packed);
	*nr_pages = (unsigned)(bytes / ZSD_PAGE_BYTES);
	return pages;
}

static void save(const struct plz_model *model, const char *path)
{
	const size_t bytes = plz_model_bytes(model);
	void *saved = allocate(bytes);

	plz_model_save(model, saved);
	write_file(path, saved, bytes);
	free(saved);
}

int main(int argc, char **argv)
{
	struct plz_model *model;
	unsigned nr_pages;
	void *pages;
	int err;

	if (argc != 3)
		die("usage", "make_model PAGES MODEL");
	pages = unpack(argv[1], &nr_pages);
	err = plz_train(pages, nr_pages, NULL, 0, &model);
	if (err)
		die(argv[1], strerror(-err));
	save(model, argv[2]);
	plz_model_free(model);
	free(pages);
	return 0;
}

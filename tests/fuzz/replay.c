/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay - runs a fuzzer on files, where it is not linked with libFuzzer
 *
 * Usage: fuzz_NAME FILE...
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

/* Longest input, bytes: libFuzzer makes none that is longer by itself. */
#define MAX_INPUT_BYTES 4096u

/*
 * In memory that ends where the input does, so that a sanitizer sees what
 * reads beyond it.
 */
static uint8_t *load(const char *path, size_t *size)
{
	uint8_t bytes[MAX_INPUT_BYTES], *data;
	FILE *file = fopen(path, "rb");

	if (!file)
		error(2, errno, "%s", path);
	*size = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file) || fgetc(file) != EOF)
		error(2, errno, "%s: not an input of %u bytes at most", path,
		      MAX_INPUT_BYTES);
	(void)fclose(file);
	data = malloc(*size ? *size : 1);
	if (!data)
		error(2, ENOMEM, "%s", path);
	for (size_t i = 0; i < *size; i++)
		data[i] = bytes[i];
	return data;
}

int main(int argc, char **argv)
{
	uint8_t *data;
	size_t size;

	if (argc < 2)
		error(2, 0, "usage: %s FILE...", argv[0]);
	for (int i = 1; i < argc; i++) {
		data = load(argv[i], &size);
		fprintf(stderr, "running %s, %zu bytes\n", argv[i], size);
		LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	printf("%d inputs\n", argc - 1);
	return EXIT_SUCCESS;
}

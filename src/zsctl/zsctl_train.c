/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_base64.h"
#include "zsctl/zsctl_report.h"
#include "zsctl/zsctl_text.h"
#include "zsctl/zsctl_train.h"

static const char *const columns[] = {"bytes_per_page", "compress_us",
				      "decompress_us"};

static double number_of(const json_t *cost, size_t column)
{
	return json_number_value(json_object_get(cost, columns[column]));
}

static void print_cost(const char *name, const json_t *cost)
{
	printf("%-20s  %10.1f  %11.2f us  %11.2f us\n", name,
	       number_of(cost, 0), number_of(cost, 1), number_of(cost, 2));
}

/* How much less than @from, in per cent. */
static double gain(const json_t *from, const json_t *to, size_t column)
{
	const double before = number_of(from, column);

	return before > 0 ? 100 * (1 - number_of(to, column) / before) : 0;
}

static void print_gain(const char *name, const json_t *from, const json_t *to)
{
	printf("%-20s  %8.1f %%  %12.1f %%  %12.1f %%\n", name,
	       gain(from, to, 0), gain(from, to, 1), gain(from, to, 2));
}

static void print_table(const json_t *result)
{
	const json_t *without = json_object_get(result, "without");
	const json_t *before = json_object_get(result, "before");
	const json_t *trained = json_object_get(result, "trained");

	printf("%-20s  %10s  %14s  %14s\n", "of a page not trained on", "bytes",
	       "compress", "decompress");
	print_cost("  no dictionary", without);
	if (json_is_object(before))
		print_cost("  the current one", before);
	print_cost("  the new one", trained);
	print_gain("  less than with none", without, trained);
	if (json_is_object(before))
		print_gain("  than the current", before, trained);
}

enum zsctl_exit report_train(json_t *result)
{
	static const char *const needed[] = {"used", "bytes", "without",
					     "trained", NULL};
	char bytes[TEXT_BYTES], trained[TEXT_BYTES], tested[TEXT_BYTES];
	char number[TEXT_BYTES];
	bool used;

	if (report_lacks(result, needed))
		return ZSCTL_UNREACHABLE;
	used = json_is_true(json_object_get(result, "used"));
	printf("a dictionary of %s, trained on %s pages, tested with %s "
	       "others\n",
	       text_value(json_object_get(result, "bytes"), TEXT_SIZE, bytes),
	       text_value(json_object_get(result, "pages_trained"), TEXT_PLAIN,
			  trained),
	       text_value(json_object_get(result, "pages_tested"), TEXT_PLAIN,
			  tested));
	print_table(result);
	if (used) {
		printf("used from now on, as number %s\n",
		       text_value(json_object_get(result, "number"), TEXT_PLAIN,
				  number));
		return ZSCTL_OK;
	}
	(void)fprintf(stderr,
		      "zsctl: not used: pages would become no shorter\n");
	return ZSCTL_REFUSED;
}

/* Return: 0 or an errno. */
static int write_file(const char *path, const void *bytes, size_t nr_bytes)
{
	FILE *file = fopen(path, "we");
	int err = 0;

	if (!file)
		return errno;
	errno = 0;
	if (fwrite(bytes, 1, nr_bytes, file) != nr_bytes)
		err = errno ? errno : EIO;
	if (fclose(file) && !err)
		err = errno;
	return err;
}

enum zsctl_exit train_save(const json_t *result, const char *path)
{
	const char *text =
		json_string_value(json_object_get(result, "contents"));
	size_t room = text ? strlen(text) : 0, nr_bytes;
	unsigned char *bytes = malloc(room + 1);
	enum zsctl_exit code = ZSCTL_OK;
	int err;

	if (!bytes || !text ||
	    ctl_base64_decode(text, bytes, room, &nr_bytes)) {
		(void)fprintf(stderr,
			      "zsctl: the reply holds no dictionary to write "
			      "to %s\n",
			      path);
		free(bytes);
		return ZSCTL_UNREACHABLE;
	}
	err = write_file(path, bytes, nr_bytes);
	if (err) {
		(void)fprintf(stderr, "zsctl: cannot write %s: %s\n", path,
			      strerror(err));
		code = ZSCTL_REFUSED;
	}
	free(bytes);
	return code;
}

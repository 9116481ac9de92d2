/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `zsctl train`: a dictionary of what is stored, what it gains, and its file. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl_base64.h"
#include "zsctl/text.h"
#include "zsctl/zsctl.h"

static const char *const columns[] = {"bytes_per_page", "compress_us",
				      "decompress_us"};

static double number_of(const json_t *cost, size_t column)
{
	return json_number_value(json_object_get(cost, columns[column]));
}

static void print_cost(const char *name, const json_t *cost)
{
	printf("%-24s  %10.1f  %11.2f us  %11.2f us\n", name,
	       number_of(cost, 0), number_of(cost, 1), number_of(cost, 2));
}

/* How many times what it was. */
static double times(const json_t *from, const json_t *to, size_t column)
{
	const double before = number_of(from, column);

	return before > 0 ? number_of(to, column) / before : 1;
}

static void print_times(const char *name, const json_t *from, const json_t *to)
{
	printf("%-24s  %9.2fx  %13.2fx  %13.2fx\n", name, times(from, to, 0),
	       times(from, to, 1), times(from, to, 2));
}

static void print_table(const json_t *result)
{
	const json_t *without = json_object_get(result, "without");
	const json_t *before = json_object_get(result, "before");
	const json_t *trained = json_object_get(result, "trained");

	printf("%-24s  %10s  %14s  %14s\n", "of a page not trained on", "bytes",
	       "compress", "decompress");
	print_cost("  no dictionary", without);
	if (json_is_object(before))
		print_cost("  the current one", before);
	print_cost("  the new one", trained);
	print_times("  over no dictionary", without, trained);
	if (json_is_object(before))
		print_times("  over the current", before, trained);
}

static void print_outcome(const json_t *result, const char *title, bool used)
{
	char bytes[TEXT_BYTES], trained[TEXT_BYTES], tested[TEXT_BYTES];
	char number[TEXT_BYTES];

	printf("%sa dictionary of %s, trained on %s pages, tested with %s "
	       "others\n",
	       title, text_member(result, "bytes", CTL_UNIT_BYTES, bytes),
	       text_member(result, "pages_trained", CTL_UNIT_COUNT, trained),
	       text_member(result, "pages_tested", CTL_UNIT_COUNT, tested));
	print_table(result);
	if (used)
		printf("used from now on, as number %s\n",
		       text_member(result, "number", CTL_UNIT_COUNT, number));
}

/* --- its file
 * ----------------------------------------------------------------- */

/*
 * Open it for writing. Return: the descriptor or -errno. A dictionary holds
 * pieces of what was swapped out: nobody else may read it, though there may
 * have been a file of that name before.
 */
static int open_private(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
	struct stat status;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) ||
	    (S_ISREG(status.st_mode) &&
	     (fchmod(fd, S_IRUSR | S_IWUSR) || ftruncate(fd, 0))))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int write_all(int fd, const unsigned char *bytes, size_t nr_bytes)
{
	ssize_t n;

	while (nr_bytes) {
		n = write(fd, bytes, nr_bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		bytes += n;
		nr_bytes -= (size_t)n;
	}
	return 0;
}

static int write_file(const char *path, const unsigned char *bytes,
		      size_t nr_bytes)
{
	int fd = open_private(path), err;

	if (fd < 0)
		return fd;
	err = write_all(fd, bytes, nr_bytes);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static enum zsctl_exit save(const json_t *result, const char *path)
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
			      strerror(-err));
		code = ZSCTL_REFUSED;
	}
	free(bytes);
	return code;
}

/* --- the command
 * ---------------------------------------------------------------- */

static json_t *make_arguments(const struct zsctl_options *options,
			      const char *name, bool secondary)
{
	json_t *arguments = zsctl_arguments(name);
	int failed = !arguments;

	if (options->output)
		failed |=
			json_object_set_new(arguments, "contents", json_true());
	if (secondary)
		failed |= json_object_set_new(arguments, "secondary",
					      json_true());
	if (options->dictionary_bytes)
		failed |= json_object_set_new(
			arguments, "bytes",
			json_integer((json_int_t)options->dictionary_bytes));
	if (!failed)
		return arguments;
	json_decref(arguments);
	return NULL;
}

/* @secondary: that of the codec for pages that rest; receives whether there is
 * one still to be trained. */
static enum zsctl_exit train_one(const struct zsctl_options *options,
				 const char *name, const char *title,
				 bool *secondary)
{
	static const char *const needed[] = {"used", "bytes", "without",
					     "trained", NULL};
	struct zsctl_answer answer;
	enum zsctl_exit code;
	bool used;

	code = zsctl_ask(options, "train",
			 make_arguments(options, name, *secondary),
			 "training...", needed, &answer);
	if (code != ZSCTL_OK)
		return code;
	if (options->output)
		code = save(answer.reply.result, options->output);
	used = json_is_true(json_object_get(answer.reply.result, "used"));
	*secondary = json_is_true(json_object_get(answer.reply.result, "more"));
	if (code == ZSCTL_OK && options->json)
		printf("%s\n", answer.line);
	else if (code == ZSCTL_OK)
		print_outcome(answer.reply.result, title, used);
	if (code == ZSCTL_OK && !used) {
		(void)fprintf(stderr, "zsctl: not used: pages would become no "
				      "shorter\n");
		code = ZSCTL_REFUSED;
	}
	zsctl_answer_fini(&answer);
	return code;
}

static enum zsctl_exit train(const struct zsctl_options *options,
			     const char *name, const char *title)
{
	bool secondary = false;
	enum zsctl_exit code = train_one(options, name, title, &secondary);
	enum zsctl_exit other;

	if (!secondary)
		return code;
	if (!options->json)
		printf("for pages that rest, ");
	other = train_one(options, name, title, &secondary);
	return code == ZSCTL_OK ? other : code;
}

enum zsctl_exit zsctl_train(const struct zsctl_options *options)
{
	if (options->output)
		return train(options, options->export, "");
	return zsctl_each_export(options, train);
}

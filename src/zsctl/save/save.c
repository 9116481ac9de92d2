/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `zsctl save`: a disk to a file. zsd sends it, and this checks it on its way:
 * what is not whole and right by then is not kept.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "zsave/zsave.h"
#include "zsctl/client.h"
#include "zsctl/save/file.h"
#include "zsctl/text.h"
#include "zsctl/zsctl.h"

/* Pages between two reports, so that the terminal is not what takes the time:
 * 32 MiB of disk. */
#define REPORT_PAGES 8192u

struct saving {
	const struct zsctl_options *options;
	struct save_file file;
	struct client_rest rest;
	struct zsave_reader reader;
	uint64_t bytes; /* written */
	uint64_t expected_pages;
	uint64_t reported_pages;
	char reason[ZSAVE_MAX_TEXT_BYTES + 1]; /* zsd's, for a failure */
};

/* --- telling --------------------------------------------------------------- */

static void report(struct saving *saving)
{
	const uint64_t pages = saving->reader.counts.pages;
	char bytes[UNITS_TEXT_BYTES];

	if (saving->options->json || !isatty(STDERR_FILENO) ||
	    pages < saving->reported_pages + REPORT_PAGES)
		return;
	saving->reported_pages = pages;
	(void)fprintf(stderr, "saving: %" PRIu64 " of %" PRIu64 " pages, %s\r",
		      pages, saving->expected_pages,
		      units_format(saving->bytes, bytes));
}

/* What it wrote there goes, whatever comes next. */
static void clear_report(const struct saving *saving)
{
	if (saving->reported_pages) /* ECMA-48 EL */
		(void)fprintf(stderr, "\033[K");
}

static void print_outcome(const struct saving *saving)
{
	const struct zsave_reader *reader = &saving->reader;
	char disk[UNITS_TEXT_BYTES], bytes[UNITS_TEXT_BYTES];
	char path[PATH_MAX]; /* in UTF-8, whatever the name */
	json_t *document;

	if (!saving->options->json) {
		printf("%s: %" PRIu64 " pages of a disk of %s, in %s\n",
		       saving->options->argument, reader->counts.pages,
		       units_format(reader->head.disk_bytes, disk),
		       units_format(saving->bytes, bytes));
		return;
	}
	document =
		json_pack("{s{ss sI sI sI sb}}", "result", "file",
			  text_plain(saving->options->argument, path, sizeof(path)),
			  "bytes", (json_int_t)saving->bytes, "pages",
			  (json_int_t)reader->counts.pages, "size_bytes",
			  (json_int_t)reader->head.disk_bytes, "live",
			  (int)(reader->head.flags & ZSAVE_LIVE));
	if (document)
		(void)json_dumpf(document, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(document);
}

/* Return: how the program ends. */
static enum zsctl_exit explain(const struct saving *saving, int err)
{
	const char *path = saving->options->argument;

	clear_report(saving);
	switch (err) {
	case -EINTR:
		(void)fprintf(stderr, "zsctl: %s: not written\n", path);
		return ZSCTL_REFUSED;
	case -EEXIST:
		(void)fprintf(stderr,
			      "zsctl: cannot write %s: it is no regular file: "
			      "give another name\n",
			      path);
		return ZSCTL_REFUSED;
	case -ECANCELED:
		(void)fprintf(stderr, "zsctl: %s: not written: %s\n", path,
			      saving->reason);
		return ZSCTL_REFUSED;
	case -ETIMEDOUT:
		(void)fprintf(
			stderr,
			"zsctl: %s: not written: zsd does not answer "
			"any more\n"
			"zsctl: see whether it is stopped, or wait longer "
			"with --timeout\n",
			path);
		return ZSCTL_UNREACHABLE;
	case -EPIPE:
	case -ECONNRESET:
		(void)fprintf(stderr,
			      "zsctl: %s: not written: zsd hung up in the "
			      "middle\n"
			      "zsctl: see whether it still runs, and what its "
			      "log says\n",
			      path);
		return ZSCTL_UNREACHABLE;
	case -EBADMSG:
		(void)fprintf(
			stderr,
			"zsctl: %s: not written: what zsd sent is no saved "
			"disk: %s\n"
			"zsctl: use the zsctl that came with this zsd\n",
			path, zsave_fault_text(saving->reader.fault));
		return ZSCTL_UNREACHABLE;
	default:
		(void)fprintf(stderr, "zsctl: cannot write %s: %s\n", path,
			      strerror(-err));
		return ZSCTL_REFUSED;
	}
}

/* --- the stream ------------------------------------------------------------- */

/* Return: 0, -EAGAIN for a stream that goes on, or another -errno. */
static int check(struct saving *saving)
{
	struct zsave_reader *reader = &saving->reader;
	struct zsave_block block;
	char reason[ZSAVE_MAX_TEXT_BYTES + 1];
	int err;

	while ((err = zsave_reader_next(reader, &block)) == 0) {
		if (reader->is_over)
			return 0;
		report(saving);
	}
	if (reader->fault != ZSAVE_FAULT_FAILURE)
		return err;
	memcpy(reason, block.payload, block.bytes);
	reason[block.bytes] = '\0';
	(void)text_plain(reason, saving->reason, sizeof(saving->reason));
	return -ECANCELED;
}

static int take_some(struct saving *saving)
{
	size_t room;
	void *to;
	int n, err;

	room = zsave_reader_space(&saving->reader, &to);
	n = client_rest_read(&saving->rest, to, room);
	if (n <= 0)
		return n ? n : -EPIPE;
	zsave_reader_add(&saving->reader, (size_t)n);
	saving->bytes += (uint64_t)n;
	err = save_file_write(&saving->file, to, (size_t)n);
	return err ? err : check(saving);
}

/* All of it, until it is over. */
static int take_stream(struct saving *saving)
{
	const unsigned timeout_s = saving->options->timeout_s;
	int err = -EAGAIN;

	while (err == -EAGAIN) {
		/* What came with the reply is there already. */
		err = client_rest_is_waiting(&saving->rest)
			      ? save_file_wait(&saving->file, saving->rest.fd,
					       timeout_s)
			      : 0;
		if (!err)
			err = take_some(saving);
	}
	return err;
}

/* --- the command ------------------------------------------------------------ */

static json_t *make_arguments(const struct zsctl_options *options)
{
	json_t *arguments = zsctl_arguments(options->export);

	if (!arguments || !options->live ||
	    json_object_set_new(arguments, "live", json_true()) == 0)
		return arguments;
	json_decref(arguments);
	return NULL;
}

static enum zsctl_exit take(struct saving *saving)
{
	enum zsctl_exit code;
	int err;

	/* Only now: until here a signal ends the program as it always does. */
	err = save_file_open(&saving->file, saving->options->argument);
	if (err)
		return explain(saving, err);
	err = zsave_reader_init(&saving->reader);
	if (!err)
		err = take_stream(saving);
	if (err) {
		code = explain(saving, err);
		/* By a signal, if one came, the program ends here. */
		save_file_abandon(&saving->file);
		return code;
	}
	err = save_file_commit(&saving->file);
	if (err)
		return explain(saving, err);
	clear_report(saving);
	print_outcome(saving);
	return ZSCTL_OK;
}

enum zsctl_exit zsctl_save(const struct zsctl_options *options)
{
	static const char *const needed[] = {"format", "size_bytes", "pages",
					     NULL};
	struct saving saving = {.options = options};
	struct zsctl_answer answer;
	enum zsctl_exit code;

	code = zsctl_ask_more(options, "save", make_arguments(options), needed,
			      &answer, &saving.rest);
	if (code != ZSCTL_OK)
		return code;
	saving.expected_pages = (uint64_t)json_integer_value(
		json_object_get(answer.reply.result, "pages"));
	code = take(&saving);
	zsave_reader_fini(&saving.reader);
	client_rest_close(&saving.rest);
	zsctl_answer_fini(&answer);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zsctl/doctor/internal.h"
#include "zsctl/text.h"

static const char *const status_names[] = {
	[DOCTOR_PASS] = "pass",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

/* --- findings ------------------------------------------------------------ */

/* Some of it comes from other programs: nothing of it steers the terminal. */
static void put_text(char text[DOCTOR_TEXT_BYTES], const char *format,
		     va_list args) ZSD_PRINTF(2, 0);
static void put_text(char text[DOCTOR_TEXT_BYTES], const char *format,
		     va_list args)
{
	char raw[DOCTOR_TEXT_BYTES];

	(void)vsnprintf(raw, sizeof(raw), format, args);
	text_plain(raw, text, DOCTOR_TEXT_BYTES);
}

void doctor_add(struct doctor *d, const char *name, enum doctor_status status,
		const char *format, ...)
{
	struct finding *finding;
	va_list args;

	if (d->nr == DOCTOR_MAX_FINDINGS)
		return;
	finding = &d->findings[d->nr++];
	finding->section = d->section;
	finding->name = name;
	finding->status = status;
	va_start(args, format);
	put_text(finding->found, format, args);
	va_end(args);
}

void doctor_mend(struct doctor *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_text(d->findings[d->nr - 1].mend, format, args);
	va_end(args);
}

/* --- zsd's own word -------------------------------------------------------- */

char *doctor_export_name(const struct doctor *d, const json_t *export,
			 char text[DOCTOR_TEXT_BYTES])
{
	const char *name = json_string_value(json_object_get(export, "name"));

	text[0] = '\0';
	if (name && json_array_size(d->exports) > 1)
		(void)snprintf(text, DOCTOR_TEXT_BYTES, " of '%s'", name);
	return text;
}

json_int_t doctor_figure(const json_t *export, const char *group,
			 const char *name)
{
	return json_integer_value(
		json_object_get(json_object_get(export, group), name));
}

/* --- files --------------------------------------------------------------- */

char *doctor_path(const struct doctor *d, char path[DOCTOR_PATH_BYTES],
		  const char *format, ...)
{
	va_list args;
	size_t used;

	(void)snprintf(path, DOCTOR_PATH_BYTES, "%s", d->root);
	used = strlen(path);
	va_start(args, format);
	(void)vsnprintf(path + used, DOCTOR_PATH_BYTES - used, format, args);
	va_end(args);
	return path;
}

/* --- telling -------------------------------------------------------------- */

static size_t count(const struct doctor *d, enum doctor_status status)
{
	size_t nr = 0;

	for (size_t i = 0; i < d->nr; i++)
		nr += d->findings[i].status == status;
	return nr;
}

static int name_width(const struct doctor *d)
{
	size_t width = 0;

	for (size_t i = 0; i < d->nr; i++) {
		if (strlen(d->findings[i].name) > width)
			width = strlen(d->findings[i].name);
	}
	return (int)width;
}

static void print_findings(const struct doctor *d)
{
	const int width = name_width(d);
	const struct finding *finding;
	const char *section = "";

	for (size_t i = 0; i < d->nr; i++) {
		finding = &d->findings[i];
		if (strcmp(section, finding->section) != 0)
			printf("%s%s\n", i ? "\n" : "", finding->section);
		section = finding->section;
		printf("  %s  %-*s  %s\n", status_names[finding->status], width,
		       finding->name, finding->found);
		if (*finding->mend)
			printf("        %-*s  > %s\n", width, "",
			       finding->mend);
	}
	printf("\n%zu passed, %zu warnings, %zu failed\n",
	       count(d, DOCTOR_PASS), count(d, DOCTOR_WARN),
	       count(d, DOCTOR_FAIL));
}

static json_t *finding_document(const struct finding *finding)
{
	return json_pack("{ss ss ss ss ss}", "section", finding->section,
			 "name", finding->name, "status",
			 status_names[finding->status], "found", finding->found,
			 "mend", finding->mend);
}

static void print_json(const struct doctor *d)
{
	json_t *checks = json_array(), *document;
	int failed = 0;

	for (size_t i = 0; i < d->nr; i++)
		failed |= json_array_append_new(
			checks, finding_document(&d->findings[i]));
	document = json_pack("{sb so}", "ok", count(d, DOCTOR_FAIL) == 0,
			     "checks", checks);
	if (failed) {
		json_decref(document);
		document = NULL;
	}
	zsctl_print_json(document);
}

/* --- all of it ------------------------------------------------------------ */

static void examine(struct doctor *d)
{
	d->section = "zsd";
	doctor_check_zsd(d);
	doctor_check_cgroup(d);
	doctor_check_transport(d);
	d->section = "machine";
	doctor_check_machine(d);
	d->section = "device";
	doctor_check_device(d);
}

/* Whether it has what no check can do without. */
static bool take_stats(struct doctor *d, const json_t *stats)
{
	const json_t *pid = json_object_get(stats, "pid");

	d->stats = stats;
	d->exports = json_object_get(stats, "exports");
	d->safety = json_object_get(stats, "safety");
	d->survival = json_object_get(stats, "survival");
	d->pid = json_integer_value(pid);
	if (json_is_integer(pid) && json_array_size(d->exports))
		return true;
	(void)fprintf(stderr, "zsctl: zsd's reply lacks 'pid' or 'exports'\n"
			      "zsctl: use the zsctl that came with this zsd\n");
	return false;
}

static enum zsctl_exit report(const struct zsctl_options *options,
			      const json_t *stats)
{
	struct doctor *d = calloc(1, sizeof(*d));
	enum zsctl_exit code = ZSCTL_UNREACHABLE;

	if (!d) {
		(void)fprintf(stderr, "zsctl: out of memory\n");
		return ZSCTL_REFUSED;
	}
	d->root = options->root;
	if (take_stats(d, stats)) {
		examine(d);
		if (options->json)
			print_json(d);
		else
			print_findings(d);
		code = count(d, DOCTOR_FAIL) ? ZSCTL_REFUSED : ZSCTL_OK;
	}
	free(d);
	return code;
}

enum zsctl_exit zsctl_doctor(const struct zsctl_options *options)
{
	struct zsctl_answer answer;
	enum zsctl_exit code;

	code = zsctl_ask(options, "stats", zsctl_arguments(NULL), NULL, NULL,
			 &answer);
	if (code != ZSCTL_OK)
		return code;
	code = report(options, answer.reply.result);
	zsctl_answer_fini(&answer);
	return code;
}

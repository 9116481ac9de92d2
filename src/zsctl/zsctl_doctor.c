/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zsctl/doctor_internal.h"
#include "zsctl/zsctl_doctor.h"
#include "zsctl/zsctl_text.h"

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
	char *text = NULL;
	int failed = 0;

	for (size_t i = 0; i < d->nr; i++)
		failed |= json_array_append_new(
			checks, finding_document(&d->findings[i]));
	document = json_pack("{sb so}", "ok", count(d, DOCTOR_FAIL) == 0,
			     "checks", checks);
	if (document && !failed)
		text = json_dumps(document, JSON_COMPACT);
	if (text)
		printf("%s\n", text);
	else
		(void)fprintf(stderr, "zsctl: out of memory\n");
	free(text);
	json_decref(document);
}

/* --- all of it ------------------------------------------------------------ */

static enum zsctl_exit examine(struct doctor *d, bool as_json)
{
	const json_t *disk = json_object_get(d->stats, "disk");
	const json_t *size = json_object_get(disk, "size_bytes");
	const json_t *pid = json_object_get(d->stats, "pid");

	if (!json_is_integer(pid) || !json_is_integer(size)) {
		(void)fprintf(stderr,
			      "zsctl: zsd's reply lacks 'pid' or 'disk'\n"
			      "zsctl: use the zsctl that came with this zsd\n");
		return ZSCTL_UNREACHABLE;
	}
	d->pid = json_integer_value(pid);
	d->disk_bytes = (uint64_t)json_integer_value(size);
	d->safety = json_object_get(d->stats, "safety");
	d->section = "zsd";
	doctor_check_zsd(d);
	doctor_check_transport(d);
	d->section = "machine";
	doctor_check_machine(d);
	doctor_check_device(d);
	if (as_json)
		print_json(d);
	else
		print_findings(d);
	return count(d, DOCTOR_FAIL) ? ZSCTL_REFUSED : ZSCTL_OK;
}

enum zsctl_exit doctor_report(const json_t *stats, const char *root,
			      bool as_json)
{
	struct doctor *d = calloc(1, sizeof(*d));
	enum zsctl_exit code;

	if (!d) {
		(void)fprintf(stderr, "zsctl: out of memory\n");
		return ZSCTL_REFUSED;
	}
	d->stats = stats;
	d->root = root;
	code = examine(d, as_json);
	free(d);
	return code;
}

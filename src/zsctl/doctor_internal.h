/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor_internal - findings, and the files that they are taken from
 *
 * A check looks at one thing and adds one finding with doctor_add(); where
 * that is no pass, doctor_mend() says what to do. What cannot be seen is a
 * warning, never a pass.
 */
#ifndef ZSD_ZSCTL_DOCTOR_INTERNAL_H
#define ZSD_ZSCTL_DOCTOR_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* More than there are checks, of a few devices each. */
#define DOCTOR_MAX_FINDINGS 128

/* Longest text of a finding and of what to do about it, bytes; cut to fit. */
#define DOCTOR_TEXT_BYTES 256

/* Longest file name that is made, and longest small file that is read. */
#define DOCTOR_PATH_BYTES 512
#define DOCTOR_FILE_BYTES 4096

enum doctor_status {
	DOCTOR_PASS,
	DOCTOR_WARN, /* may be as it should, or costs little */
	DOCTOR_FAIL,
};

struct finding {
	const char *section;
	const char *name;
	enum doctor_status status;
	char found[DOCTOR_TEXT_BYTES];
	char mend[DOCTOR_TEXT_BYTES]; /* empty for a pass */
};

struct doctor {
	const json_t *stats;
	const json_t *safety; /* of stats, or NULL */
	const char *root;
	long long pid; /* zsd's */
	uint64_t disk_bytes;
	const char *section; /* of the findings that come */
	struct finding findings[DOCTOR_MAX_FINDINGS];
	size_t nr;
};

/* --- findings ------------------------------------------------------------ */

void doctor_add(struct doctor *d, const char *name, enum doctor_status status,
		const char *format, ...) ZSD_PRINTF(4, 5);

/* doctor_mend() - what to do about the last one added; one line */
void doctor_mend(struct doctor *d, const char *format, ...) ZSD_PRINTF(2, 3);

/* --- files --------------------------------------------------------------- */

/* doctor_path() - @root and the rest. Return: @path. */
char *doctor_path(const struct doctor *d, char path[DOCTOR_PATH_BYTES],
		  const char *format, ...) ZSD_PRINTF(3, 4);

/**
 * doctor_read() - all of a small file, without the newline at its end
 * @path: as doctor_path() makes it
 *
 * Return: 0 or -errno.
 */
int doctor_read(const char *path, char text[DOCTOR_FILE_BYTES]) ZSD_MUST_CHECK;

/* doctor_read_number() - a file that holds one. Return: 0 or -errno. */
int doctor_read_number(const char *path, long long *out) ZSD_MUST_CHECK;

/**
 * doctor_each_line() - go through a file of any size, /dev/kmsg included
 * @line: is called with each line; ends it by returning false
 *
 * Return: 0 or -errno.
 */
int doctor_each_line(const char *path, bool (*line)(void *arg, char *text),
		     void *arg) ZSD_MUST_CHECK;

/* --- groups of checks ----------------------------------------------------- */

void doctor_check_zsd(struct doctor *d);
void doctor_check_transport(struct doctor *d);
void doctor_check_machine(struct doctor *d);
void doctor_check_device(struct doctor *d);

#endif

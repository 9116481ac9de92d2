/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor - what is wrong on this machine for swapping on zsd's disks
 *
 * Holds what zsd tells of itself against what the kernel says in /proc, /sys
 * and its log. Only looks; what is to be done is told, in one line.
 *
 *   doctor.c     findings, and how they are told
 *   zsd.c        how zsd runs
 *   cgroup.c     the control groups around it, and the memory that is there
 *   transport.c  how it is reached
 *   machine.c    how the kernel deals with memory and time
 *   device.c     how a disk is attached and swapped on
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
#include "zsctl/system/files.h"
#include "zsctl/zsctl.h"

/* More than there are checks, of a few devices each. */
#define DOCTOR_MAX_FINDINGS 128

/* Longest text of a finding and of what to do about it, bytes; cut to fit. */
#define DOCTOR_TEXT_BYTES 256

/* Longest file name that is made, bytes. */
#define DOCTOR_PATH_BYTES 512

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
	const json_t *exports; /* of stats: not empty */
	const json_t *safety; /* of stats, or NULL */
	const json_t *survival; /* the same */
	const char *root;
	long long pid; /* zsd's */
	const char *section; /* of the findings that come */
	struct finding findings[DOCTOR_MAX_FINDINGS];
	size_t nr;
};

/* --- findings ------------------------------------------------------------ */

void doctor_add(struct doctor *d, const char *name, enum doctor_status status,
		const char *format, ...) ZSD_PRINTF(4, 5);

/* doctor_mend() - what to do about the last one added; one line */
void doctor_mend(struct doctor *d, const char *format, ...) ZSD_PRINTF(2, 3);

/* --- zsd's own word -------------------------------------------------------- */

/* doctor_export_name() - of an export, for a finding: " of 'NAME'", or "" where
 * there is only one. Return: @text. */
char *doctor_export_name(const struct doctor *d, const json_t *export,
			 char text[DOCTOR_TEXT_BYTES]);

/* doctor_figure() - an integer that zsd tells of an export; 0 if it does not. */
json_int_t doctor_figure(const json_t *export, const char *group,
			 const char *name);

/* --- files --------------------------------------------------------------- */

/* doctor_path() - @root and the rest. Return: @path. */
char *doctor_path(const struct doctor *d, char path[DOCTOR_PATH_BYTES],
		  const char *format, ...) ZSD_PRINTF(3, 4);

/* --- groups of checks ----------------------------------------------------- */

void doctor_check_zsd(struct doctor *d);
/* doctor_check_backing() - of an export; nothing where it has none */
void doctor_check_backing(struct doctor *d, const json_t *export);
void doctor_check_cgroup(struct doctor *d);
void doctor_check_transport(struct doctor *d);
void doctor_check_machine(struct doctor *d);
void doctor_check_device(struct doctor *d);

#endif

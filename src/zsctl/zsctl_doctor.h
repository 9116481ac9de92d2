/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl_doctor - what is wrong on this machine for swapping on zsd's disk
 *
 * Holds what zsd tells of itself against what the kernel says in /proc, /sys
 * and its log: how zsd runs, how its disk is attached, how it is swapped on.
 * Only looks; what is to be done about a finding is told, in one line.
 */
#ifndef ZSD_ZSCTL_ZSCTL_DOCTOR_H
#define ZSD_ZSCTL_ZSCTL_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "zsctl/zsctl.h"

/**
 * doctor_report() - look, and print what was found
 * @stats:   the result of the command "stats"
 * @root:    in front of /proc, /sys and /dev; "" for those of this machine
 * @as_json: one JSON object in a line instead of tables
 *
 * Return: ZSCTL_OK where no check fails (some may warn), ZSCTL_REFUSED where
 * one does, ZSCTL_UNREACHABLE where @stats lacks what no check can do without.
 */
enum zsctl_exit doctor_report(const json_t *stats, const char *root,
			      bool as_json);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl_report - results of zsd, laid out for people
 *
 * Prints to standard output. What a result holds comes from the other end of
 * a socket: members that are missing or unknown are coped with, and no text
 * reaches the terminal with control characters in it.
 */
#ifndef ZSD_ZSCTL_ZSCTL_REPORT_H
#define ZSD_ZSCTL_ZSCTL_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "zsctl/zsctl.h"

/* Each takes the result of its command. */
enum zsctl_exit report_stats(json_t *result);
enum zsctl_exit report_classes(json_t *result);
enum zsctl_exit report_compact(json_t *result);
enum zsctl_exit report_verify(json_t *result);

/*
 * Whether a result that is to be summed up lacks a member, which has been said
 * then. @names ends with NULL.
 */
bool report_lacks(const json_t *result, const char *const *names);

/* Print what zsd refused, and why, to standard error. */
void report_refusal(const char *command, const char *code, const char *message);

#endif

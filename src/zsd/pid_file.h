/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pid_file - tells scripts that we are ready, and who we are
 */
#ifndef ZSD_ZSD_PID_FILE_H
#define ZSD_ZSD_PID_FILE_H

#include "base/compiler.h"

/**
 * pid_file_write() - write our process id and a newline to @path
 *
 * Replaces what was there in one step: a reader sees all of it or nothing.
 * Return: 0 or -errno.
 */
int pid_file_write(const char *path) ZSD_MUST_CHECK;

/* pid_file_remove() - remove it. */
void pid_file_remove(const char *path);

#endif

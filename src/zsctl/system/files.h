/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files - the small files of the kernel, in /proc and /sys
 *
 * Nothing is allocated: texts are the caller's. What a file holds is taken for
 * text, however hostile; it is cut to fit and always terminated.
 *
 * Threads: pure functions of their arguments and of the file.
 */
#ifndef ZSD_ZSCTL_SYSTEM_FILES_H
#define ZSD_ZSCTL_SYSTEM_FILES_H

#include <stdbool.h>

#include "base/compiler.h"

/* Longest small file that is read, bytes with the final NUL. */
#define FILES_TEXT_BYTES 4096

/**
 * files_read() - all of a small file, without the newlines at its end
 *
 * Return: 0 or -errno.
 */
int files_read(const char *path, char text[FILES_TEXT_BYTES]) ZSD_MUST_CHECK;

/* files_read_number() - a file that holds one. Return: 0, -EINVAL where it does
 * not, or -errno. */
int files_read_number(const char *path, long long *out) ZSD_MUST_CHECK;

/**
 * files_write() - write to a file that is there, in one piece
 *
 * Return: 0 or -errno: -ENOENT, -EACCES, and what the kernel has against the
 * text.
 */
int files_write(const char *path, const char *text) ZSD_MUST_CHECK;

/**
 * files_each_line() - go through a file of any size, /dev/kmsg included
 * @line: is called with each line; ends it by returning false
 *
 * Return: 0 or -errno.
 */
int files_each_line(const char *path, bool (*line)(void *arg, char *text),
		    void *arg) ZSD_MUST_CHECK;

/**
 * files_find_line() - what follows @start in the first line that begins so
 *
 * Return: 0, -ENODATA where there is no such line, or -errno.
 */
int files_find_line(const char *path, const char *start,
		    char rest[FILES_TEXT_BYTES]) ZSD_MUST_CHECK;

#endif

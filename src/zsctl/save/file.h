/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file - the file that a disk is saved to: whole, or not at all
 *
 * What is written goes to a file beside it, FILE.XXXXXX.tmp, which takes its
 * name when all is there and on the disk. So FILE is never half of anything,
 * and one that was there before stays until then. Nobody else may read it: it
 * holds what was on the disk.
 *
 * Signals that end the program are kept waiting as long as there is such a
 * file, and end save_file_wait(). Only SIGKILL leaves it behind.
 */
#ifndef ZSD_ZSCTL_SAVE_FILE_H
#define ZSD_ZSCTL_SAVE_FILE_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct save_file {
	const char *path; /* that it is to have */
	char temp[PATH_MAX]; /* that it has */
	int fd;
	int signals; /* signalfd(2) */
	sigset_t old_signals; /* that were kept waiting before */
};

/**
 * save_file_open() - begin to write it
 * @path: must stay valid
 *
 * Return: 0, or -errno: -EEXIST where there is something else than a file.
 * Release: save_file_commit() or save_file_abandon().
 */
int save_file_open(struct save_file *file, const char *path) ZSD_MUST_CHECK;

/* save_file_write() - Return: 0 or -errno. */
int save_file_write(struct save_file *file, const void *src,
		    size_t bytes) ZSD_MUST_CHECK;

/**
 * save_file_wait() - wait until there is something to be read
 * @fd: where
 * @timeout_s: 0: for ever
 *
 * Return: 0, -EINTR where a signal is to end the program, -ETIMEDOUT.
 */
int save_file_wait(const struct save_file *file, int fd,
		   unsigned timeout_s) ZSD_MUST_CHECK;

/*
 * save_file_commit() - it is complete
 *
 * Return: 0; or -errno, -EINTR where a signal is to end the program, and
 * nothing has changed. The end of a signal is then the program's. An error of
 * the folder alone leaves the file where it is to be.
 */
int save_file_commit(struct save_file *file) ZSD_MUST_CHECK;

/* save_file_abandon() - take it away. Where a signal came, the program ends by
 * it. */
void save_file_abandon(struct save_file *file);

#endif

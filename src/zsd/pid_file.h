/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pid_file - tells scripts that we are ready, and who we are
 *
 * The file is locked (flock(2)) for as long as we live: so one of a zsd that
 * runs is told from one that was left behind, whatever process has its number
 * now.
 *
 * Threads: one.
 */
#ifndef ZSD_ZSD_PID_FILE_H
#define ZSD_ZSD_PID_FILE_H

#include <sys/types.h>

#include "base/compiler.h"

/**
 * pid_file_take() - write our process id and a newline to @path
 * @fd:    receives the lock, to be kept until pid_file_remove()
 * @owner: receives the process id in the file, with -EEXIST; 0: none there
 *
 * What was left behind is replaced in one step: a reader sees all of the file
 * or nothing.
 * Return: 0, -EEXIST where a process holds the file, or another -errno.
 */
int pid_file_take(const char *path, int *fd, pid_t *owner) ZSD_MUST_CHECK;

/* pid_file_remove() - remove it, if it is still ours, and close @fd. */
void pid_file_remove(const char *path, int fd);

#endif

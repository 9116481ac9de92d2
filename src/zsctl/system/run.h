/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run - another program, to its end
 *
 * Threads: there is one.
 */
#ifndef ZSD_ZSCTL_SYSTEM_RUN_H
#define ZSD_ZSCTL_SYSTEM_RUN_H

#include "base/compiler.h"

/**
 * run_program() - run a program and wait for its end
 * @argv: its name, to be found in the path, its arguments, NULL
 *
 * No signal is held back from it. What it says on standard error goes to ours;
 * it reads nothing, and what it prints is dropped. Return: 0 where it ended
 * with status 0, -ECHILD where it ended otherwise, -ENOENT where there is none,
 * or another -errno.
 */
int run_program(const char *const argv[]) ZSD_MUST_CHECK;

/* run_quietly() - the same, but what it says is dropped, too */
int run_quietly(const char *const argv[]);

#endif

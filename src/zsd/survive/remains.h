/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remains - a dead server's memory is taken apart behind the next one
 *
 * When a process is killed the kernel first takes its memory map apart, page by
 * page, and only then closes its files and tells its parent. With a disk's
 * image in that map this takes a tenth of a second for each gigabyte, and all
 * that while nobody serves.
 *
 * So each server has a companion: a process that shares its memory map, has no
 * file open, and sleeps. A map is taken apart when the last process that has it
 * ends. That is the companion, which the kernel kills when the server is dead;
 * and by then the keeper knows.
 *
 * Terms:
 *   companion   zsd-remains in the list of processes
 *
 * Threads: the server's main thread, before it hears the keeper.
 * Source: clone(2), prctl(2) (PR_SET_PDEATHSIG); Linux kernel/exit.c.
 */
#ifndef ZSD_ZSD_SURVIVE_REMAINS_H
#define ZSD_ZSD_SURVIVE_REMAINS_H

#include "base/compiler.h"

/**
 * remains_outlive() - have this process's memory map outlive it for a moment
 *
 * Once in a process. The thread that calls must be one that lives as long as
 * the process does.
 *
 * Return: 0; -ENOSYS where the kernel has no close_range(2) (before 5.9), for a
 * companion must not keep files open; or -errno of mmap(2) or clone(2), of
 * which -EAGAIN says that there may be no more processes. Without it all works,
 * and a pause is longer.
 */
int remains_outlive(void) ZSD_MUST_CHECK;

#endif

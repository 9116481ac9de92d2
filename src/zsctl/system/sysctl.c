/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "zsctl/system/files.h"
#include "zsctl/system/sysctl.h"

/*
 * What vm.min_free_kbytes should be: what the kernel keeps back of its memory
 * is what swapping out itself lives on. A fiftieth of it; guests of 320 MiB
 * that are filled to the last page need 8 MiB, and more than 64 MiB is of no
 * use on any machine.
 */
#define MIN_FREE_PART	 50
#define MIN_FREE_MIN_KIB 8192
#define MIN_FREE_MAX_KIB 65536

/* Longest name of a file that is made, bytes; cut to fit. */
#define PATH_BYTES 512

int sysctl_memory_kib(const char *root, long long *out)
{
	char path[PATH_BYTES], rest[FILES_TEXT_BYTES];
	int err;

	(void)snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	err = files_find_line(path, "MemTotal:", rest);
	if (!err)
		*out = strtoll(rest, NULL, 10);
	return err;
}

int sysctl_min_free_kib(const char *root, long long *out)
{
	long long kib;
	int err = sysctl_memory_kib(root, &kib);

	if (err)
		return err;
	kib /= MIN_FREE_PART;
	if (kib < MIN_FREE_MIN_KIB)
		kib = MIN_FREE_MIN_KIB;
	if (kib > MIN_FREE_MAX_KIB)
		kib = MIN_FREE_MAX_KIB;
	*out = kib;
	return 0;
}

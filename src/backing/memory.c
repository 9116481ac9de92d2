/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backing/backing_internal.h"

int memory_map(size_t bytes, void **out)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (memory == MAP_FAILED)
		return -errno;
	if (madvise(memory, bytes, MADV_DONTDUMP) ||
	    madvise(memory, bytes, MADV_DONTFORK)) {
		err = -errno;
		munmap(memory, bytes);
		return err;
	}
	memset(memory, 0, bytes);
	*out = memory;
	return 0;
}

void memory_unmap(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, bytes);
}

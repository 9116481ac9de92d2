/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backing/backing_internal.h"
#include "base/mapping.h"

int memory_map(size_t bytes, void **out)
{
	void *memory = memory_take(bytes);
	int err;

	if (!memory)
		return -ENOMEM;
	if (madvise(memory, bytes, MADV_DONTDUMP) ||
	    madvise(memory, bytes, MADV_DONTFORK)) {
		err = -errno;
		memory_give_back(memory, bytes);
		return err;
	}
	memset(memory, 0, bytes);
	*out = memory;
	return 0;
}

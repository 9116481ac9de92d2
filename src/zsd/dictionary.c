/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zsd/dictionary.h"
#include "io/log.h"

/* One byte more than there may be, to see that there are too many. */
#define ROOM_BYTES (ZCOMP_DICT_MAX_BYTES + 1)

static int read_file(const char *path, unsigned char *dst, size_t *nr_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	size_t bytes = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, dst + bytes, ROOM_BYTES - bytes);
		if (n > 0)
			bytes += (size_t)n;
		else if (n < 0 && errno != EINTR)
			err = -errno;
	} while (n != 0 && !err && bytes < ROOM_BYTES);
	close(fd);
	*nr_bytes = bytes;
	return err;
}

/* Return: @err. */
static int complain(const char *path, int err)
{
	switch (err) {
	case -EMSGSIZE:
		log_line("--dictionary %s: a dictionary has %zu to %zu bytes: "
			 "is it another file?",
			 path, ZCOMP_DICT_MIN_BYTES, ZCOMP_DICT_MAX_BYTES);
		break;
	case -EINVAL:
		log_line("--dictionary %s: not a dictionary, or a damaged one: "
			 "give one that `zsctl train --output FILE` or `zstd "
			 "--train` made",
			 path);
		break;
	case -ENOSPC:
		log_line("--dictionary %s: --mem-limit has no room for it",
			 path);
		break;
	default:
		log_line("--dictionary %s: %s", path, strerror(-err));
	}
	return err;
}

int dictionary_load(struct zstore *store, const char *path)
{
	unsigned char *bytes = malloc(ROOM_BYTES);
	size_t nr_bytes = 0;
	unsigned number;
	int err;

	if (!bytes)
		return complain(path, -ENOMEM);
	err = read_file(path, bytes, &nr_bytes);
	if (!err)
		err = zstore_dict_add(store, bytes, nr_bytes, &number);
	free(bytes);
	return err ? complain(path, err) : 0;
}

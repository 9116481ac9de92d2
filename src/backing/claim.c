/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both claims belong to an open file, and are let go of when the last
 * descriptor of it is closed: by the kernel, if the process dies. It closes
 * them when the last thread has left the kernel; so whoever claims next finds
 * that no write of the dead one is under way.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backing/backing_internal.h"

/* The kernel's own claim: file systems, swap and others have it, too. */
static int claim_device(struct backing *backing)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", backing->fd);
	fd = open(path, O_RDWR | O_DIRECT | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(backing->fd);
	backing->fd = fd;
	return 0;
}

static int claim_file(struct backing *backing)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(backing->fd, F_OFD_SETLK, &lock))
		return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	/* A file that the system swaps on is locked by nobody. It tells by this
	 * call, which changes nothing where there is a block already; each
	 * write to it would fail with the same. */
	if (fallocate(backing->fd, FALLOC_FL_KEEP_SIZE, 0,
		      BACKING_BLOCK_BYTES) &&
	    errno == ETXTBSY)
		return -EBUSY;
	return 0;
}

int claim(struct backing *backing)
{
	const struct backing_params *params = &backing->params;
	int err = backing->is_device ? claim_device(backing)
				     : claim_file(backing);

	if (err == -EBUSY)
		io_log(params->log, IO_LOG_ERROR,
		       "%s: it is in use, by another process, as a file "
		       "system or as swap: end that, or name another",
		       params->path);
	else if (err)
		io_log(params->log, IO_LOG_ERROR,
		       "%s: it cannot be claimed: %s", params->path,
		       strerror(-err));
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unix_socket - listening Unix stream sockets and the files they leave
 *
 * The file has mode 0600 from its first moment: who may open it may read and
 * write the disk. A file that an earlier process left behind is replaced; one
 * that somebody still listens on is not. Of several that start at once one
 * gets the path: while a file is put there or removed, PATH.zsd-lock is locked,
 * and gone afterwards.
 */
#ifndef ZSD_IO_UNIX_SOCKET_H
#define ZSD_IO_UNIX_SOCKET_H

#include <sys/types.h>

#include "base/compiler.h"

/* What is added to a path to name the file that is locked. */
#define UNIX_LOCK_SUFFIX ".zsd-lock"

/* The file of a listening socket, known well enough not to remove another's. */
struct unix_file {
	const char *path; /* not copied; NULL: there is none */
	dev_t dev;
	ino_t ino;
};

/**
 * unix_listen() - listen on @path
 * @path: must stay valid until unix_file_remove()
 * @file: receives what unix_file_remove() needs
 * @out:  receives the socket, non-blocking and close-on-exec
 *
 * Return: 0, -EADDRINUSE where somebody answers there or it is no socket,
 * -ENAMETOOLONG, -EPERM where the lock's file is another user's, or what
 * open(2), flock(2), socket(2), bind(2) and listen(2) say.
 */
int unix_listen(const char *path, struct unix_file *file,
		int *out) ZSD_MUST_CHECK;

/* unix_file_remove() - remove the file, if it is still the same. */
void unix_file_remove(struct unix_file *file);

#endif

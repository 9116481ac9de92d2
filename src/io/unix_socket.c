/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/unix_socket.h"

/* --- one at a time -------------------------------------------------------- */

/*
 * Two that start at once could each find the same file stale, and the slower
 * one would remove what the other has put in its place. So whoever changes
 * what stands at a path holds a lock meanwhile: on a file beside it, which is
 * removed with the lock. Nobody waits for anything while holding it.
 */
struct path_lock {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) +
		  sizeof(UNIX_LOCK_SUFFIX)];
	int fd;
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Return: 0 once it is held; -ESTALE where the one that held it before has
 * removed it, so that the next one locks another file.
 */
static int take_lock(const struct path_lock *lock)
{
	struct stat held, there;

	if (fstat(lock->fd, &held) < 0)
		return -errno;
	/* Another's, left there to keep us waiting. */
	if (held.st_uid != geteuid())
		return -EPERM;
	while (flock(lock->fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (lstat(lock->path, &there) < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	return is_same_file(&held, &there) ? 0 : -ESTALE;
}

static int path_lock(const char *path, struct path_lock *lock)
{
	int err;

	(void)snprintf(lock->path, sizeof(lock->path), "%s" UNIX_LOCK_SUFFIX,
		       path);
	do {
		lock->fd = open(lock->path,
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				S_IRUSR | S_IWUSR);
		if (lock->fd < 0)
			return -errno;
		err = take_lock(lock);
		if (err)
			close(lock->fd);
	} while (err == -ESTALE);
	return err;
}

static void path_unlock(const struct path_lock *lock)
{
	unlink(lock->path);
	close(lock->fd);
}

/* --- listening ------------------------------------------------------------ */

static int make_address(const char *path, struct sockaddr_un *addr)
{
	size_t bytes = strlen(path) + 1;

	if (bytes > sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, bytes);
	return 0;
}

/* A socket whose listener is gone? Asking is the only way to know. */
static bool is_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	bool refused;
	int fd;

	if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	refused =
		connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int bind_address(int fd, const struct sockaddr_un *addr)
{
	/* On Linux the file takes the mode of the unbound socket. */
	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!is_stale(addr) || unlink(addr->sun_path) < 0)
		return -EADDRINUSE;
	return bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0
		       ? -errno
		       : 0;
}

static int remember_file(const char *path, struct unix_file *file)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	file->path = path;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	return 0;
}

static void remove_file(const struct unix_file *file)
{
	struct stat st;

	if (lstat(file->path, &st) == 0 && st.st_dev == file->dev &&
	    st.st_ino == file->ino)
		unlink(file->path);
}

/* The lock is held: until it listens, others would find it stale. */
static int listen_locked(const struct sockaddr_un *addr, const char *path,
			 struct unix_file *file, int *out)
{
	struct unix_file made = {0};
	int fd, err;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = bind_address(fd, addr);
	if (err)
		goto err_close;
	err = remember_file(path, &made);
	if (err)
		goto err_close;
	if (listen(fd, SOMAXCONN) < 0) {
		err = -errno;
		goto err_remove;
	}
	*file = made;
	*out = fd;
	return 0;

err_remove:
	remove_file(&made);
err_close:
	close(fd);
	return err;
}

int unix_listen(const char *path, struct unix_file *file, int *out)
{
	struct sockaddr_un addr;
	struct path_lock lock;
	int err;

	err = make_address(path, &addr);
	if (err)
		return err;
	err = path_lock(path, &lock);
	if (err)
		return err;
	err = listen_locked(&addr, path, file, out);
	path_unlock(&lock);
	return err;
}

void unix_file_remove(struct unix_file *file)
{
	struct path_lock lock;

	if (!file->path)
		return;
	/* Without the lock it is safe but for one that starts just now. */
	if (path_lock(file->path, &lock) == 0) {
		remove_file(file);
		path_unlock(&lock);
	} else {
		remove_file(file);
	}
	file->path = NULL;
}

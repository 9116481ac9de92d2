/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/unix_socket.h"

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

int unix_listen(const char *path, struct unix_file *file, int *out)
{
	struct unix_file made = {0};
	struct sockaddr_un addr;
	int fd, err;

	err = make_address(path, &addr);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = bind_address(fd, &addr);
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
	unix_file_remove(&made);
err_close:
	close(fd);
	return err;
}

void unix_file_remove(struct unix_file *file)
{
	struct stat st;

	if (!file->path)
		return;
	if (lstat(file->path, &st) == 0 && st.st_dev == file->dev &&
	    st.st_ino == file->ino)
		unlink(file->path);
	file->path = NULL;
}

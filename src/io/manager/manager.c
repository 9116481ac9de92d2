/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/manager/manager.h"
#include "io/passed_fd.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* --- telling it --------------------------------------------------------------
 */

int io_manager_open(int *out)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*out = fd;
	return 0;
}

/* Return: the length of the address, or 0 where there is nobody. */
static socklen_t find(struct sockaddr_un *to)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t bytes = path ? strlen(path) : 0;

	if (bytes < 2 || bytes >= sizeof(to->sun_path))
		return 0;
	to->sun_family = AF_UNIX;
	memcpy(to->sun_path, path, bytes + 1);
	if (*path == '@') /* a name that is no file's */
		to->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
}

int io_manager_tell(int socket, const char *state, int fd)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)state,
			    .iov_len = strlen(state)};
	struct sockaddr_un to = {0};
	union io_passed_fd beside = {0};
	struct msghdr msg = {.msg_name = &to,
			     .msg_namelen = find(&to),
			     .msg_iov = &iov,
			     .msg_iovlen = 1};

	if (!msg.msg_namelen)
		return -EDESTADDRREQ;
	if (fd >= 0)
		io_passed_fd_put(&msg, &beside, fd);
	return sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno
								      : 0;
}

/* --- what it passes
 * ----------------------------------------------------------- */

#ifdef HAVE_SYSTEMD

static int take(int fd, const char *name, struct io_passed *out)
{
	int flags;

	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		return -ENOTSOCK;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	out->fd = fd;
	out->is_control = strcmp(name, "control") == 0;
	return 0;
}

static bool is_kept(const char *name)
{
	return strncmp(name, IO_MANAGER_KEPT, strlen(IO_MANAGER_KEPT)) == 0;
}

static void free_names(char **names)
{
	for (int i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

void io_manager_each_kept(void (*take_one)(void *arg, const char *name, int fd),
			  void *arg)
{
	char **names = NULL;
	int found = sd_listen_fds_with_names(0, &names);

	for (int i = 0; i < found && names; i++) {
		int fd = is_kept(names[i]) ? fcntl(SD_LISTEN_FDS_START + i,
						   F_DUPFD_CLOEXEC, 0)
					   : -1;

		if (fd >= 0)
			take_one(arg, names[i] + strlen(IO_MANAGER_KEPT), fd);
	}
	free_names(names);
}

int io_manager_take_passed(struct io_passed *passed, size_t max, size_t *nr)
{
	char **names = NULL;
	int found, err = 0;

	*nr = 0;
	found = sd_listen_fds_with_names(1, &names);
	if (found < 0)
		return found;
	for (int i = 0; i < found && !err; i++) {
		const char *name = names ? names[i] : "";

		if (is_kept(name)) {
			close(SD_LISTEN_FDS_START + i);
			continue;
		}
		err = *nr == max ? -E2BIG
				 : take(SD_LISTEN_FDS_START + i, name,
					&passed[*nr]);
		if (!err)
			(*nr)++;
	}
	free_names(names);
	return err;
}

#else

void io_manager_each_kept(void (*take_one)(void *arg, const char *name, int fd),
			  void *arg)
{
	(void)take_one;
	(void)arg;
}

int io_manager_take_passed(struct io_passed *passed, size_t max, size_t *nr)
{
	(void)passed;
	(void)max;
	*nr = 0;
	return 0;
}

#endif

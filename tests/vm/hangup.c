/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hangup - break the connections of a server, as if they were lost
 *
 * Usage: hangup PID PATH
 *
 * Shuts every connection that process PID has accepted at the Unix socket PATH,
 * in both directions, whatever is under way on it, and prints how many there
 * were. The process lives, and its clients may connect again. As root.
 * Source: pidfd_getfd(2).
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Whether it is a connection that was accepted there. */
static bool is_of(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNSPEC};
	socklen_t bytes = sizeof(address);
	int is_listening = 0;

	if (getsockname(fd, (struct sockaddr *)&address, &bytes) ||
	    address.sun_family != AF_UNIX ||
	    strncmp(address.sun_path, path, sizeof(address.sun_path)) != 0)
		return false;
	bytes = sizeof(is_listening);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening,
			  &bytes) == 0 &&
	       !is_listening;
}

int main(int argc, char **argv)
{
	char folder_path[64];
	struct dirent *entry;
	unsigned nr = 0;
	int process, fd;
	DIR *folder;

	if (argc != 3)
		error(2, 0, "usage: hangup PID PATH");
	process = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	if (process < 0)
		error(1, errno, "pidfd_open %s", argv[1]);
	(void)snprintf(folder_path, sizeof(folder_path), "/proc/%d/fd",
		       atoi(argv[1]));
	folder = opendir(folder_path);
	if (!folder)
		error(1, errno, "%s", folder_path);
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		fd = (int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name),
				  0);
		if (fd < 0)
			continue;
		if (is_of(fd, argv[2]) && shutdown(fd, SHUT_RDWR) == 0)
			nr++;
		close(fd);
	}
	closedir(folder);
	printf("%u\n", nr);
	return nr ? 0 : 1;
}

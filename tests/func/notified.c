/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notified - prints what a service tells its manager
 *
 * Usage: notified PATH
 *
 * Receives at PATH what sd_notify(3) sends to $NOTIFY_SOCKET, and prints each
 * message as lines, as soon as it comes, until a signal ends it. "bound" is
 * the first line.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char message[4096];
	ssize_t n;

	if (argc != 2)
		error(2, 0, "usage: notified PATH");
	if (strlen(argv[1]) >= sizeof(addr.sun_path))
		error(1, ENAMETOOLONG, "%s", argv[1]);
	memcpy(addr.sun_path, argv[1], strlen(argv[1]));
	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		error(1, errno, "%s", argv[1]);
	puts("bound");
	fflush(stdout);
	while ((n = recv(fd, message, sizeof(message), 0)) >= 0) {
		printf("%.*s\n", (int)n, message);
		fflush(stdout);
	}
	error(1, errno, "recv");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer - a server that answers one client with what it is told to
 *
 * Usage: answer PATH
 *
 * Listens on a Unix socket, prints "ready", waits for a line from the first
 * client, sends it all of standard input, hangs up and ends.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int accept_one(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	int client;

	if (strlen(path) >= sizeof(addr.sun_path))
		error(1, ENAMETOOLONG, "%s", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (listener < 0 ||
	    bind(listener, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(listener, 1) < 0)
		error(1, errno, "%s", path);
	puts("ready");
	fflush(stdout);
	client = accept(listener, NULL, NULL);
	if (client < 0)
		error(1, errno, "accept");
	close(listener);
	return client;
}

static void take_line(int client)
{
	char c = '\0';

	while (c != '\n') {
		if (read(client, &c, 1) != 1)
			error(1, 0, "the client sent no line");
	}
}

int main(int argc, char **argv)
{
	char buffer[4096];
	size_t n;
	int client;

	if (argc != 2)
		error(2, 0, "usage: answer PATH");
	client = accept_one(argv[1]);
	take_line(client);
	while ((n = fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
		if (send(client, buffer, n, MSG_NOSIGNAL) < 0)
			break; /* it may have heard enough */
	}
	close(client);
	return 0;
}

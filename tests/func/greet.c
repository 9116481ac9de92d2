/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * greet - zsctl's half of the handshake, with any NBD server
 *
 * Usage: greet SOCKET EXPORT TIMEOUT-MS
 * Prints the size of the export, its flags and its least block size, or what
 * speaks against it, with status 1.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "zsctl/device/negotiate.h"

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char why[NEGOTIATE_TEXT_BYTES];
	struct negotiated told;
	int fd, err;

	if (argc != 4 || strlen(argv[1]) >= sizeof(address.sun_path))
		error(2, 0, "usage: greet SOCKET EXPORT TIMEOUT-MS");
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		error(2, errno, "%s", argv[1]);
	err = negotiate(fd, argv[2], (unsigned)strtoul(argv[3], NULL, 10),
			&told, why);
	if (err) {
		printf("%s: %s\n", strerror(-err), why);
		return 1;
	}
	printf("%" PRIu64 " %#x %" PRIu32 "\n", told.size_bytes, told.flags,
	       told.min_block_bytes);
	return 0;
}

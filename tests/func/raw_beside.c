/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one connection may not do to the others: modes beside and deaf.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/units.h"
#include "load_wire.h"
#include "raw_conn.h"
#include "raw_modes.h"

#define PIECE_BYTES ((uint32_t)(32 * MIB))

static int open_or_exit(const char *path, uint64_t *disk_bytes)
{
	int fd = raw_open(path, disk_bytes);

	if (fd < 0)
		error(1, -fd, "%s", path);
	return fd;
}

static void send_request(int fd, const struct raw_request *request)
{
	unsigned char header[WIRE_REQUEST_BYTES];
	int err;

	raw_encode(request, header);
	err = raw_send(fd, header, sizeof(header));
	if (err)
		error(1, -err, "sending a request");
}

static void expect_success(int fd)
{
	uint32_t answer;
	uint64_t cookie;
	int err = raw_receive_reply(fd, &cookie, &answer);

	if (err)
		error(1, -err, "receiving a reply");
	if (answer)
		error(1, (int)answer, "a request failed");
}

static void read_page(int fd)
{
	const struct raw_request request = {.type = WIRE_CMD_READ,
					    .length = ZSD_PAGE_BYTES};
	unsigned char page[ZSD_PAGE_BYTES];

	raw_run(fd, &request, page);
}

/* Every page of the disk stored, though none of them costs memory. */
static void fill_disk(int fd, uint64_t disk_bytes)
{
	unsigned char *data = malloc(PIECE_BYTES);
	struct raw_request request = {.type = WIRE_CMD_WRITE};

	if (!data)
		error(1, ENOMEM, "buffer");
	memset(data, 0x77, PIECE_BYTES);
	while (request.offset < disk_bytes) {
		request.length = (uint32_t)min_u64(PIECE_BYTES,
						   disk_bytes - request.offset);
		raw_run(fd, &request, data);
		request.offset += request.length;
	}
	free(data);
}

static bool has_input(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/*
 * Fills the disk, and counts how often a page can be read on one connection
 * while another's single trim (or zeroing) of all of the disk runs.
 */
static void count_reads_beside(const char *path, uint16_t type)
{
	struct raw_request request = {.type = type};
	uint64_t disk_bytes;
	int busy = open_or_exit(path, &disk_bytes);
	int other = open_or_exit(path, NULL);
	unsigned nr_reads = 0;

	fill_disk(busy, disk_bytes);
	request.length = (uint32_t)min_u64(
		disk_bytes, align_down(UINT32_MAX, ZSD_PAGE_BYTES));
	send_request(busy, &request);
	while (!has_input(busy)) {
		read_page(other);
		nr_reads++;
	}
	expect_success(busy);
	printf("%u\n", nr_reads);
	close(busy);
	close(other);
}

void raw_beside(const char *path, char **args)
{
	if (strcmp(args[0], "trim") == 0)
		count_reads_beside(path, WIRE_CMD_TRIM);
	else if (strcmp(args[0], "zeroes") == 0)
		count_reads_beside(path, WIRE_CMD_WRITE_ZEROES);
	else
		error(2, 0, "neither trim nor zeroes: %s", args[0]);
}

/* As many requests as the socket takes; the last may be cut off. */
static unsigned send_until_full(int fd, const struct raw_request *request)
{
	unsigned char header[WIRE_REQUEST_BYTES];
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	unsigned nr = 0;
	ssize_t n;

	raw_encode(request, header);
	/* A server that is merely slow gets a second to take some more. */
	while (poll(&p, 1, 1000) > 0) {
		n = send(fd, header, sizeof(header),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			error(1, errno, "sending");
		if (n > 0 && n < (ssize_t)sizeof(header))
			error(1, 0, "a request was cut in two");
		nr += n > 0;
	}
	return nr;
}

/*
 * Asks for large reads and takes no answer until there is a line of input;
 * then all of them must come.
 */
void raw_deaf(const char *path, char **args)
{
	const struct raw_request request = {.type = WIRE_CMD_READ,
					    .length = (uint32_t)MIB};
	unsigned char *data = malloc(request.length);
	int fd = open_or_exit(path, NULL);
	unsigned nr;
	int err;

	(void)args;
	if (!data)
		error(1, ENOMEM, "buffer");
	nr = send_until_full(fd, &request);
	raw_say_and_wait("deaf");
	for (unsigned i = 0; i < nr; i++) {
		expect_success(fd);
		err = raw_receive(fd, data, request.length);
		if (err)
			error(1, -err, "receiving data");
	}
	printf("%u answers taken\n", nr);
	free(data);
}

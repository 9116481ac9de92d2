/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the longest single request delays those of others: mode delay.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/units.h"
#include "load_wire.h"
#include "raw_conn.h"
#include "raw_modes.h"

#define PIECE_BYTES ((uint32_t)(32 * MIB))

/* What repeats in every other page, bytes, none of them alike. */
#define PATTERN_BYTES 200u

/*
 * Undisturbed reads are measured for so many times as long as disturbed ones,
 * and for at least this long, ns: what other programs do to either is then
 * likelier to be seen in the undisturbed ones.
 */
#define QUIET_TIMES 3u
#define QUIET_NS    UINT64_C(1000000000)

struct delays {
	uint64_t longest_ns;
	uint64_t all_ns;
	unsigned nr_reads;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)now.tv_nsec;
}

static int open_or_exit(const char *path, uint64_t *disk_bytes)
{
	int fd = raw_open(path, disk_bytes);

	if (fd < 0)
		error(1, -fd, "%s", path);
	return fd;
}

/* Pages that compress to an object, and same-filled ones, in turn. */
static void fill_piece(unsigned char *data)
{
	memset(data, 0, PIECE_BYTES);
	for (uint32_t at = 0; at < PIECE_BYTES; at += 2 * ZSD_PAGE_BYTES) {
		for (unsigned i = 0; i < PATTERN_BYTES; i++)
			data[at + i] = (unsigned char)(i * i + at / 4096);
		memset(data + at + ZSD_PAGE_BYTES, 0x77, ZSD_PAGE_BYTES);
	}
}

/* Store every page of [0, @end). */
static void fill_disk(int fd, uint64_t end)
{
	unsigned char *data = malloc(PIECE_BYTES);
	struct raw_request request = {.type = WIRE_CMD_WRITE};

	if (!data)
		error(1, ENOMEM, "buffer");
	fill_piece(data);
	while (request.offset < end) {
		request.length =
			(uint32_t)min_u64(PIECE_BYTES, end - request.offset);
		raw_run(fd, &request, data);
		request.offset += request.length;
	}
	free(data);
}

static void read_page(int fd, uint64_t offset, struct delays *delays)
{
	const struct raw_request request = {
		.type = WIRE_CMD_READ,
		.offset = offset,
		.length = ZSD_PAGE_BYTES,
	};
	unsigned char page[ZSD_PAGE_BYTES];
	uint64_t start_ns = now_ns(), took_ns;

	raw_run(fd, &request, page);
	took_ns = now_ns() - start_ns;
	delays->longest_ns = max_u64(delays->longest_ns, took_ns);
	delays->all_ns += took_ns;
	delays->nr_reads++;
}

static bool has_input(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* Read one page over and over, as long as the request of @busy runs. */
static struct delays read_beside(int busy, int other, uint64_t offset,
				 const struct raw_request *request)
{
	unsigned char header[WIRE_REQUEST_BYTES];
	struct delays delays = {0};
	uint32_t answer;
	uint64_t cookie;
	int err;

	raw_encode(request, header);
	err = raw_send(busy, header, sizeof(header));
	if (err)
		error(1, -err, "sending a request");
	do {
		read_page(other, offset, &delays);
	} while (!has_input(busy));
	err = raw_receive_reply(busy, &cookie, &answer);
	if (err)
		error(1, -err, "receiving a reply");
	if (answer)
		error(1, (int)answer, "the long request failed");
	return delays;
}

static struct delays read_for(int fd, uint64_t offset, uint64_t duration_ns)
{
	struct delays delays = {0};

	while (delays.all_ns < duration_ns)
		read_page(fd, offset, &delays);
	return delays;
}

/*
 * Fills half of the disk, then reads a page on one connection while another's
 * single request, the longest there can be, runs over that half. Prints the
 * longest read then and the longest in more time without such a request, us;
 * how long the request took, ms; and how many reads there were.
 */
void raw_delay(const char *path, char **args)
{
	struct raw_request request = {.type = WIRE_CMD_TRIM};
	struct delays beside, quiet;
	uint64_t disk_bytes, page;
	int busy = open_or_exit(path, &disk_bytes);
	int other = open_or_exit(path, NULL);

	if (strcmp(args[0], "zeroes") == 0)
		request.type = WIRE_CMD_WRITE_ZEROES;
	else if (strcmp(args[0], "trim") != 0)
		error(2, 0, "neither trim nor zeroes: %s", args[0]);
	page = align_down(disk_bytes / 4 * 3, ZSD_PAGE_BYTES);
	fill_disk(busy, disk_bytes / 2);
	request.length = (uint32_t)min_u64(
		disk_bytes / 2, align_down(UINT32_MAX, ZSD_PAGE_BYTES));
	beside = read_beside(busy, other, page, &request);
	quiet = read_for(other, page,
			 max_u64(QUIET_TIMES * beside.all_ns, QUIET_NS));
	printf("%llu %llu %llu %u\n",
	       (unsigned long long)beside.longest_ns / 1000,
	       (unsigned long long)quiet.longest_ns / 1000,
	       (unsigned long long)beside.all_ns / 1000000, beside.nr_reads);
	close(busy);
	close(other);
}

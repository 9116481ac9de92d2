/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the longest single request delays those of others: mode delay.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "base/units.h"
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
static void fill_disk(struct nbdc_conn *conn, uint64_t end)
{
	unsigned char *data = malloc(PIECE_BYTES);
	struct nbdc_request request = {.type = CMD_WRITE};

	if (!data)
		error(1, ENOMEM, "buffer");
	fill_piece(data);
	while (request.offset < end) {
		request.length =
			(uint32_t)min_u64(PIECE_BYTES, end - request.offset);
		nbdc_must_run(conn, &request, data);
		request.offset += request.length;
	}
	free(data);
}

static void read_page(struct nbdc_conn *conn, uint64_t offset,
		      struct delays *delays)
{
	const struct nbdc_request request = {
		.type = CMD_READ,
		.offset = offset,
		.length = ZSD_PAGE_BYTES,
	};
	unsigned char page[ZSD_PAGE_BYTES];
	uint64_t start_ns = now_ns(), took_ns;

	nbdc_must_run(conn, &request, page);
	took_ns = now_ns() - start_ns;
	delays->longest_ns = max_u64(delays->longest_ns, took_ns);
	delays->all_ns += took_ns;
	delays->nr_reads++;
}

/* Read one page over and over, as long as the request of @busy runs. */
static struct delays read_beside(struct nbdc_conn *busy,
				 struct nbdc_conn *other, uint64_t offset,
				 const struct nbdc_request *request)
{
	struct delays delays = {0};
	struct nbdc_pending done;

	nbdc_must(busy, nbdc_send(busy, request, NULL));
	do {
		read_page(other, offset, &delays);
	} while (!raw_poll(busy->fd, POLLIN, 0));
	nbdc_must(busy, nbdc_receive(busy, &done));
	if (done.error)
		error(1, 0, "the long request fails: error %u", done.error);
	return delays;
}

static struct delays read_for(struct nbdc_conn *conn, uint64_t offset,
			      uint64_t duration_ns)
{
	struct delays delays = {0};

	while (delays.all_ns < duration_ns)
		read_page(conn, offset, &delays);
	return delays;
}

/*
 * Fills half of the disk, then reads a page on one connection while another's
 * single request, the longest there can be, runs over that half. Prints the
 * longest read then and the longest in more time without such a request, us;
 * how long the request took, ms; and how many reads there were.
 */
void raw_delay(const char *address, char **args)
{
	struct nbdc_request request = {.type = CMD_TRIM};
	struct delays beside, quiet;
	struct nbdc_conn busy, other;
	uint64_t half, page;

	if (strcmp(args[0], "zeroes") == 0)
		request.type = CMD_WRITE_ZEROES;
	else if (strcmp(args[0], "trim") != 0)
		error(2, 0, "neither trim nor zeroes: %s", args[0]);
	raw_open(&busy, address);
	raw_open(&other, address);
	half = busy.size_bytes / 2;
	page = align_down(half / 2 * 3, ZSD_PAGE_BYTES);
	fill_disk(&busy, half);
	request.length =
		(uint32_t)min_u64(half, align_down(UINT32_MAX, ZSD_PAGE_BYTES));
	beside = read_beside(&busy, &other, page, &request);
	quiet = read_for(&other, page,
			 max_u64(QUIET_TIMES * beside.all_ns, QUIET_NS));
	printf("%ju %ju %ju %u\n", (uintmax_t)beside.longest_ns / 1000,
	       (uintmax_t)quiet.longest_ns / 1000,
	       (uintmax_t)beside.all_ns / 1000000, beside.nr_reads);
	nbdc_close(&busy);
	nbdc_close(&other);
}

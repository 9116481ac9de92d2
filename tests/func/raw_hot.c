/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mode hot: some clients write a handful of pages over and over, others
 * read them. Each page is always given one of its own few contents, and all of
 * them compress to about the same length, so that the memory that one write
 * frees soon serves the next, for the same content or for the other page:
 * whoever looks at it without a lock must not be misled by that.
 */
#include "config.h"

#include <error.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "bench/rng.h"
#include "raw_modes.h"

#define NR_HOT_PAGES 2u
#define NR_CONTENTS  3u

/* Half noise, half zeros. */
static void make_page(uint64_t offset, uint64_t content, unsigned char *page)
{
	struct rng rng = {offset * NR_CONTENTS + content};

	memset(page, 0, ZSD_PAGE_BYTES);
	for (unsigned i = 0; i < ZSD_PAGE_BYTES / 2; i += 8)
		store_be64(page + i, rng_next(&rng));
}

static void expect_one_of_its_own(uint64_t offset, const unsigned char *page)
{
	unsigned char expected[ZSD_PAGE_BYTES];

	for (uint64_t content = 0; content < NR_CONTENTS; content++) {
		make_page(offset, content, expected);
		if (memcmp(page, expected, ZSD_PAGE_BYTES) == 0)
			return;
	}
	error(1, 0, "a page is none of those ever written there");
}

/* Writers have the lower numbers. */
static void hammer(const char *address, char **args, unsigned number)
{
	unsigned long nr_writers = raw_number(args[0]);
	unsigned long nr_requests = raw_number(args[2]);
	struct nbdc_request request = {.length = ZSD_PAGE_BYTES};
	unsigned char page[ZSD_PAGE_BYTES];
	struct rng rng = {number};
	struct nbdc_conn conn;

	raw_open(&conn, address);
	request.type = number < nr_writers ? CMD_WRITE : CMD_READ;
	for (unsigned long i = 0; i < nr_requests; i++) {
		request.offset = rng_below(&rng, NR_HOT_PAGES) * ZSD_PAGE_BYTES;
		if (request.type == CMD_WRITE)
			make_page(request.offset, rng_below(&rng, NR_CONTENTS),
				  page);
		nbdc_must_run(&conn, &request, page);
		if (request.type == CMD_READ)
			expect_one_of_its_own(request.offset, page);
	}
	nbdc_close(&conn);
}

static void fill(const char *address)
{
	struct nbdc_request request = {.type = CMD_WRITE,
				       .length = ZSD_PAGE_BYTES};
	unsigned char page[ZSD_PAGE_BYTES];
	struct nbdc_conn conn;

	raw_open(&conn, address);
	for (unsigned i = 0; i < NR_HOT_PAGES; i++) {
		request.offset = (uint64_t)i * ZSD_PAGE_BYTES;
		make_page(request.offset, 0, page);
		nbdc_must_run(&conn, &request, page);
	}
	nbdc_close(&conn);
}

void raw_hot(const char *address, char **args)
{
	unsigned nr = (unsigned)(raw_number(args[0]) + raw_number(args[1]));

	fill(address);
	raw_run_many(address, args, nr, hammer);
	printf("%u clients saw no page that was never written\n", nr);
}

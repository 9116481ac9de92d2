/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of a server that is short of everything: modes patient and knock.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "bench/rng.h"
#include "raw_modes.h"

/* Each client's part of the disk, and most of it in one request. */
#define NR_PAGES  1024u
#define MAX_PAGES 16u

struct patient {
	struct nbdc_conn conn;
	struct rng rng;
	uint64_t start;
	unsigned char *disk; /* what it holds */
	unsigned char fresh[MAX_PAGES * ZSD_PAGE_BYTES];
	unsigned char back[MAX_PAGES * ZSD_PAGE_BYTES];
	unsigned long nr_done, nr_refused;
};

static struct patient p;

static bool is_told_to_end(void)
{
	return raw_poll(STDIN_FILENO, POLLIN, 0);
}

/* From noise, which takes its own length of memory, to very little. */
static void make_pages(unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		unsigned char *page = p.fresh + (size_t)i * ZSD_PAGE_BYTES;
		size_t noise = rng_below(&p.rng, ZSD_PAGE_BYTES / 8 + 1) * 8;

		memset(page, (int)rng_below(&p.rng, 4), ZSD_PAGE_BYTES);
		for (size_t at = 0; at < noise; at += 8) {
			uint64_t word = rng_next(&p.rng);

			memcpy(page + at, &word, sizeof(word));
		}
	}
}

static uint32_t run_on(uint16_t type, unsigned page, unsigned nr, void *data)
{
	const struct nbdc_request request = {
		.type = type,
		.offset = p.start + (uint64_t)page * ZSD_PAGE_BYTES,
		.length = nr * ZSD_PAGE_BYTES};
	uint32_t answer = OK;

	nbdc_must(&p.conn, nbdc_run(&p.conn, &request, data, &answer));
	return answer;
}

static void read_back(unsigned page, unsigned nr)
{
	uint32_t answer = run_on(CMD_READ, page, nr, p.back);

	if (answer)
		error(1, 0, "a read fails: error %u", answer);
}

static void expect_as_it_was(unsigned page, unsigned nr)
{
	read_back(page, nr);
	if (memcmp(p.back, p.disk + (size_t)page * ZSD_PAGE_BYTES,
		   (size_t)nr * ZSD_PAGE_BYTES) != 0)
		error(1, 0, "what was written is not there");
}

/* A change that was refused: each page is old or new. */
static void take_either(unsigned page, unsigned nr)
{
	read_back(page, nr);
	for (unsigned i = 0; i < nr; i++) {
		unsigned char *held =
			p.disk + (size_t)(page + i) * ZSD_PAGE_BYTES;
		size_t at = (size_t)i * ZSD_PAGE_BYTES;

		if (memcmp(p.back + at, held, ZSD_PAGE_BYTES) != 0 &&
		    memcmp(p.back + at, p.fresh + at, ZSD_PAGE_BYTES) != 0)
			error(1, 0, "a page is neither old nor new");
		memcpy(held, p.back + at, ZSD_PAGE_BYTES);
	}
	p.nr_refused++;
}

static void change(uint16_t type, unsigned page, unsigned nr)
{
	uint32_t answer;

	if (type == CMD_WRITE)
		make_pages(nr);
	else
		memset(p.fresh, 0, sizeof(p.fresh));
	answer = run_on(type, page, nr, p.fresh);
	if (answer == OK)
		memcpy(p.disk + (size_t)page * ZSD_PAGE_BYTES, p.fresh,
		       (size_t)nr * ZSD_PAGE_BYTES);
	else if (type == CMD_WRITE &&
		 (answer == ERR_NOSPC || answer == ERR_NOMEM))
		take_either(page, nr);
	else
		error(1, 0, "request type %u fails: error %u", type, answer);
}

static void act(void)
{
	unsigned page = (unsigned)rng_below(&p.rng, NR_PAGES - MAX_PAGES);
	unsigned nr = 1 + (unsigned)rng_below(&p.rng, MAX_PAGES);

	switch (rng_below(&p.rng, 8)) {
	case 0:
		change(CMD_TRIM, page, nr);
		break;
	case 1:
		change(CMD_WRITE_ZEROES, page, nr);
		break;
	case 2:
	case 3:
		expect_as_it_was(page, nr);
		break;
	default:
		change(CMD_WRITE, page, nr);
	}
	p.nr_done++;
}

static void be_patient(const char *address, char **args, unsigned number)
{
	p.rng.state = raw_number(args[0]) + number;
	p.start = (uint64_t)number * NR_PAGES * ZSD_PAGE_BYTES;
	p.disk = calloc(NR_PAGES, ZSD_PAGE_BYTES);
	if (!p.disk)
		error(1, ENOMEM, "buffer");
	raw_open(&p.conn, address);
	if (p.conn.size_bytes - p.start < (uint64_t)NR_PAGES * ZSD_PAGE_BYTES)
		error(2, 0, "the disk is too small for so many");
	if (run_on(CMD_TRIM, 0, NR_PAGES, NULL))
		error(1, 0, "the disk cannot be trimmed");
	while (!is_told_to_end())
		act();
	for (unsigned page = 0; page < NR_PAGES; page += MAX_PAGES)
		expect_as_it_was(page, MAX_PAGES);
	printf("%lu requests, %lu of them refused\n", p.nr_done, p.nr_refused);
	nbdc_leave(&p.conn);
}

/*
 * SEED CONNECTIONS: until standard input ends, one request at a time on each,
 * of whole pages. A write may be refused for want of memory; then each of its
 * pages is old or new.
 */
void raw_patient(const char *address, char **args)
{
	raw_run_many(address, args, (unsigned)raw_number(args[1]), be_patient);
}

/*
 * Until standard input ends, one client after the other: each is served, or its
 * connection is closed before it is; none waits for ever.
 */
void raw_knock(const char *address, char **args)
{
	const struct nbdc_request read = {.type = CMD_READ,
					  .length = ZSD_PAGE_BYTES};
	unsigned long nr_served = 0, nr_refused = 0;
	unsigned char page[ZSD_PAGE_BYTES];
	struct nbdc_conn conn;

	(void)args;
	while (!is_told_to_end()) {
		int err = nbdc_open(&conn, address, NULL);

		if (err && err != -ECONNRESET && err != -EPIPE)
			error(1, -err, "the server is not there");
		if (err) {
			nr_refused++;
			continue;
		}
		nbdc_must_run(&conn, &read, page);
		nbdc_leave(&conn);
		nr_served++;
	}
	printf("%lu served, %lu refused\n", nr_served, nr_refused);
}

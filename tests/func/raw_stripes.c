/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mode stripes: several clients write the same pages at the same time,
 * each its own sectors of them. A server that patches a page must not lose
 * what another thread patched beside it.
 */
#include "config.h"

#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "bench/rng.h"
#include "raw_modes.h"

#define MAX_WRITERS 16u

#define SECTOR_BYTES 512u

/* Few pages, so that the writers meet all the time. */
#define NR_PAGES   16u
#define NR_SECTORS (NR_PAGES * (ZSD_PAGE_BYTES / SECTOR_BYTES))

struct writer {
	struct nbdc_conn conn;
	unsigned nr_writers;
	unsigned number; /* sectors of this number, modulo nr_writers */
	struct rng rng;
	uint32_t version[NR_SECTORS]; /* last written; 0: never */
};

static uint64_t offset_of(unsigned sector)
{
	return (uint64_t)sector * SECTOR_BYTES;
}

/* Contents that tell writer, sector and version, half of it compressible. */
static void make_sector(const struct writer *w, unsigned sector,
			unsigned char *bytes)
{
	struct rng rng = {((uint64_t)w->version[sector] << 32) | sector};

	memset(bytes, 0, SECTOR_BYTES);
	if (!w->version[sector])
		return;
	for (unsigned i = 0; i < SECTOR_BYTES / 2; i += 8)
		store_be64(bytes + i, rng_next(&rng));
}

static void check_sector(struct writer *w, unsigned sector)
{
	struct nbdc_request request = {.type = CMD_READ,
				       .offset = offset_of(sector),
				       .length = SECTOR_BYTES};
	unsigned char expected[SECTOR_BYTES], bytes[SECTOR_BYTES];

	nbdc_must_run(&w->conn, &request, bytes);
	make_sector(w, sector, expected);
	if (memcmp(bytes, expected, SECTOR_BYTES) != 0)
		error(1, 0, "writer %u lost version %u of sector %u", w->number,
		      w->version[sector], sector);
}

static void write_sector(struct writer *w, unsigned sector)
{
	struct nbdc_request request = {.type = CMD_WRITE,
				       .offset = offset_of(sector),
				       .length = SECTOR_BYTES};
	unsigned char bytes[SECTOR_BYTES];

	w->version[sector]++;
	make_sector(w, sector, bytes);
	nbdc_must_run(&w->conn, &request, bytes);
}

/* Zeroes by the other command that patches a page. */
static void zero_sector(struct writer *w, unsigned sector)
{
	struct nbdc_request request = {.type = CMD_WRITE_ZEROES,
				       .offset = offset_of(sector),
				       .length = SECTOR_BYTES};

	w->version[sector] = 0;
	nbdc_must_run(&w->conn, &request, NULL);
}

static void write_stripes(struct writer *w, unsigned long nr_writes)
{
	unsigned nr_own = NR_SECTORS / w->nr_writers;

	for (unsigned long i = 0; i < nr_writes; i++) {
		unsigned own = (unsigned)rng_below(&w->rng, nr_own);
		unsigned sector = own * w->nr_writers + w->number;

		check_sector(w, sector);
		if (rng_below(&w->rng, 8) == 0)
			zero_sector(w, sector);
		else
			write_sector(w, sector);
	}
	for (unsigned own = 0; own < nr_own; own++)
		check_sector(w, own * w->nr_writers + w->number);
}

static void write_as(const char *address, char **args, unsigned number)
{
	static struct writer w;

	w.rng.state = raw_number(args[0]) + number;
	w.nr_writers = (unsigned)raw_number(args[1]);
	w.number = number;
	raw_open(&w.conn, address);
	write_stripes(&w, raw_number(args[2]));
}

void raw_stripes(const char *address, char **args)
{
	unsigned long nr_writers = raw_number(args[1]);

	if (nr_writers < 1 || nr_writers > MAX_WRITERS)
		error(2, 0, "from 1 to %u writers", MAX_WRITERS);
	raw_run_many(address, args, (unsigned)nr_writers, write_as);
	printf("%lu writers lost nothing\n", nr_writers);
}

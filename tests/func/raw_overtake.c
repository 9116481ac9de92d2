/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page that is read while many are being written out: mode overtake.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/units.h"
#include "bench/synthetic.h"
#include "raw_modes.h"

/* As many as a kernel has under way on a connection. */
#define NR_WRITES 128u

#define MAX_ROUNDS 1000u

/* Figures of each round. */
static struct {
	uint64_t write_ns; /* one write by itself */
	uint64_t read_ns; /* a read behind NR_WRITES others */
	uint64_t nr_before; /* writes that were answered before it */
} rounds[MAX_ROUNDS];

static unsigned char pages[NR_WRITES * ZSD_PAGE_BYTES];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)now.tv_nsec;
}

/* Page 0 is read, the others are written. */
static void add_write(struct nbdc_conn *conn, unsigned i)
{
	const struct nbdc_request write = {
		.type = CMD_WRITE,
		.cookie = i,
		.offset = (uint64_t)i * ZSD_PAGE_BYTES,
		.length = ZSD_PAGE_BYTES,
	};

	nbdc_add(conn, &write, pages + (size_t)(i - 1) * ZSD_PAGE_BYTES, NULL);
}

static void add_read(struct nbdc_conn *conn)
{
	const struct nbdc_request read = {.type = CMD_READ,
					  .length = ZSD_PAGE_BYTES};

	nbdc_add(conn, &read, NULL, NULL);
}

/* Wait for the next answer. Return: its request's cookie. */
static uint64_t receive(struct nbdc_conn *conn)
{
	struct nbdc_event event;

	for (;;) {
		nbdc_must(conn, nbdc_next(conn, &event));
		if (event.kind == NBDC_MORE)
			nbdc_must(conn, nbdc_pull(conn, true));
		if (event.kind == NBDC_DONE)
			return event.pending->request.cookie;
	}
}

static uint64_t time_write(struct nbdc_conn *conn, unsigned page)
{
	uint64_t start_ns = now_ns();

	add_write(conn, page);
	nbdc_must(conn, nbdc_push(conn, true));
	(void)receive(conn);
	return now_ns() - start_ns;
}

static void run_round(struct nbdc_conn *conn, unsigned round)
{
	uint64_t start_ns;

	rounds[round].write_ns = time_write(conn, round % NR_WRITES + 1);
	for (unsigned i = 1; i <= NR_WRITES; i++)
		add_write(conn, i);
	nbdc_must(conn, nbdc_push(conn, true));
	start_ns = now_ns();
	add_read(conn);
	nbdc_must(conn, nbdc_push(conn, true));
	for (unsigned i = 0; i <= NR_WRITES; i++) {
		if (receive(conn) != 0)
			continue;
		rounds[round].read_ns = now_ns() - start_ns;
		rounds[round].nr_before = i;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The number that @percent of all rounds do not pass, of the figure at @of in
 * them. */
static uint64_t rank(const uint64_t *of, unsigned nr, unsigned percent)
{
	static uint64_t sorted[MAX_ROUNDS];

	for (unsigned i = 0; i < nr; i++)
		sorted[i] = of[i * (sizeof(rounds[0]) / sizeof(sorted[0]))];
	qsort(sorted, nr, sizeof(sorted[0]), compare);
	return sorted[(nr - 1) * percent / 100];
}

/*
 * Prints a line: of a write by itself the median, us; of a read behind 128
 * writes the median and the 99th percentile, us; and the median of how many of
 * those were answered before it.
 */
void raw_overtake(const char *address, char **args)
{
	unsigned nr = (unsigned)raw_number(args[0]);
	struct nbdc_conn conn;

	if (nr == 0 || nr > MAX_ROUNDS)
		nr = MAX_ROUNDS;
	raw_open(&conn, address);
	synthetic_fill(pages, NR_WRITES, 1);
	for (unsigned i = 0; i < nr; i++)
		run_round(&conn, i);
	printf("%ju %ju %ju %ju\n",
	       (uintmax_t)rank(&rounds[0].write_ns, nr, 50) / 1000,
	       (uintmax_t)rank(&rounds[0].read_ns, nr, 50) / 1000,
	       (uintmax_t)rank(&rounds[0].read_ns, nr, 99) / 1000,
	       (uintmax_t)rank(&rounds[0].nr_before, nr, 50));
	nbdc_leave(&conn);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mode steady: connections that stay, and a stretch of requests on them
 * that somebody can look at the server before and after:
 *
 *   negotiates, runs the warm-up, prints "warm", waits for a line of input,
 *   runs the requests, prints "done", waits for a line of input, ends.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "base/units.h"
#include "bench/rng.h"
#include "bench/synthetic.h"
#include "raw_modes.h"

#define MAX_CONNECTIONS 64u

/* Requests sent in one go on a connection before their replies are taken. */
#define BATCH 16u

/*
 * Bytes of reads in one batch: they fit the server's socket buffer, so that
 * it can take a whole batch while nobody reads what it answers.
 */
#define MAX_BATCH_READ_BYTES (64 * 1024u)

/* Longest write, and longest trim or zeroing, bytes. */
#define MAX_WRITE_BYTES (64 * 1024u)
#define MAX_ZERO_BYTES	((uint32_t)MIB)

#define NR_PAGES 1024u

struct steady {
	struct rng rng;
	unsigned nr_connections;
	struct nbdc_conn conns[MAX_CONNECTIONS];
	uint64_t disk_bytes;
	unsigned char *pages; /* to be written: NR_PAGES of them */
	uint32_t read_bytes; /* data of all replies to a batch */
};

/* What a mixed load is made of, in percent. */
static const struct share {
	uint16_t type;
	unsigned percent;
} mix[] = {
	{CMD_WRITE, 42},       {CMD_READ, 40}, {CMD_TRIM, 8},
	{CMD_WRITE_ZEROES, 5}, {CMD_CACHE, 3}, {CMD_FLUSH, 2},
};

static uint16_t choose_type(struct steady *s)
{
	unsigned point = (unsigned)rng_below(&s->rng, 100);
	size_t i = 0;

	while (point >= mix[i].percent)
		point -= mix[i++].percent;
	return mix[i].type;
}

/* Whole pages at page borders mostly, as swap does; else any bytes. */
static void choose_range(struct steady *s, uint32_t max_bytes,
			 struct nbdc_request *request)
{
	uint32_t length = ZSD_PAGE_BYTES;

	if (rng_below(&s->rng, 8) == 0)
		length = 1 + (uint32_t)rng_below(&s->rng, max_bytes);
	request->offset = rng_below(&s->rng, s->disk_bytes - length + 1);
	request->length = length;
	if (length == ZSD_PAGE_BYTES)
		request->offset = align_down(request->offset, ZSD_PAGE_BYTES);
}

static void choose_request(struct steady *s, struct nbdc_request *request)
{
	request->flags = 0;
	request->offset = 0;
	request->length = 0;
	request->type = choose_type(s);
	switch (request->type) {
	case CMD_FLUSH:
		break;
	case CMD_READ:
		choose_range(s, MAX_BATCH_READ_BYTES, request);
		if (s->read_bytes + request->length <= MAX_BATCH_READ_BYTES)
			break;
		request->type = CMD_CACHE; /* no room for its reply */
		break;
	case CMD_WRITE:
		choose_range(s, MAX_WRITE_BYTES, request);
		break;
	default:
		choose_range(s, MAX_ZERO_BYTES, request);
	}
}

static unsigned char *choose_payload(struct steady *s, uint32_t length)
{
	uint64_t room = (uint64_t)NR_PAGES * ZSD_PAGE_BYTES - length;
	uint64_t from = rng_below(&s->rng, room + 1);

	if (length == ZSD_PAGE_BYTES)
		from = align_down(from, ZSD_PAGE_BYTES);
	return s->pages + from;
}

static void send_batch(struct steady *s, struct nbdc_conn *conn, unsigned nr)
{
	s->read_bytes = 0;
	for (unsigned i = 0; i < nr; i++) {
		struct nbdc_request request = {.cookie = i};
		unsigned char *payload = NULL;

		choose_request(s, &request);
		if (request.type == CMD_WRITE)
			payload = choose_payload(s, request.length);
		if (request.type == CMD_READ)
			s->read_bytes += request.length;
		nbdc_add(conn, &request, payload, NULL);
	}
	nbdc_must(conn, nbdc_push(conn, true));
}

static void take_replies(struct nbdc_conn *conn, unsigned nr)
{
	struct nbdc_pending done;

	for (unsigned i = 0; i < nr; i++) {
		nbdc_must(conn, nbdc_receive(conn, &done));
		if (done.error)
			error(1, 0, "a request fails: error %u", done.error);
	}
}

/* Batches go around the connections, one under way on each at a time. */
static void run(struct steady *s, unsigned long nr_requests)
{
	for (unsigned turn = 0; nr_requests; turn++) {
		unsigned nr = (unsigned)min_u64(nr_requests, BATCH);
		struct nbdc_conn *conn = &s->conns[turn % s->nr_connections];

		send_batch(s, conn, nr);
		take_replies(conn, nr);
		nr_requests -= nr;
	}
}

static void start(struct steady *s, const char *address)
{
	s->pages = malloc((size_t)NR_PAGES * ZSD_PAGE_BYTES);
	if (!s->pages)
		error(1, ENOMEM, "pages");
	synthetic_fill(s->pages, NR_PAGES, rng_next(&s->rng));
	if (s->nr_connections < 1 || s->nr_connections > MAX_CONNECTIONS)
		error(2, 0, "from 1 to %u connections", MAX_CONNECTIONS);
	for (unsigned i = 0; i < s->nr_connections; i++)
		raw_open(&s->conns[i], address);
	s->disk_bytes = s->conns[0].size_bytes;
	if (s->disk_bytes < MAX_ZERO_BYTES)
		error(1, 0, "the disk is too small");
}

/* When we are gone, the server has seen it of all connections. */
static void end(struct steady *s)
{
	for (unsigned i = 0; i < s->nr_connections; i++) {
		struct nbdc_conn *conn = &s->conns[i];

		shutdown(conn->fd, SHUT_WR);
		nbdc_must(conn, nbdc_drain(conn));
		nbdc_close(conn);
	}
}

void raw_steady(const char *address, char **args)
{
	static struct steady s;

	s.rng.state = raw_number(args[0]);
	s.nr_connections = (unsigned)raw_number(args[1]);
	start(&s, address);
	run(&s, raw_number(args[2]));
	raw_say_and_wait("warm");
	run(&s, raw_number(args[3]));
	raw_say_and_wait("done");
	end(&s);
	free(s.pages);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that overlap, many at a time: mode order. Each connection has a part
 * of the disk to itself; see model/order.h for what is found out.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "model/order.h"
#include "raw_modes.h"

#define NR_PAGES 96u

#define FOR_EVER UINT64_MAX

/* How connections differ, by their numbers. */
static const struct {
	bool is_structured, has_context;
	unsigned depth;
	uint32_t max_bytes;
} kinds[] = {
	{false, false, 128, 16 * KIB},
	{true, true, ORDER_MAX_DEPTH, 16 * KIB},
	{false, false, 16, ORDER_MAX_BYTES},
	{true, false, 32, ORDER_MAX_BYTES},
};

static struct order client;

/* How much of @bytes to send now: mostly all, at times a few. */
static size_t some(size_t bytes)
{
	return model_rng_one_in(&client.rng, 4)
		       ? min_u64(bytes, model_rng_range(&client.rng, 1, 60))
		       : bytes;
}

static void push(struct nbdc_conn *conn)
{
	struct nbdc_bytes *wire = &client.wire;
	ssize_t n = send(conn->fd, wire->data + wire->taken,
			 some(wire->bytes - wire->taken),
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		error(1, errno, "sending");
	wire->taken += n > 0 ? (size_t)n : 0;
	if (wire->taken == wire->bytes)
		wire->taken = wire->bytes = 0;
}

static void pull(struct nbdc_conn *conn)
{
	unsigned char bytes[65536];
	ssize_t n = recv(conn->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0)
		error(1, 0, "the server hangs up");
	if (n < 0 && errno != EAGAIN)
		error(1, errno, "receiving");
	if (n > 0)
		order_receive(&client, bytes, (size_t)n);
}

/* Send what is to be sent and look at what comes, whichever can be done. */
static void go_on(struct nbdc_conn *conn)
{
	const bool may_push = client.wire.taken < client.wire.bytes;
	struct pollfd p = {.fd = conn->fd,
			   .events = may_push ? POLLIN | POLLOUT : POLLIN};

	if (poll(&p, 1, NBDC_TIMEOUT_S * 1000) <= 0)
		error(1, 0, "the server says nothing: %u are under way",
		      client.nr_under_way);
	if (p.revents & POLLOUT)
		push(conn);
	if (p.revents & ~POLLOUT)
		pull(conn);
}

/* Where the number of requests is no bound. */
static bool is_told_to_end(uint64_t nr_requests)
{
	return nr_requests > FOR_EVER / 2 && raw_poll(STDIN_FILENO, POLLIN, 0);
}

static void run_session(struct nbdc_conn *conn, uint64_t nr_requests)
{
	uint64_t at = 0;

	while (nr_requests && !is_told_to_end(nr_requests)) {
		if (!client.nr_under_way ||
		    (order_may_send(&client) &&
		     !model_rng_one_in(&client.rng, 32))) {
			order_send(&client);
			client.run->op++;
			nr_requests--;
		} else {
			go_on(conn);
		}
	}
	while (at < (uint64_t)NR_PAGES * ZSD_PAGE_BYTES) {
		if (order_may_send(&client))
			order_read_all(&client, &at);
		else
			go_on(conn);
	}
	while (client.nr_under_way)
		go_on(conn);
}

static void run_connection(const char *address, char **args, unsigned number)
{
	struct model_run run = {.name = "order", .seed = raw_number(args[0])};
	struct order_session session = {
		.is_structured =
			kinds[number % ARRAY_SIZE(kinds)].is_structured,
		.has_context = kinds[number % ARRAY_SIZE(kinds)].has_context,
		.start = (uint64_t)number * NR_PAGES * ZSD_PAGE_BYTES,
		.nr_pages = NR_PAGES,
		.depth = kinds[number % ARRAY_SIZE(kinds)].depth,
		.max_bytes = kinds[number % ARRAY_SIZE(kinds)].max_bytes};
	const struct nbdc_wish wish = {.structured = session.is_structured,
				       .context = session.has_context};
	struct nbdc_conn conn;

	run.nr_ops = raw_number(args[2]);
	if (!run.nr_ops)
		run.nr_ops = FOR_EVER;
	nbdc_must(&conn, nbdc_open(&conn, address, &wish));
	raw_say("connected");
	if (conn.size_bytes - session.start < NR_PAGES * ZSD_PAGE_BYTES)
		error(2, 0, "the disk is too small for so many");
	order_init(&client, &run, run.seed + number);
	order_begin(&client, &session);
	run_session(&conn, run.nr_ops);
	order_end(&client);
	nbdc_leave(&conn);
	if (!client.nr_overtaken)
		error(1, 0, "no request overtook another");
	order_fini(&client);
}

/* SEED CONNECTIONS REQUESTS, the last of each connection; 0: until standard
 * input ends. */
void raw_order(const char *address, char **args)
{
	unsigned nr = (unsigned)raw_number(args[1]);

	raw_run_many(address, args, nr, run_connection);
	printf("%u connections had their requests done in order\n", nr);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that do not listen, or make no sense: modes deaf and garbage.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/units.h"
#include "bench/rng.h"
#include "raw_modes.h"

/* --- requests whose answers nobody takes --------------------------------- */

/* As many as the socket takes; the last may be cut off. */
static unsigned send_until_full(struct nbdc_conn *conn)
{
	struct nbdc_request request = {.type = CMD_READ,
				       .length = (uint32_t)MIB};

	for (;; request.cookie++) {
		nbdc_add(conn, &request, NULL, NULL);
		do {
			nbdc_must(conn, nbdc_push(conn, false));
			if (!nbdc_has_unsent(conn))
				break;
			/* One that is merely slow gets a second. */
		} while (raw_poll(conn->fd, POLLOUT, 1000));
		if (nbdc_has_unsent(conn))
			return (unsigned)request.cookie + 1;
	}
}

/*
 * Asks for large reads and takes no answer until there is a line of input;
 * then all of them must come.
 */
void raw_deaf(const char *address, char **args)
{
	struct nbdc_pending done;
	struct nbdc_conn conn;
	unsigned nr;

	(void)args;
	raw_open(&conn, address);
	nr = send_until_full(&conn);
	raw_say_and_wait("deaf");
	for (unsigned i = 0; i < nr; i++) {
		nbdc_must(&conn, nbdc_push(&conn, false));
		nbdc_must(&conn, nbdc_receive(&conn, &done));
		if (done.error)
			error(1, 0, "a read fails: error %u", done.error);
	}
	nbdc_close(&conn);
	printf("%u answers taken\n", nr);
}

/* --- bytes that make no sense -------------------------------------------- */

/* How far a client of garbage() gets before it loses its mind. */
enum stage {
	AT_ONCE,
	AFTER_FLAGS,
	AFTER_OPTION,
	IN_TRANSMISSION,
	IN_REQUEST,
	NR_STAGES,
};

#define MAX_GARBAGE_BYTES 65536u

static void start_option(struct rng *rng, struct nbdc_bytes *b)
{
	nbdc_put(b, 4, NBDC_MODERN);
	nbdc_put_option_header(b, (uint32_t)rng_below(rng, 12),
			       (uint32_t)rng_next(rng) >> rng_below(rng, 32));
}

static void start_request(struct rng *rng, struct nbdc_bytes *b)
{
	const struct nbdc_request request = {
		.flags = (uint16_t)rng_below(rng, 64),
		.type = (uint16_t)rng_below(rng, 9),
		.cookie = rng_next(rng),
		.offset = rng_next(rng) >> rng_below(rng, 64),
		.length = (uint32_t)rng_next(rng) >> rng_below(rng, 32)};

	nbdc_put_request(b, &request);
}

static void talk_nonsense(const char *address, struct rng *rng)
{
	static unsigned char bytes[MAX_GARBAGE_BYTES + 64];
	struct nbdc_bytes b = {.data = bytes, .room = sizeof(bytes)};
	enum stage stage = (enum stage)rng_below(rng, NR_STAGES);
	size_t nr = rng_below(rng, MAX_GARBAGE_BYTES) >> rng_below(rng, 16);
	struct nbdc_conn conn;
	int err;

	if (stage >= IN_TRANSMISSION)
		raw_open(&conn, address);
	else
		nbdc_must(&conn, nbdc_connect(&conn, address, NBDC_TIMEOUT_S));
	if (stage == AFTER_FLAGS)
		nbdc_put(&b, 4, NBDC_MODERN);
	else if (stage == AFTER_OPTION)
		start_option(rng, &b);
	else if (stage == IN_REQUEST)
		start_request(rng, &b);
	for (size_t i = 0; i < nr; i++)
		nbdc_put(&b, 1, rng_next(rng) & 0xff);
	/* The server may hang up in the middle of it. */
	err = nbdc_send_bytes(&conn, bytes, b.bytes);
	if (err && err != -EPIPE && err != -ECONNRESET)
		error(1, -err, "sending at stage %d", (int)stage);
	shutdown(conn.fd, SHUT_WR);
	err = nbdc_drain(&conn);
	if (err)
		error(1, -err, "not dropped at stage %d", (int)stage);
	nbdc_close(&conn);
}

void raw_garbage(const char *address, char **args)
{
	struct rng rng = {raw_number(args[0])};
	unsigned long rounds = raw_number(args[1]);

	for (unsigned long i = 0; i < rounds; i++)
		talk_nonsense(address, &rng);
	printf("%lu clients talked nonsense\n", rounds);
}

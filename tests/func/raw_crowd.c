/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many clients that misbehave, each in one way and for as long as it is let:
 * mode crowd.
 *
 * One thread looks after all of them. They cost the server what they can by
 * being there and by what they hold back, not by the work that they ask for:
 * that would be a load like any other.
 */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/units.h"
#include "raw_modes.h"

#define MAX_MEMBERS 1024u

struct member {
	const struct vice *vice;
	struct nbdc_conn conn;
	unsigned nr_acts; /* on this connection */
	int64_t next_ms; /* when it acts again */
};

/* A way to misbehave. */
struct vice {
	const char *name;
	bool is_in_handshake; /* it never gets to the requests */
	unsigned pause_ms; /* between two acts */
	/* Return: 0, or -errno where the connection is of no more use. */
	int (*act)(struct member *m);
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- vices --------------------------------------------------------------- */

static int say_nothing(struct member *m)
{
	return raw_poll(m->conn.fd, POLLRDHUP, 0) ? -ECONNRESET : 0;
}

static int send_header(struct member *m, uint16_t type, uint64_t offset,
		       uint32_t length)
{
	const struct nbdc_request request = {
		.type = type, .offset = offset, .length = length};
	unsigned char header[NBDC_REQUEST_BYTES];

	nbdc_encode_request(header, &request);
	return nbdc_send_bytes(&m->conn, header, sizeof(header));
}

/* A read of a page, byte by byte; when it comes it is not taken. */
static int drip(struct member *m)
{
	const struct nbdc_request request = {.type = CMD_READ,
					     .length = ZSD_PAGE_BYTES};
	unsigned char header[NBDC_REQUEST_BYTES];

	nbdc_encode_request(header, &request);
	return nbdc_send_bytes(&m->conn, header + m->nr_acts % sizeof(header),
			       1);
}

/* Its pages up to the last, or half of a header. */
static int send_half(struct member *m)
{
	static const unsigned char data[3 * ZSD_PAGE_BYTES / 2];
	int err;

	if (m->nr_acts)
		return say_nothing(m);
	err = send_header(m, CMD_WRITE, 0, 2 * ZSD_PAGE_BYTES);
	return err ? err : nbdc_send_bytes(&m->conn, data, sizeof(data));
}

static int send_half_header(struct member *m)
{
	static const unsigned char half[NBDC_REQUEST_BYTES / 2] = {0x25, 0x60,
								   0x95, 0x13};

	return m->nr_acts ? say_nothing(m)
			  : nbdc_send_bytes(&m->conn, half, sizeof(half));
}

/*
 * Lengths as large as they can be. Reads and trims are answered; of a write
 * that is just short enough to be skipped a little comes each time; one that
 * is longer ends the connection.
 */
static int boast(struct member *m)
{
	static const unsigned char data[4 * ZSD_PAGE_BYTES];
	int err = 0;

	switch (m->nr_acts) {
	case 0:
		err = send_header(m, CMD_READ, 0, UINT32_MAX);
		break;
	case 1:
		err = send_header(m, CMD_TRIM, UINT64_MAX - 1, UINT32_MAX);
		break;
	case 2:
		err = send_header(m, CMD_WRITE, 0, (uint32_t)(64 * MIB));
		break;
	default:
		err = nbdc_send_bytes(&m->conn, data, sizeof(data));
		break;
	}
	return err ? err : say_nothing(m);
}

static int boast_too_much(struct member *m)
{
	return m->nr_acts ? say_nothing(m)
			  : send_header(m, CMD_WRITE, 0, UINT32_MAX);
}

/* An option of 4 GiB, a little at a time. */
static int boast_early(struct member *m)
{
	static const unsigned char data[ZSD_PAGE_BYTES];
	unsigned char start[4 + NBDC_OPTION_BYTES];
	struct nbdc_bytes b = {.data = start, .room = sizeof(start)};

	if (m->nr_acts)
		return nbdc_send_bytes(&m->conn, data, sizeof(data));
	nbdc_put(&b, 4, NBDC_MODERN);
	nbdc_put_option_header(&b, OPT_GO, UINT32_MAX);
	return nbdc_send_bytes(&m->conn, start, sizeof(start));
}

/* Asks for a large read, and is gone when it has begun. */
static int leave_early(struct member *m)
{
	unsigned char data[ZSD_PAGE_BYTES];
	int err = send_header(m, CMD_READ, 0, (uint32_t)MIB);

	if (!err)
		err = nbdc_receive_bytes(&m->conn, data, sizeof(data));
	return err ? err : -ECONNABORTED;
}

/* Asks for large reads, as many as the socket takes, and takes none. */
static int never_read(struct member *m)
{
	const struct nbdc_request request = {.type = CMD_READ,
					     .length = (uint32_t)MIB};
	unsigned char header[NBDC_REQUEST_BYTES];
	ssize_t n;

	nbdc_encode_request(header, &request);
	do {
		n = send(m->conn.fd, header, sizeof(header),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n == (ssize_t)sizeof(header));
	return n < 0 && errno == EAGAIN ? 0 : -ECONNRESET;
}

static const struct vice vices[] = {
	{"silent from the start", true, 100, say_nothing},
	{"silent", false, 1000, say_nothing},
	{"a byte a second", false, 1000, drip},
	{"half a request", false, 1000, send_half},
	{"half a header", false, 1000, send_half_header},
	{"long requests", false, 100, boast},
	{"too long a request", false, 1000, boast_too_much},
	{"a long option", true, 100, boast_early},
	{"gone in the middle", false, 1000, leave_early},
	{"never reads", false, 1000, never_read},
};

/* --- the crowd ----------------------------------------------------------- */

static void connect_member(struct member *m, const char *address)
{
	if (m->vice->is_in_handshake)
		nbdc_must(&m->conn,
			  nbdc_connect(&m->conn, address, NBDC_TIMEOUT_S));
	else
		raw_open(&m->conn, address);
	m->nr_acts = 0;
}

/* Returns whether it did something. */
static bool run_member(struct member *m, const char *address)
{
	if (now_ms() < m->next_ms)
		return false;
	if (m->vice->act(m)) {
		nbdc_close(&m->conn);
		connect_member(m, address);
	} else {
		m->nr_acts++;
	}
	m->next_ms = now_ms() + m->vice->pause_ms;
	return true;
}

/*
 * Says so when all have begun, goes on until standard input ends, and says
 * how often each vice was acted out.
 */
void raw_crowd(const char *address, char **args)
{
	static struct member members[MAX_MEMBERS];
	unsigned long counts[ARRAY_SIZE(vices)] = {0};
	unsigned long nr = raw_number(args[0]);

	if (nr > MAX_MEMBERS)
		error(2, 0, "at most %u members", MAX_MEMBERS);
	for (unsigned long i = 0; i < nr; i++) {
		members[i].vice = &vices[i % ARRAY_SIZE(vices)];
		connect_member(&members[i], address);
		counts[i % ARRAY_SIZE(vices)] +=
			run_member(&members[i], address);
	}
	raw_say("crowd");
	while (!raw_poll(STDIN_FILENO, POLLIN, 10)) {
		for (unsigned long i = 0; i < nr; i++)
			counts[i % ARRAY_SIZE(vices)] +=
				run_member(&members[i], address);
	}
	for (size_t i = 0; i < ARRAY_SIZE(vices); i++)
		printf("%lu %s\n", counts[i], vices[i].name);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an NBD server may say to a client before the first request.
 *
 * An input is what the server says; behind it, it hangs up. A client that was
 * let in must have heard all that it needs, and not more than that; one that
 * was not must be able to say why.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "zsctl/device/negotiate.h"

/* It never gets that far: the server hangs up. */
#define PATIENCE_MS 60000u

/* Replies are put together from the input, or it would hardly make one. */
#define MAX_REPLIES 34u

#define MAX_WIRE_BYTES (150u << 10)

struct wire {
	uint8_t data[MAX_WIRE_BYTES];
	size_t bytes;
};

static void put(struct wire *wire, const void *from, size_t bytes)
{
	if (bytes > sizeof(wire->data) - wire->bytes)
		return;
	memcpy(wire->data + wire->bytes, from, bytes);
	wire->bytes += bytes;
}

static void put_number(struct wire *wire, unsigned bytes, uint64_t number)
{
	uint8_t all[8];

	store_be64(all, number);
	put(wire, all + 8 - bytes, bytes);
}

static void put_taken(struct wire *wire, struct fuzz_input *in, size_t bytes)
{
	const uint8_t *from;

	bytes = fuzz_take(in, bytes, &from);
	put(wire, from, bytes);
}

/* A reply to OPT_GO, right or wrong. */
static void put_reply(struct wire *wire, struct fuzz_input *in)
{
	static const uint32_t types[] = {1, 3,		3,	    3,
					 2, 0x80000001, 0x80000006, 0};
	static const uint32_t lengths[] = {0, 12, 14, 2, 4098, 4099, 20, 1};
	const uint8_t what = fuzz_byte(in), how = fuzz_byte(in);
	const uint32_t length = lengths[how & 7];

	put_number(wire, 8, UINT64_C(0x3e889045565a9));
	put_number(wire, 4, what & 0x80 ? fuzz_byte(in) : 7);
	put_number(wire, 4,
		   what & 0x40 ? (uint32_t)fuzz_number(in, 4)
			       : types[what & 7]);
	put_number(wire, 4, how & 0x80 ? (uint32_t)fuzz_number(in, 4) : length);
	if (how & 0x40)
		put_taken(wire, in, length);
	else if (length >= 2) {
		put_number(wire, 2, fuzz_byte(in) % 5);
		for (size_t left = length - 2; left; left--)
			put_number(wire, 1, left & 0xff);
	} else if (length) {
		put_number(wire, 1, 0);
	}
}

static void put_all(struct wire *wire, struct fuzz_input *in)
{
	const uint8_t how = fuzz_byte(in);

	wire->bytes = 0;
	if (how & 0x80) {
		put_taken(wire, in, 18);
	} else {
		put(wire, "NBDMAGICIHAVEOPT", 16);
		put_number(wire, 2, how & 3);
	}
	for (unsigned i = 0; i < MAX_REPLIES && !fuzz_input_is_over(in); i++) {
		if (fuzz_byte(in) < 0xf0)
			put_reply(wire, in);
		else
			put_taken(wire, in, fuzz_byte(in));
	}
}

/* Where the last reply of a dialogue that lets us in ends, by a trivial reading
 * of it; 0: it does not. */
static size_t end_of_dialogue(const struct wire *wire)
{
	const uint8_t *p = wire->data;
	bool has_export = false;
	uint32_t type, length;
	size_t at = 18;

	if (wire->bytes < at || memcmp(p, "NBDMAGICIHAVEOPT", 16) != 0 ||
	    !(p[17] & 1))
		return 0;
	for (unsigned i = 0; i < 32; i++) {
		if (wire->bytes - at < 20 ||
		    load_be64(p + at) != UINT64_C(0x3e889045565a9) ||
		    load_be32(p + at + 8) != 7)
			return 0;
		type = load_be32(p + at + 12);
		length = load_be32(p + at + 16);
		at += 20;
		if (length > 4098 || wire->bytes - at < length)
			return 0;
		at += length;
		if (type == 1 && has_export)
			return at;
		if (type != 3 || length < 2)
			return 0;
		switch (load_be16(p + at - length)) {
		case 0:
			has_export = true;
			if (length != 12)
				return 0;
			break;
		case 3:
			if (length != 14)
				return 0;
			break;
		default:
			break;
		}
	}
	return 0;
}

/* Return: how many bytes are left unread. */
static size_t drain(int fd)
{
	uint8_t bytes[4096];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire wire;
	struct negotiated told = {0};
	char why[NEGOTIATE_TEXT_BYTES] = "";
	struct fuzz_input in;
	size_t end;
	int fds[2], err;

	fuzz_input_init(&in, data, size);
	put_all(&wire, &in);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	FUZZ_CHECK(send(fds[1], wire.data, wire.bytes, MSG_DONTWAIT) ==
			   (ssize_t)wire.bytes,
		   "the socket has no room");
	(void)shutdown(fds[1], SHUT_WR);
	err = negotiate(fds[0], "disk", PATIENCE_MS, &told, why);
	end = end_of_dialogue(&wire);
	FUZZ_CHECK(!err == (end != 0), "negotiate() is %d (%s), not %s", err,
		   why, end ? "0" : "an error");
	if (end)
		FUZZ_CHECK(drain(fds[0]) == wire.bytes - end,
			   "reads more than the handshake");
	else
		FUZZ_CHECK(*why && err != -ETIMEDOUT, "says nothing of %d",
			   err);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

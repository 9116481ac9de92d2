/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/units.h"
#include "load_wire.h"
#include "raw_conn.h"
#include "raw_modes.h"
#include "rng.h"

/* --- requests that must be answered with an error ------------------------ */

/* Where a request stands: @offset is counted from there. */
enum base {
	FROM_START,
	FROM_END,
};

static const struct {
	const char *what;
	uint16_t type;
	uint16_t flags;
	enum base base;
	int64_t offset;
	uint32_t length;
	uint32_t error; /* that must come back; 0: none */
} requests[] = {
	{"read, last byte", WIRE_CMD_READ, 0, FROM_END, -1, 1, 0},
	{"read, a byte too many", WIRE_CMD_READ, 0, FROM_END, -1, 2,
	 WIRE_EINVAL},
	{"read, past the end", WIRE_CMD_READ, 0, FROM_END, 0, 1, WIRE_EINVAL},
	{"read, end wraps around", WIRE_CMD_READ, 0, FROM_START, -1, 4096,
	 WIRE_EINVAL},
	{"read, more than the limit", WIRE_CMD_READ, 0, FROM_START, 0,
	 33 * 1024 * 1024, WIRE_EINVAL},
	{"write, last byte", WIRE_CMD_WRITE, 0, FROM_END, -1, 1, 0},
	{"write, a byte too many", WIRE_CMD_WRITE, 0, FROM_END, -4095, 4096,
	 WIRE_ENOSPC},
	{"write, past the end", WIRE_CMD_WRITE, 0, FROM_END, 0, 65536,
	 WIRE_ENOSPC},
	{"write, end wraps around", WIRE_CMD_WRITE, 0, FROM_START, -1, 4096,
	 WIRE_ENOSPC},
	{"write, more than the limit", WIRE_CMD_WRITE, 0, FROM_START, 0,
	 33 * 1024 * 1024, WIRE_EINVAL},
	{"trim, past the end", WIRE_CMD_TRIM, 0, FROM_END, -4096, 8192,
	 WIRE_EINVAL},
	{"trim, end wraps around", WIRE_CMD_TRIM, 0, FROM_START, -4096,
	 UINT32_MAX, WIRE_EINVAL},
	{"zeroes, past the end", WIRE_CMD_WRITE_ZEROES, 0, FROM_END, -4096,
	 8192, WIRE_ENOSPC},
	{"cache, past the end", WIRE_CMD_CACHE, 0, FROM_END, -4096, 8192,
	 WIRE_EINVAL},
	{"block status, not negotiated", WIRE_CMD_BLOCK_STATUS, 0, FROM_START,
	 0, 4096, WIRE_EINVAL},
	{"unknown type", 99, 0, FROM_START, 0, 4096, WIRE_EINVAL},
	{"largest type", UINT16_MAX, 0, FROM_START, 0, 4096, WIRE_EINVAL},
	{"read, unknown flag", WIRE_CMD_READ, 1u << 15, FROM_START, 0, 4096,
	 WIRE_EINVAL},
	{"write, a flag of zeroes", WIRE_CMD_WRITE, WIRE_FLAG_NO_HOLE,
	 FROM_START, 0, 4096, WIRE_EINVAL},
	{"trim, a flag of zeroes", WIRE_CMD_TRIM, WIRE_FLAG_FAST_ZERO,
	 FROM_START, 0, 4096, WIRE_EINVAL},
	{"read, a flag of block status", WIRE_CMD_READ, WIRE_FLAG_REQ_ONE,
	 FROM_START, 0, 4096, WIRE_EINVAL},
	{"read, FUA", WIRE_CMD_READ, WIRE_FLAG_FUA, FROM_START, 0, 4096, 0},
	{"write, FUA", WIRE_CMD_WRITE, WIRE_FLAG_FUA, FROM_START, 0, 4096, 0},
	{"trim, FUA", WIRE_CMD_TRIM, WIRE_FLAG_FUA, FROM_START, 0, 4096, 0},
	{"zeroes, all flags", WIRE_CMD_WRITE_ZEROES,
	 WIRE_FLAG_FUA | WIRE_FLAG_NO_HOLE | WIRE_FLAG_FAST_ZERO, FROM_START, 0,
	 4096, 0},
	{"flush", WIRE_CMD_FLUSH, 0, FROM_START, 0, 0, 0},
	{"cache", WIRE_CMD_CACHE, 0, FROM_START, 0, 4096, 0},
};

static void send_or_exit(int fd, const void *bytes, size_t nr_bytes)
{
	int err = raw_send(fd, bytes, nr_bytes);

	if (err)
		error(1, -err, "sending");
}

static void receive_or_exit(int fd, void *bytes, size_t nr_bytes)
{
	int err = raw_receive(fd, bytes, nr_bytes);

	if (err)
		error(1, -err, "receiving");
}

/* Sends the request and its payload, and takes its reply and its data. */
static uint32_t run_request(int fd, const struct raw_request *request,
			    unsigned char *data)
{
	unsigned char header[WIRE_REQUEST_BYTES];
	uint32_t answer;
	uint64_t cookie;
	int err;

	raw_encode(request, header);
	send_or_exit(fd, header, sizeof(header));
	if (request->type == WIRE_CMD_WRITE)
		send_or_exit(fd, data, request->length);
	err = raw_receive_reply(fd, &cookie, &answer);
	if (err)
		error(1, -err, "receiving a reply");
	if (cookie != request->cookie)
		error(1, 0, "the reply is to another request");
	if (request->type == WIRE_CMD_READ && !answer)
		receive_or_exit(fd, data, request->length);
	return answer;
}

/*
 * All on one connection: an error must leave the stream in step. Between any
 * two a page is read that none of them touches, and must be what it was.
 */
void raw_errors(const char *path, char **args)
{
	struct raw_request known = {.offset = MIB, .length = 4096};
	unsigned char *data = calloc(1, 64 * MIB);
	uint64_t disk_bytes;
	int fd = raw_open(path, &disk_bytes);

	(void)args;
	if (fd < 0)
		error(1, -fd, "%s", path);
	if (!data)
		error(1, ENOMEM, "buffer");
	memset(data, 0x5a, known.length);
	known.type = WIRE_CMD_WRITE;
	if (run_request(fd, &known, data))
		error(1, 0, "cannot write a page");
	known.type = WIRE_CMD_READ;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		uint64_t start = requests[i].base == FROM_END ? disk_bytes : 0;
		struct raw_request request = {
			.type = requests[i].type,
			.flags = requests[i].flags,
			.cookie = UINT64_MAX - i,
			.offset = start + (uint64_t)requests[i].offset,
			.length = requests[i].length};
		uint32_t answer = run_request(fd, &request, data);

		if (answer != requests[i].error)
			error(1, 0, "%s: error %u, not %u", requests[i].what,
			      answer, requests[i].error);
		memset(data, 0, known.length);
		if (run_request(fd, &known, data) || data[0] != 0x5a ||
		    memcmp(data, data + 1, known.length - 1) != 0)
			error(1, 0, "%s: another page changed",
			      requests[i].what);
	}
	printf("%zu requests answered as they must be\n", ARRAY_SIZE(requests));
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

static size_t start_option(struct rng *rng, unsigned char *bytes)
{
	store_be32(bytes, WIRE_FIXED_NEWSTYLE | WIRE_NO_ZEROES);
	store_be64(bytes + 4, WIRE_OPTION_MAGIC);
	store_be32(bytes + 12, (uint32_t)rng_below(rng, 12));
	store_be32(bytes + 16, (uint32_t)rng_next(rng) >> rng_below(rng, 32));
	return 20;
}

static size_t start_request(struct rng *rng, unsigned char *bytes)
{
	const struct raw_request request = {
		.flags = (uint16_t)rng_below(rng, 64),
		.type = (uint16_t)rng_below(rng, 9),
		.cookie = rng_next(rng),
		.offset = rng_next(rng) >> rng_below(rng, 64),
		.length = (uint32_t)rng_next(rng) >> rng_below(rng, 32)};

	raw_encode(&request, bytes);
	return WIRE_REQUEST_BYTES;
}

/* What comes before the garbage; returns how many bytes. */
static size_t start_well(struct rng *rng, enum stage stage,
			 unsigned char *bytes)
{
	switch (stage) {
	case AFTER_FLAGS:
		store_be32(bytes, WIRE_FIXED_NEWSTYLE | WIRE_NO_ZEROES);
		return 4;
	case AFTER_OPTION:
		return start_option(rng, bytes);
	case IN_REQUEST:
		return start_request(rng, bytes);
	default:
		return 0;
	}
}

static void talk_nonsense(const char *path, struct rng *rng)
{
	static unsigned char bytes[MAX_GARBAGE_BYTES + 64];
	enum stage stage = (enum stage)rng_below(rng, NR_STAGES);
	size_t nr = rng_below(rng, MAX_GARBAGE_BYTES) >> rng_below(rng, 16);
	size_t at;
	int fd, err;

	fd = stage >= IN_TRANSMISSION ? raw_open(path, NULL)
				      : raw_connect(path, RAW_TIMEOUT_S);
	if (fd < 0)
		error(1, -fd, "connecting before stage %d", (int)stage);
	at = start_well(rng, stage, bytes);
	for (size_t i = 0; i < nr; i++)
		bytes[at + i] = (unsigned char)rng_next(rng);
	/* The server may hang up in the middle of it. */
	err = raw_send(fd, bytes, at + nr);
	if (err && err != -EPIPE && err != -ECONNRESET)
		error(1, -err, "sending at stage %d", (int)stage);
	shutdown(fd, SHUT_WR);
	err = raw_drain(fd);
	if (err)
		error(1, -err, "not dropped at stage %d", (int)stage);
	close(fd);
}

void raw_garbage(const char *path, char **args)
{
	struct rng rng = {raw_number(args[0])};
	unsigned long rounds = raw_number(args[1]);

	for (unsigned long i = 0; i < rounds; i++)
		talk_nonsense(path, &rng);
	printf("%lu clients talked nonsense\n", rounds);
}

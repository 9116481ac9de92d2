/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client may get wrong in its requests.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/units.h"
#include "conform.h"

/* The server's disk, which conform.sh starts it with, bytes. */
#define DISK_BYTES (256 * MIB)

/* Longest payload that is skipped; one byte more must not be waited for. */
#define MAX_SKIP_BYTES ((uint32_t)(64 * MIB))

/* What a page that no row touches holds, and where it is. */
#define KNOWN_BYTE   0x5a
#define KNOWN_OFFSET MIB
#define KNOWN_BYTES  4096u

/* What was negotiated. */
enum session {
	SIMPLE,
	CHUNKS, /* structured replies */
	CONTEXT, /* and base:allocation */
};

/* Where a request stands: its offset is counted from there. */
enum base {
	START,
	END,
};

struct request {
	uint16_t type;
	uint16_t flags;
	uint64_t cookie;
	uint64_t offset;
	uint32_t length;
};

static const char reading[] = "Request types: NBD_CMD_READ";
static const char writing[] = "Request types: NBD_CMD_WRITE";
static const char flushing[] = "Request types: NBD_CMD_FLUSH";
static const char trimming[] = "Request types: NBD_CMD_TRIM";
static const char caching[] = "Request types: NBD_CMD_CACHE";
static const char zeroing[] = "Request types: NBD_CMD_WRITE_ZEROES";
static const char status[] = "Request types: NBD_CMD_BLOCK_STATUS";
static const char flags[] = "Command flags";
static const char errors[] = "Error values";
static const char sizes[] = "Size constraints";

static const struct request_case {
	const char *section;
	const char *what;
	enum session session;
	uint16_t type;
	uint16_t flags;
	enum base base;
	int64_t offset;
	uint32_t length;
	uint32_t error;
} requests[] = {
	/* Ranges. */
	{errors, "read: the last byte", SIMPLE, CMD_READ, 0, END, -1, 1, OK},
	{errors, "read: a byte too many", SIMPLE, CMD_READ, 0, END, -1, 2,
	 EINVAL_},
	{errors, "read: past the end", SIMPLE, CMD_READ, 0, END, 0, 1, EINVAL_},
	{errors, "read: the end wraps around", SIMPLE, CMD_READ, 0, START, -1,
	 4096, EINVAL_},
	{errors, "read in chunks: a byte too many", CHUNKS, CMD_READ, 0, END,
	 -1, 2, EINVAL_},
	{errors, "read in chunks: the end wraps around", CHUNKS, CMD_READ, 0,
	 START, -4096, UINT32_MAX, EINVAL_},
	{errors, "write: the last byte", SIMPLE, CMD_WRITE, 0, END, -1, 1, OK},
	{errors, "write: a byte too many", SIMPLE, CMD_WRITE, 0, END, -4095,
	 4096, ENOSPC_},
	{errors, "write: past the end", SIMPLE, CMD_WRITE, 0, END, 0, 65536,
	 ENOSPC_},
	{errors, "write: the end wraps around", SIMPLE, CMD_WRITE, 0, START, -1,
	 4096, ENOSPC_},
	{errors, "write: past the end, told in a chunk", CHUNKS, CMD_WRITE, 0,
	 END, -4095, 4096, ENOSPC_},
	{errors, "trim: past the end", SIMPLE, CMD_TRIM, 0, END, -4096, 8192,
	 EINVAL_},
	{errors, "trim: the end wraps around", SIMPLE, CMD_TRIM, 0, START,
	 -4096, UINT32_MAX, EINVAL_},
	{errors, "trim: past the end, told in a chunk", CHUNKS, CMD_TRIM, 0,
	 END, 0, 1, EINVAL_},
	{zeroing, "zeroes: past the end", SIMPLE, CMD_WRITE_ZEROES, 0, END,
	 -4096, 8192, ENOSPC_},
	{zeroing, "zeroes: the end wraps around", SIMPLE, CMD_WRITE_ZEROES, 0,
	 START, -4096, UINT32_MAX, ENOSPC_},
	{sizes, "cache: past the end", SIMPLE, CMD_CACHE, 0, END, -4096, 8192,
	 EINVAL_},
	{status, "status: the last byte", CONTEXT, CMD_BLOCK_STATUS, 0, END, -1,
	 1, OK},
	{status, "status: past the end", CONTEXT, CMD_BLOCK_STATUS, 0, END, -1,
	 2, EINVAL_},
	{status, "status: the end wraps around", CONTEXT, CMD_BLOCK_STATUS, 0,
	 START, -1, UINT32_MAX, EINVAL_},

	/* No length at all: no error, but for what has no answer then. */
	{reading, "read: of nothing", SIMPLE, CMD_READ, 0, START, 0, 0, OK},
	{reading, "read in chunks: of nothing", CHUNKS, CMD_READ, 0, END, 0, 0,
	 OK},
	{writing, "write: of nothing", SIMPLE, CMD_WRITE, 0, END, 0, 0, OK},
	{trimming, "trim: of nothing", SIMPLE, CMD_TRIM, 0, START, 0, 0, OK},
	{zeroing, "zeroes: of nothing", SIMPLE, CMD_WRITE_ZEROES, 0, START, 0,
	 0, OK},
	{status, "status: of nothing", CONTEXT, CMD_BLOCK_STATUS, 0, START, 0,
	 0, EINVAL_},

	/* Lengths. */
	{sizes, "read: as long as may be", SIMPLE, CMD_READ, 0, START, 5,
	 32 * MIB, OK},
	{sizes, "read: longer", SIMPLE, CMD_READ, 0, START, 0, 32 * MIB + 1,
	 EINVAL_},
	{reading, "read in chunks: longer", CHUNKS, CMD_READ, 0, START, 0,
	 33 * MIB, OK},
	{reading, "read in one chunk: 64 KiB", CHUNKS, CMD_READ, DF, START, 1,
	 65536, OK},
	{reading, "read in one chunk: as long as may be", CHUNKS, CMD_READ, DF,
	 START, 1, 32 * MIB, OK},
	{reading, "read in one chunk: longer", CHUNKS, CMD_READ, DF, START, 0,
	 32 * MIB + 1, EOVERFLOW_},
	{sizes, "write: longer", SIMPLE, CMD_WRITE, 0, START, 0, 32 * MIB + 1,
	 EINVAL_},
	{sizes, "write: the longest that is skipped", SIMPLE, CMD_WRITE, 0,
	 START, 0, MAX_SKIP_BYTES, EINVAL_},
	{sizes, "write: denial of service", SIMPLE, CMD_WRITE, 0, START, 0,
	 MAX_SKIP_BYTES + 1, HANGS_UP},
	{sizes, "write: 4 GiB", CHUNKS, CMD_WRITE, 0, START, 0, UINT32_MAX,
	 HANGS_UP},
	{sizes, "trim: of any length", SIMPLE, CMD_TRIM, 0, START,
	 2 * KNOWN_OFFSET, DISK_BYTES - 2 * KNOWN_OFFSET, OK},
	{sizes, "zeroes: of any length", SIMPLE, CMD_WRITE_ZEROES, FAST_ZERO,
	 START, 2 * KNOWN_OFFSET, DISK_BYTES - 2 * KNOWN_OFFSET, OK},

	/* Types. */
	{errors, "the first type that is unknown", SIMPLE, CMD_RESIZE, 0, START,
	 0, 4096, EINVAL_},
	{errors, "the largest type", SIMPLE, UINT16_MAX, 0, START, 0, 4096,
	 EINVAL_},
	{errors, "an unknown type, told in a chunk", CHUNKS, 99, 0, START, 0, 0,
	 EINVAL_},
	{status, "status without structured replies", SIMPLE, CMD_BLOCK_STATUS,
	 0, START, 0, 4096, EINVAL_},
	{status, "status without a context", CHUNKS, CMD_BLOCK_STATUS, 0, START,
	 0, 4096, EINVAL_},
	{flushing, "flush with an offset", SIMPLE, CMD_FLUSH, 0, START, 1, 0,
	 EINVAL_},
	{flushing, "flush with a length", SIMPLE, CMD_FLUSH, 0, START, 0, 1,
	 EINVAL_},

	/* Flags; those that no type takes come below. */
	{flags, "read: FUA, as any command", SIMPLE, CMD_READ, FUA, START, 0,
	 4096, OK},
	{flags, "flush: FUA, as any command", SIMPLE, CMD_FLUSH, FUA, START, 0,
	 0, OK},
	{flags, "status: FUA, as any command", CONTEXT, CMD_BLOCK_STATUS,
	 FUA | REQ_ONE, START, 0, 4096, OK},
	{flags, "read: DF without structured replies", SIMPLE, CMD_READ, DF,
	 START, 0, 4096, EINVAL_},
	{flags, "read: REQ_ONE", CONTEXT, CMD_READ, REQ_ONE, START, 0, 4096,
	 EINVAL_},
	{flags, "write: NO_HOLE", SIMPLE, CMD_WRITE, NO_HOLE, START, 0, 4096,
	 EINVAL_},
	{flags, "write: FAST_ZERO, told in a chunk", CHUNKS, CMD_WRITE,
	 FAST_ZERO, START, 0, 4096, EINVAL_},
	{flags, "trim: NO_HOLE", SIMPLE, CMD_TRIM, NO_HOLE, START, 0, 4096,
	 EINVAL_},
	{flags, "trim: DF", CHUNKS, CMD_TRIM, DF, START, 0, 4096, EINVAL_},
	{caching, "cache: a flag that it does not know", SIMPLE, CMD_CACHE,
	 REQ_ONE, START, 0, 4096, EINVAL_},
	{flags, "zeroes: all its flags", SIMPLE, CMD_WRITE_ZEROES,
	 FUA | NO_HOLE | FAST_ZERO, START, 0, 4096, OK},
	{flags, "zeroes: DF", CHUNKS, CMD_WRITE_ZEROES, DF, START, 0, 4096,
	 EINVAL_},
	{flags, "status: DF", CONTEXT, CMD_BLOCK_STATUS, DF, START, 0, 4096,
	 EINVAL_},
};

/* On an export that may not be changed. */
static const struct request_case read_only[] = {
	{errors, "write", SIMPLE, CMD_WRITE, 0, START, 0, 4096, EPERM_},
	{errors, "write: FUA, told in a chunk", CHUNKS, CMD_WRITE, FUA, START,
	 0, 100000, EPERM_},
	{errors, "trim", SIMPLE, CMD_TRIM, 0, START, 0, 4096, EPERM_},
	{zeroing, "zeroes", SIMPLE, CMD_WRITE_ZEROES, 0, START, 0, 4096,
	 EPERM_},
	{zeroing, "zeroes: NO_HOLE, told in a chunk", CHUNKS, CMD_WRITE_ZEROES,
	 NO_HOLE, START, 0, 4096, EPERM_},
	{reading, "read", SIMPLE, CMD_READ, 0, START, 0, 4096, OK},
	{flushing, "flush", SIMPLE, CMD_FLUSH, 0, START, 0, 0, OK},
	{caching, "cache", SIMPLE, CMD_CACHE, 0, START, 0, 4096, OK},
	{status, "status", CONTEXT, CMD_BLOCK_STATUS, 0, START, 0, 4096, OK},
};

/* --- a request and its reply --------------------------------------------- */

/* What a write carries, or a read returned. */
static unsigned char *data;

static int open_session(const char *path, enum session session)
{
	int fd = conform_connect(path, CLIENT_MODERN);

	if (session >= CHUNKS)
		conform_structured_reply(fd);
	if (session >= CONTEXT)
		conform_select_context(fd);
	conform_go(fd);
	return fd;
}

static void send_request(int fd, const struct request *r)
{
	unsigned char bytes[28];

	store_be32(bytes, 0x25609513);
	store_be16(bytes + 4, r->flags);
	store_be16(bytes + 6, r->type);
	store_be64(bytes + 8, r->cookie);
	store_be64(bytes + 16, r->offset);
	store_be32(bytes + 24, r->length);
	conform_send(fd, bytes, sizeof(bytes));
	if (r->type == CMD_WRITE && r->length <= MAX_SKIP_BYTES)
		conform_send(fd, data, r->length);
}

static void check_cookie(const struct request *r, const unsigned char *bytes)
{
	if (load_be64(bytes) != r->cookie)
		conform_fail("a reply to another request");
}

/* The rest of a simple reply, its magic being there; returns its error. */
static uint32_t receive_simple(int fd, const struct request *r)
{
	unsigned char bytes[12];

	conform_receive(fd, bytes, sizeof(bytes));
	check_cookie(r, bytes + 4);
	if (r->type == CMD_READ && load_be32(bytes) == OK)
		conform_receive(fd, data, r->length);
	return load_be32(bytes);
}

/* What the chunks of one reply told so far. */
struct told {
	uint64_t covered; /* bytes of data and holes */
	unsigned nr_chunks; /* of those */
	unsigned nr_extents;
	uint32_t error;
};

static void receive_content(int fd, const struct request *r, bool is_hole,
			    uint32_t length, struct told *told)
{
	unsigned char bytes[12];
	uint64_t offset;
	uint32_t nr;

	conform_receive(fd, bytes, is_hole ? 12 : 8);
	offset = load_be64(bytes);
	nr = is_hole ? load_be32(bytes + 8) : length - 8;
	/* Ours come in order, so that they neither overlap nor leave gaps. */
	if (r->type != CMD_READ || length < 9 || (is_hole && length != 12) ||
	    nr == 0 || offset != r->offset + told->covered ||
	    nr > r->length - told->covered)
		conform_fail("a chunk out of place");
	if (is_hole)
		memset(data + told->covered, 0, nr);
	else
		conform_receive(fd, data + told->covered, nr);
	told->covered += nr;
	told->nr_chunks++;
}

static void receive_extents(int fd, const struct request *r, uint32_t length,
			    struct told *told)
{
	unsigned char bytes[8];
	uint64_t sum = 0;

	if (r->type != CMD_BLOCK_STATUS || length < 12 || length % 8 != 4)
		conform_fail("a block status of %u bytes", length);
	conform_receive(fd, bytes, 4); /* the context's id is any */
	for (; length > 4; length -= 8) {
		conform_receive(fd, bytes, 8);
		if (load_be32(bytes) == 0 || load_be32(bytes + 4) > 3 ||
		    sum >= r->length)
			conform_fail("an extent that makes no sense");
		sum += load_be32(bytes);
		told->nr_extents++;
	}
	if (r->flags & REQ_ONE && (told->nr_extents > 1 || sum > r->length))
		conform_fail("more than one extent");
}

static void receive_error(int fd, uint32_t length, struct told *told)
{
	unsigned char bytes[6 + 4096];

	if (length < 6 || length > sizeof(bytes))
		conform_fail("an error of %u bytes", length);
	conform_receive(fd, bytes, length);
	if (load_be16(bytes + 4) != length - 6 || load_be32(bytes) == OK)
		conform_fail("an error that is malformed");
	told->error = load_be32(bytes);
}

/* One chunk, its magic being there; tells whether it was the last. */
static bool receive_chunk(int fd, const struct request *r, struct told *told)
{
	unsigned char bytes[16];
	uint32_t length;

	conform_receive(fd, bytes, sizeof(bytes));
	check_cookie(r, bytes + 4);
	length = load_be32(bytes + 12);
	switch (load_be16(bytes + 2)) {
	case 0:
		if (length || !load_be16(bytes))
			conform_fail("a chunk of nothing that is not the last");
		break;
	case 1:
	case 2:
		receive_content(fd, r, load_be16(bytes + 2) == 2, length, told);
		break;
	case 5:
		receive_extents(fd, r, length, told);
		break;
	case 0x8001:
		receive_error(fd, length, told);
		break;
	default:
		conform_fail("a chunk of type %#x", load_be16(bytes + 2));
	}
	if (load_be16(bytes) > 1)
		conform_fail("a chunk with flags %#x", load_be16(bytes));
	return load_be16(bytes);
}

/* The whole reply; returns its error. */
static uint32_t receive_reply(int fd, enum session session,
			      const struct request *r)
{
	struct told told = {0};
	unsigned char magic[4];
	bool is_last;

	do {
		conform_receive(fd, magic, sizeof(magic));
		if (load_be32(magic) == 0x67446698) {
			if (session != SIMPLE && r->type == CMD_READ)
				conform_fail("a simple reply to a read");
			return receive_simple(fd, r);
		}
		if (load_be32(magic) != 0x668e33ef || session == SIMPLE)
			conform_fail("a reply without its magic");
		is_last = receive_chunk(fd, r, &told);
	} while (!is_last);
	if (told.error)
		return told.error;
	if (r->type == CMD_READ && told.covered != r->length)
		conform_fail("not all that was asked for");
	if (r->flags & DF && told.nr_chunks > 1)
		conform_fail("a fragmented reply");
	if (r->type == CMD_BLOCK_STATUS && !told.nr_extents)
		conform_fail("no block status");
	return OK;
}

static uint32_t run_request(int fd, enum session session,
			    const struct request *r)
{
	send_request(fd, r);
	return receive_reply(fd, session, r);
}

/* --- rows ---------------------------------------------------------------- */

/* The connection is in step, and the page that nothing touches is itself. */
static void expect_known(int fd, enum session session, int byte)
{
	const struct request r = {.type = CMD_READ,
				  .cookie = 7,
				  .offset = KNOWN_OFFSET,
				  .length = KNOWN_BYTES};

	memset(data, ~byte, KNOWN_BYTES);
	if (run_request(fd, session, &r) != OK)
		conform_fail("a page cannot be read afterwards");
	for (unsigned i = 0; i < KNOWN_BYTES; i++) {
		if (data[i] != byte)
			conform_fail("another page changed");
	}
}

static void run_row(const char *path, const struct request_case *c, int known)
{
	struct request r = {.type = c->type,
			    .flags = c->flags,
			    .cookie = 0xfedcba9876543210,
			    .length = c->length};
	int fd = open_session(path, c->session);
	uint32_t error;

	r.offset = (uint64_t)c->offset;
	if (c->base == END)
		r.offset += DISK_BYTES;
	if (c->error == HANGS_UP) {
		send_request(fd, &r);
		conform_expect_end(fd);
		close(fd);
		return;
	}
	error = run_request(fd, c->session, &r);
	if (error != c->error)
		conform_fail("error %u, not %u", error, c->error);
	expect_known(fd, c->session, known);
	close(fd);
}

static void run_table(const char *path, const struct request_case *table,
		      size_t nr, int known)
{
	data = calloc(1, MAX_SKIP_BYTES);
	if (!data)
		conform_fail("no memory");
	for (size_t i = 0; i < nr; i++) {
		conform_begin(table[i].section, table[i].what);
		run_row(path, &table[i], known);
	}
}

/* --- what needs no table ------------------------------------------------- */

/* Flags that nobody knows are known of no type, whatever was negotiated. */
static void unknown_flags(const char *path)
{
	for (uint16_t type = CMD_READ; type <= CMD_BLOCK_STATUS; type++) {
		struct request r = {.type = type, .cookie = 1};
		int fd = open_session(path, CONTEXT);

		if (type == CMD_DISC)
			continue; /* has no reply */
		conform_begin(errors, "flags that have no name");
		r.length = type == CMD_FLUSH ? 0 : 4096;
		for (unsigned bit = 5; bit < 16; bit++) {
			r.flags = (uint16_t)(1u << bit);
			if (run_request(fd, CONTEXT, &r) != EINVAL_)
				conform_fail("type %u takes flag %u", type,
					     bit);
		}
		expect_known(fd, CONTEXT, KNOWN_BYTE);
		close(fd);
	}
}

/* Magic numbers that are reserved, or belong elsewhere. */
static void wrong_magic(const char *path)
{
	static const uint32_t magics[] = {0,	      0x12560953, 0x96744668,
					  0x25609514, 0x21e41c71, 0x67446698,
					  0x668e33ef, UINT32_MAX};
	unsigned char bytes[28] = {0};
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		conform_begin("Reserved Magic values", "a request of these");
		fd = open_session(path, i % 2 ? CONTEXT : SIMPLE);
		store_be32(bytes, magics[i]);
		conform_send(fd, bytes, sizeof(bytes));
		conform_expect_end(fd);
		close(fd);
	}
}

/* It is not answered, and what came before it is. */
static void disconnect(const char *path)
{
	const struct request flush = {.type = CMD_FLUSH, .cookie = 3};
	struct request r = {.type = CMD_DISC, .cookie = 4};

	for (unsigned i = 0; i < 2; i++) {
		int fd = open_session(path, i ? CHUNKS : SIMPLE);

		conform_begin("Request types: NBD_CMD_DISC",
			      i ? "with offset, length and flags" : "");
		send_request(fd, &flush);
		r.offset = i * UINT64_MAX;
		r.length = i * UINT32_MAX;
		r.flags = (uint16_t)(i * UINT16_MAX);
		send_request(fd, &r);
		if (receive_reply(fd, SIMPLE, &flush) != OK)
			conform_fail("the flush before it fails");
		conform_expect_end(fd);
		close(fd);
	}
}

static void write_known(const char *path)
{
	const struct request r = {.type = CMD_WRITE,
				  .offset = KNOWN_OFFSET,
				  .length = KNOWN_BYTES};
	int fd = open_session(path, SIMPLE);

	data = malloc(KNOWN_BYTES);
	if (!data)
		conform_fail("no memory");
	memset(data, KNOWN_BYTE, KNOWN_BYTES);
	if (run_request(fd, SIMPLE, &r) != OK)
		conform_fail("cannot write a page");
	close(fd);
	free(data);
}

void conform_requests(const char *path)
{
	conform_begin(writing, "write: a page");
	write_known(path);
	run_table(path, requests, ARRAY_SIZE(requests), KNOWN_BYTE);
	unknown_flags(path);
	wrong_magic(path);
	disconnect(path);
	free(data);
}

void conform_read_only(const char *path)
{
	run_table(path, read_only, ARRAY_SIZE(read_only), 0);
	free(data);
}

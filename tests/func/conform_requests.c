/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client may get wrong in its requests.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

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
	 ERR_INVAL},
	{errors, "read: past the end", SIMPLE, CMD_READ, 0, END, 0, 1,
	 ERR_INVAL},
	{errors, "read: the end wraps around", SIMPLE, CMD_READ, 0, START, -1,
	 4096, ERR_INVAL},
	{errors, "read in chunks: a byte too many", CHUNKS, CMD_READ, 0, END,
	 -1, 2, ERR_INVAL},
	{errors, "read in chunks: the end wraps around", CHUNKS, CMD_READ, 0,
	 START, -4096, UINT32_MAX, ERR_INVAL},
	{errors, "write: the last byte", SIMPLE, CMD_WRITE, 0, END, -1, 1, OK},
	{errors, "write: a byte too many", SIMPLE, CMD_WRITE, 0, END, -4095,
	 4096, ERR_NOSPC},
	{errors, "write: past the end", SIMPLE, CMD_WRITE, 0, END, 0, 65536,
	 ERR_NOSPC},
	{errors, "write: the end wraps around", SIMPLE, CMD_WRITE, 0, START, -1,
	 4096, ERR_NOSPC},
	{errors, "write: past the end, told in a chunk", CHUNKS, CMD_WRITE, 0,
	 END, -4095, 4096, ERR_NOSPC},
	{errors, "trim: past the end", SIMPLE, CMD_TRIM, 0, END, -4096, 8192,
	 ERR_INVAL},
	{errors, "trim: the end wraps around", SIMPLE, CMD_TRIM, 0, START,
	 -4096, UINT32_MAX, ERR_INVAL},
	{errors, "trim: past the end, told in a chunk", CHUNKS, CMD_TRIM, 0,
	 END, 0, 1, ERR_INVAL},
	{zeroing, "zeroes: past the end", SIMPLE, CMD_WRITE_ZEROES, 0, END,
	 -4096, 8192, ERR_NOSPC},
	{zeroing, "zeroes: the end wraps around", SIMPLE, CMD_WRITE_ZEROES, 0,
	 START, -4096, UINT32_MAX, ERR_NOSPC},
	{sizes, "cache: past the end", SIMPLE, CMD_CACHE, 0, END, -4096, 8192,
	 ERR_INVAL},
	{status, "status: the last byte", CONTEXT, CMD_BLOCK_STATUS, 0, END, -1,
	 1, OK},
	{status, "status: past the end", CONTEXT, CMD_BLOCK_STATUS, 0, END, -1,
	 2, ERR_INVAL},
	{status, "status: the end wraps around", CONTEXT, CMD_BLOCK_STATUS, 0,
	 START, -1, UINT32_MAX, ERR_INVAL},

	/* No length at all: no error, but for what has no answer then. */
	{reading, "read: of nothing", SIMPLE, CMD_READ, 0, START, 0, 0, OK},
	{reading, "read in chunks: of nothing", CHUNKS, CMD_READ, 0, END, 0, 0,
	 OK},
	{writing, "write: of nothing", SIMPLE, CMD_WRITE, 0, END, 0, 0, OK},
	{trimming, "trim: of nothing", SIMPLE, CMD_TRIM, 0, START, 0, 0, OK},
	{zeroing, "zeroes: of nothing", SIMPLE, CMD_WRITE_ZEROES, 0, START, 0,
	 0, OK},
	{status, "status: of nothing", CONTEXT, CMD_BLOCK_STATUS, 0, START, 0,
	 0, ERR_INVAL},

	/* Lengths. */
	{sizes, "read: as long as may be", SIMPLE, CMD_READ, 0, START, 5,
	 32 * MIB, OK},
	{sizes, "read: longer", SIMPLE, CMD_READ, 0, START, 0, 32 * MIB + 1,
	 ERR_INVAL},
	{reading, "read in chunks: longer", CHUNKS, CMD_READ, 0, START, 0,
	 33 * MIB, OK},
	{reading, "read in one chunk: 64 KiB", CHUNKS, CMD_READ, FLAG_DF, START,
	 1, 65536, OK},
	{reading, "read in one chunk: as long as may be", CHUNKS, CMD_READ,
	 FLAG_DF, START, 1, 32 * MIB, OK},
	{reading, "read in one chunk: longer", CHUNKS, CMD_READ, FLAG_DF, START,
	 0, 32 * MIB + 1, ERR_OVERFLOW},
	{sizes, "write: longer", SIMPLE, CMD_WRITE, 0, START, 0, 32 * MIB + 1,
	 ERR_INVAL},
	{sizes, "write: the longest that is skipped", SIMPLE, CMD_WRITE, 0,
	 START, 0, MAX_SKIP_BYTES, ERR_INVAL},
	{sizes, "write: denial of service", SIMPLE, CMD_WRITE, 0, START, 0,
	 MAX_SKIP_BYTES + 1, HANGS_UP},
	{sizes, "write: 4 GiB", CHUNKS, CMD_WRITE, 0, START, 0, UINT32_MAX,
	 HANGS_UP},
	{sizes, "trim: of any length", SIMPLE, CMD_TRIM, 0, START,
	 2 * KNOWN_OFFSET, DISK_BYTES - 2 * KNOWN_OFFSET, OK},
	{sizes, "zeroes: of any length", SIMPLE, CMD_WRITE_ZEROES,
	 FLAG_FAST_ZERO, START, 2 * KNOWN_OFFSET, DISK_BYTES - 2 * KNOWN_OFFSET,
	 OK},

	/* Types. */
	{errors, "the first type that is unknown", SIMPLE, CMD_RESIZE, 0, START,
	 0, 4096, ERR_INVAL},
	{errors, "the largest type", SIMPLE, UINT16_MAX, 0, START, 0, 4096,
	 ERR_INVAL},
	{errors, "an unknown type, told in a chunk", CHUNKS, 99, 0, START, 0, 0,
	 ERR_INVAL},
	{status, "status without structured replies", SIMPLE, CMD_BLOCK_STATUS,
	 0, START, 0, 4096, ERR_INVAL},
	{status, "status without a context", CHUNKS, CMD_BLOCK_STATUS, 0, START,
	 0, 4096, ERR_INVAL},
	{flushing, "flush with an offset", SIMPLE, CMD_FLUSH, 0, START, 1, 0,
	 ERR_INVAL},
	{flushing, "flush with a length", SIMPLE, CMD_FLUSH, 0, START, 0, 1,
	 ERR_INVAL},

	/* Flags; those that no type takes come below. */
	{flags, "read: FUA, as any command", SIMPLE, CMD_READ, FLAG_FUA, START,
	 0, 4096, OK},
	{flags, "write: FUA, as any command", SIMPLE, CMD_WRITE, FLAG_FUA,
	 START, 0, 4096, OK},
	{flags, "trim: FUA, as any command", SIMPLE, CMD_TRIM, FLAG_FUA, START,
	 0, 4096, OK},
	{flags, "flush: FUA, as any command", SIMPLE, CMD_FLUSH, FLAG_FUA,
	 START, 0, 0, OK},
	{flags, "status: FUA, as any command", CONTEXT, CMD_BLOCK_STATUS,
	 FLAG_FUA | FLAG_REQ_ONE, START, 0, 4096, OK},
	{flags, "read: DF without structured replies", SIMPLE, CMD_READ,
	 FLAG_DF, START, 0, 4096, ERR_INVAL},
	{flags, "read: REQ_ONE", CONTEXT, CMD_READ, FLAG_REQ_ONE, START, 0,
	 4096, ERR_INVAL},
	{flags, "write: NO_HOLE", SIMPLE, CMD_WRITE, FLAG_NO_HOLE, START, 0,
	 4096, ERR_INVAL},
	{flags, "write: FAST_ZERO, told in a chunk", CHUNKS, CMD_WRITE,
	 FLAG_FAST_ZERO, START, 0, 4096, ERR_INVAL},
	{flags, "trim: FAST_ZERO", SIMPLE, CMD_TRIM, FLAG_FAST_ZERO, START, 0,
	 4096, ERR_INVAL},
	{flags, "trim: NO_HOLE", SIMPLE, CMD_TRIM, FLAG_NO_HOLE, START, 0, 4096,
	 ERR_INVAL},
	{flags, "trim: DF", CHUNKS, CMD_TRIM, FLAG_DF, START, 0, 4096,
	 ERR_INVAL},
	{caching, "cache: a page", SIMPLE, CMD_CACHE, 0, START, 0, 4096, OK},
	{caching, "cache: a flag that it does not know", SIMPLE, CMD_CACHE,
	 FLAG_REQ_ONE, START, 0, 4096, ERR_INVAL},
	{flags, "zeroes: all its flags", SIMPLE, CMD_WRITE_ZEROES,
	 FLAG_FUA | FLAG_NO_HOLE | FLAG_FAST_ZERO, START, 0, 4096, OK},
	{flags, "zeroes: DF", CHUNKS, CMD_WRITE_ZEROES, FLAG_DF, START, 0, 4096,
	 ERR_INVAL},
	{flags, "status: DF", CONTEXT, CMD_BLOCK_STATUS, FLAG_DF, START, 0,
	 4096, ERR_INVAL},
};

/* On an export that may not be changed. */
static const struct request_case read_only[] = {
	{errors, "write", SIMPLE, CMD_WRITE, 0, START, 0, 4096, ERR_PERM},
	{errors, "write: FUA, told in a chunk", CHUNKS, CMD_WRITE, FLAG_FUA,
	 START, 0, 100000, ERR_PERM},
	{errors, "trim", SIMPLE, CMD_TRIM, 0, START, 0, 4096, ERR_PERM},
	{zeroing, "zeroes", SIMPLE, CMD_WRITE_ZEROES, 0, START, 0, 4096,
	 ERR_PERM},
	{zeroing, "zeroes: NO_HOLE, told in a chunk", CHUNKS, CMD_WRITE_ZEROES,
	 FLAG_NO_HOLE, START, 0, 4096, ERR_PERM},
	{reading, "read", SIMPLE, CMD_READ, 0, START, 0, 4096, OK},
	{flushing, "flush", SIMPLE, CMD_FLUSH, 0, START, 0, 0, OK},
	{caching, "cache", SIMPLE, CMD_CACHE, 0, START, 0, 4096, OK},
	{status, "status", CONTEXT, CMD_BLOCK_STATUS, 0, START, 0, 4096, OK},
};

/* --- rows ---------------------------------------------------------------- */

/* What a write carries, or a read returned. */
static unsigned char *data;

static void open_session(struct nbdc_conn *conn, const char *address,
			 enum session session)
{
	const struct nbdc_wish wish = {.structured = session >= CHUNKS,
				       .context = session >= CONTEXT};

	conform_must(conn, nbdc_connect(conn, address, NBDC_TIMEOUT_S));
	conform_must(conn, nbdc_negotiate(conn, &wish));
}

static uint32_t run_request(struct nbdc_conn *conn,
			    const struct nbdc_request *r)
{
	uint32_t error = OK;

	conform_must(conn, nbdc_run(conn, r, data, &error));
	return error;
}

/* The connection is in step, and the page that nothing touches is itself. */
static void expect_known(struct nbdc_conn *conn, int byte)
{
	const struct nbdc_request r = {.type = CMD_READ,
				       .cookie = 7,
				       .offset = KNOWN_OFFSET,
				       .length = KNOWN_BYTES};

	memset(data, ~byte, KNOWN_BYTES);
	if (run_request(conn, &r) != OK)
		conform_fail("a page cannot be read afterwards");
	for (unsigned i = 0; i < KNOWN_BYTES; i++) {
		if (data[i] != byte)
			conform_fail("another page changed");
	}
}

/* Whatever is sent, without a payload. */
static void send_header(struct nbdc_conn *conn, const struct nbdc_request *r)
{
	unsigned char bytes[NBDC_REQUEST_BYTES];

	nbdc_encode_request(bytes, r);
	conform_must(conn, nbdc_send_bytes(conn, bytes, sizeof(bytes)));
}

static void run_row(const char *address, const struct request_case *c,
		    int known)
{
	struct nbdc_request r = {.type = c->type,
				 .flags = c->flags,
				 .cookie = 0xfedcba9876543210,
				 .offset = (uint64_t)c->offset,
				 .length = c->length};
	struct nbdc_conn conn;
	uint32_t error;

	if (c->base == END)
		r.offset += DISK_BYTES;
	open_session(&conn, address, c->session);
	if (c->error == HANGS_UP) {
		send_header(&conn, &r);
		conform_must(&conn, nbdc_receive_end(&conn));
		nbdc_close(&conn);
		return;
	}
	error = run_request(&conn, &r);
	if (error != c->error)
		conform_fail("error %u, not %u", error, c->error);
	expect_known(&conn, known);
	nbdc_close(&conn);
}

static void run_table(const char *address, const struct request_case *table,
		      size_t nr, int known)
{
	data = calloc(1, MAX_SKIP_BYTES);
	if (!data)
		conform_fail("no memory");
	for (size_t i = 0; i < nr; i++) {
		conform_begin(table[i].section, table[i].what);
		run_row(address, &table[i], known);
	}
}

/* --- what needs no table ------------------------------------------------- */

/* Flags that nobody knows are known of no type, whatever was negotiated. */
static void unknown_flags(const char *address)
{
	struct nbdc_conn conn;

	for (uint16_t type = CMD_READ; type <= CMD_BLOCK_STATUS; type++) {
		struct nbdc_request r = {.type = type, .cookie = 1};

		if (type == CMD_DISC)
			continue; /* has no reply */
		conform_begin(errors, "flags that have no name");
		open_session(&conn, address, CONTEXT);
		r.length = type == CMD_FLUSH ? 0 : 4096;
		for (unsigned bit = 5; bit < 16; bit++) {
			r.flags = (uint16_t)(1u << bit);
			if (run_request(&conn, &r) != ERR_INVAL)
				conform_fail("type %u takes flag %u", type,
					     bit);
		}
		expect_known(&conn, KNOWN_BYTE);
		nbdc_close(&conn);
	}
}

/* Magic numbers that are reserved, or belong elsewhere. */
static void wrong_magic(const char *address)
{
	static const uint32_t magics[] = {0,	      0x12560953, 0x96744668,
					  0x25609514, 0x21e41c71, 0x67446698,
					  0x668e33ef, UINT32_MAX};
	unsigned char bytes[NBDC_REQUEST_BYTES] = {0};
	struct nbdc_conn conn;

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		conform_begin("Reserved Magic values", "a request of these");
		open_session(&conn, address, i % 2 ? CONTEXT : SIMPLE);
		store_be32(bytes, magics[i]);
		conform_must(&conn,
			     nbdc_send_bytes(&conn, bytes, sizeof(bytes)));
		conform_must(&conn, nbdc_receive_end(&conn));
		nbdc_close(&conn);
	}
}

/* It is not answered, and what came before it is. */
static void disconnect(const char *address)
{
	const struct nbdc_request flush = {.type = CMD_FLUSH, .cookie = 3};
	struct nbdc_request r = {.type = CMD_DISC, .cookie = 4};
	struct nbdc_pending done;
	struct nbdc_conn conn;

	for (unsigned i = 0; i < 2; i++) {
		conform_begin("Request types: NBD_CMD_DISC",
			      i ? "with offset, length and flags" : "");
		open_session(&conn, address, i ? CHUNKS : SIMPLE);
		conform_must(&conn, nbdc_send(&conn, &flush, NULL));
		r.offset = i * UINT64_MAX;
		r.length = i * UINT32_MAX;
		r.flags = (uint16_t)(i * UINT16_MAX);
		send_header(&conn, &r);
		conform_must(&conn, nbdc_receive(&conn, &done));
		if (done.error)
			conform_fail("the flush before it fails");
		conform_must(&conn, nbdc_receive_end(&conn));
		nbdc_close(&conn);
	}
}

static void write_known(const char *address)
{
	const struct nbdc_request r = {.type = CMD_WRITE,
				       .offset = KNOWN_OFFSET,
				       .length = KNOWN_BYTES};
	struct nbdc_conn conn;

	data = malloc(KNOWN_BYTES);
	if (!data)
		conform_fail("no memory");
	memset(data, KNOWN_BYTE, KNOWN_BYTES);
	open_session(&conn, address, SIMPLE);
	if (run_request(&conn, &r) != OK)
		conform_fail("cannot write a page");
	nbdc_close(&conn);
	free(data);
}

void conform_requests(const char *address)
{
	conform_begin(writing, "write: a page");
	write_known(address);
	run_table(address, requests, ARRAY_SIZE(requests), KNOWN_BYTE);
	unknown_flags(address);
	wrong_magic(address);
	disconnect(address);
	free(data);
}

void conform_read_only(const char *address)
{
	run_table(address, read_only, ARRAY_SIZE(read_only), 0);
	free(data);
}

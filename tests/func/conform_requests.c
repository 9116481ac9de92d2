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

/* What the page holds that no row changes. */
#define KNOWN_BYTE 0x5a

/* --- rows ---------------------------------------------------------------- */

/* What a write carries, or a read returned. */
static unsigned char *data;

static void open_session(struct nbdc_conn *conn, const char *address,
			 enum nbdc_session session)
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
				       .offset = NBDC_KNOWN_OFFSET,
				       .length = NBDC_KNOWN_BYTES};

	memset(data, ~byte, NBDC_KNOWN_BYTES);
	if (run_request(conn, &r) != OK)
		conform_fail("a page cannot be read afterwards");
	for (unsigned i = 0; i < NBDC_KNOWN_BYTES; i++) {
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

static void run_row(const char *address, const struct nbdc_request_case *c,
		    int known)
{
	struct nbdc_request r = {.type = c->type,
				 .flags = c->flags,
				 .cookie = 0xfedcba9876543210,
				 .offset = c->offset,
				 .length = c->length};
	struct nbdc_conn conn;
	uint32_t error;

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

static void run_table(const char *address,
		      const struct nbdc_request_case *table, size_t nr,
		      int known)
{
	data = calloc(1, NBDC_MAX_SKIP_BYTES);
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
		conform_begin("Command flags", "flags that have no name");
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
				       .offset = NBDC_KNOWN_OFFSET,
				       .length = NBDC_KNOWN_BYTES};
	struct nbdc_conn conn;

	data = malloc(NBDC_KNOWN_BYTES);
	if (!data)
		conform_fail("no memory");
	memset(data, KNOWN_BYTE, NBDC_KNOWN_BYTES);
	open_session(&conn, address, SIMPLE);
	if (run_request(&conn, &r) != OK)
		conform_fail("cannot write a page");
	nbdc_close(&conn);
	free(data);
}

void conform_requests(const char *address)
{
	conform_begin("Request types: NBD_CMD_WRITE", "write: a page");
	write_known(address);
	run_table(address, nbdc_request_cases, nbdc_nr_request_cases,
		  KNOWN_BYTE);
	unknown_flags(address);
	wrong_magic(address);
	disconnect(address);
	free(data);
}

void conform_read_only(const char *address)
{
	run_table(address, nbdc_read_only_cases, nbdc_nr_read_only_cases, 0);
	free(data);
}

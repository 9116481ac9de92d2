/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server owes to several requests, and to several connections, at once.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/units.h"
#include "conform.h"

#define PAGE ZSD_PAGE_BYTES

/* As many as Linux has under way on a connection, and more. */
#define MANY 300u

static const char order[] = "Ordering of messages and writes";
static const char flushing[] = "Request types: NBD_CMD_FLUSH";
static const char flags[] = "Command flags";
static const char multi[] = "Transmission flags: NBD_FLAG_CAN_MULTI_CONN";
static const char cookies[] = "Request message: the cookie";

static unsigned char page[PAGE], back[PAGE];

static void open_session(struct nbdc_conn *conn, const char *address,
			 bool is_structured)
{
	const struct nbdc_wish wish = {.structured = is_structured};

	conform_must(conn, nbdc_connect(conn, address, NBDC_TIMEOUT_S));
	conform_must(conn, nbdc_negotiate(conn, &wish));
}

static struct nbdc_request request_of(uint16_t type, uint64_t cookie,
				      uint64_t offset)
{
	struct nbdc_request r = {.type = type, .cookie = cookie};

	if (type != CMD_FLUSH) {
		r.offset = offset;
		r.length = PAGE;
	}
	return r;
}

static void send(struct nbdc_conn *conn, const struct nbdc_request *r,
		 void *data)
{
	conform_must(conn, nbdc_send(conn, r, data));
}

static void run(struct nbdc_conn *conn, const struct nbdc_request *r,
		void *data)
{
	uint32_t error = OK;

	conform_must(conn, nbdc_run(conn, r, data, &error));
	if (error)
		conform_fail("error %u", error);
}

static void expect_page(struct nbdc_conn *conn, uint64_t offset)
{
	const struct nbdc_request r = request_of(CMD_READ, 99, offset);

	run(conn, &r, back);
	if (memcmp(page, back, PAGE) != 0)
		conform_fail("what was written is not there");
}

/* --- many on one connection ----------------------------------------------- */

static uint16_t type_of(unsigned i)
{
	static const uint16_t types[] = {CMD_READ, CMD_WRITE, CMD_FLUSH,
					 CMD_TRIM, CMD_CACHE, CMD_WRITE_ZEROES};

	return types[i % ARRAY_SIZE(types)];
}

/* All are sent before the first answer is taken. */
static void many_at_once(const char *address, bool is_structured)
{
	bool is_answered[MANY] = {false};
	struct nbdc_pending done;
	struct nbdc_conn conn;

	conform_begin(order, "many requests before any reply");
	open_session(&conn, address, is_structured);
	for (unsigned i = 0; i < MANY; i++) {
		/* The high half: a server that looks at the low one alone
		 * would mix them up. */
		const struct nbdc_request r = request_of(
			type_of(i), (uint64_t)i << 32, (uint64_t)i * PAGE);

		send(&conn, &r, r.type == CMD_WRITE ? page : NULL);
	}
	for (unsigned i = 0; i < MANY; i++) {
		conform_must(&conn, nbdc_receive(&conn, &done));
		if (done.error)
			conform_fail("error %u", done.error);
		is_answered[done.request.cookie >> 32] = true;
	}
	for (unsigned i = 0; i < MANY; i++) {
		if (!is_answered[i])
			conform_fail("request %u is not answered", i);
	}
	nbdc_close(&conn);
}

/* They are the client's matter; the server only returns them. */
static void cookies_repeated(const char *address)
{
	const struct nbdc_request r = request_of(CMD_FLUSH, UINT64_MAX, 0);
	unsigned char bytes[NBDC_REQUEST_BYTES], reply[NBDC_SIMPLE_BYTES];
	struct nbdc_conn conn;

	conform_begin(cookies, "the same for all requests");
	open_session(&conn, address, false);
	nbdc_encode_request(bytes, &r);
	for (unsigned i = 0; i < MANY; i++)
		conform_must(&conn,
			     nbdc_send_bytes(&conn, bytes, sizeof(bytes)));
	for (unsigned i = 0; i < MANY; i++) {
		conform_must(&conn,
			     nbdc_receive_bytes(&conn, reply, sizeof(reply)));
		if (load_be32(reply) != NBDC_SIMPLE_MAGIC ||
		    load_be32(reply + 4) != OK ||
		    load_be64(reply + 8) != UINT64_MAX)
			conform_fail("reply %u is not to it", i);
	}
	nbdc_close(&conn);
}

/* --- flush and FUA -------------------------------------------------------- */

/* A flush covers what was replied to when it came. Here it comes after all
 * changes that were sent before it, which is more. */
static void flush_comes_last(const char *address)
{
	struct nbdc_pending done;
	struct nbdc_conn conn;

	conform_begin(flushing, "behind changes that are under way");
	open_session(&conn, address, true);
	for (unsigned i = 0; i < 100; i++) {
		const struct nbdc_request r =
			request_of(i % 7 ? CMD_WRITE : CMD_WRITE_ZEROES, i,
				   (uint64_t)(i % 50) * PAGE);
		const struct nbdc_request flush = request_of(CMD_FLUSH, 100, 0);

		send(&conn, &r, page);
		if (i == 99)
			send(&conn, &flush, NULL);
	}
	for (unsigned i = 0; i <= 100; i++) {
		conform_must(&conn, nbdc_receive(&conn, &done));
		if (done.error)
			conform_fail("error %u", done.error);
		if (done.request.type == CMD_FLUSH && i != 100)
			conform_fail("it is answered before %u changes",
				     100 - i);
	}
	nbdc_close(&conn);
}

/* What was replied to is there for all, flushed or not. */
static void change_is_seen(const char *address, const char *section,
			   const char *what, uint16_t flag, bool is_flushed)
{
	const struct nbdc_request flush = request_of(CMD_FLUSH, 2, 0);
	struct nbdc_request r = request_of(CMD_WRITE, 1, 0);
	struct nbdc_conn one, other, late;

	r.flags = flag;
	conform_begin(section, what);
	open_session(&one, address, false);
	open_session(&other, address, true);
	for (unsigned i = 0; i < 100; i++) {
		r.offset = (uint64_t)i * PAGE;
		memset(page, (int)(i + flag + is_flushed), PAGE);
		run(&one, &r, page);
		/* By either connection. */
		if (is_flushed)
			run(i % 2 ? &one : &other, &flush, NULL);
		expect_page(&other, r.offset);
	}
	nbdc_close(&one); /* without a goodbye */
	open_session(&late, address, false);
	expect_page(&late, r.offset);
	nbdc_close(&other);
	nbdc_close(&late);
}

/* The same of what empties. */
static void zeroes_are_seen(const char *address, uint16_t type)
{
	struct nbdc_request r = request_of(type, 1, 0);
	const struct nbdc_request write = request_of(CMD_WRITE, 2, 0);
	struct nbdc_conn one, other;

	conform_begin(multi, "zeroes, by another connection");
	open_session(&one, address, false);
	open_session(&other, address, true);
	memset(page, 'z', PAGE);
	run(&other, &write, page);
	r.flags = FLAG_FUA;
	run(&one, &r, NULL);
	memset(page, 0, PAGE);
	expect_page(&other, 0);
	nbdc_close(&one);
	nbdc_close(&other);
}

static void several_are_allowed(const char *address)
{
	struct nbdc_conn conn;

	conform_begin(multi, "that several connections may be open is said");
	open_session(&conn, address, false);
	if (!(conn.flags & EXPORT_MULTI_CONN))
		conform_fail("it is not");
	nbdc_close(&conn);
}

void conform_many(const char *address)
{
	many_at_once(address, false);
	many_at_once(address, true);
	cookies_repeated(address);
	flush_comes_last(address);
	several_are_allowed(address);
	change_is_seen(address, multi, "a write, by another connection", 0,
		       false);
	change_is_seen(address, flags, "a write with FUA, by another", FLAG_FUA,
		       false);
	change_is_seen(address, flushing, "a write, and a flush of either", 0,
		       true);
	zeroes_are_seen(address, CMD_TRIM);
	zeroes_are_seen(address, CMD_WRITE_ZEROES);
}

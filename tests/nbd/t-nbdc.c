/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client that tests the server must see what is wrong: one that takes
 * anything makes every test of the server worthless.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "nbd/nbdc_conn.h"
#include "unit/suite.h"

/* --- replies ------------------------------------------------------------- */

/* What is asked for: 16 bytes at 4096. */
#define COOKIE "ABCDEFGH"
static const struct nbdc_request asked = {
	.cookie = 0x4142434445464748,
	.offset = 4096,
	.length = 16,
};

#define SIMPLE(error)		   "\x67\x44\x66\x98\0\0\0" error COOKIE
#define CHUNK(flags, type, length) "\x66\x8e\x33\xef\0" flags type COOKIE length
#define LAST			   "\1"
#define MORE			   "\0"
#define DATA16			   "0123456789abcdef"
#define DATA(flags) \
	CHUNK(flags, "\0\1", "\0\0\0\x18") "\0\0\0\0\0\0\x10\0" DATA16
#define HOLE(flags, at, bytes)             \
	CHUNK(flags, "\0\2", "\0\0\0\x0c") \
	"\0\0\0\0\0\0\x10" at "\0\0\0" bytes
#define NONE		     CHUNK(LAST, "\0\0", "\0\0\0\0")
#define STATUS(length)	     CHUNK(LAST, "\0\5", "\0\0\0" length) "\0\0\0\1"
#define EXTENT(bytes, state) "\0\0\0" bytes "\0\0\0" state

/* A reply to a request; and, of a wrong one, words that tell so. */
static const struct reply {
	const char *wrong;
	bool structured;
	uint16_t type;
	uint16_t flags;
	const char *bytes;
	size_t nr_bytes;
} replies[] = {
	{NULL, false, CMD_WRITE, 0, BYTES(SIMPLE("\0"))},
	{NULL, false, CMD_WRITE, 0, BYTES(SIMPLE("\x1c"))},
	{NULL, false, CMD_READ, 0, BYTES(SIMPLE("\0") DATA16)},
	{NULL, false, CMD_READ, 0, BYTES(SIMPLE("\5"))},
	{NULL, true, CMD_TRIM, 0, BYTES(SIMPLE("\0"))},
	{NULL, true, CMD_TRIM, 0, BYTES(NONE)},
	{NULL, true, CMD_READ, FLAG_DF, BYTES(DATA(LAST))},
	{NULL, true, CMD_READ, 0, BYTES(DATA(MORE) NONE)},
	{NULL, true, CMD_READ, 0,
	 BYTES(HOLE(MORE, "\0", "\7") HOLE(LAST, "\7", "\x9"))},
	{NULL, true, CMD_READ, 0,
	 BYTES(HOLE(MORE, "\0", "\7") CHUNK(
		 LAST, "\x80\2", "\0\0\0\x11") "\0\0\0\5\0\3bad"
					       "\0\0\0\0\0\0\x10\7")},
	{NULL, true, CMD_BLOCK_STATUS, 0,
	 BYTES(STATUS("\x14") EXTENT("\4", "\3") EXTENT("\x20", "\0"))},
	{NULL, true, CMD_BLOCK_STATUS, 0,
	 BYTES(CHUNK(LAST, "\x80\1", "\0\0\0\6") "\0\0\0\x16\0\0")},

	{"magic", false, CMD_WRITE, 0, BYTES("\x67\x44\x66\x99")},
	{"magic", false, CMD_READ, 0, BYTES(DATA(LAST))},
	{"no request", false, CMD_WRITE, 0,
	 BYTES("\x67\x44\x66\x98\0\0\0\0ABCDEFGI")},
	{"no request", false, CMD_WRITE, 0, BYTES(SIMPLE("\0") SIMPLE("\0"))},
	{"no request", true, CMD_READ, 0, BYTES(DATA(LAST) NONE)},
	{"none of the protocol's", false, CMD_WRITE, 0, BYTES(SIMPLE("\2"))},
	{"simple reply to a read", true, CMD_READ, 0, BYTES(SIMPLE("\5"))},
	{"simple reply to a block", true, CMD_BLOCK_STATUS, 0,
	 BYTES(SIMPLE("\x16"))},
	{"simple reply to a block", false, CMD_BLOCK_STATUS, 0,
	 BYTES(SIMPLE("\0"))},
	{"flags", true, CMD_TRIM, 0, BYTES(CHUNK("\2", "\0\0", "\0\0\0\0"))},
	{"type 0x3", true, CMD_READ, 0, BYTES(CHUNK(LAST, "\0\3", "\0\0\0\0"))},
	{"type 0, 1 bytes", true, CMD_TRIM, 0,
	 BYTES(CHUNK(LAST, "\0\0", "\0\0\0\1"))},
	{"nothing", true, CMD_TRIM, 0, BYTES(CHUNK(MORE, "\0\0", "\0\0\0\0"))},
	{"type 0x1, 8 bytes", true, CMD_READ, 0,
	 BYTES(CHUNK(LAST, "\0\1", "\0\0\0\x8"))},
	{"type 0x2, 11 bytes", true, CMD_READ, 0,
	 BYTES(CHUNK(LAST, "\0\2", "\0\0\0\xb"))},
	{"out of place", true, CMD_TRIM, 0, BYTES(DATA(LAST))},
	{"out of place: 0 bytes", true, CMD_READ, 0,
	 BYTES(HOLE(MORE, "\0", "\0"))},
	{"out of place: 17 bytes", true, CMD_READ, 0,
	 BYTES(HOLE(MORE, "\0", "\x11"))},
	{"out of place: 4 bytes at 4100", true, CMD_READ, 0,
	 BYTES(HOLE(LAST, "\4", "\4"))},
	{"out of place: 9 bytes at 4103", true, CMD_READ, 0,
	 BYTES(HOLE(MORE, "\0", "\x8") HOLE(LAST, "\7", "\x9"))},
	{"fragmented", true, CMD_READ, FLAG_DF,
	 BYTES(HOLE(MORE, "\0", "\x8") HOLE(LAST, "\x8", "\x8"))},
	{"8 bytes of 16", true, CMD_READ, 0, BYTES(HOLE(LAST, "\0", "\x8"))},
	{"0 bytes of 16", true, CMD_READ, 0, BYTES(NONE)},
	{"no block status", true, CMD_BLOCK_STATUS, 0, BYTES(NONE)},
	{"block status of 12", true, CMD_READ, 0,
	 BYTES(STATUS("\xc") EXTENT("\x10", "\0"))},
	{"block status of 13", true, CMD_BLOCK_STATUS, 0, BYTES(STATUS("\xd"))},
	{"extent of 0 bytes", true, CMD_BLOCK_STATUS, 0,
	 BYTES(STATUS("\xc") EXTENT("\0", "\0"))},
	{"state 0x4", true, CMD_BLOCK_STATUS, 0,
	 BYTES(STATUS("\xc") EXTENT("\x10", "\4"))},
	{"extent of 1 bytes", true, CMD_BLOCK_STATUS, 0,
	 BYTES(STATUS("\x14") EXTENT("\x10", "\0") EXTENT("\1", "\0"))},
	{"one extent", true, CMD_BLOCK_STATUS, FLAG_REQ_ONE,
	 BYTES(STATUS("\x14") EXTENT("\x8", "\0") EXTENT("\x8", "\0"))},
	{"one extent", true, CMD_BLOCK_STATUS, FLAG_REQ_ONE,
	 BYTES(STATUS("\xc") EXTENT("\x11", "\0"))},
	{"text of 4", true, CMD_READ, 0,
	 BYTES(CHUNK(LAST, "\x80\1", "\0\0\0\x9") "\0\0\0\5\0\4bad")},
	{"text of 3", true, CMD_READ, 0,
	 BYTES(CHUNK(LAST, "\x80\1", "\0\0\0\x9") "\0\0\0\5\0\3b\0d")},
	{"none of the protocol's", true, CMD_READ, 0,
	 BYTES(CHUNK(LAST, "\x80\1", "\0\0\0\6") "\0\0\0\0\0\0")},
	{"error at 4112", true, CMD_READ, 0,
	 BYTES(CHUNK(LAST, "\x80\2", "\0\0\0\xe") "\0\0\0\5\0\0"
						  "\0\0\0\0\0\0\x10\x10")},
};

/* What events told of. */
struct heard {
	unsigned nr_done;
	uint32_t error; /* of the last that was done */
	uint64_t bytes;
	char data[64]; /* of a read */
};

/* Feed @bytes in pieces of at most @piece. Return: 0, or -EPROTO. */
static int feed(struct nbdc_replies *r, const char *bytes, size_t nr,
		size_t piece, struct heard *heard)
{
	struct nbdc_event event;
	size_t used;

	memset(heard, 0, sizeof(*heard));
	for (size_t at = 0; at <= nr; at += used) {
		if (nbdc_replies_next(r, (const unsigned char *)bytes + at,
				      min_u64(nr - at, piece), &used, &event))
			return -EPROTO;
		if (event.kind == NBDC_MORE && at == nr)
			break;
		if (event.kind == NBDC_DONE) {
			heard->nr_done++;
			heard->error = event.pending->error;
		} else if (event.kind != NBDC_MORE) {
			heard->bytes += event.bytes;
		}
		if (event.kind == NBDC_DATA)
			memcpy(heard->data + event.offset % 4096, event.data,
			       event.bytes);
	}
	return 0;
}

/* However it is cut into pieces. */
START_TEST(each_reply_is_taken_or_told_to_be_wrong)
{
	static const size_t pieces[] = {1, 3, SIZE_MAX};
	const struct reply *reply = &replies[_i];
	struct nbdc_request request = asked;
	struct nbdc_replies r;
	struct heard heard;

	request.type = reply->type;
	request.flags = reply->flags;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		nbdc_replies_init(&r, reply->structured);
		nbdc_replies_sent(&r, &request, NULL);
		if (feed(&r, reply->bytes, reply->nr_bytes, pieces[i],
			 &heard)) {
			ck_assert_msg(reply->wrong &&
					      strstr(r.wrong, reply->wrong),
				      "%s", r.wrong);
		} else {
			ck_assert_msg(!reply->wrong, "not told: %s",
				      reply->wrong);
			ck_assert_uint_eq(heard.nr_done, 1);
			ck_assert(nbdc_replies_are_idle(&r));
		}
		nbdc_replies_fini(&r);
	}
}
END_TEST

/* Four requests, and their replies in another order, one inside another. */
START_TEST(replies_come_in_any_order)
{
	static const char bytes[] =
		"\x67\x44\x66\x98\0\0\0\0\0\0\0\0\0\0\0\4"
		"\x66\x8e\x33\xef\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\xa"
		"\0\0\0\0\0\0\x10\0ab"
		"\x66\x8e\x33\xef\0\1\0\1\0\0\0\0\0\0\0\3\0\0\0\xc"
		"\0\0\0\0\0\0\x10\0wxyz"
		"\x67\x44\x66\x98\0\0\0\x1c\0\0\0\0\0\0\0\1"
		"\x66\x8e\x33\xef\0\1\0\1\0\0\0\0\0\0\0\2\0\0\0\xa"
		"\0\0\0\0\0\0\x10\2cd";
	struct nbdc_request request = {.offset = 4096, .length = 4};
	const struct nbdc_pending *left;
	struct nbdc_replies r;
	struct heard heard;

	nbdc_replies_init(&r, true);
	for (unsigned i = 1; i <= 4; i++) {
		request.cookie = i;
		request.type = i == 2 || i == 3 ? CMD_READ : CMD_WRITE;
		nbdc_replies_sent(&r, &request, NULL);
	}
	ck_assert_int_eq(feed(&r, bytes, 86, 1, &heard), 0);
	ck_assert_uint_eq(heard.nr_done, 2);
	left = nbdc_replies_after(&r, NULL);
	ck_assert_uint_eq(left->request.cookie, 1);
	left = nbdc_replies_after(&r, left);
	ck_assert_uint_eq(left->request.cookie, 2);
	ck_assert_ptr_null(nbdc_replies_after(&r, left));
	ck_assert_int_eq(
		feed(&r, bytes + 86, sizeof(bytes) - 1 - 86, 1, &heard), 0);
	ck_assert_uint_eq(heard.nr_done, 2);
	ck_assert_mem_eq(heard.data + 2, "cd", 2);
	ck_assert(nbdc_replies_are_idle(&r));
	nbdc_replies_fini(&r);
}
END_TEST

/* --- answers to options -------------------------------------------------- */

static const struct {
	bool is_right;
	uint32_t type;
	const char *data;
	size_t bytes;
} reps[] = {
	{true, REP_ACK, BYTES("")},
	{true, REP_SERVER, BYTES("\0\0\0\4swapa disk")},
	{true, REP_INFO, BYTES("\0\0\0\0\0\0\0\0\x10\0\0\1")},
	{true, REP_INFO, BYTES("\0\3\0\0\0\1\0\0\x10\0\2\0\0\0")},
	{true, REP_META_CONTEXT, BYTES("\0\0\0\1base:allocation")},
	{true, REP_ERR_UNSUP, BYTES("no such option")},
	{false, REP_ACK, BYTES("x")},
	{false, REP_SERVER, BYTES("\0\0\0\5swap")},
	{false, REP_SERVER, BYTES("\0\0\0\4sw\0p")},
	{false, REP_INFO, BYTES("\0")},
	{false, REP_INFO, BYTES("\0\0\0\0\0\0\0\0\x10\0\0\1\0")},
	{false, REP_INFO, BYTES("\0\3\0\0\0\1\0\0\x10\0\2\0\0")},
	{false, REP_INFO, BYTES("\0\1sw\0p")},
	{false, REP_META_CONTEXT, BYTES("\0\0\0\1")},
	{false, REP_ERR_UNSUP, BYTES("no such\0option")},
	{false, 5, BYTES("")},
	{false, REP_ERR(0), BYTES("")},
};

START_TEST(each_answer_is_taken_or_told_to_be_wrong)
{
	unsigned char bytes[256];
	struct nbdc_bytes b = {.data = bytes, .room = sizeof(bytes)};
	struct nbdc_rep rep;

	nbdc_put(&b, 8, NBDC_REP_MAGIC);
	nbdc_put(&b, 4, OPT_GO);
	nbdc_put(&b, 4, reps[_i].type);
	nbdc_put(&b, 4, reps[_i].bytes);
	nbdc_put_bytes(&b, reps[_i].data, reps[_i].bytes);
	ck_assert_int_eq(!nbdc_take_rep(&b, OPT_GO, &rep), reps[_i].is_right);
	b.taken = 0;
	ck_assert_ptr_nonnull(nbdc_take_rep(&b, OPT_INFO, &rep));
	b.taken = 0;
	b.bytes--;
	ck_assert_ptr_nonnull(nbdc_take_rep(&b, OPT_GO, &rep));
}
END_TEST

/* --- a connection -------------------------------------------------------- */

#define GREETING "NBDMAGICIHAVEOPT\0\3"
#define REP(option, type, length) \
	"\0\3\xe8\x89\4Ue\xa9\0\0\0" option "\0\0\0" type "\0\0\0" length
#define GO_INFO REP("\7", "\3", "\xc") "\0\0\0\0\0\0\0\1\0\0\0\x21"
#define GO_ACK	REP("\7", "\1", "\0")

/* All that a server says, before it is asked; then it hangs up. */
static int listen_to(const char *bytes, size_t nr, const struct nbdc_wish *wish,
		     struct nbdc_conn *conn)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(write(fds[1], bytes, nr), (ssize_t)nr);
	ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
	nbdc_adopt(conn, fds[0]);
	return nbdc_negotiate(conn, wish);
}

START_TEST(a_session_is_negotiated_and_served)
{
	static const char bytes[] = GREETING GO_INFO GO_ACK SIMPLE("\0") DATA16;
	const struct nbdc_wish plain = {0};
	char data[16];
	struct nbdc_conn conn;
	uint32_t error = 1;

	ck_assert_int_eq(listen_to(BYTES(bytes), &plain, &conn), 0);
	ck_assert_uint_eq(conn.size_bytes, 65536);
	ck_assert_uint_eq(conn.flags, EXPORT_HAS_FLAGS | EXPORT_TRIM);
	ck_assert_int_eq(nbdc_run(&conn, &asked, data, &error), 0);
	ck_assert_uint_eq(error, OK);
	ck_assert_mem_eq(data, DATA16, 16);
	ck_assert_int_eq(nbdc_receive_end(&conn), 0);
	nbdc_close(&conn);
}
END_TEST

static const struct {
	const char *bytes;
	size_t nr_bytes;
	int err;
} handshakes[] = {
	{BYTES("NBDMAGICIHAVEOPS\0\3" GO_INFO GO_ACK), -EPROTO},
	{BYTES("NBDMAGICIHAVEOPT\0\7" GO_INFO GO_ACK), -EPROTO},
	{BYTES(GREETING REP("\6", "\1", "\0")), -EPROTO},
	{BYTES(GREETING "\0\3\xe8\x89\4Ue\xa8\0\0\0\7\0\0\0\1\0\0\0\0"),
	 -EPROTO},
	{BYTES(GREETING GO_ACK), -EPROTO}, /* nothing of the export */
	{BYTES(GREETING GO_INFO), -ECONNRESET},
	{BYTES(GREETING "\0\3\xe8\x89\4Ue\xa9\0\0\0\7\x80\0\0\6\0\0\0\0"),
	 -ENOENT},
};

START_TEST(a_wrong_handshake_is_told)
{
	const struct nbdc_wish plain = {0};
	struct nbdc_conn conn;

	ck_assert_int_eq(listen_to(handshakes[_i].bytes,
				   handshakes[_i].nr_bytes, &plain, &conn),
			 handshakes[_i].err);
	nbdc_close(&conn);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nbdc");
	TCase *tc = tcase_create("nbdc");

	tcase_add_loop_test(tc, each_reply_is_taken_or_told_to_be_wrong, 0,
			    ARRAY_SIZE(replies));
	tcase_add_test(tc, replies_come_in_any_order);
	tcase_add_loop_test(tc, each_answer_is_taken_or_told_to_be_wrong, 0,
			    ARRAY_SIZE(reps));
	tcase_add_test(tc, a_session_is_negotiated_and_served);
	tcase_add_loop_test(tc, a_wrong_handshake_is_told, 0,
			    ARRAY_SIZE(handshakes));
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

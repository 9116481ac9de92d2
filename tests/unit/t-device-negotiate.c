/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's half of the handshake against servers of all kinds: what one
 * says is written to a socket beforehand, what it was told is read afterwards.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nbd/nbdc_bytes.h"
#include "nbd/nbdc_wire.h"
#include "suite.h"
#include "zsctl/device/negotiate.h"

/* Nothing here takes longer; what is to end by the timeout has a short one. */
#define PATIENCE_MS 10000u
#define SHORT_MS    50u

#define SIZE_BYTES UINT64_C(0x123456789000)
#define FLAGS	   0x16d

static uint8_t memory[64u << 10];
static struct nbdc_bytes wire;

static void setup(void)
{
	wire = (struct nbdc_bytes){memory, sizeof(memory), 0, 0, false};
}

/* --- what a server says
 * ------------------------------------------------------- */

static void put_greeting(uint16_t flags)
{
	nbdc_put_text(&wire, "NBDMAGICIHAVEOPT");
	nbdc_put(&wire, 2, flags);
}

static void put_reply(uint32_t type, uint32_t bytes)
{
	nbdc_put(&wire, 8, UINT64_C(0x3e889045565a9));
	nbdc_put(&wire, 4, 7);
	nbdc_put(&wire, 4, type);
	nbdc_put(&wire, 4, bytes);
}

static void put_export(void)
{
	put_reply(3, 12);
	nbdc_put(&wire, 2, 0);
	nbdc_put(&wire, 8, SIZE_BYTES);
	nbdc_put(&wire, 2, FLAGS);
}

static void put_blocks(uint32_t min_bytes)
{
	put_reply(3, 14);
	nbdc_put(&wire, 2, 3);
	nbdc_put(&wire, 4, min_bytes);
	nbdc_put(&wire, 4, 4096);
	nbdc_put(&wire, 4, 32u << 20);
}

static void put_name(size_t bytes)
{
	put_reply(3, (uint32_t)(2 + bytes));
	nbdc_put(&wire, 2, 1);
	for (size_t i = 0; i < bytes; i++)
		nbdc_put(&wire, 1, 'n');
}

/* --- running
 * ------------------------------------------------------------------- */

struct outcome {
	int err;
	struct negotiated told;
	char why[NEGOTIATE_TEXT_BYTES];
	uint8_t heard[8192]; /* by the server */
	ssize_t nr_heard;
	size_t left; /* of what the server said */
};

static struct outcome run(const char *export, bool hangs_up,
			  unsigned timeout_ms)
{
	struct outcome o = {.why = ""};
	ssize_t n;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert(!wire.overrun);
	ck_assert_int_eq(write(fds[1], wire.data, wire.bytes),
			 (ssize_t)wire.bytes);
	if (hangs_up)
		shutdown(fds[1], SHUT_WR);
	o.err = negotiate(fds[0], export, timeout_ms, &o.told, o.why);
	while ((n = recv(fds[0], o.heard, sizeof(o.heard), MSG_DONTWAIT)) > 0)
		o.left += (size_t)n;
	o.nr_heard = recv(fds[1], o.heard, sizeof(o.heard), MSG_DONTWAIT);
	close(fds[0]);
	close(fds[1]);
	return o;
}

static void expect_error(int err, const char *why)
{
	struct outcome o = run("", true, PATIENCE_MS);

	ck_assert_int_eq(o.err, err);
	ck_assert_msg(strstr(o.why, why), "'%s' lacks '%s'", o.why, why);
	ck_assert_uint_eq(o.told.size_bytes, 0);
}

/* --- as it should be ---------------------------------------------------------
 */

/* Loop: handshake flags of the server. */
START_TEST(an_export_is_chosen)
{
	const uint16_t flags = _i ? 3 : 1;
	struct outcome o;

	put_greeting(flags);
	put_export();
	put_name(4096);
	put_blocks(512);
	put_reply(1, 0);
	nbdc_put_text(&wire, "left");
	o = run("disk", false, PATIENCE_MS);
	ck_assert_msg(o.err == 0, "%s", o.why);
	ck_assert_uint_eq(o.told.size_bytes, SIZE_BYTES);
	ck_assert_uint_eq(o.told.flags, FLAGS);
	ck_assert_uint_eq(o.told.min_block_bytes, 512);
	ck_assert_uint_eq(o.left, 4);

	/* Its own flags, then OPT_GO with the name and one wish. */
	setup();
	nbdc_put(&wire, 4, flags);
	nbdc_put_text(&wire, "IHAVEOPT");
	nbdc_put(&wire, 4, 7);
	nbdc_put(&wire, 4, 4 + 4 + 2 + 2);
	nbdc_put(&wire, 4, 4);
	nbdc_put_text(&wire, "disk");
	nbdc_put(&wire, 2, 1);
	nbdc_put(&wire, 2, 3);
	ck_assert_int_eq(o.nr_heard, (ssize_t)wire.bytes);
	ck_assert_mem_eq(o.heard, wire.data, wire.bytes);
}
END_TEST

START_TEST(block_sizes_may_be_left_out)
{
	struct outcome o;

	put_greeting(3);
	put_export();
	put_reply(1, 0);
	o = run("", false, PATIENCE_MS);
	ck_assert_int_eq(o.err, 0);
	ck_assert_uint_eq(o.told.min_block_bytes, 1);
}
END_TEST

/* --- refusals ----------------------------------------------------------------
 */

static const struct {
	uint32_t type;
	int err;
	const char *why;
} refusals[] = {
	{0x80000001, -EPROTONOSUPPORT, "NBD_OPT_GO"},
	{0x80000002, -EACCES, "does not let us in"},
	{0x80000003, -EPROTO, "it refuses"},
	{0x80000005, -EACCES, "TLS"},
	{0x80000006, -ENOENT, "no export of that name"},
	{0x80000007, -ECONNRESET, "shutting down"},
	{0xffffffff, -EPROTO, "it refuses"},
};

START_TEST(a_refusal_is_told)
{
	put_greeting(3);
	put_reply(refusals[_i].type, 0);
	expect_error(refusals[_i].err, refusals[_i].why);
}
END_TEST

START_TEST(the_servers_own_words_are_plain)
{
	struct outcome o;

	put_greeting(3);
	put_reply(0x80000006, 9);
	nbdc_put_text(&wire, "go\n\x1b[2Jaw");
	o = run("", true, PATIENCE_MS);
	ck_assert_int_eq(o.err, -ENOENT);
	ck_assert_msg(strstr(o.why, "(\"go??[2Jaw\")"), "%s", o.why);
}
END_TEST

START_TEST(the_longest_words_are_cut)
{
	put_greeting(3);
	put_reply(0x80000006, 4098);
	for (unsigned i = 0; i < 4098; i++)
		nbdc_put(&wire, 1, 'x');
	expect_error(-ENOENT, "xxx");
}
END_TEST

/* --- servers that are wrong
 * ---------------------------------------------------- */

static void no_nbd(void)
{
	nbdc_put_text(&wire, "SSH-2.0-OpenSSH_9.2p1 Debian");
}

static void half_magic(void)
{
	nbdc_put_text(&wire, "NBDMAGICIHAVENOT");
}

static void oldstyle(void)
{
	nbdc_put_text(&wire, "NBDMAGIC");
	nbdc_put(&wire, 8, UINT64_C(0x00420281861253));
}

static void not_fixed(void)
{
	put_greeting(2);
}

static void silent(void)
{
	nbdc_put_text(&wire, "NBDMAG");
}

static void no_reply(void)
{
	put_greeting(3);
	nbdc_put_text(&wire, "this is no magic at all");
}

static void reply_to_another(void)
{
	put_greeting(3);
	nbdc_put(&wire, 8, UINT64_C(0x3e889045565a9));
	nbdc_put(&wire, 4, 6);
	nbdc_put(&wire, 4, 1);
	nbdc_put(&wire, 4, 0);
}

static void too_long(void)
{
	put_greeting(3);
	put_reply(3, 4099);
}

static void endless(void)
{
	put_greeting(3);
	put_reply(3, 0xffffffff);
}

static void short_export(void)
{
	put_greeting(3);
	put_reply(3, 11);
	for (unsigned i = 0; i < 11; i++)
		nbdc_put(&wire, 1, 0);
}

static void short_blocks(void)
{
	put_greeting(3);
	put_reply(3, 2);
	nbdc_put(&wire, 2, 3);
}

static void empty_info(void)
{
	put_greeting(3);
	put_reply(3, 0);
}

static void no_export(void)
{
	put_greeting(3);
	put_blocks(1);
	put_reply(1, 0);
}

static void unasked(void)
{
	put_greeting(3);
	put_export();
	put_reply(2, 0);
}

static void talkative(void)
{
	put_greeting(3);
	for (unsigned i = 0; i < 100; i++)
		put_name(10);
}

static const struct {
	void (*put)(void);
	int err;
	const char *why;
} servers[] = {
	{no_nbd, -EPROTO, "not an NBD server"},
	{half_magic, -EPROTO, "not an NBD server"},
	{oldstyle, -EPROTONOSUPPORT, "before 2011"},
	{not_fixed, -EPROTONOSUPPORT, "fixed newstyle"},
	{silent, -ECONNRESET, "hung up"},
	{no_reply, -EPROTO, "no reply"},
	{reply_to_another, -EPROTO, "no reply"},
	{too_long, -EPROTO, "too long"},
	{endless, -EPROTO, "too long"},
	{short_export, -EPROTO, "length"},
	{short_blocks, -EPROTO, "length"},
	{empty_info, -EPROTO, "length"},
	{no_export, -EPROTO, "nobody asked for"},
	{unasked, -EPROTO, "nobody asked for"},
	{talkative, -EPROTO, "come to an end"},
};

START_TEST(a_server_is_wrong)
{
	servers[_i].put();
	expect_error(servers[_i].err, servers[_i].why);
}
END_TEST

/* Wherever it hangs up, and wherever it falls silent. */
START_TEST(a_server_ends_at_any_byte)
{
	size_t whole;

	put_greeting(3);
	put_export();
	put_blocks(1);
	put_reply(1, 0);
	whole = wire.bytes;
	for (wire.bytes = 0; wire.bytes < whole; wire.bytes++)
		expect_error(-ECONNRESET, "hung up");
}
END_TEST

START_TEST(a_silent_server_is_given_up)
{
	struct outcome o;

	put_greeting(3);
	o = run("", false, SHORT_MS);
	ck_assert_int_eq(o.err, -ETIMEDOUT);
	ck_assert_msg(strstr(o.why, "in time"), "%s", o.why);
}
END_TEST

START_TEST(a_name_may_be_too_long)
{
	static char name[4098];
	struct outcome o;

	memset(name, 'n', 4097);
	put_greeting(3);
	o = run(name, false, PATIENCE_MS);
	ck_assert_int_eq(o.err, -ENAMETOOLONG);
}
END_TEST

int main(void)
{
	const int nr_refusals = sizeof(refusals) / sizeof(refusals[0]);
	const int nr_servers = sizeof(servers) / sizeof(servers[0]);
	Suite *suite = suite_create("device-negotiate");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, an_export_is_chosen, 0, 2);
	tcase_add_test(tc, block_sizes_may_be_left_out);
	tcase_add_loop_test(tc, a_refusal_is_told, 0, nr_refusals);
	tcase_add_test(tc, the_servers_own_words_are_plain);
	tcase_add_test(tc, the_longest_words_are_cut);
	tcase_add_loop_test(tc, a_server_is_wrong, 0, nr_servers);
	tcase_add_test(tc, a_server_ends_at_any_byte);
	tcase_add_test(tc, a_silent_server_is_given_up);
	tcase_add_test(tc, a_name_may_be_too_long);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}

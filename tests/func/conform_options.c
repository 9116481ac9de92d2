/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client may get wrong before its first request.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "conform.h"

/* Longest data that the server looks at, and most options that it takes: its
 * own limits, which the specification leaves to it. */
#define MAX_DATA_BYTES (64u << 10)
#define MAX_OPTIONS    64u

/* Bytes from a literal, which may hold zeros; its own NUL is none of them. */
#define BYTES(literal) literal, sizeof(literal) - 1

/* --- the connection goes on ---------------------------------------------- */

/* The transmission phase has begun: a flush must be answered. */
static void expect_transmission(int fd)
{
	unsigned char bytes[28] = {0x25, 0x60, 0x95, 0x13};

	store_be16(bytes + 6, CMD_FLUSH);
	store_be64(bytes + 8, 0x1122334455667788);
	conform_send(fd, bytes, sizeof(bytes));
	conform_receive(fd, bytes, 16);
	if (load_be32(bytes) != 0x67446698 || load_be32(bytes + 4) != 0 ||
	    load_be64(bytes + 8) != 0x1122334455667788)
		conform_fail("a flush afterwards is not answered");
}

static void expect_in_step(int fd)
{
	conform_go(fd);
	expect_transmission(fd);
}

/* --- options ------------------------------------------------------------- */

static const char newstyle[] = "Newstyle negotiation";
static const char fixed[] = "Fixed newstyle negotiation";
static const char notls[] = "NOTLS mode";
static const char types[] = "Option types";
static const char querying[] = "Metadata querying";
static const char base[] = "The base: metadata namespace";
static const char strings[] = "Conventions";
static const char ending[] =
	"Termination of the session during option haggling";

static const struct option_case {
	const char *section;
	const char *what;
	uint32_t option;
	uint32_t also; /* another option of which the same holds, or 0 */
	const char *data;
	size_t bytes;
	size_t padding; /* so many 'n' follow */
	uint32_t answer;
	bool is_unstructured; /* without STRUCTURED_REPLY before it */
} options[] = {
	/* Options that are not known. */
	{types, "option 0", 0, 0, BYTES(""), 0, REP_ERR_UNSUP, false},
	{types, "an option of no number yet", 12, 0, BYTES(""), 0,
	 REP_ERR_UNSUP, false},
	{fixed, "the largest option, with data to be skipped", UINT32_MAX, 0,
	 BYTES("data"), 5000, REP_ERR_UNSUP, false},
	{types, "PEEK_EXPORT, withdrawn", OPT_PEEK_EXPORT, 0, BYTES(""), 0,
	 REP_ERR_UNSUP, false},
	{types, "EXTENDED_HEADERS, an extension", OPT_EXTENDED_HEADERS, 0,
	 BYTES(""), 0, REP_ERR_UNSUP, false},
	{notls, "STARTTLS", OPT_STARTTLS, 0, BYTES(""), 0, REP_ERR_UNSUP,
	 false},
	{notls, "STARTTLS with data", OPT_STARTTLS, 0, BYTES("x"), 0,
	 REP_ERR_UNSUP, false},

	/* EXPORT_NAME, which knows no error. */
	{types, "EXPORT_NAME of no export", OPT_EXPORT_NAME, 0, BYTES("other"),
	 0, HANGS_UP, false},
	{types, "EXPORT_NAME with a NUL", OPT_EXPORT_NAME, 0, BYTES("disk\0"),
	 0, HANGS_UP, false},
	{strings, "EXPORT_NAME of 4097 bytes", OPT_EXPORT_NAME, 0, BYTES(""),
	 4097, HANGS_UP, false},
	{strings, "EXPORT_NAME of 65537 bytes", OPT_EXPORT_NAME, 0, BYTES(""),
	 MAX_DATA_BYTES + 1, HANGS_UP, false},

	/* LIST, STRUCTURED_REPLY: no data. */
	{types, "LIST with data", OPT_LIST, 0, BYTES("x"), 0, REP_ERR_INVALID,
	 false},
	{types, "STRUCTURED_REPLY with data", OPT_STRUCTURED_REPLY, 0,
	 BYTES("x"), 0, REP_ERR_INVALID, true},
	{fixed, "STRUCTURED_REPLY once more", OPT_STRUCTURED_REPLY, 0,
	 BYTES(""), 0, REP_ACK, false},

	/* INFO and GO. */
	{types, "no data", OPT_INFO, OPT_GO, BYTES(""), 0, REP_ERR_INVALID,
	 false},
	{types, "a name length alone", OPT_INFO, OPT_GO, BYTES("\0\0\0\0"), 0,
	 REP_ERR_INVALID, false},
	{types, "half a count of infos", OPT_INFO, OPT_GO, BYTES("\0\0\0\0\0"),
	 0, REP_ERR_INVALID, false},
	{types, "a name longer than the data - 6", OPT_INFO, OPT_GO,
	 BYTES("\0\0\0\5disk\0\0"), 0, REP_ERR_INVALID, false},
	{types, "a name of 2^32 - 1 bytes", OPT_INFO, OPT_GO,
	 BYTES("\377\377\377\377\0\0"), 0, REP_ERR_INVALID, false},
	{types, "an info too few", OPT_INFO, OPT_GO, BYTES("\0\0\0\0\0\2\0\3"),
	 0, REP_ERR_INVALID, false},
	{types, "65535 infos that are not there", OPT_INFO, OPT_GO,
	 BYTES("\0\0\0\0\377\377"), 0, REP_ERR_INVALID, false},
	{types, "a byte after the infos", OPT_INFO, OPT_GO,
	 BYTES("\0\0\0\0\0\1\0\3x"), 0, REP_ERR_INVALID, false},
	{types, "an unknown export", OPT_INFO, OPT_GO,
	 BYTES("\0\0\0\5other\0\0"), 0, REP_ERR_UNKNOWN, false},
	{types, "an unknown info", OPT_INFO, OPT_GO,
	 BYTES("\0\0\0\0\0\1\377\377"), 0, REP_ACK, false},
	{types, "an info that is asked for twice", OPT_INFO, OPT_GO,
	 BYTES("\0\0\0\0\0\2\0\3\0\3"), 0, REP_ACK, false},
	{types, "data of 65537 bytes", OPT_INFO, OPT_GO, BYTES(""),
	 MAX_DATA_BYTES + 1, REP_ERR_TOO_BIG, false},

	/* LIST_META_CONTEXT and SET_META_CONTEXT. */
	{types, "contexts without structured replies", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT,
	 BYTES("\0\0\0\0\0\0\0\1\0\0\0\17base:allocation"), 0, REP_ERR_INVALID,
	 true},
	{types, "no data", OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT,
	 BYTES(""), 0, REP_ERR_INVALID, false},
	{types, "no count of queries", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0"), 0, REP_ERR_INVALID, false},
	{types, "a name that reaches beyond the data", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\5disk\0\0\0\0"), 0,
	 REP_ERR_INVALID, false},
	{types, "a name of 2^32 - 1 bytes", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\377\377\377\377\0\0\0\0"), 0,
	 REP_ERR_INVALID, false},
	{types, "a query that is not there", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\1"), 0, REP_ERR_INVALID,
	 false},
	{types, "2^32 - 1 queries that are not there", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\377\377\377\377"), 0,
	 REP_ERR_INVALID, false},
	{types, "a query that reaches beyond the data", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT,
	 BYTES("\0\0\0\0\0\0\0\1\0\0\0\20base:allocation"), 0, REP_ERR_INVALID,
	 false},
	{types, "a query of 2^32 - 1 bytes", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT,
	 BYTES("\0\0\0\0\0\0\0\1\377\377\377\377base:allocation"), 0,
	 REP_ERR_INVALID, false},
	{types, "a byte after the queries", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\0x"), 0, REP_ERR_INVALID,
	 false},
	{querying, "a query without a colon", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\1\0\0\0\4base"), 0,
	 REP_ERR_INVALID, false},
	{querying, "a query with an empty namespace", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\1\0\0\0\2:x"), 0,
	 REP_ERR_INVALID, false},
	{strings, "a query of 4098 bytes", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\1\0\0\20\2x:"), 4096,
	 REP_ERR_INVALID, false},
	{types, "contexts of an unknown export", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT,
	 BYTES("\0\0\0\5other\0\0\0\1\0\0\0\17base:allocation"), 0,
	 REP_ERR_UNKNOWN, false},
	{types, "a query of an unknown namespace", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\1\0\0\0\6qemu:x"), 0,
	 REP_ACK, false},
	{base, "a query of an unknown leaf", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES("\0\0\0\0\0\0\0\1\0\0\0\6base:x"), 0,
	 REP_ACK, false},
	{types, "data of 65537 bytes", OPT_LIST_META_CONTEXT,
	 OPT_SET_META_CONTEXT, BYTES(""), MAX_DATA_BYTES + 1, REP_ERR_TOO_BIG,
	 false},
};

static void run_option_case(const char *path, const struct option_case *c,
			    uint32_t option)
{
	int fd = conform_connect(path, CLIENT_MODERN);
	size_t bytes = c->bytes + c->padding;
	char *data = malloc(bytes + 1);
	uint32_t answer;

	if (!data)
		conform_fail("no memory");
	memcpy(data, c->data, c->bytes);
	memset(data + c->bytes, 'n', c->padding);
	if (!c->is_unstructured)
		conform_structured_reply(fd);
	conform_send_option(fd, option, (uint32_t)bytes, data, bytes);
	free(data);
	if (c->answer == HANGS_UP) {
		conform_expect_end(fd);
		close(fd);
		return;
	}
	answer = conform_receive_answer(fd, option);
	if (answer != c->answer)
		conform_fail("option %u: %#x, not %#x", option, answer,
			     c->answer);
	if (option == OPT_GO && answer == REP_ACK)
		expect_transmission(fd);
	else
		expect_in_step(fd);
	close(fd);
}

/* --- bytes that are no option -------------------------------------------- */

static const struct raw_case {
	const char *section;
	const char *what;
	uint32_t client_flags;
	const char *bytes; /* what follows them */
	size_t nr_bytes;
} raw_cases[] = {
	{"Client flags", "the first client flag that has no name", 1u << 2,
	 BYTES("")},
	{"Client flags", "the last one", 1u << 31, BYTES("")},
	{"Client flags", "known ones among all others", UINT32_MAX, BYTES("")},
	{newstyle, "an option without its magic", CLIENT_MODERN,
	 BYTES("\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\0")},
	{newstyle, "the magic of option replies", CLIENT_MODERN,
	 BYTES("\0\3\350\211\4Ue\251\0\0\0\3\0\0\0\0")},
	{newstyle, "a request in place of an option", CLIENT_MODERN,
	 BYTES("\45\140\225\23\0\0\0\0\0\0\0\0\0\0\0\1"
	       "\0\0\0\0\0\0\0\0\0\0\20\0")},
};

static void run_raw_case(const char *path, const struct raw_case *c)
{
	int fd = conform_connect(path, c->client_flags);

	conform_send(fd, c->bytes, c->nr_bytes);
	conform_expect_end(fd);
	close(fd);
}

/* --- the others ---------------------------------------------------------- */

/* Without fixed newstyle there is one option, and others must be said to be
 * none instead of being misunderstood. */
static void old_newstyle(const char *path)
{
	static const uint32_t others[] = {OPT_ABORT, OPT_LIST, OPT_GO,
					  OPT_STRUCTURED_REPLY};
	unsigned char answer[134], zeros[124] = {0};
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		conform_begin(newstyle, "an option of fixed newstyle alone");
		fd = conform_connect(path, 0);
		conform_send_option(fd, others[i], 0, NULL, 0);
		if (conform_receive_answer(fd, others[i]) != REP_ERR_INVALID)
			conform_fail("option %u is taken", others[i]);
		conform_send_option(fd, OPT_EXPORT_NAME, 0, NULL, 0);
		conform_receive(fd, answer, sizeof(answer));
		if (memcmp(answer + 10, zeros, sizeof(zeros)) != 0)
			conform_fail("the padding is not zeros");
		expect_transmission(fd);
		close(fd);
	}
}

static void abort_with_data(const char *path)
{
	int fd = conform_connect(path, CLIENT_MODERN);

	conform_begin(types, "ABORT with data");
	conform_send_option(fd, OPT_ABORT, 3, "why", 3);
	if (conform_receive_answer(fd, OPT_ABORT) != REP_ACK)
		conform_fail("it is not acknowledged");
	conform_expect_end(fd);
	close(fd);
}

static void too_many_options(const char *path)
{
	int fd = conform_connect(path, CLIENT_MODERN);

	conform_begin(ending, "an option too many");
	for (unsigned i = 0; i < MAX_OPTIONS; i++) {
		conform_send_option(fd, OPT_STARTTLS, 0, NULL, 0);
		if (conform_receive_answer(fd, OPT_STARTTLS) != REP_ERR_UNSUP)
			conform_fail("option %u is not answered", i);
	}
	conform_send_option(fd, OPT_GO, 6, "\0\0\0\0\0", 6);
	conform_expect_end(fd);
	close(fd);
}

void conform_options(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(raw_cases); i++) {
		conform_begin(raw_cases[i].section, raw_cases[i].what);
		run_raw_case(path, &raw_cases[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option_case *c = &options[i];

		conform_begin(c->section, c->what);
		run_option_case(path, c, c->option);
		if (!c->also)
			continue;
		conform_begin(c->section, c->what);
		run_option_case(path, c, c->also);
	}
	old_newstyle(path);
	abort_with_data(path);
	too_many_options(path);
}

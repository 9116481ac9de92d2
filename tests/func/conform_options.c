/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client may get wrong before its first request.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

/* Longest data that the server looks at, and most options that it takes: its
 * own limits, which the specification leaves to it. */
#define MAX_DATA_BYTES (64u << 10)
#define MAX_OPTIONS    64u

/* Bytes from a literal, which may hold zeros; its own NUL is none of them. */
#define BYTES(literal) literal, sizeof(literal) - 1

/* --- a connection -------------------------------------------------------- */

static void connect_to(struct nbdc_conn *conn, const char *address,
		       uint32_t client_flags)
{
	conform_must(conn, nbdc_connect(conn, address, NBDC_TIMEOUT_S));
	conform_must(conn, nbdc_greet(conn, client_flags));
}

/* The type of the last answer. */
static uint32_t run_option(struct nbdc_conn *conn, uint32_t option,
			   const void *data, size_t bytes)
{
	uint32_t answer = 0;

	conform_must(conn, nbdc_send_option(conn, option, data, bytes));
	conform_must(conn, nbdc_receive_answer(conn, option, &answer));
	return answer;
}

/* The transmission phase has begun: a flush must be answered. */
static void expect_transmission(struct nbdc_conn *conn)
{
	const struct nbdc_request flush = {.type = CMD_FLUSH,
					   .cookie = 0x1122334455667788};
	uint32_t error = OK;

	conform_must(conn, nbdc_run(conn, &flush, NULL, &error));
	if (error)
		conform_fail("a flush afterwards fails");
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

/* The server may hang up when it has seen the header. */
static void expect_end(struct nbdc_conn *conn, uint32_t option,
		       const void *data, size_t bytes)
{
	int err = nbdc_send_option(conn, option, data, bytes);

	if (err != -EPIPE && err != -ECONNRESET)
		conform_must(conn, err);
	conform_must(conn, nbdc_receive_end(conn));
}

static void expect_answer(struct nbdc_conn *conn, const struct option_case *c,
			  uint32_t option, const void *data, size_t bytes)
{
	uint32_t answer = run_option(conn, option, data, bytes);

	if (answer != c->answer)
		conform_fail("option %u: %#x, not %#x", option, answer,
			     c->answer);
	if ((option != OPT_GO || answer != REP_ACK) &&
	    run_option(conn, OPT_GO, "\0\0\0\0\0", 6) != REP_ACK)
		conform_fail("and nothing goes on");
	expect_transmission(conn);
}

static void run_option_case(const char *address, const struct option_case *c,
			    uint32_t option)
{
	size_t bytes = c->bytes + c->padding;
	char *data = malloc(bytes + 1);
	struct nbdc_conn conn;

	if (!data)
		conform_fail("no memory");
	memcpy(data, c->data, c->bytes);
	memset(data + c->bytes, 'n', c->padding);
	connect_to(&conn, address, NBDC_MODERN);
	if (!c->is_unstructured)
		run_option(&conn, OPT_STRUCTURED_REPLY, NULL, 0);
	if (c->answer == HANGS_UP)
		expect_end(&conn, option, data, bytes);
	else
		expect_answer(&conn, c, option, data, bytes);
	nbdc_close(&conn);
	free(data);
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
	{newstyle, "an option without its magic", NBDC_MODERN,
	 BYTES("\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\0")},
	{newstyle, "the magic of option replies", NBDC_MODERN,
	 BYTES("\0\3\350\211\4Ue\251\0\0\0\3\0\0\0\0")},
	{newstyle, "a request in place of an option", NBDC_MODERN,
	 BYTES("\45\140\225\23\0\0\0\0\0\0\0\0\0\0\0\1"
	       "\0\0\0\0\0\0\0\0\0\0\20\0")},
};

static void run_raw_case(const char *address, const struct raw_case *c)
{
	struct nbdc_conn conn;

	connect_to(&conn, address, c->client_flags);
	conform_must(&conn, nbdc_send_bytes(&conn, c->bytes, c->nr_bytes));
	conform_must(&conn, nbdc_receive_end(&conn));
	nbdc_close(&conn);
}

/* --- the others ---------------------------------------------------------- */

/* Without fixed newstyle there is one option, and others must be said to be
 * none instead of being misunderstood. */
static void old_newstyle(const char *address)
{
	static const uint32_t others[] = {OPT_ABORT, OPT_LIST, OPT_GO,
					  OPT_STRUCTURED_REPLY};
	unsigned char answer[NBDC_EXPORT_BYTES + NBDC_EXPORT_PAD_BYTES];
	unsigned char zeros[NBDC_EXPORT_PAD_BYTES] = {0};
	struct nbdc_conn conn;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		conform_begin(newstyle, "an option of fixed newstyle alone");
		connect_to(&conn, address, 0);
		if (run_option(&conn, others[i], NULL, 0) != REP_ERR_INVALID)
			conform_fail("option %u is taken", others[i]);
		conform_must(&conn,
			     nbdc_send_option(&conn, OPT_EXPORT_NAME, NULL, 0));
		conform_must(&conn,
			     nbdc_receive_bytes(&conn, answer, sizeof(answer)));
		if (memcmp(answer + NBDC_EXPORT_BYTES, zeros, sizeof(zeros)))
			conform_fail("the padding is not zeros");
		expect_transmission(&conn);
		nbdc_close(&conn);
	}
}

static void abort_with_data(const char *address)
{
	struct nbdc_conn conn;

	conform_begin(types, "ABORT with data");
	connect_to(&conn, address, NBDC_MODERN);
	if (run_option(&conn, OPT_ABORT, "why", 3) != REP_ACK)
		conform_fail("it is not acknowledged");
	conform_must(&conn, nbdc_receive_end(&conn));
	nbdc_close(&conn);
}

static void too_many_options(const char *address)
{
	struct nbdc_conn conn;

	conform_begin(ending, "an option too many");
	connect_to(&conn, address, NBDC_MODERN);
	for (unsigned i = 0; i < MAX_OPTIONS; i++) {
		if (run_option(&conn, OPT_STARTTLS, NULL, 0) != REP_ERR_UNSUP)
			conform_fail("option %u is not answered", i);
	}
	expect_end(&conn, OPT_GO, "\0\0\0\0\0", 6);
	nbdc_close(&conn);
}

void conform_options(const char *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(raw_cases); i++) {
		conform_begin(raw_cases[i].section, raw_cases[i].what);
		run_raw_case(address, &raw_cases[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option_case *c = &options[i];

		conform_begin(c->section, c->what);
		run_option_case(address, c, c->option);
		if (!c->also)
			continue;
		conform_begin(c->section, c->what);
		run_option_case(address, c, c->also);
	}
	old_newstyle(address);
	abort_with_data(address);
	too_many_options(address);
}

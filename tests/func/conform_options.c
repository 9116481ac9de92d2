/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client may get wrong before its first request.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

/* Most options that the server takes: a limit of its own, which the
 * specification leaves to it. */
#define MAX_OPTIONS 64u

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
static const char types[] = "Option types";
static const char ending[] =
	"Termination of the session during option haggling";

/* The server may hang up when it has seen the header. */
static void expect_end(struct nbdc_conn *conn, uint32_t option,
		       const void *data, size_t bytes)
{
	int err = nbdc_send_option(conn, option, data, bytes);

	if (err != -EPIPE && err != -ECONNRESET)
		conform_must(conn, err);
	conform_must(conn, nbdc_receive_end(conn));
}

static void expect_answer(struct nbdc_conn *conn,
			  const struct nbdc_option_case *c, uint32_t option,
			  const void *data, size_t bytes)
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

static void run_option_case(const char *address,
			    const struct nbdc_option_case *c, uint32_t option)
{
	char *data = malloc(c->bytes + 1);
	struct nbdc_conn conn;

	if (!data)
		conform_fail("no memory");
	memset(data, 'n', c->bytes);
	memcpy(data, c->data, c->nr_given);
	connect_to(&conn, address, NBDC_MODERN);
	if (c->structured)
		run_option(&conn, OPT_STRUCTURED_REPLY, NULL, 0);
	if (c->answer == HANGS_UP)
		expect_end(&conn, option, data, c->bytes);
	else
		expect_answer(&conn, c, option, data, c->bytes);
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
	for (size_t i = 0; i < nbdc_nr_option_cases; i++) {
		const struct nbdc_option_case *c = &nbdc_option_cases[i];

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

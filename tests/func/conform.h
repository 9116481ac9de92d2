/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conform - does a server answer as the specification says?
 *
 * Tables of what a client may get wrong, each row with the section of the
 * specification that says what must come back. Each row is sent over a socket
 * of its own, and unless the server must hang up, the connection must serve on
 * afterwards, in step and with its data intact.
 *
 * It shares no code with the server's own protocol; numbers stand here again.
 * Source: NBD doc/proto.md, of which the sections are.
 */
#ifndef ZSD_FUNC_CONFORM_H
#define ZSD_FUNC_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* --- the protocol -------------------------------------------------------- */

#define CLIENT_FIXED_NEWSTYLE (1u << 0)
#define CLIENT_NO_ZEROES      (1u << 1)
#define CLIENT_MODERN	      (CLIENT_FIXED_NEWSTYLE | CLIENT_NO_ZEROES)

enum {
	OPT_EXPORT_NAME = 1,
	OPT_ABORT,
	OPT_LIST,
	OPT_PEEK_EXPORT,
	OPT_STARTTLS,
	OPT_INFO,
	OPT_GO,
	OPT_STRUCTURED_REPLY,
	OPT_LIST_META_CONTEXT,
	OPT_SET_META_CONTEXT,
	OPT_EXTENDED_HEADERS,
};

#define REP_ACK		1u
#define REP_ERR(n)	(UINT32_C(0x80000000) + (n))
#define REP_ERR_UNSUP	REP_ERR(1u)
#define REP_ERR_INVALID REP_ERR(3u)
#define REP_ERR_UNKNOWN REP_ERR(6u)
#define REP_ERR_TOO_BIG REP_ERR(9u)

enum {
	CMD_READ,
	CMD_WRITE,
	CMD_DISC,
	CMD_FLUSH,
	CMD_TRIM,
	CMD_CACHE,
	CMD_WRITE_ZEROES,
	CMD_BLOCK_STATUS,
	CMD_RESIZE, /* of an extension */
};

#define FUA	  (1u << 0)
#define NO_HOLE	  (1u << 1)
#define DF	  (1u << 2)
#define REQ_ONE	  (1u << 3)
#define FAST_ZERO (1u << 4)

enum {
	OK = 0,
	EPERM_ = 1,
	EINVAL_ = 22,
	ENOSPC_ = 28,
	EOVERFLOW_ = 75,
};

/* In place of an answer: the connection ends without one. */
#define HANGS_UP UINT32_MAX

/* --- a case -------------------------------------------------------------- */

/* Names the row at hand, for all that fails from here on, and counts it. */
void conform_begin(const char *section, const char *what);

/* How many rows were begun. */
unsigned conform_nr_cases(void);

/* Ends the program. */
void conform_fail(const char *fmt, ...) ZSD_PRINTF(1, 2) ZSD_NORETURN;

/* --- a connection; all end the program where they fail ------------------- */

/* Connects, takes the greeting, and sends @client_flags. */
int conform_connect(const char *path, uint32_t client_flags);

void conform_send(int fd, const void *bytes, size_t nr_bytes);
void conform_receive(int fd, void *bytes, size_t nr_bytes);

/* The server hangs up, having sent nothing more. */
void conform_expect_end(int fd);

/* An option whose header says @length; @bytes of data are sent. */
void conform_send_option(int fd, uint32_t option, uint32_t length,
			 const void *data, size_t bytes);

/* All replies to @option; returns the type of the last one. */
uint32_t conform_receive_answer(int fd, uint32_t option);

/* Options as they are right. */
void conform_structured_reply(int fd);
void conform_select_context(int fd);
void conform_go(int fd);

/* --- the tables ---------------------------------------------------------- */

/* conform_options.c */
void conform_options(const char *path);

/* conform_requests.c: on a server that may be written to, or may not. */
void conform_requests(const char *path);
void conform_read_only(const char *path);

#endif

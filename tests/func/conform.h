/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conform - does a server answer as the specification says?
 *
 * Each row of the tables in nbdc_cases.h is sent over a socket of its own, and
 * unless the server must hang up, the connection must serve on afterwards, in
 * step and with its data intact.
 */
#ifndef ZSD_FUNC_CONFORM_H
#define ZSD_FUNC_CONFORM_H

#include "base/compiler.h"
#include "nbd/nbdc_cases.h"
#include "nbd/nbdc_conn.h"

/* Names the row at hand, for all that fails from here on, and counts it. */
void conform_begin(const char *section, const char *what);

/* How many rows were begun. */
unsigned conform_nr_cases(void);

/* Ends the program; and the same where @err is an error. */
void conform_fail(const char *fmt, ...) ZSD_PRINTF(1, 2) ZSD_NORETURN;
void conform_must(const struct nbdc_conn *conn, int err);

/* --- the modes ---------------------------------------------------------- */

/* conform_options.c */
void conform_options(const char *address);

/* conform_many.c: several requests, and connections, at once. */
void conform_many(const char *address);

/* conform_requests.c: on a server that may be written to, or may not. */
void conform_requests(const char *address);
void conform_read_only(const char *address);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdc_cases - what a client may get wrong, and what must come back
 *
 * Tables to ask the running server, over a socket, as well as its parts. Each
 * row tells the section of the specification that says so. The export is
 * called "swap", and there is none called "other".
 *
 * Source: NBD doc/proto.md, of which the sections are.
 */
#ifndef ZSD_TESTS_NBD_NBDC_CASES_H
#define ZSD_TESTS_NBD_NBDC_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "nbd/nbdc_bytes.h"

/* In place of an answer: the connection ends without one. */
#define HANGS_UP UINT32_MAX

/* Longest data of an option that the server looks at, and longest payload that
 * it skips: its own limits, which the specification leaves to it, bytes. */
#define NBDC_MAX_DATA_BYTES (64u << 10)
#define NBDC_MAX_SKIP_BYTES (64u << 20)

/* Size of the export that requests are for. A page that no row changes. */
#define NBDC_CASES_DISK_BYTES (256u << 20)
#define NBDC_KNOWN_OFFSET     (1u << 20)
#define NBDC_KNOWN_BYTES      4096u

struct nbdc_option_case {
	const char *section;
	const char *what;
	uint32_t option;
	uint32_t also; /* another option of which the same holds, or 0 */
	const char *data;
	size_t nr_given; /* bytes at @data; what is missing are 'n' */
	size_t bytes;
	uint32_t answer; /* type of the last one */
	bool structured; /* OPT_STRUCTURED_REPLY goes before it */
};

extern const struct nbdc_option_case nbdc_option_cases[];
extern const size_t nbdc_nr_option_cases;

/* What was negotiated. */
enum nbdc_session {
	SIMPLE,
	CHUNKS, /* structured replies */
	CONTEXT, /* and base:allocation */
};

struct nbdc_request_case {
	const char *section;
	const char *what;
	enum nbdc_session session;
	uint16_t type;
	uint16_t flags;
	uint64_t offset;
	uint32_t length;
	uint32_t error;
};

extern const struct nbdc_request_case nbdc_request_cases[];
extern const size_t nbdc_nr_request_cases;

/* On an export that may not be changed. */
extern const struct nbdc_request_case nbdc_read_only_cases[];
extern const size_t nbdc_nr_read_only_cases;

#endif

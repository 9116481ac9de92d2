/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handshake_rig - a client that talks to a handshake, byte by byte
 *
 * A test says all that the client says, has the talk, and takes apart what the
 * server answered. There is one talk; client_flags() begins it anew.
 */
#ifndef ZSD_UNIT_HANDSHAKE_RIG_H
#define ZSD_UNIT_HANDSHAKE_RIG_H

#include <check.h>

#include "base/compiler.h"
#include "nbd/handshake.h"
#include "nbd/nbdc_bytes.h"

#define EXPORT_SIZE  0x123456789000ull
#define EXPORT_FLAGS (EXPORT_HAS_FLAGS | EXPORT_TRIM)

/* Room, bytes: the longest option, its header and what goes before it. */
#define TALK_BYTES (128u << 10)

/* What is served, and the names that it has. */
#define NR_OUR_NAMES 2
extern const struct nbd_export export;
extern const struct nbd_exports exports; /* that one alone */
extern const char *const our_names[NR_OUR_NAMES];

/* What the client says, and what became of it. */
struct talk {
	struct nbdc_bytes in;
	struct nbdc_bytes out;
	size_t consumed;
	enum nbd_handshake_result result;
	int close_reason;
	struct nbd_session session;
};

extern struct talk talk;

/* --- the client ---------------------------------------------------------- */

void client_flags(uint32_t flags);

void client_option(uint32_t option, const void *data, size_t bytes);

/* INFO or GO. */
void client_info(uint32_t option, const char *name, const uint16_t *infos,
		 unsigned nr);

void client_go(void);

/* LIST_META_CONTEXT or SET_META_CONTEXT; queries up to one that is NULL. */
void client_context(uint32_t option, const char *name,
		    const char *const queries[]);

void client_set(const char *name, const char *query);

/* --- the talk ------------------------------------------------------------ */

/* Feeds what the client says in pieces: each time the server sees all that
 * it did not consume, and @piece bytes more. */
void feed(const struct nbd_exports *served, size_t piece);

/* Has the talk with the export, and takes the greeting. However it is cut in
 * pieces, the outcome must be the same. */
void run(void);

/* --- the answers --------------------------------------------------------- */

void take_greeting(void);

/* An answer to an option, with these data. */
void take_rep(uint32_t option, uint32_t type, const void *data, size_t bytes);

void take_ack(uint32_t option);

/* An error and its text, which is for people: any will do. */
void take_error(uint32_t option, uint32_t type);

/* All answers to an option, the last of which is of this type. */
void take_answer(uint32_t option, uint32_t last);

/* Size and flags of the export, as they stand in an answer or by themselves. */
void take_export(unsigned flags);
void take_info_export(uint32_t option, unsigned flags);

void take_go(void);

/* Nothing more was answered. */
void take_end(void);

void ends_in_transmission(void);

void ends_closed(int reason);

#endif

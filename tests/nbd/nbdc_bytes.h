/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdc_bytes - what a client says, put together, and what it hears, taken apart
 *
 * A struct nbdc_bytes is memory of the caller's. What is put goes to its end;
 * what is taken comes from where the last taking stopped. Where there is no
 * room, or nothing left, overrun is set; from then on nothing is put, and zeros
 * are taken.
 */
#ifndef ZSD_TESTS_NBD_NBDC_BYTES_H
#define ZSD_TESTS_NBD_NBDC_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nbd/nbdc_wire.h"

/* Of a literal, which may hold zeros; its own NUL is none of them. */
#define BYTES(literal) literal, sizeof(literal) - 1

struct nbdc_bytes {
	unsigned char *data;
	size_t room;
	size_t bytes; /* filled */
	size_t taken;
	bool overrun;
};

/* Room for @bytes more, for the caller to fill; or NULL. */
unsigned char *nbdc_extend(struct nbdc_bytes *b, size_t bytes);

/* A number of @bytes, at most 8; bytes; those of a text, without its NUL. */
void nbdc_put(struct nbdc_bytes *b, unsigned bytes, uint64_t value);
void nbdc_put_bytes(struct nbdc_bytes *b, const void *p, size_t bytes);
void nbdc_put_text(struct nbdc_bytes *b, const char *text);

/* The next number; the next bytes, or NULL. */
uint64_t nbdc_take(struct nbdc_bytes *b, unsigned bytes);
const unsigned char *nbdc_take_bytes(struct nbdc_bytes *b, size_t bytes);

/* --- options ------------------------------------------------------------- */

/* The header of an option, whose data are still to be put; a whole one. */
void nbdc_put_option_header(struct nbdc_bytes *b, uint32_t option,
			    size_t length);
void nbdc_put_option(struct nbdc_bytes *b, uint32_t option, const void *data,
		     size_t bytes);

/* OPT_INFO or OPT_GO, asking for INFO_*. */
void nbdc_put_info(struct nbdc_bytes *b, uint32_t option, const char *name,
		   const uint16_t *infos, unsigned nr);

/* OPT_LIST_META_CONTEXT or OPT_SET_META_CONTEXT; @queries end with NULL. */
void nbdc_put_contexts(struct nbdc_bytes *b, uint32_t option, const char *name,
		       const char *const *queries);

/* An answer to an option; one that is not the last is followed by another. */
struct nbdc_rep {
	uint32_t type;
	uint32_t length;
	const unsigned char *data;
};

/*
 * Take an answer to @option, and see that its data are such as its type wants.
 * Return: NULL, or what is wrong with it.
 */
const char *nbdc_take_rep(struct nbdc_bytes *b, uint32_t option,
			  struct nbdc_rep *out);

/* REP_ACK, or an error. */
bool nbdc_rep_is_last(uint32_t type);

/* --- requests ------------------------------------------------------------ */

struct nbdc_request {
	uint16_t flags;
	uint16_t type;
	uint64_t cookie;
	uint64_t offset;
	uint32_t length;
};

void nbdc_encode_request(unsigned char bytes[NBDC_REQUEST_BYTES],
			 const struct nbdc_request *request);
void nbdc_put_request(struct nbdc_bytes *b, const struct nbdc_request *request);

#endif

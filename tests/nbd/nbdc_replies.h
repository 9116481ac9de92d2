/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdc_replies - follows the replies to requests, and finds what is wrong
 *
 * It is told of each request that is sent, and fed with what comes back, in
 * pieces of any size. Replies may come in any order, and the chunks of several
 * between each other; each finds its request by the cookie.
 *
 * Every rule of the specification that a reply can break is checked: the first
 * one that is broken ends it, with -EPROTO and a sentence in wrong. What only
 * the caller can know, the bytes that a read must return, it looks at itself.
 * Chunks of one read must come in order, which is more than the specification
 * asks.
 *
 * Source: NBD doc/proto.md, "Transmission".
 */
#ifndef ZSD_TESTS_NBD_NBDC_REPLIES_H
#define ZSD_TESTS_NBD_NBDC_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "nbd/nbdc_bytes.h"

/* A request that waits for its reply, and what came of it so far. */
struct nbdc_pending {
	struct nbdc_request request;
	void *data; /* the caller's */
	bool is_under_way;
	unsigned nr_parts; /* data, holes, block statuses */
	uint64_t covered; /* bytes that they told of */
	uint32_t error; /* ERR_*, or OK so far */
};

/* What a piece of a reply says. */
enum nbdc_event_kind {
	NBDC_MORE, /* nothing, until more comes */
	NBDC_DATA, /* @bytes read from @offset are at @data */
	NBDC_HOLE, /* the same, but they are zeros */
	NBDC_EXTENT, /* @bytes from @offset on are in @state: STATE_* */
	NBDC_DONE, /* the reply is whole; its error is in @pending */
};

struct nbdc_event {
	enum nbdc_event_kind kind;
	const struct nbdc_pending *pending; /* until the next is sent */
	uint64_t offset;
	uint32_t bytes;
	uint32_t state;
	const unsigned char *data;
};

/* Longest piece that is looked at as a whole: an error with its text. */
#define NBDC_MAX_PIECE (6u + NBDC_MAX_STRING_BYTES + 8u)

struct nbdc_chunk;

struct nbdc_replies {
	bool structured; /* structured replies were negotiated */

	struct nbdc_pending *pending; /* in the order of sending */
	size_t first; /* of those that may be under way */
	size_t nr, room;

	/* The reply that comes. */
	int (*step)(struct nbdc_replies *r, struct nbdc_event *event);
	size_t have, want; /* of the piece that step looks at */
	unsigned char piece[NBDC_MAX_PIECE];
	size_t at; /* the request that it is to */
	const struct nbdc_chunk *chunk; /* its type */
	bool is_last; /* and no other follows */
	uint32_t body_left; /* bytes of it, or all */
	uint32_t data_left;
	uint64_t offset; /* of what comes next */

	char wrong[128];
};

/* @structured: whether structured replies were negotiated. Release:
 * nbdc_replies_fini(). */
void nbdc_replies_init(struct nbdc_replies *r, bool structured);
void nbdc_replies_fini(struct nbdc_replies *r);

/* @request is on its way; @data stands in its events. */
void nbdc_replies_sent(struct nbdc_replies *r,
		       const struct nbdc_request *request, void *data);

/**
 * nbdc_replies_next() - look at what came
 * @used:  receives how much of @bytes was taken; all, where event is NBDC_MORE
 * @event: receives what it says
 *
 * To be called again, with what is left or with nothing, until event is
 * NBDC_MORE.
 * Return: 0, or -EPROTO.
 */
int nbdc_replies_next(struct nbdc_replies *r, const unsigned char *bytes,
		      size_t nr_bytes, size_t *used,
		      struct nbdc_event *event) ZSD_MUST_CHECK;

/* How many bytes the next event needs at least; of data, all. */
size_t nbdc_replies_wanted(const struct nbdc_replies *r);

/* Whether nothing is under way, and no part of a reply has come. */
bool nbdc_replies_are_idle(const struct nbdc_replies *r);

/* Go through all that is under way, in the order of sending: the first one
 * after @pending, or of all; NULL where there is none. */
const struct nbdc_pending *
nbdc_replies_after(const struct nbdc_replies *r,
		   const struct nbdc_pending *pending);

#endif

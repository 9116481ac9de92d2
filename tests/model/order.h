/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order - a client that finds out in which order its requests take effect
 *
 * It sends requests that overlap at random, without waiting for replies. A
 * reference does each of them in the moment in which it is sent: what a read
 * returns, whenever that is, must be what the reference held then. So requests
 * that overlap must take effect in the order of sending; others may overtake
 * each other. A flush must come after all changes that were sent before it.
 *
 * Bytes to the server are in wire, from taken to bytes; those from it are given
 * to order_receive(). How they get there is the user's matter. What is wrong
 * ends the program by model_fail().
 */
#ifndef ZSD_MODEL_ORDER_H
#define ZSD_MODEL_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"
#include "model/model.h"
#include "nbd/nbdc_bytes.h"
#include "nbd/nbdc_replies.h"

/* Most requests under way, and the longest of them, bytes. */
#define ORDER_MAX_DEPTH 200u
#define ORDER_MAX_BYTES ((uint32_t)(160 * KIB))

/* What is done and said in a session. */
struct order_session {
	bool is_structured; /* replies */
	bool has_context;
	uint64_t start; /* its part of the disk: no other client's */
	uint32_t nr_pages;
	unsigned depth; /* requests under way */
	uint32_t max_bytes; /* of a request */
};

struct order_op;

struct order {
	struct model_run *run;
	struct model_rng rng;
	struct order_session session;
	unsigned char *reference; /* that part of the disk */
	struct nbdc_bytes wire; /* to the server */
	struct nbdc_replies replies;
	struct order_op *ops; /* ORDER_MAX_DEPTH of them */
	unsigned nr_under_way;
	uint64_t nr_sent;

	/* Of all sessions. */
	uint64_t nr_by_type[CMD_BLOCK_STATUS + 1];
	uint64_t nr_compared; /* bytes */
	uint64_t nr_overtaken; /* answers that came before an earlier one's */
};

/* order_init() - a client that is in no session. Release: order_fini(). */
void order_init(struct order *order, struct model_run *run, uint64_t seed);
void order_fini(struct order *order);

/* Begin a session on a part of the disk that holds zeros, unless the session
 * before was on the same part. */
void order_begin(struct order *order, const struct order_session *session);

/* Whether there is room for one request more; put one on the wire. */
bool order_may_send(const struct order *order);
void order_send(struct order *order);

/* Put a read of the whole part on the wire, a piece at a time: from *@at on,
 * which is 0 at first. */
void order_read_all(struct order *order, uint64_t *at);

/* Look at what came from the server. */
void order_receive(struct order *order, const unsigned char *bytes, size_t nr);

/* The session is over: all must have been answered. */
void order_end(struct order *order);

/* Say what was done; fail where something never was. */
void order_report(const struct order *order);

#endif

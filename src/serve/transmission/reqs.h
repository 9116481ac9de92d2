/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reqs - the requests of one connection, and the order in which they are done
 *
 * Terms:
 *   look      a request that does not change the disk: a read, a block status,
 *             whatever is only to be refused.
 *   change    one that does, or may: a write, a trim, a write-zeroes. A flush
 *             stands among them.
 *   conflict  two requests that touch a common byte, one of them a change.
 *
 * A page fault of the client's must not wait behind a burst of pages that are
 * written out. So:
 *   - looks come before changes that came earlier, unless they conflict;
 *   - two requests that conflict are done in the order in which they came;
 *   - otherwise looks keep their order among each other, and so do changes,
 *     but for those that wait: they are passed;
 *   - a flush is done when all changes that came before it are.
 * The protocol lets a server answer in any order. This is what a client sees
 * that has several requests under way.
 *
 * The table is fixed: as many requests as Linux has under way on a connection.
 * What comes beyond that stays in the receive buffer.
 *
 * Nothing in it is an address, so that another process could go on with it.
 * Ownership: the connection's. Threads: the worker's.
 * Source: NBD doc/proto.md, "Ordering of messages and writes"; Linux
 * drivers/block/nbd.c (queue_depth).
 */
#ifndef ZSD_SERVE_TRANSMISSION_REQS_H
#define ZSD_SERVE_TRANSMISSION_REQS_H

#include <stdbool.h>
#include <stdint.h>

#include "nbd/request.h"

/* Requests of one connection. Source: queue_depth, drivers/block/nbd.c. */
#define REQS_MAX 128u

enum req_state {
	REQ_FREE,
	REQ_READY, /* can be taken further, if its turn has come */
	REQ_LACKS_PAYLOAD, /* of a write: no more of it is here */
	REQ_WAITS, /* for something slower than memory: see transmission_wake() */
};

struct req {
	struct nbd_request nbd;
	uint64_t number; /* in the order of coming */
	uint64_t payload_pos; /* of a write: where in the receive ring what is
			       * left of its payload begins */
	uint32_t reach_bytes; /* of the disk, from its offset on: what it
			       * touches, nothing if it was refused */
	uint64_t offset; /* of the disk: where to go on */
	uint32_t left_bytes; /* how much is to be done */
	uint32_t error; /* the first one, an NBD error */
	uint64_t error_offset; /* of the disk: where, for a read in chunks */
	uint64_t reply_pos; /* where in the send ring its reply begins */
	bool is_reply_begun; /* a part of its reply is in the send ring */
	bool is_change;
	uint8_t state; /* enum req_state */
	uint8_t next_free; /* of a free one */
};

/* Requests of one kind, in the order of coming. */
struct req_queue {
	uint8_t at[REQS_MAX]; /* indices in the table */
	uint8_t nr;
};

struct reqs {
	struct req table[REQS_MAX];
	struct req_queue looks;
	struct req_queue changes;
	uint64_t nr_taken; /* so far */
	uint8_t first_free; /* REQS_MAX: none */
};

void reqs_init(struct reqs *reqs);

static inline bool reqs_is_full(const struct reqs *reqs)
{
	return reqs->first_free == REQS_MAX;
}

static inline bool reqs_is_empty(const struct reqs *reqs)
{
	return reqs->looks.nr + reqs->changes.nr == 0;
}

/**
 * reqs_add() - take a request up
 * @nbd:   as it was decoded
 * @error: NBD_SUCCESS, or why it is to be refused: it then conflicts with none
 *
 * There must be a free place. Return: the request, which is ready.
 */
struct req *reqs_add(struct reqs *reqs, const struct nbd_request *nbd,
		     uint32_t error);

/* reqs_remove() - a request is answered */
void reqs_remove(struct reqs *reqs, struct req *req);

/**
 * reqs_next() - the request that is to be taken further now
 *
 * Cost: nothing where looks and changes do not stand beside each other; else a
 * comparison for each change that came before the look.
 * Return: NULL where none is ready whose turn has come.
 */
struct req *reqs_next(struct reqs *reqs);

/* reqs_next_change() - the same, looks aside. */
struct req *reqs_next_change(struct reqs *reqs);

/* reqs_change_behind() - the change that came next after a change; NULL where
 * there is none, or its turn has not come. */
struct req *reqs_change_behind(struct reqs *reqs, const struct req *change);

/**
 * reqs_behind() - the request that will probably come after another
 * @steps: how many places behind it, at least 1
 *
 * Return: NULL where there is none.
 */
const struct req *reqs_behind(const struct reqs *reqs, const struct req *req,
			      unsigned steps);

/* Whether one waits for something slower than memory. */
bool reqs_wait(const struct reqs *reqs);

/* reqs_wake() - all that wait are ready. Return: whether there were any. */
bool reqs_wake(struct reqs *reqs);

/* Whether a change that came before @req is still to be answered. */
bool reqs_overtakes(const struct reqs *reqs, const struct req *req);

/* reqs_last_write() - the write that came last, if it is not answered yet: the
 * only one whose payload can be incomplete. NULL if there is none. */
struct req *reqs_last_write(struct reqs *reqs);

/* reqs_payload_pos() - up to where the receive ring is done with: the first
 * byte of payload that is still needed, or @parsed. */
uint64_t reqs_payload_pos(const struct reqs *reqs, uint64_t parsed);

/* What is not answered yet, looks first, each kind in the order of coming. */
struct reqs_saved {
	uint64_t nr_taken;
	uint32_t nr;
	struct req all[REQS_MAX];
};

/* reqs_save() - for whoever is to go on with them. Cost: a copy of those that
 * there are; mostly there are none at the end of a turn. */
void reqs_save(const struct reqs *reqs, struct reqs_saved *to);

/* reqs_load() - go on with them, in a table that is new: all are ready. At most
 * REQS_MAX. */
void reqs_load(struct reqs *reqs, const struct reqs_saved *from);

/* reqs_find() - the request of that number, or NULL */
struct req *reqs_find(struct reqs *reqs, uint64_t number);

/* reqs_shift() - all payloads are @bytes further on in the receive ring now */
void reqs_shift(struct reqs *reqs, uint64_t bytes);

#endif

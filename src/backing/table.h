/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table - blocks that are fetched: who wants them, and which make room
 *
 * A place is for one block, and has its buffer:
 *
 *   free --ask--> ASKED --begin--> READING --end--> HERE or FAILED, wanted
 *                                                      |  ^
 *                                         taken, given  v  | asked for again
 *                                             up       HERE, kept --> free
 *
 * Kept ones are a small cache, and make room, the oldest first. Wanted ones do
 * not, for TABLE_WANTED_MS.
 *
 * Who asks gets room for all or for none. So a set that has all of its places
 * is complete once it is read, whatever others ask, is taken, and makes room.
 * One may lose some again, where another takes blocks that both want, and a
 * third needs the room. It then has places that it cannot use, and would wait
 * for others that wait for these: so who is refused gives up what is here for
 * it already, unless it came just now (TABLE_GRACE_MS).
 *
 * The line: who is refused first stands in it, and nobody gets room before that
 * one does; else many that ask for little would always be before one that asks
 * for much. It is known by the blocks that it asks for. If it does not come
 * again within TABLE_LINE_MS it has gone.
 *
 * Writing: no read of a block and write of it overlap, but for reads that began
 * before: those are done again. What was here is forgotten; what is asked for
 * meanwhile is HELD.
 *
 * Times are of any clock, ns. No lock, no I/O: see fetch.c.
 */
#ifndef ZSD_BACKING_TABLE_H
#define ZSD_BACKING_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "backing/backing.h"
#include "base/compiler.h"
#include "base/list.h"

/* Blocks in it: 1 MiB. Eight pieces of a read, each of which may have all of
 * its blocks elsewhere; or 256 small reads. */
#define TABLE_PLACES 256u

/* How long a block that is here is kept for who wants it, milliseconds. Who
 * comes, comes within some ms; not at all does one whose client has gone. */
#define TABLE_WANTED_MS 5000u

/* How long one that was refused may still keep what came for it, ms: a few
 * times what a worker needs to come. */
#define TABLE_GRACE_MS 20u

/* How long nobody is let past one that does not come, ms: a few times what
 * those who wait are told after at the latest, TABLE_GRACE_MS. */
#define TABLE_LINE_MS 100u

enum place_state {
	PLACE_FREE,
	PLACE_ASKED,
	PLACE_HELD,
	PLACE_READING,
	PLACE_HERE,
	PLACE_FAILED,
};

struct place {
	struct list_node node; /* of free, asked, wanted or kept; or of none */
	struct place *next; /* of those with the same hash */
	void *page; /* BACKING_BLOCK_BYTES */
	uint64_t wanted_ns; /* since when it is here and wanted */
	uint32_t block;
	enum place_state state;
	bool is_kept; /* here, and not wanted */
	bool is_stale; /* being read, and has been written meanwhile */
};

struct table {
	struct place places[TABLE_PLACES];
	struct place *hashed[TABLE_PLACES];
	struct list_node free;
	struct list_node asked; /* the first asked for first */
	struct list_node wanted; /* HERE or FAILED, the longest here first */
	struct list_node kept; /* the same, not wanted; makes room */
	unsigned nr_room; /* on free and kept */
	unsigned nr_waiting; /* ASKED, HELD, READING */
	uint64_t nr_refused; /* so far */
	bool is_refused; /* somebody was, since table_told() */
	bool has_changed; /* there is more room, or no line, since then */

	/* Who stands in the line; 0: nobody. */
	uint64_t line_key;
	uint64_t line_ns; /* when it came last */
	unsigned line_nr; /* places that it needs */

	const struct backing_block *writing; /* blocks that are written */
	unsigned nr_writing;
};

/* table_init() - @pages: TABLE_PLACES of them */
void table_init(struct table *table, unsigned char *pages);

/**
 * table_need() - ask for blocks, as backing_need()
 * @nr_asked: receives for how many reads there are more to do now
 *
 * Return: 0 or -EINPROGRESS.
 */
int table_need(struct table *table, const uint32_t *blocks, unsigned nr,
	       uint64_t now_ns, unsigned *nr_asked) ZSD_MUST_CHECK;

/* table_get() - take a block, as backing_get() */
int table_get(struct table *table, uint32_t block, void *dst) ZSD_MUST_CHECK;

/* Whether somebody was refused for whom there may be room now, but did not know
 * of it when it was told last. */
bool table_has_news(const struct table *table);

/* All who were refused have been told to ask again. */
void table_told(struct table *table);

/* table_begin() - what to read next, into its page; NULL: nothing */
struct place *table_begin(struct table *table);

/**
 * table_end() - it was read
 * @err: 0 or -EREMOTEIO
 *
 * Return: whether it is here; else it is to be read again.
 */
bool table_end(struct table *table, struct place *place, int err,
	       uint64_t now_ns);

/* Around a write of @blocks, which stay until its end. One at a time. */
void table_begin_write(struct table *table, const struct backing_block *blocks,
		       unsigned nr);

/* Return: how many reads there are more to do now. */
unsigned table_end_write(struct table *table);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control_rig - a control thread over a store that tests hold in their hands
 *
 * The store is made up: its numbers are known and its long commands run for as
 * long as a test wants. Clients are plain blocking sockets; whatever does not
 * come within RIG_PATIENCE_S fails the test.
 */
#ifndef ZSD_TESTS_UNIT_CONTROL_RIG_H
#define ZSD_TESTS_UNIT_CONTROL_RIG_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "zstore/zstore_backing.h"
#include "zstore/zstore_recompress.h"

/* Far beyond what a busy machine needs, seconds. */
#define RIG_PATIENCE_S 20

/* What the made-up store is like; the control's threads read it. */
struct rig_store {
	atomic_bool empty; /* all counters are 0 */
	atomic_bool broken; /* verify finds RIG_PROBLEM */
	atomic_uint nr_compacts; /* compactions ended so far */
	atomic_uint nr_shrinks; /* times that free pages were handed back */
	atomic_uint nr_resets; /* times that the peak was restarted */
	atomic_bool untrainable; /* train ends with RIG_UNTRAINABLE */
	atomic_bool useless; /* what train made is not used */
	atomic_bool keeperless; /* nobody could hand over */
	atomic_size_t trained_bytes; /* that train was asked for last */
	atomic_int trained_codec; /* the same: enum zstore_codec */
	atomic_bool second; /* there is a codec for pages that rest */
	atomic_bool unlearned; /* the first codec has no dictionaries */
	atomic_uint idle_age_s; /* that idle was asked for last */
	atomic_bool roomless; /* recompress finds no room */
	struct zstore_recompress recompressed; /* that it was asked for last */
	struct zstore_writeback written; /* the same of writeback */
	atomic_uint nr_blocks; /* that a save has before its end */
	atomic_uint damaged_block; /* what cannot be made, from 1 on; 0: none */
	atomic_int nr_saves; /* begun and not ended */
	atomic_uint save_flags; /* of the last one */
};

#define RIG_HUGE_BYTES	3600u
#define RIG_PROBLEM	"slot 7 leads nowhere"
#define RIG_VERIFIED	123
#define RIG_FREED_PAGES 5
#define RIG_MOVED_OBJS	7
#define RIG_UNTRAINABLE "too few pages"
#define RIG_DICT_NUMBER 2u /* of the only dictionary */
#define RIG_DICT	"what it learned"
#define RIG_DICT_BASE64 "d2hhdCBpdCBsZWFybmVk"

/* The value of the counter @name, the same wherever it is asked for. */
unsigned rig_counter(const char *name);

/* Start and stop a control thread; no compaction may be held at the end. */
void rig_start(void);
void rig_stop(void);

/* Start one with two exports, "" and "second", of the same store. */
void rig_start_two(void);

/* The first export has no backing, and never had. */
void rig_remove_backing(void);

/* Start one that waits for its clients RIG_IDLE_MS only. */
#define RIG_IDLE_MS 1000u
void rig_start_impatient(void);

struct rig_store *rig_store(void);

/* A client attaches to the first export, or leaves it. */
void rig_attach(void);
void rig_detach(void);
void rig_make_read_only(void);

/* Length of a block of a save; each has its number in all of its bytes, the end
 * 0xee. A failure is its text. */
#define RIG_BLOCK_BYTES 100000u

/* Keep compactions from ending, and let them. */
void rig_hold_compact(void);
void rig_release_compact(void);

/* Keep the control's thread in the next stats, and let it go on. */
void rig_hold_stats(void);
void rig_release_stats(void);

/* Wait until a compaction is held: @nr_begun have begun so far. */
void rig_await_compact(unsigned nr_begun);

/* Connect a client. Return: its socket. */
int rig_connect(void);

/* Send all of @bytes. */
void rig_send(int fd, const char *data, size_t bytes);

/**
 * rig_reply() - read one reply line
 *
 * Return: the parsed line, a reference; NULL at the end of the stream.
 */
json_t *rig_reply(int fd);

/* Send @line and a newline, and read one reply, which must come. */
json_t *rig_ask(int fd, const char *line);

/* Check that @reply, taken over, is an error of @code for @id (-1: null). */
void rig_expect_error(json_t *reply, json_int_t id, const char *code,
		      const char *message_part);

/* The result of @reply, which must be there for @id. */
json_t *rig_result(json_t *reply, json_int_t id);

/* Of the only export in the result of `stats` @reply, which has the id 1. */
json_t *rig_export(json_t *reply);

#endif

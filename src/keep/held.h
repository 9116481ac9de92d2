/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * held - the descriptors that outlive a server: images, connections
 *
 * A connection has a number from when it was accepted to when its server lets
 * go of it. It is the lowest that was free.
 *
 * Terms:
 *   shelf   somebody else who holds them, too, each by its name: "image-0",
 *           "area", "conn-12". It is for the time when the keeper is dead.
 *
 * Threads: the keeper's one.
 */
#ifndef ZSD_KEEP_HELD_H
#define ZSD_KEEP_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Longest name, bytes with the final 0. */
#define HELD_NAME_BYTES 24

struct held_shelf {
	void (*put)(void *arg, const char *name, int fd); /* fd stays ours */
	void (*remove)(void *arg, const char *name);
	void *arg;
};

struct held {
	const struct held_shelf *shelf; /* or NULL */

	int *images; /* by disk, or -1 */
	int *conns; /* by number, or -1 */
	int area; /* or -1 */
	unsigned nr_images;
	unsigned max_conns;
	unsigned nr_conns;
};

/* held_init() - hold nothing. Return: 0 or -ENOMEM. Release: held_fini(). */
int held_init(struct held *held, unsigned nr_images,
	      unsigned max_conns) ZSD_MUST_CHECK;

/* held_fini() - let go of everything; the shelf does not */
void held_fini(struct held *held);

/* held_use_shelf() - from now on, put there what is held; outlives it */
void held_use_shelf(struct held *held, const struct held_shelf *shelf);

/**
 * held_take_back() - hold what was on the shelf, and stays there
 * @name: any text
 * @fd:   ours from now on, if there is a place of that name that is free
 *
 * Return: whether there is.
 */
bool held_take_back(struct held *held, const char *name, int fd);

/* held_clear() - let go of everything, and have the shelf do so */
void held_clear(struct held *held);

/* held_add_conn() - hold @fd, which is ours from now on. Return: false where
 * there are max_conns. */
bool held_add_conn(struct held *held, int fd, uint32_t *number);

/* held_drop_conn() - let go of one; @number may be any. */
void held_drop_conn(struct held *held, uint32_t number);

/* held_put_image() - hold @fd as the image of a disk, if there is such a disk;
 * ours in either case. */
void held_put_image(struct held *held, uint32_t number, int fd);
void held_put_area(struct held *held, int fd);

/* Whether there is all that a server needs to take over. */
bool held_is_whole(const struct held *held);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save_rig - a saved disk in memory, to be read and to be damaged
 */
#ifndef ZSD_UNIT_SAVE_RIG_H
#define ZSD_UNIT_SAVE_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "zsave/zsave.h"

#define STREAM_MAX_BLOCKS 512u

struct stream {
	unsigned char *bytes;
	size_t nr_bytes;
	size_t room;
	size_t blocks[STREAM_MAX_BLOCKS]; /* where each begins */
	unsigned nr_blocks;
};

void stream_init(struct stream *stream);
void stream_fini(struct stream *stream);

/* Put a block at the end, as a writer made it; with the first comes the
 * start. Nothing for 0 bytes. */
void stream_add(struct stream *stream, const void *bytes, size_t nr_bytes);

/* Make the checksum of every block fit again, and the lengths in their prefixes
 * what follows from where blocks begin. */
void stream_seal(struct stream *stream);

/* The payload of block @number. */
unsigned char *stream_payload(struct stream *stream, unsigned number);

/* Take block @number out of it, or put it behind itself once more. */
void stream_drop(struct stream *stream, unsigned number);
void stream_double(struct stream *stream, unsigned number);

/**
 * stream_read() - have a reader read it, @piece bytes at a time at most
 * @take: is called with each block; or NULL. Another value than 0 ends it
 *
 * Return: 0 where all of it is right; what the reader or @take returned; the
 * reader says more.
 */
int stream_read(const struct stream *stream, struct zsave_reader *reader,
		size_t piece,
		int (*take)(void *arg, const struct zsave_block *block),
		void *arg);

#endif

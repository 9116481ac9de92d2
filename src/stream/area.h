/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * area - the memory of all connections that may have to be kept
 *
 *   page 0    header: magic, version, sizes
 *   slots     of each connection: its struct stream, its rings
 *
 * It is a memfd, so that another process can go on with it: whoever holds the
 * descriptor holds the memory. A slot has memory while it is taken.
 *
 * Ownership: the creator's. Threads: any; a slot is for one at a time.
 */
#ifndef ZSD_STREAM_AREA_H
#define ZSD_STREAM_AREA_H

#include "stream/stream.h"

struct stream_area;

struct stream_area_params {
	unsigned nr_slots; /* at least 1 */
	size_t rx_bytes; /* of the rings: see io_ring_create() */
	size_t tx_bytes;
	bool inherit_priority; /* see lock_init() */
};

/**
 * stream_area_create() - make an area in which nothing is kept
 *
 * Takes no memory but a page. Return: 0, -ENOMEM, or the -errno of
 * memfd_create(2), ftruncate(2) or mmap(2). Release: stream_area_destroy().
 */
int stream_area_create(const struct stream_area_params *params,
		       struct stream_area **out) ZSD_MUST_CHECK;

/**
 * stream_area_open() - go on with an area of a process that is dead
 * @fd:     of stream_area_fd(); the area's if it succeeds
 * @params: must be those it was made with
 *
 * Slots that are kept are taken, until stream_area_free().
 * Return: as stream_area_create(), or -EUCLEAN where it is no area of this
 * version and these sizes.
 */
int stream_area_open(int fd, const struct stream_area_params *params,
		     struct stream_area **out) ZSD_MUST_CHECK;

/* stream_area_look() - see once more which slots are kept: the process that has
 * it is dead by now. Two system calls for each that has memory. */
void stream_area_look(struct stream_area *area);

/* stream_area_destroy() - unmap it, and close the descriptor. All slots must be
 * unmapped. Takes NULL, too. */
void stream_area_destroy(struct stream_area *area);

int stream_area_fd(const struct stream_area *area);
unsigned stream_area_nr_slots(const struct stream_area *area);

/* stream_area_is_kept() - whether there is something to go on with in a slot.
 * A system call. */
bool stream_area_is_kept(const struct stream_area *area, unsigned slot);

/* stream_area_find_kept() - find the first from *@slot on. Return: whether
 * there is one. Two system calls for each that has memory. */
bool stream_area_find_kept(const struct stream_area *area, unsigned *slot);

/* stream_area_number() - that of the session in a slot that is kept. A system
 * call. */
uint32_t stream_area_number(const struct stream_area *area, unsigned slot);

/**
 * stream_area_take() - take a slot
 *
 * Return: 0, or -ENOSPC where all are taken. Release: stream_area_free().
 */
int stream_area_take(struct stream_area *area, unsigned *slot) ZSD_MUST_CHECK;

/* stream_area_free() - give a slot back, unmapped, and its memory. */
void stream_area_free(struct stream_area *area, unsigned slot);

/**
 * stream_area_map() - map a slot that is taken
 * @stream: receives what is there: zeros, or what the last process left
 * @rx, @tx: receive its rings, which are empty
 *
 * Puts memory behind all of it. Return: 0, -ENOMEM, or the -errno of mmap(2).
 * Release: stream_area_unmap().
 */
int stream_area_map(struct stream_area *area, unsigned slot,
		    struct stream **stream, struct io_ring *rx,
		    struct io_ring *tx) ZSD_MUST_CHECK;
void stream_area_unmap(struct stream *stream, struct io_ring *rx,
		       struct io_ring *tx);

/**
 * stream_area_map_ahead() - do the work of stream_area_map() for what is kept
 *
 * A page fault for each page of each slot: time that the next process has now,
 * while the one before still serves, and not when that is dead. Where there is
 * no memory for it, less is mapped. A slot whose connection ends meanwhile may
 * keep its memory until it is used again.
 */
void stream_area_map_ahead(struct stream_area *area);

/* stream_area_unmap_ahead() - what stream_area_map() was not asked for since */
void stream_area_unmap_ahead(struct stream_area *area);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping - one shared mapping of a memfd, committed and released in pieces
 *
 * The memfd may outlive its process: another that has a descriptor of it opens
 * it. Any number of processes may have it mapped, but one owns it: that one
 * alone changes what is in it. The kernel lets go of the ownership when the
 * process that has it ends, however it ends.
 *
 * The whole range is mapped at once, but costs memory only where it was
 * committed. Committing ahead of use is what keeps the memory's absence an
 * error code: touching a page of shared memory that the system cannot supply
 * is a SIGBUS.
 *
 * No core dump holds it (MADV_DONTDUMP): what people swap out is theirs, and
 * may be larger than the disk that the dump would go to.
 *
 * Ownership: the creator's; everything that points into it dies with it.
 * Threads: commit and release from any thread, on ranges that do not overlap.
 * Source: memfd_create(2), fallocate(2), madvise(2); fcntl(2) of locks that
 * belong to an open file description.
 */
#ifndef ZSD_BASE_MAPPING_H
#define ZSD_BASE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct mapping {
	unsigned char *base; /* page-aligned; reads as zeros at first */
	uint64_t bytes; /* a multiple of ZSD_PAGE_BYTES */
	int fd; /* the memfd */
	int owner_fd; /* the same, opened once more: it has the lock that makes
		       * this process the owner; -1: it is not */
};

/**
 * mapping_create() - map @bytes of fresh shared memory, and own it
 * @name:  shown in /proc/PID/maps as "memfd:NAME"
 * @bytes: size, a multiple of ZSD_PAGE_BYTES
 * @out:   receives the mapping; untouched on error
 *
 * Takes address space, no memory. Release: mapping_destroy().
 * Return: 0 or the -errno of memfd_create(2), ftruncate(2), mmap(2), madvise(2)
 * or of mapping_own().
 */
int mapping_create(const char *name, uint64_t bytes,
		   struct mapping *out) ZSD_MUST_CHECK;

/**
 * mapping_open() - map the memfd of another mapping, as it is
 * @fd:  the memfd; stays the caller's
 * @out: receives the mapping; untouched on error
 *
 * It may have an owner, who goes on changing it. Costs no memory.
 * Release: mapping_destroy().
 * Return: 0, -EINVAL where it is no file with a whole number of pages, or the
 * -errno of fcntl(2), lseek(2), mmap(2) or madvise(2).
 */
int mapping_open(int fd, struct mapping *out) ZSD_MUST_CHECK;

/**
 * mapping_own() - become the owner
 *
 * A child that was forked off the owner, and did not execute another program,
 * has the ownership together with it.
 * Return: 0, also where it is the owner already; -EBUSY where a living process
 * owns it, or the -errno of open(2) in /proc or of fcntl(2).
 */
int mapping_own(struct mapping *map) ZSD_MUST_CHECK;

void mapping_destroy(struct mapping *map);

/**
 * mapping_commit() - put memory behind a range and touch it
 * @offset:     start, a multiple of ZSD_PAGE_BYTES
 * @bytes:      length, a multiple of ZSD_PAGE_BYTES, not 0
 * @done_bytes: receives how much of it, from its start on, has memory now:
 *              all of it on success. NULL if the caller does not want to know
 *
 * What the range held is kept. Afterwards no access to what is done faults for
 * lack of memory (unless an administrator lets it be swapped out). If it fails
 * and nothing of the range had memory before, the rest of it has none: so the
 * caller can account for every page.
 *
 * Context: makes system calls and may enter reclaim: not for the data path.
 * Cost:    a page zeroed and mapped for each page without memory.
 * Return:  0, or -ENOMEM/-ENOSPC where the system has no memory for all of it.
 */
int mapping_commit(const struct mapping *map, uint64_t offset, uint64_t bytes,
		   uint64_t *done_bytes) ZSD_MUST_CHECK;

/**
 * mapping_next_data() - find memory
 * @offset: from where on; receives where the memory begins
 * @end:    where to stop: not behind the mapping; receives where it ends
 *
 * Both are multiples of ZSD_PAGE_BYTES. Memory that was committed, but is being
 * so at this moment, may be missing.
 * Cost: two system calls. Return: whether there is any.
 */
bool mapping_next_data(const struct mapping *map, uint64_t *offset,
		       uint64_t *end);

/**
 * mapping_release() - give the memory behind a range back to the system
 *
 * Same units as mapping_commit(). The range reads as zeros afterwards.
 * Return: 0 or the -errno of fallocate(2); the range is then unchanged.
 */
int mapping_release(const struct mapping *map, uint64_t offset,
		    uint64_t bytes) ZSD_MUST_CHECK;

/* --- memory for a while -------------------------------------------------- */

/**
 * memory_take() - memory of this process alone, zeroed, page-aligned
 *
 * For what is large, and comes and goes: it goes back to the system, where the
 * heap would keep it. Locked where all memory is.
 * Return: NULL where there is none. Release: memory_give_back().
 */
void *memory_take(size_t bytes) ZSD_MUST_CHECK;

/* memory_give_back() - @bytes, which is all of it; takes NULL too */
void memory_give_back(void *memory, size_t bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * refuse - a system that has no memory when the test says so
 *
 * For programs that are linked with refuse_link (Makemodule.am): there
 * mapping_commit() fails, with -ENOMEM and -ENOSPC in turn, as often as it is
 * told to. Of a commit that is refused a part may be done all the same, from
 * the start on, but never all; none where all commits are refused.
 *
 * Threads: from any.
 */
#ifndef ZSD_MODEL_REFUSE_H
#define ZSD_MODEL_REFUSE_H

#include <stdint.h>

#include "base/mapping.h"

/* Refuse one commit in @n, at random; 0: none, as it is at the start. */
void refuse_one_in(unsigned n);

/* Refuse the commit after the next @n, and no other. */
void refuse_after(uint64_t n);

/* Commits refused so far. */
uint64_t refuse_count(void);

/* The linker's names: what is called instead, and what would have been. */
int __wrap_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);
int __real_mapping_commit(const struct mapping *map, uint64_t offset,
			  uint64_t bytes, uint64_t *done_bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * told_rig - a store whose pages become as long as they are told
 *
 * A page begins with what each codec is to make of it. The linker has the
 * store call the codecs of this rig (told_link in store.am).
 */
#ifndef ZSD_UNIT_TOLD_RIG_H
#define ZSD_UNIT_TOLD_RIG_H

#include "store_rig.h"
#include "zstore/zstore_age.h"
#include "zstore/zstore_internal.h"

/* The one that all of it is about. */
extern struct store_rig rig;

/* What another thread does while the secondary codec works, once. */
extern void (*told_meanwhile)(void);

/* As rig_params(), with codecs and the classes of zram's vectors. */
struct zstore_params told_params(void);

/* A page that becomes @before bytes as it comes in, @after when it is
 * recompressed. Return: as zstore_write(); or it must succeed. */
int told_try_put(uint64_t index, uint32_t before, uint32_t after);
void told_put(uint64_t index, uint32_t before, uint32_t after);

/* A page twice by another thread, so that its slot says what it said: the
 * second write gets the handle that the first one freed. */
void told_write_twice(uint64_t index, uint32_t before, uint32_t after);

/* What is told of a page, which is stored. */
struct zstore_block told_block(uint64_t index);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_share - have pages of equal content share one object
 *
 * Whoever has time looks at the pages in the order of the disk, and remembers
 * by a sum of their objects' bytes where they are. If another object has the
 * same sum, and then the same bytes, length, codec and dictionary, its page
 * gets that of the first, and the other is freed. Raw pages share, too; words
 * need not. Nothing is decompressed.
 *
 * What follows from sharing:
 *   - A write makes its page an object of its own, as ever: nothing is copied.
 *     The object goes with the last page that has it. So a write to a page
 *     that shares frees nothing, and in a store that is full it may fail with
 *     -ENOSPC where one to another page would find room.
 *   - Equal pages that were compressed by another codec, or with another
 *     dictionary, have other bytes and do not share. zstore_recompress() passes
 *     over pages that share: have it run first.
 *   - Whoever can write pages can find out, by how much memory is in use, or by
 *     how long a write or a read takes, whether the disk has a page of a
 *     certain content. Do not share between those who must not know of each
 *     other.
 *   - Damage of one object is damage of all its pages.
 *   - Saving writes each page as if it were alone; restored, it is.
 *
 * A page is published, new before old, only if neither it nor the first was
 * written meanwhile, so that a process may end at any instruction. Both slots
 * are locked for that, which takes some microseconds, without waiting for
 * either: pages that are being written are passed over. Reads go on. It is no
 * access to the pages.
 *
 * How many pages have an object is not in the image: it follows from the slots,
 * which say that they share. An image whose pages do can be adopted by a
 * process that is not to share any: what does, does so until it is written.
 *
 * Memory: with zstore_params.share 2 B a page of the disk, counted as metadata
 * from the beginning. They are there only where pages share, or did; but all of
 * them where the process has locked its memory. A write never asks for any.
 *
 * Threads: a struct zstore_sharing is one thread's at a time, and several may
 * be at work; I/O goes on beside them.
 */
#ifndef ZSD_ZSTORE_ZSTORE_SHARE_H
#define ZSD_ZSTORE_ZSTORE_SHARE_H

#include "zstore/zstore.h"

/* What is remembered, where the next page is, and what was done. */
struct zstore_sharing;

/* Objects to remember that are enough for 256 MiB of the disk at a time; it
 * takes 1 MiB. */
#define ZSTORE_SHARING_OBJECTS 65536u

/**
 * zstore_sharing_create() - what it takes to look for equal pages
 * @nr_objects: how many to remember at a time; 16 B each, rounded up to a power
 *              of two
 *
 * A disk of more objects is looked through as many times in a pass, each time
 * for a part of all possible sums. The memory is the caller's, and no metadata
 * of any store; it may be used with one store only.
 * Return: 0 or -ENOMEM. Release: zstore_sharing_destroy(), which takes NULL too.
 */
int zstore_sharing_create(uint64_t nr_objects,
			  struct zstore_sharing **out) ZSD_MUST_CHECK;
void zstore_sharing_destroy(struct zstore_sharing *sharing);

/**
 * zstore_share() - look at the next pages
 * @ctx:       of a store with zstore_params.share
 * @max_looks: at slots, at least 1; one looks past 2 MiB that were never
 *             written
 *
 * A pass finds nearly all equal pages that nobody writes meanwhile, and the
 * next one finds others of those that it missed. An object is shared by 65,535
 * pages at most; of more than that some have another.
 *
 * Cost: up to 1 us a look, half of that where there are checksums; some 2 us
 * more for a page that shares from now on; and the table is cleared each time
 * before the disk is looked through.
 * Return: 1 where there is more; 0 at the end of a pass, the next call beginning
 * another; or
 *   -EOPNOTSUPP   the store is not to share pages
 *   -EINPROGRESS  the image was adopted, and is not rebuilt yet
 */
int zstore_share(struct zstore_ctx *ctx, struct zstore_sharing *sharing,
		 unsigned max_looks) ZSD_MUST_CHECK;

/* What was done in all passes. */
struct zstore_shared {
	uint64_t nr_looked; /* pages whose object was looked for */
	uint64_t nr_shared; /* that were given another's object */
	uint64_t bytes_freed; /* of objects that were no page's any more */
};

void zstore_sharing_done(const struct zstore_sharing *sharing,
			 struct zstore_shared *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zstore_dict - the dictionaries that a store's pages are compressed with
 *
 * A store has up to ZSTORE_MAX_DICTS dictionaries, by number from 1 on; 0 is
 * none. Each is one of its codecs' (plz calls its own models). Each codec has
 * at most one that is current: what it compresses from now on is compressed
 * with that. A page stays as it was written, and its slot says by which codec
 * and with which number, so that it reads as long as it is stored.
 *
 * A number is used again, for another dictionary, when
 *   - it is not the current one of its codec,
 *   - no context is about to store with it: each says with which it does,
 *     before it looks a second time whether that is still the current one,
 *   - and no object was stored with it. It is counted out only after its
 *     object was freed, which waits for whoever reads it.
 * Nobody waits for that: as long as it is not so, the number is taken.
 *
 * Their bytes are in the store's image, at its metadata; what the codec made
 * of them is on the heap, but for what the secondary codec takes to compress
 * with one: see zstore_recompress.h. All count towards mem_limit. Damage to the
 * bytes is found by zstore_verify() alone: to sum them up for each page would
 * cost more than the page. Until then what was written with them may read wrong.
 *
 * Threads: from any, at any time; of two that add at once either may come last
 * and be the current one. I/O goes on beside them, and never waits for them.
 */
#ifndef ZSD_ZSTORE_ZSTORE_DICT_H
#define ZSD_ZSTORE_ZSTORE_DICT_H

#include "zstore/zstore.h"

/* As many as the four bits of a slot can tell apart. */
#define ZSTORE_MAX_DICTS 15u

/**
 * zstore_dict_add() - have a codec compress with a dictionary from now on
 * @codec:            which one
 * @bytes, @nr_bytes: as of zcomp_dict_create(); copied
 * @number:           receives its number; untouched on error
 *
 * The dictionaries that nothing needs any more are let go of before. Allocates,
 * and makes system calls.
 * Return: 0, or, all being as it was,
 *   -EOPNOTSUPP  the codec has no dictionaries, or the store no such codec
 *   -EMSGSIZE, -EINVAL  as of zcomp_dict_create()
 *   -EBUSY   pages are stored with each of ZSTORE_MAX_DICTS
 *   -ENOSPC  mem_limit has no room for it
 *   -ENOMEM  the system has no memory for it
 */
int zstore_dict_add(struct zstore *store, enum zstore_codec codec,
		    const void *bytes, size_t nr_bytes,
		    unsigned *number) ZSD_MUST_CHECK;

/* The number of a codec's current one, or 0. Context: any thread. */
unsigned zstore_dict_current(const struct zstore *store,
			     enum zstore_codec codec);

struct zstore_dict_info {
	uint64_t bytes; /* of the dictionary itself */
	uint64_t memory_bytes; /* that it takes in all now */
	uint64_t pages; /* stored with it */
	enum zstore_codec codec; /* whose it is */
	bool is_current;
};

/**
 * zstore_dict_info() - tell of one dictionary
 * @number: 1 .. ZSTORE_MAX_DICTS
 *
 * Return: true, or false where there is none of that number.
 */
bool zstore_dict_info(struct zstore *store, unsigned number,
		      struct zstore_dict_info *out);

/**
 * zstore_dict_bytes() - the bytes of a codec's current dictionary
 *
 * Valid until another is added after the next one. Context: whoever adds.
 * Return: them, or NULL where there is no current one.
 */
const void *zstore_dict_bytes(struct zstore *store, enum zstore_codec codec,
			      size_t *nr_bytes);

/**
 * zstore_sample() - copy pages that are stored compressed, from all over
 * @ctx:       the caller's
 * @max_pages: how many at most
 * @dst:       room for so many
 *
 * They come in the order of the disk, as far apart from each other as they can
 * be. Same-filled and huge pages are passed over, and so are damaged ones.
 * Cost: a look at every slot, twice, and the decompression of what is copied.
 * Return: how many.
 */
uint64_t zstore_sample(struct zstore_ctx *ctx, uint64_t max_pages, void *dst);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * train - make a dictionary of what is stored, and see what it gains
 *
 * For either codec of a store; of plz it is a model.
 *
 * Of a sample of the pages that are stored compressed, spread over the disk,
 * four in five are trained on. The others tell what that gained: they are
 * compressed and decompressed without a dictionary, with the current one if
 * there is one, and with the new one, which is used for new pages from then on
 * if it makes those pages shorter than what was used until then.
 *
 * Threads: one training at a time, on a thread that may take its time. It
 * reads the store as a client does and delays nobody, but takes a core for a
 * second or so.
 *
 * Where the kernel swaps on the store, asking it for memory can make it wait
 * for us (docs/safety.md). A training takes up to TRAIN_MAX_MEMORY_BYTES for a
 * moment, so there it is refused unless the kernel has twice what it takes to
 * give at once.
 */
#ifndef ZSD_POLICY_TRAIN_H
#define ZSD_POLICY_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "ctl/ctl.h"
#include "zstore/zstore_dict.h"

/*
 * Size of a dictionary, bytes. Least: below that there is little but its
 * tables. By default: above that pages become hardly shorter (2 % for twice
 * the size), while its digest takes more of the processor's caches.
 */
#define TRAIN_MIN_DICT_BYTES	 ((size_t)KIB)
#define TRAIN_DEFAULT_DICT_BYTES ((size_t)(32 * KIB))

/*
 * How many bytes to train on for each of the dictionary: about a hundred, says
 * zstd's manual (zdict.h); with less than 16 it learns single pages by heart.
 */
#define TRAIN_RATIO	128u
#define TRAIN_MIN_RATIO 16u

/* But no more pages than this: more take longer, and teach nothing new. */
#define TRAIN_MAX_PAGES 2048u

/* One page in so many is kept to test with. */
#define TRAIN_TEST_PART 5u

/* Sample, pages to test with, and those compressed; and zcomp_train()'s own. */
#define TRAIN_MAX_MEMORY_BYTES                                             \
	((TRAIN_MAX_PAGES + 3 * TRAIN_MAX_PAGES / (TRAIN_TEST_PART - 1)) * \
		 (uint64_t)ZSD_PAGE_BYTES +                                \
	 ZCOMP_TRAIN_BYTES)

/* What the tested pages came to. */
struct train_cost {
	uint64_t compressed_bytes; /* of all of them; raw ones whole */
	uint64_t compress_ns; /* processor time, all of them */
	uint64_t decompress_ns;
};

struct train_report {
	unsigned number; /* that it has, or 0 where it is not used */
	unsigned before; /* number of the one used until then, or 0 */
	uint32_t nr_trained; /* pages */
	uint32_t nr_tested; /* pages */
	struct train_cost without; /* any dictionary */
	struct train_cost current; /* the one used until then; if any */
	struct train_cost trained; /* the new one */
	size_t nr_bytes; /* of the dictionary */
	unsigned char bytes[ZCOMP_DICT_MAX_BYTES];
};

/**
 * train_run() - make a dictionary, and use it if it is any good
 * @ctx:        of @store; the caller's
 * @codec:      for which one
 * @is_swapped: whether the kernel may be swapping on the store
 * @dict_bytes: its size at most, TRAIN_MIN_DICT_BYTES .. ZCOMP_DICT_MAX_BYTES;
 *              of plz, of what is not the model's
 * @out:        filled in
 * @error:      filled in on error
 *
 * Return: 0, or
 *   -EOPNOTSUPP  that codec has no dictionaries, or is not there
 *   -EAGAIN      too few pages are stored, or the system is short of memory
 *   -EBUSY       as of zstore_dict_add()
 *   -ENOSPC      the same
 *   -ENOMEM
 */
int train_run(struct zstore *store, struct zstore_ctx *ctx,
	      enum zstore_codec codec, bool is_swapped, size_t dict_bytes,
	      struct train_report *out, struct ctl_error *error) ZSD_MUST_CHECK;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec_dict - a dictionary for codeccost: from a file, or trained on pages
 *
 * Trained as a server does of its own accord: the same size, and as many pages
 * from all over what there is, those that compress aside from same-filled ones.
 *
 * Ownership: the caller's, from load or train to fini.
 */
#ifndef ZSD_BENCH_CODEC_DICT_H
#define ZSD_BENCH_CODEC_DICT_H

#include <stddef.h>

#include "base/compiler.h"
#include "load_pages.h"
#include "zcomp/zcomp.h"

/* Size to train, bytes, and how many pages to train on: 128 times as much. */
#define CODEC_DICT_BYTES ((size_t)32 << 10)
#define CODEC_DICT_PAGES 1024u

struct codec_dict {
	unsigned char bytes[ZCOMP_DICT_MAX_BYTES];
	size_t nr_bytes;
	struct zcomp_dict *digested;
};

/*
 * Both return 0, or what zcomp_dict_create() does; the first also the -errno of
 * reading, the second what zcomp_train() does. @out is to be released with
 * codec_dict_fini() after 0 alone.
 */
int codec_dict_load(const char *path, const struct zcomp_params *params,
		    struct codec_dict *out) ZSD_MUST_CHECK;
int codec_dict_train(const struct load_pages *pages,
		     const struct zcomp_params *params,
		     struct codec_dict *out) ZSD_MUST_CHECK;
void codec_dict_fini(struct codec_dict *dict);

#endif

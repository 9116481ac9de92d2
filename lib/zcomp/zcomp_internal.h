/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zcomp_internal - what a codec is to zcomp: one table of functions
 *
 * A backend's errors are translated here and nowhere else: 0, -ENOMEM,
 * -ENOSPC (result too large), -EIO (damaged input) and -EINVAL (a dictionary
 * that is none), as zcomp.h promises.
 */
#ifndef ZSD_ZCOMP_ZCOMP_INTERNAL_H
#define ZSD_ZCOMP_ZCOMP_INTERNAL_H

#include <stddef.h>

#include "zcomp/zcomp.h"

struct zcomp_ops {
	const char *name; /* as the user writes it */
	const char *description; /* name and range of levels */
	int level_min;
	int level_max;
	int level_default;
	size_t worth_bytes; /* zcomp_worth_bytes(); 0: any length is */

	/* Allocates all scratch memory for sources of up to src_bytes_max. */
	int (*create)(int level, size_t src_bytes_max, void **scratch);
	void (*destroy)(void *scratch);

	/* As zcomp_compress() and zcomp_decompress(); @digest is
	 * what dict_create() made, or NULL for none. */
	int (*compress)(void *scratch, const void *digest, const void *src,
			size_t src_bytes, void *dst, size_t dst_bytes,
			size_t *out_bytes);
	int (*decompress)(void *scratch, const void *digest, const void *src,
			  size_t src_bytes, void *dst, size_t dst_bytes);

	/* As zcomp_dict_create() and so on; all are NULL where the codec has no
	 * dictionaries. The first one also where there is nothing besides. */
	size_t (*dict_bytes_besides)(void);
	size_t (*dict_memory)(int level, enum zcomp_use use,
			      size_t src_bytes_max, size_t nr_bytes);
	int (*dict_create)(int level, size_t src_bytes_max, const void *bytes,
			   size_t nr_bytes, void **digest); /* not ready */
	int (*dict_ready)(void *digest);
	void (*dict_rest)(void *digest);
	void (*dict_destroy)(void *digest);
	int (*train)(int level, const void *samples, unsigned nr_samples,
		     size_t sample_bytes, void *dst, size_t dst_bytes,
		     size_t *out_bytes);
};

extern const struct zcomp_ops zcomp_lz4;
extern const struct zcomp_ops zcomp_plz;
extern const struct zcomp_ops zcomp_zstd;

#endif
